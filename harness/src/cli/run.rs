//! `quorate run`: runs a scenario and tells how it went.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::sources::Sources;
use crate::event::Verdict;
use crate::machine::provider::DEFAULT_BOX;
use crate::plan::{self, Plan};
use crate::record::Recorder;
use crate::report::terminal::{Mode, Options as View, Terminal};
use crate::run::store::StoreError;
use crate::run::{self, Cluster, Options, Session};
use crate::scenario::{self, Diagnostics, LoadOptions, Rendering, Scenario};

use super::evidence;
use super::series::{self, Files, Series};

/// Runs scenarios on real machines and judges them.
///
/// Several are run one after the other. A cluster that is well is left from one to the next where both need the same.
///
/// Exit code 0: passed; 1: failed, the cluster misbehaved; 2: broken or bad input, nothing is known about the cluster;
/// 3: passed, but worse than the baseline allows; 130: interrupted. Of several runs, that of the worst.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenarios' files.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
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
    /// What connects pods, instead of the topology's: bridge, calico, calico:VERSION or calico:VERSION@sha256:SUM.
    #[arg(long, env = "QUORATE_NETWORK_PLUGIN", value_name = "PLUGIN")]
    network_plugin: Option<String>,
    #[command(flatten)]
    sources: Sources,
    /// Leaves the machines when the run of one scenario is over. `quorate clean RUN` removes them.
    #[arg(long, conflicts_with_all = ["count", "fresh"])]
    keep: bool,
    /// Makes a new cluster for each run. So it is anyway where there is one scenario, however often it is run.
    #[arg(long)]
    fresh: bool,
    /// Takes the cluster that an earlier run with --reuse has left, if it is made alike and well, and leaves its own.
    /// `quorate ls` shows it, `quorate clean RUN` removes it.
    #[arg(long, conflicts_with_all = ["keep", "fresh"])]
    reuse: bool,
    /// Repeats the choices of an earlier run, as far as they were made by chance. Each run tells its own.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Runs each scenario so many times, one after the other, and sums up.
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Holds the runs of one scenario against the baseline in this file, which `quorate baseline` makes.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    evidence: evidence::Args,
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
    /// Writes the steps of all runs as JUnit tests to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let options = LoadOptions {
        network: args.network,
        kubernetes_version: args.kubernetes_version.clone(),
        network_plugin: args.network_plugin.clone(),
    };
    // All that is wrong with any of them is told at once.
    let planned: Vec<_> = args.files.iter().map(|file| planned(file, &options)).collect();
    let Some(planned) = planned.into_iter().collect::<Option<Vec<_>>>() else {
        return ExitCode::from(Verdict::Broken.exit_code());
    };
    for (option, given) in [("--keep", args.keep), ("--baseline", args.baseline.is_some())] {
        if given && planned.len() > 1 {
            return super::complain(&format!("{option} is for one scenario: name one file"));
        }
    }
    let mut series = match Series::of(&planned[0].0.name, args.baseline.as_deref()) {
        Ok(series) => series,
        Err(error) => return super::complain(&error.to_string()),
    };
    let share = args.reuse || planned.len() > 1 && !args.fresh;
    let runs: Vec<_> = in_turns(planned).into_iter().flat_map(|it| vec![it; args.count as usize]).collect();
    let (mut left, mut unstarted) = (None, None);
    let ending = Ending::default();
    let signals = tokio::spawn(ending.clone().on_signal());
    for (index, (scenario, plan)) in runs.iter().enumerate() {
        let next = runs.get(index + 1);
        let leave = share && next.map_or(args.reuse, |(next, _)| run::alike(scenario, next));
        if args.reuse && left.is_none() {
            match Cluster::find(scenario.topology.network).await {
                Ok(found) => left = found,
                Err(error) => {
                    unstarted = Some(error);
                    break;
                }
            }
        }
        match once(&args, scenario.clone(), plan.clone(), left.take(), leave, &ending).await {
            Ok(run) => {
                series.add(run.folder);
                left = run.left;
                if ending.asked.is_cancelled() {
                    break;
                }
            }
            Err(error) => {
                unstarted = Some(error);
                break;
            }
        }
    }
    let parted = match left {
        Some(cluster) => part(cluster, args.reuse).await,
        None => Ok(()),
    };
    signals.abort();
    let files = Files { summary: args.summary.as_deref(), junit: args.junit.as_deref() };
    let ended = series.end(args.mode(), files);
    // What was found is told even where old evidence cannot be tidied up.
    if let Err(error) = args.evidence.tidy() {
        let _ = writeln!(anstream::stderr(), "warning: old evidence cannot be tidied up: {error}");
    }
    if let Some(error) = unstarted {
        return super::complain(&format!("the run cannot be started: {error}"));
    }
    if let Err(message) = parted {
        return super::complain(&message);
    }
    let missing = runs.len() - series.len();
    if missing > 0 {
        // Somebody asked for the end between two runs, or while one that had passed cleaned up.
        let _ = writeln!(anstream::stderr(), "interrupted: {missing} of {} runs were not started", runs.len());
        return ExitCode::from(Verdict::Interrupted.exit_code());
    }
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => super::complain(&format!("the report cannot be written: {error}")),
    }
}

