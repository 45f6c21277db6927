//! `quorate run`: runs a scenario and tells how it went.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::artifact::Source;
use crate::event::Verdict;
use crate::machine::provider::DEFAULT_BOX;
use crate::plan::Plan;
use crate::record::Recorder;
use crate::report::terminal::{Mode, Options as View, Terminal};
use crate::report::{history, json, markdown};
use crate::run::{Options, Session};
use crate::scenario::{self, LoadOptions, Rendering, Scenario};

/// Runs a scenario on real machines and judges it.
///
/// Exit code 0: passed; 1: failed, the cluster misbehaved; 2: broken or bad input, nothing is known about the cluster;
/// 130: interrupted.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What makes the machines: virtualbox, libvirt or docker. The first that can be used here if not said.
    #[arg(long, env = "QUORATE_PROVIDER", value_name = "NAME")]
    provider: Option<String>,
    /// The Vagrant box of virtual machines.
    #[arg(long = "box", env = "QUORATE_BOX", value_name = "BOX", default_value = DEFAULT_BOX)]
    vm_box: String,
    /// Moves all machines to another network of the same size.
    #[arg(long, env = "QUORATE_NETWORK", value_name = "CIDR")]
    network: Option<Ipv4Net>,
    /// The version of Kubernetes, as 1.20.2 or 1.20, instead of the topology's.
    #[arg(long, env = "QUORATE_KUBERNETES_VERSION", value_name = "VERSION")]
    kubernetes_version: Option<String>,
    /// Where Kubernetes may come from, tried in the order given: folder:PATH, cache, mirror:URL, debian.
    #[arg(long, env = "QUORATE_KUBERNETES_FROM", value_delimiter = ',', value_name = "SOURCE")]
    kubernetes_from: Vec<Source>,
    /// Leaves the machines when the run is over. `quorate clean RUN` removes them.
    #[arg(long)]
    keep: bool,
    /// Repeats the choices of an earlier run, as far as they were made by chance. Each run tells its own.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Prints the verdict alone.
    #[arg(long, short, conflicts_with_all = ["verbose", "json"])]
    quiet: bool,
    /// Prints every piece of work.
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    /// Prints the events as JSON lines on standard output.
    #[arg(long)]
    json: bool,
    /// Writes a summary in Markdown to this file.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let Some((scenario, plan)) = planned(&args.file, &load_options(args.network, args.kubernetes_version.clone()))
    else {
        return ExitCode::from(Verdict::Broken.exit_code());
    };
    let session = match Session::open(scenario, plan) {
        Ok(session) => session,
        Err(error) => return super::complain(&format!("the run cannot be started: {error}")),
    };
    let folder = session.path().to_owned();
    let cancel = CancellationToken::new();
    let signals = tokio::spawn(end_on_signal(cancel.clone(), session.recorder().clone()));
    let terminal = show(&args, &session);
    let options = Options {
        provider: args.provider,
        vm_box: args.vm_box,
        sources: args.kubernetes_from,
        keep: args.keep,
        seed: args.seed,
    };
    let outcome = session.run(options, cancel).await;
    signals.abort();
    // The task holds a recorder, which the terminal waits for.
    let _ = signals.await;
    if let Err(error) = terminal.await {
        tracing::warn!(%error, "the terminal ended early");
    }
    match report(&folder, args.summary.as_deref()) {
        Ok(()) => ExitCode::from(outcome.verdict.exit_code()),
        Err(error) => super::complain(&format!("the report cannot be written: {error}")),
    }
}

/// Makes the reports of a run that has ended from its events.
fn report(folder: &Path, markdown: Option<&Path>) -> Result<(), Box<dyn std::error::Error>> {
    let history = history::read(&folder.join("events.jsonl"))?;
    json::write(&history.summary(), std::fs::File::create(folder.join("report.json"))?)?;
    if let Some(path) = markdown {
        std::fs::write(path, markdown::markdown(&history, Some(folder)))?;
    }
    Ok(())
}

/// How a scenario is to be read.
pub(super) fn load_options(network: Option<Ipv4Net>, kubernetes_version: Option<String>) -> LoadOptions {
    LoadOptions { network, kubernetes_version }
}

/// Reads and plans a scenario, or says on standard error all that is wrong with it.
pub(super) fn planned(file: &Path, options: &LoadOptions) -> Option<(Scenario, Plan)> {
    let mut err = anstream::stderr();
    let rendering = Rendering::for_stream(&std::io::stderr());
    let loaded = match scenario::load(file, options) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let _ = err.write_all(problems.render(rendering).as_bytes());
            return None;
        }
    };
    if !loaded.warnings.is_empty() {
        let _ = err.write_all(loaded.warnings.render(rendering).as_bytes());
    }
    match Plan::of(&loaded.scenario) {
        Ok(plan) => Some((loaded.scenario, plan)),
        Err(refusals) => {
            for refusal in refusals {
                let _ = writeln!(err, "error: {refusal}");
            }
            None
        }
    }
}

fn show(args: &Args, session: &Session) -> tokio::task::JoinHandle<()> {
    let mode = match (args.quiet, args.verbose, args.json) {
        (true, _, _) => Mode::Quiet,
        (_, true, _) => Mode::Verbose,
        (_, _, true) => Mode::Json,
        _ => Mode::Normal,
    };
    let (evidence, log) = (session.path(), session.path().join("events.jsonl"));
    let mut terminal = Terminal::new(View::detect(mode)).evidence(evidence).log(log);
    let mut events = session.recorder().follow();
    let clock = session.recorder().clock();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => terminal.event(&event),
                    None => break,
                },
                _ = ticks.tick() => terminal.tick(clock.elapsed().as_secs_f64()),
            }
        }
    })
}

/// Cancels at the first signal that asks for an end, and ends the process at the third.
async fn end_on_signal(cancel: CancellationToken, recorder: Recorder) {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let Ok(mut signals) = kinds.into_iter().map(signal).collect::<std::io::Result<Vec<_>>>() else {
        recorder
            .notice("signals cannot be caught here: if the run is ended early, `quorate clean` removes what it leaves");
        return;
    };
    for asked in 1.. {
        futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
        match asked {
            1 => {
                recorder.notice("interrupted: gathering the evidence and removing the machines");
                cancel.cancel();
            }
            2 => recorder.notice("still removing the machines; once more and they are left to `quorate clean`"),
            _ => std::process::exit(i32::from(Verdict::Interrupted.exit_code())),
        }
    }
}
