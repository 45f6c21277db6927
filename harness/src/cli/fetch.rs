//! `quorate fetch`: gets everything that a run needs ahead of time.

use std::io::Write;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::artifact::{self, NodeImage, Request, Source};
use crate::event::{Event, Verdict, What};
use crate::machine::provider;
use crate::record::Recorder;

/// Gets everything that a run needs ahead of time: Kubernetes, and the node image of the docker provider or what virtual machines
/// install from.
///
/// Everything is kept in the cache as it comes: interrupted and started again, it goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version of Kubernetes, as 1.31.2, or 1.31 for its newest patch. What the first source has if not said.
    #[arg(long, value_name = "VERSION")]
    kubernetes_version: Option<String>,
    /// Where Kubernetes may come from, tried in the order given: folder:PATH, cache, mirror:URL, debian.
    #[arg(long, value_name = "SOURCE", default_values = ["cache", "debian"])]
    kubernetes_from: Vec<Source>,
    /// For which machines: those of docker start from an image, virtual machines install from an archive.
    #[arg(long, value_name = "PROVIDER", default_value = "docker")]
    provider: String,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let Some(provider) = provider::by_name(&args.provider) else {
        return super::complain(&provider::unknown(&args.provider).to_string());
    };
    let request = Request { version: args.kubernetes_version, sources: args.kubernetes_from };
    let recorder = Recorder::unwritten();
    let events = tokio::spawn(tell(recorder.follow()));
    let cancel = CancellationToken::new();
    let signals = tokio::spawn(end_on_signal(cancel.clone()));
    let result = artifact::node_image(provider.form(), &request, &recorder, &cancel).await;
    signals.abort();
    drop(recorder);
    if let Err(error) = events.await {
        tracing::warn!(%error, "the output ended early");
    }
    match result {
        Ok(image) => say(&image),
        Err(error) if error.is_cancelled() => {
            super::complain(&error.to_string());
            ExitCode::from(Verdict::Interrupted.exit_code())
        }
        Err(error) => super::complain(&error.to_string()),
    }
}

fn say(NodeImage { reference, kubernetes, .. }: &NodeImage) -> ExitCode {
    let line = format!("{reference} has Kubernetes {} from {}", kubernetes.version, kubernetes.source);
    super::written(writeln!(anstream::stdout(), "{line}").map_err(Into::into))
}

/// One line on standard error for each piece of work, and for whatever it does next.
async fn tell(mut events: UnboundedReceiver<Event>) {
    let mut shown = String::new();
    while let Some(event) = events.recv().await {
        let line = match event.what {
            What::SpanStarted { title, .. } => format!("{title} ..."),
            What::SpanEnded { verdict, took, .. } => format!("{verdict} after {took:.1} s"),
            What::Progress { message, done: None, .. } => message,
            What::Progress { done: Some(done), total: Some(total), unit, .. } if total > 0 => {
                format!("{} % of {}", done * 100 / total / 10 * 10, unit.unwrap_or_default())
            }
            What::Notice { message } => message,
            _ => continue,
        };
        if shown != line {
            // A reader that has gone away is no reason to stop.
            let _ = writeln!(anstream::stderr(), "[{:7.1}] {line}", event.at);
            shown = line;
        }
    }
}

async fn end_on_signal(cancel: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    cancel.cancel();
}
