//! `quorate fetch`: gets everything that a run needs ahead of time.

use std::io::Write;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::sources::Sources;
use crate::artifact::{self, Form, NodeImage, Request};
use crate::event::{Event, Phase, Verdict, What};
use crate::machine::provider::{self, DEFAULT_BOX, Provider};
use crate::machine::vagrant;
use crate::record::{Recorder, SpanOptions};
use crate::scenario::NetworkPlugin;

/// Gets everything that a run needs ahead of time: Kubernetes, and the node image of the docker provider, or the box of virtual
/// machines and all that they install.
///
/// Everything is kept in the cache as it comes: interrupted and started again, it goes on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The version of Kubernetes, as 1.31.2, or 1.31 for its newest patch. The newest that the first source has if not said.
    #[arg(long, env = "QUORATE_KUBERNETES_VERSION", value_name = "VERSION")]
    kubernetes_version: Option<String>,
    /// What connects pods, where that needs images of its own: calico, calico:VERSION or calico:VERSION@sha256:SUM.
    #[arg(long, env = "QUORATE_NETWORK_PLUGIN", value_name = "PLUGIN", default_value_t = NetworkPlugin::Bridge)]
    network_plugin: NetworkPlugin,
    #[command(flatten)]
    sources: Sources,
    /// For which machines: those of docker start from an image, virtual machines install from an archive.
    #[arg(long, env = "QUORATE_PROVIDER", value_name = "PROVIDER", default_value = "docker")]
    provider: String,
    /// The Vagrant box of virtual machines, with Debian 12.
    #[arg(long = "box", env = "QUORATE_BOX", value_name = "BOX", default_value = DEFAULT_BOX)]
    vm_box: String,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let Some(provider) = provider::by_name(&args.provider) else {
        return super::complain(&provider::unknown(&args.provider).to_string());
    };
    let (version, calico) = (args.kubernetes_version, args.network_plugin.into_calico());
    let request = Request { version, calico, sources: args.sources.into() };
    let recorder = Recorder::unwritten();
    let events = tokio::spawn(tell(recorder.follow()));
    let cancel = CancellationToken::new();
    let signals = tokio::spawn(end_on_signal(cancel.clone()));
    let result = get(provider.as_ref(), &args.vm_box, &request, &recorder, &cancel).await;
    signals.abort();
    drop(recorder);
    if let Err(error) = events.await {
        tracing::warn!(%error, "the output ended early");
    }
    match result {
        Ok(image) => say(&image),
        Err(error) => {
            let complained = super::complain(&error);
            if cancel.is_cancelled() { ExitCode::from(Verdict::Interrupted.exit_code()) } else { complained }
        }
    }
}

async fn get(
    provider: &dyn Provider,
    vm_box: &str,
    request: &Request,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<NodeImage, String> {
    if provider.form() == Form::Bundle {
        let span = recorder.span(Phase::Prepare, format!("Vagrant's box {vm_box}"), SpanOptions::default());
        vagrant::want_box(vm_box, provider.name(), cancel).await.map_err(|error| error.to_string())?;
        span.end(Verdict::Passed, None);
    }
    let image = artifact::node_image(provider.form(), request, recorder, cancel).await;
    image.map_err(|error| error.to_string())
}

fn say(NodeImage { reference, kubernetes, etcd, calico, .. }: &NodeImage) -> ExitCode {
    let mut parts = vec![
        format!("Kubernetes {} from {}", kubernetes.version, kubernetes.source),
        format!("etcd {} from {}", etcd.version, etcd.source),
    ];
    if let Some(calico) = calico {
        // What somebody may want to write behind `@sha256:`.
        let sums: Vec<String> = calico.sha256.iter().map(|(name, sum)| format!("{name} sha256:{sum}")).collect();
        parts.push(format!("Calico {} from {} ({})", calico.version, calico.source, sums.join(", ")));
    }
    super::written(writeln!(anstream::stdout(), "{reference} has {}", parts.join(", ")).map_err(Into::into))
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