/// Scenarios that can share a cluster one after the other, and otherwise in the order in which they were given.
fn in_turns(mut planned: Vec<(Scenario, Plan)>) -> Vec<(Scenario, Plan)> {
    let mut turns = Vec::new();
    while !planned.is_empty() {
        let first = planned.remove(0);
        let (same, others) = planned.into_iter().partition(|it| run::alike(&first.0, &it.0));
        planned = others;
        turns.push(first);
        turns.extend::<Vec<_>>(same);
    }
    turns
}

/// Leaves the cluster that the last run has left to a later command, or removes it.
async fn part(cluster: Cluster, leave: bool) -> Result<(), String> {
    let run = cluster.run().to_owned();
    if !leave {
        let removed = cluster.remove().await;
        return removed.map_err(|error| format!("the cluster of run {run}: {error}; `quorate clean` tries again"));
    }
    let left = cluster.leave().await;
    left.map_err(|error| format!("the cluster of run {run} cannot be left to a later run: {error}"))?;
    let stays = "the cluster stays for the next `quorate run --reuse`";
    let _ = writeln!(anstream::stderr(), "{stays}; `quorate clean {run}` removes it");
    Ok(())
}

/// A run that is over.
struct Over {
    folder: PathBuf,
    left: Option<Cluster>,
}

/// One run, in its folder.
async fn once(
    args: &Args,
    scenario: Scenario,
    plan: Plan,
    left: Option<Cluster>,
    leave: bool,
    ending: &Ending,
) -> Result<Over, StoreError> {
    let session = match Session::open(scenario, plan) {
        Ok(session) => session,
        Err(error) => {
            if let Some(left) = left {
                left.remove().await?;
            }
            return Err(error);
        }
    };
    let folder = session.path().to_owned();
    let cancel = ending.asked.child_token();
    ending.tell(Some(session.recorder().clone()));
    let terminal = show(args.mode(), &session);
    let options = Options {
        provider: args.provider.clone(),
        vm_box: args.vm_box.clone(),
        sources: args.sources.clone().into(),
        keep: args.keep,
        leave,
        seed: args.seed,
    };
    let left = session.run(options, left, cancel).await;
    // The terminal waits until nobody can record any more.
    ending.tell(None);
    let terminal = terminal.await;
    // What cannot be written now cannot be when all runs are over, and is told then.
    let _ = series::report(&folder);
    match terminal {
        Ok(mut terminal) => terminal.conclude(),
        Err(error) => tracing::warn!(%error, "the terminal ended early"),
    }
    Ok(Over { folder, left })
}

impl Args {
    fn mode(&self) -> Mode {
        match (self.quiet, self.verbose, self.json) {
            (true, _, _) => Mode::Quiet,
            (_, true, _) => Mode::Verbose,
            (_, _, true) => Mode::Json,
            _ => Mode::Normal,
        }
    }
}

/// How a scenario is to be read, on another network or not.
pub(super) fn on_network(network: Option<Ipv4Net>) -> LoadOptions {
    LoadOptions { network, ..LoadOptions::default() }
}

/// Reads and plans a scenario, or says on standard error all that is wrong with it.
pub(super) fn planned(file: &Path, options: &LoadOptions) -> Option<(Scenario, Plan)> {
    let loaded = scenario::load(file, options).map_err(|problems| tell(&problems)).ok()?;
    match Plan::of(&loaded.scenario) {
        Ok(plan) => {
            tell(&loaded.warnings);
            Some((loaded.scenario, plan))
        }
        Err(refusals) => {
            let mut problems = loaded.warnings;
            problems.extend(plan::told(&refusals));
            tell(&problems);
            None
        }
    }
}

/// Says on standard error what is wrong, or suspicious.
pub(super) fn tell(problems: &Diagnostics) {
    if !problems.is_empty() {
        let text = problems.render(Rendering::for_stream(&std::io::stderr()));
        // Whoever closed the stream does not want to read; the exit code still tells.
        let _ = anstream::stderr().write_all(text.as_bytes());
    }
}

fn show(mode: Mode, session: &Session) -> tokio::task::JoinHandle<Terminal> {
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
        terminal
    })
}

/// What signals that ask for an end do, from the first run to the last.
#[derive(Clone, Default)]
struct Ending {
    asked: CancellationToken,
    recorder: Arc<Mutex<Option<Recorder>>>,
}

impl Ending {
    /// Sets the log of the run that goes on now.
    fn tell(&self, recorder: Option<Recorder>) {
        *self.recorder() = recorder;
    }

    fn recorder(&self) -> MutexGuard<'_, Option<Recorder>> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notice(&self, message: &str) {
        match &*self.recorder() {
            Some(recorder) => recorder.notice(message),
            None => drop(writeln!(anstream::stderr(), "{message}")),
        }
    }

    /// Cancels at the first signal, and ends the process at the third.
    async fn on_signal(self) {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let Ok(mut signals) = kinds.into_iter().map(signal).collect::<std::io::Result<Vec<_>>>() else {
            tracing::warn!(
                "signals cannot be caught here: `quorate clean` removes what is left if this is ended early"
            );
            return;
        };
        for asked in 1.. {
            futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
            match asked {
                1 => {
                    self.notice("interrupted: gathering the evidence and removing the machines");
                    self.asked.cancel();
                }
                2 => self.notice("still removing the machines; once more and they are left to `quorate clean`"),
                _ => std::process::exit(i32::from(Verdict::Interrupted.exit_code())),
            }
        }
    }
}
