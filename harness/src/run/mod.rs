//! A run from beginning to end: prepare, bring up, carry out, gather, remove. Whatever happens, it gets to its end.

mod choice;
mod demand;
mod engine;
mod evidence;
mod gate;
mod handover;
mod monitor;
pub mod retention;
mod settings;
pub mod store;
pub mod sysctl;
mod watchdog;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::artifact::{self, Form, NodeImage, Source};
use crate::cluster::Access;
use crate::event::{FORMAT, INTERRUPTED, Phase, REMOVE, SpanId, Verdict, What};
use crate::machine::provider::{self, Choice, Provider, Site};
use crate::machine::{Fleet, vagrant};
use crate::plan::{self, Plan, Planned};
use crate::probe::Observers;
use crate::provision::{Part, Provisioner};
use crate::record::{Recorder, SpanOptions};
use crate::scenario::Scenario;
use engine::Engine;
use monitor::Monitor;
use store::{Alive, Entry, Folder, StoreError};
use watchdog::Watchdog;

pub use handover::{Cluster, alike};

/// What Vagrant prints, in the run's folder.
const VAGRANT_LOG: &str = "logs/vagrant.log";

/// What a person may choose about a run beyond its scenario.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The provider; the first usable one if not said.
    pub provider: Option<String>,
    /// The Vagrant box of virtual machines.
    pub vm_box: String,
    /// Where Kubernetes may come from, in this order.
    pub sources: Vec<Source>,
    /// Whether the machines stay when the run is over.
    pub keep: bool,
    /// Whether the cluster is left to another run, if it is well.
    pub leave: bool,
    /// What chance follows; a new one if not said.
    pub seed: Option<u64>,
}

/// Why a run did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// The cluster misbehaved.
    Failed(String),
    /// The harness or its host could not do its job.
    Broken(String),
    /// Somebody ended it.
    Interrupted,
}

impl Failure {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Failed(_) => Verdict::Failed,
            Self::Broken(_) => Verdict::Broken,
            Self::Interrupted => Verdict::Interrupted,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Failed(reason) | Self::Broken(reason) => reason.clone(),
            Self::Interrupted => INTERRUPTED.into(),
        }
    }

    fn in_step(self, index: usize, planned: &Planned) -> Self {
        let say = |reason: String| format!("step {} (line {}, {}): {reason}", index + 1, planned.line, planned.title);
        match self {
            Self::Failed(reason) => Self::Failed(say(reason)),
            Self::Broken(reason) => Self::Broken(say(reason)),
            Self::Interrupted => Self::Interrupted,
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(error.to_string())
}

/// A run that has a folder and a log, and nothing else yet.
#[derive(Debug)]
pub struct Session {
    scenario: Scenario,
    plan: Plan,
    folder: Folder,
    recorder: Recorder,
    alive: Alive,
}

impl Session {
    /// Opens a run's folder and log.
    pub fn open(scenario: Scenario, plan: Plan) -> Result<Self, StoreError> {
        let (folder, alive) = Folder::create(&scenario.name)?;
        let log = folder.path().join("events.jsonl");
        let recorder = Recorder::create(&log).map_err(|source| StoreError::File { path: log, source })?;
        Ok(Self { scenario, plan, folder, recorder, alive })
    }

    /// The run's log.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs to the end. Cancelling leads to the end by the shortest way: evidence is gathered and machines are removed.
    ///
    /// A cluster that an earlier run has left is used if it is made alike and well, and removed otherwise; nothing is done
    /// to it if the run ends before that. The cluster that is left for the next run is returned.
    pub async fn run(self, options: Options, left: Option<Cluster>, cancel: CancellationToken) -> Option<Cluster> {
        let seed = options.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
        self.announce(seed);
        let (keep, leave, cancelled) = (options.keep, options.leave, cancel.clone());
        let found = left.as_ref().map(|left| Found { folder: left.folder.clone(), made: left.made.clone() });
        let used = Arc::new(Mutex::new(Used::default()));
        let network = self.scenario.topology.network;
        let body = Body {
            scenario: self.scenario,
            plan: self.plan,
            folder: self.folder.clone(),
            recorder: self.recorder.clone(),
            cancel,
            seed,
            used: Arc::clone(&used),
        };
        let ended = tokio::spawn(body.run(options, found)).await;
        let ended = ended.unwrap_or_else(|panic| Err(Failure::Broken(format!("this is a bug of Quorate: {panic}"))));
        let used = std::mem::take(&mut *used.lock().unwrap_or_else(PoisonError::into_inner));
        // Whatever became of the one that was left, there is one cluster at most by now.
        let untouched = left.is_some() && !used.fresh && used.made.is_empty();
        let mut cluster = match left {
            Some(left) if !used.fresh => left,
            _ => Cluster { folder: self.folder, made: String::new(), network, _alive: self.alive },
        };
        let ended = recorded(&self.recorder, ended);
        let leave = untouched || leave && used.well && ended.is_ok() && !cancelled.is_cancelled();
        let ended = if leave { ended } else { finish(&cluster.folder, &self.recorder, keep, ended).await };
        let ended = recorded(&self.recorder, ended);
        let (verdict, reason) = match ended {
            Ok(()) => (Verdict::Passed, "everything that was expected held".to_owned()),
            Err(failure) => (failure.verdict(), failure.reason()),
        };
        self.recorder.record(What::RunEnded { verdict, reason });
        if !untouched {
            cluster.made = used.made;
        }
        leave.then_some(cluster)
    }

    fn announce(&self, seed: u64) {
        self.recorder.record(What::RunStarted {
            format: FORMAT,
            run: self.folder.run().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: self.scenario.name.clone(),
            path: self.scenario.path.display().to_string(),
            text: self.scenario.text.clone(),
            seed,
        });
        self.recorder.record(What::Settings { settings: settings::of(&self.scenario) });
        for (step, planned) in self.plan.steps.iter().enumerate() {
            self.recorder.record(What::StepPlanned {
                step,
                title: planned.title.clone(),
                line: planned.line,
                deadline: Some(planned.deadline.as_secs_f64()),
            });
        }
        for always in &self.scenario.always {
            self.recorder.record(What::InvariantPlanned { invariant: always.invariant.to_string(), line: always.line });
        }
        for note in &self.plan.notes {
            self.recorder.notice(note);
        }
    }
}

/// How the run ended, unless its log could not be written.
fn recorded(recorder: &Recorder, ended: Result<(), Failure>) -> Result<(), Failure> {
    let Some(error) = recorder.failure() else { return ended };
    let remedy = crate::paths::remedy(&error);
    Err(Failure::Broken(format!("the log of events could not be written: {error}{remedy}")))
}

/// Removes what the run made, unless it is to be kept, and says how that went.
async fn finish(folder: &Folder, recorder: &Recorder, keep: bool, ended: Result<(), Failure>) -> Result<(), Failure> {
    let span = recorder.span(Phase::CleanUp, if keep { "leave the machines" } else { REMOVE }, SpanOptions::default());
    let removed = if keep { folder.keep() } else { folder.remove().await };
    match removed {
        Ok(()) => {
            span.end(Verdict::Passed, None);
            if keep {
                let run = folder.run();
                recorder.notice(format!(
                    "the machines stay: `quorate ssh MACHINE` enters one, `quorate clean {run}` removes all"
                ));
            }
            ended
        }
        Err(error) => {
            let message = format!("{error}; `quorate clean` tries again");
            span.end(Verdict::Broken, Some(message.clone()));
            ended.and(Err(Failure::Broken(message)))
        }
    }
}

/// A cluster that an earlier run has left.
struct Found {
    folder: Folder,
    made: String,
}

/// Which cluster a run has used, and how it is.
#[derive(Debug, Default)]
struct Used {
    /// Whether the run has one of its own, or none.
    fresh: bool,
    /// How it was made; nothing until the run turns to it.
    made: String,
    /// Whether the run came to its end on it and nothing lasts.
    well: bool,
}

/// Where a cluster comes from.
enum Origin {
    /// It is made.
    New(NodeImage),
    /// An earlier run has left it.
    Left,
}

/// The part of a run that may fail anywhere.
struct Body {
    scenario: Scenario,
    plan: Plan,
    folder: Folder,
    recorder: Recorder,
    cancel: CancellationToken,
    seed: u64,
    used: Arc<Mutex<Used>>,
}

impl Body {
    async fn run(self, options: Options, found: Option<Found>) -> Result<(), Failure> {
        let choice = self.choose(options.provider.as_deref()).await?;
        let provider = choice.provider;
        let image = self.image(provider.form(), options.sources).await?;
        let made = handover::made(&self.scenario, provider.name(), &image, &options.vm_box);
        let name = provider.name();
        if let Some(found) = found {
            let fit = found.made == made;
            self.used(|used| used.made.clone_from(&made));
            if fit && let Some(ended) = self.on_left(&found, provider, &options.vm_box).await {
                return ended;
            }
            self.discard(&found).await?;
        }
        self.used(|used| *used = Used { fresh: true, made, well: false });
        let provider =
            provider::by_name(name).ok_or_else(|| Failure::Broken(format!("there is no provider {name}")))?;
        let fleet = self.fleet(provider, &image, &options.vm_box).await?;
        let saves = options.leave && fleet.provider().unsaveable().is_none();
        if saves {
            let mut settings = settings::of(&self.scenario);
            settings.insert("cluster".to_owned(), "new, and saved for later runs".to_owned());
            self.recorder.record(What::Settings { settings });
        }
        let engine = Engine { saves, ..self.engine(fleet) };
        let access = Access::new(self.folder.path().join("credentials"));
        self.on(&engine, Origin::New(image), &access, &AtomicBool::default()).await
    }

    /// Runs on the cluster that an earlier run has left; nothing if that is not well before the first step.
    async fn on_left(&self, found: &Found, provider: Box<dyn Provider>, vm_box: &str) -> Option<Result<(), Failure>> {
        if let Err(failure) = self.remember_settings(provider.name()).await {
            return Some(Err(failure));
        }
        self.recorder.notice(format!("on the cluster that run {} has left", found.folder.run()));
        let mut settings = settings::of(&self.scenario);
        settings.insert("cluster".to_owned(), "left by an earlier run".to_owned());
        self.recorder.record(What::Settings { settings });
        let site = self.site(&found.folder, vm_box);
        let engine = self.engine(Fleet::new(
            provider,
            site,
            &self.scenario.topology,
            sockets(&found.folder),
            self.recorder.clone(),
        ));
        let access = Access::new(found.folder.path().join("credentials"));
        let begun = AtomicBool::default();
        match self.on(&engine, Origin::Left, &access, &begun).await {
            Err(Failure::Failed(reason) | Failure::Broken(reason)) if !begun.load(Ordering::Relaxed) => {
                self.recorder.notice(format!("the cluster that was left is not well, and a new one is made: {reason}"));
                self.recorder.record(What::Settings { settings: settings::of(&self.scenario) });
                None
            }
            ended => Some(ended),
        }
    }

    /// Keeps what machines change of the host's settings in mind, and raises what they need.
    async fn remember_settings(&self, provider: &str) -> Result<(), Failure> {
        sysctl::remember().map_err(|error| broken(format!("the host's settings cannot be remembered: {error}")))?;
        if provider == "docker"
            && let Some(notice) = sysctl::make_room().await
        {
            self.recorder.notice(notice);
        }
        Ok(())
    }

    /// Removes the cluster that an earlier run has left.
    async fn discard(&self, found: &Found) -> Result<(), Failure> {
        let title = format!("remove the machines of run {}", found.folder.run());
        let span = self.recorder.span(Phase::Prepare, &title, SpanOptions::default());
        let removed = found.folder.remove().await;
        match &removed {
            Ok(()) => span.end(Verdict::Passed, None),
            Err(error) => span.end(Verdict::Broken, Some(error.to_string())),
        }
        removed.map_err(broken)
    }

    fn engine(&self, fleet: Fleet) -> Engine {
        let invariants = self.scenario.invariants();
        Engine {
            scenario: self.scenario.clone(),
            plan: self.plan.clone(),
            fleet: Arc::new(fleet),
            recorder: self.recorder.clone(),
            monitor: Monitor::start(&self.recorder, invariants, self.scenario.topology.clone()),
            cancel: self.cancel.clone(),
            active: Arc::default(),
            seed: self.seed,
            saves: false,
        }
    }

    async fn on(&self, engine: &Engine, origin: Origin, access: &Access, begun: &AtomicBool) -> Result<(), Failure> {
        let ended = on_machines(engine, origin, access, self.folder.path(), begun).await;
        gather(engine, self.folder.path()).await;
        let lasting = engine.undo().await;
        self.used(|used| used.well = lasting.is_empty());
        let ended = ended.and(if lasting.is_empty() { Ok(()) } else { Err(Failure::Broken(lasting.join("; "))) });
        engine.fleet.close().await;
        ended
    }

    fn used(&self, set: impl FnOnce(&mut Used)) {
        set(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn choose(&self, asked: Option<&str>) -> Result<Choice, Failure> {
        let span = self.recorder.span(Phase::Prepare, "choose a provider", SpanOptions::default());
        let chosen = provider::choose(asked, &self.scenario.topology, &self.cancel).await;
        match chosen {
            Ok(choice) => {
                let name = choice.provider.name().to_owned();
                self.recorder.record(What::Provider { name, reason: choice.reason.clone() });
                let refusals = plan::refusals(&self.scenario, choice.provider.as_ref(), &self.cancel).await;
                if !refusals.is_empty() {
                    let reason = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                    span.end(Verdict::Broken, Some(reason.clone()));
                    return Err(Failure::Broken(reason));
                }
                span.end(Verdict::Passed, None);
                let slowness = choice.provider.slowness();
                if slowness > 1 {
                    let notice = format!(
                        "the machines are emulated: each deadline is {slowness} times longer than it is written"
                    );
                    self.recorder.notice(notice);
                }
                Ok(choice)
            }
            Err(_) if self.cancel.is_cancelled() => Err(Failure::Interrupted),
            Err(error) => {
                span.end(Verdict::Broken, Some(error.to_string()));
                Err(broken(error))
            }
        }
    }

    async fn image(&self, form: Form, sources: Vec<Source>) -> Result<NodeImage, Failure> {
        let request = artifact::Request { version: self.scenario.topology.kubernetes.version.clone(), sources };
        let image = artifact::node_image(form, &request, &self.recorder, &self.cancel).await;
        image.map_err(|error| if self.cancel.is_cancelled() { Failure::Interrupted } else { broken(error) })
    }

    /// Where the machines of the cluster are that belongs to a run's folder. What is done to them goes into our own.
    fn site(&self, of: &Folder, vm_box: &str) -> Site {
        self.recorder.log_file(VAGRANT_LOG, "log", None);
        Site {
            run: of.run().to_owned(),
            folder: of.path().to_owned(),
            log: self.folder.path().join(VAGRANT_LOG),
            network: self.scenario.topology.network,
            vm_box: vm_box.to_owned(),
        }
    }

    /// Enters the machines into the ledger and renders their Vagrantfile.
    async fn fleet(&self, provider: Box<dyn Provider>, image: &NodeImage, vm_box: &str) -> Result<Fleet, Failure> {
        let topology = &self.scenario.topology;
        let sockets = sockets(&self.folder);
        self.folder.enter(&Entry::Folder { path: sockets.clone() }).map_err(broken)?;
        self.folder.enter(&Entry::Machines { provider: provider.name().to_owned() }).map_err(broken)?;
        self.remember_settings(provider.name()).await?;
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700)
            .create(&sockets)
            .map_err(|error| broken(format!("{} cannot be made: {error}", sockets.display())))?;
        let site = self.site(&self.folder, vm_box);
        let rendering = provider.rendering(topology, &site, Some(image));
        let vagrantfile = vagrant::render(topology, &site, provider.name(), rendering).map_err(broken)?;
        self.recorder.config_file("vagrant/Vagrantfile", None, &vagrantfile, &[]);
        let path = self.folder.path().join("vagrant/Vagrantfile");
        std::fs::write(&path, vagrantfile).map_err(|error| broken(format!("{}: {error}", path.display())))?;
        Ok(Fleet::new(provider, site, topology, sockets, self.recorder.clone()))
    }
}

/// The folder of shared connections into these machines: sockets need a short path.
fn sockets(folder: &Folder) -> PathBuf {
    PathBuf::from("/tmp").join(format!("quorate-{}", folder.run()))
}

/// Gets the cluster and runs the scenario on it. `begun` tells that the first step was reached.
async fn on_machines(
    engine: &Engine,
    origin: Origin,
    access: &Access,
    folder: &Path,
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let provisioned = match origin {
        Origin::New(image) => provision(engine, image, access, folder).await?,
        Origin::Left => handover::take_over(engine, access).await?,
    };
    let observers = Observers::start(access, &engine.scenario.topology, &engine.recorder).await.map_err(broken)?;
    // Nobody watches yet for machines that are paused unasked.
    let provisioned =
        if engine.saves { saved(engine, &observers, access, &provisioned).await } else { Ok(provisioned) };
    let ended = match provisioned {
        Ok(provisioned) => watched(engine, &observers, access, &provisioned, begun).await,
        Err(failure) => Err(failure),
    };
    let stopped = observers.stop().await.map_err(|panic| Failure::Broken(format!("an observer ended: {panic}")));
    ended.and(stopped)
}

/// Proves the cluster, and saves its machines as they are then.
async fn saved(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let proven = proven(engine, observers, access, provisioned).await?;
    Ok(vec![handover::save(engine, &proven).await?])
}

/// Lets the cluster pass its gate.
async fn proven(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    after: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let client = access.through_balancer().await.map_err(broken)?;
    gate::pass(engine, observers, client, after).await
}

/// Judges the cluster while somebody watches for what nobody asked for.
async fn watched(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let watchdog = Watchdog::start(&engine.fleet, &engine.scenario.topology, &engine.recorder, &engine.active);
    let ended = tokio::select! {
        ended = judged(engine, observers, access, provisioned, begun) => ended,
        intrusion = watchdog.intrusion() => Err(Failure::Broken(intrusion)),
    };
    watchdog.stop().await;
    ended
}

/// Brings the machines up and makes a cluster of them.
async fn provision(engine: &Engine, image: NodeImage, access: &Access, folder: &Path) -> Result<Vec<SpanId>, Failure> {
    let up = bring_up(engine).await?;
    let part = Part {
        topology: engine.scenario.topology.clone(),
        fleet: Arc::clone(&engine.fleet),
        kubernetes: image.kubernetes,
        access: access.clone(),
        recorder: engine.recorder.clone(),
        etcd_disk: engine.scenario.fills_disk(),
        bundle: image.bundle,
        cancel: engine.cancel.clone(),
        folder: folder.to_owned(),
    };
    let provisioned = Provisioner::new(part).run(up).await;
    provisioned.map_err(|error| if engine.cancel.is_cancelled() { Failure::Interrupted } else { broken(error) })
}

async fn judged(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let proven = proven(engine, observers, access, provisioned).await?;
    begun.store(true, Ordering::Relaxed);
    engine.steps(observers, proven).await
}

async fn bring_up(engine: &Engine) -> Result<SpanId, Failure> {
    let span = engine.recorder.span(Phase::BringUp, "bring the machines up", SpanOptions::default());
    match engine.fleet.up(&engine.cancel).await {
        Ok(()) => {
            span.end(Verdict::Passed, None);
            Ok(span.id())
        }
        Err(_) if engine.cancel.is_cancelled() => Err(Failure::Interrupted),
        Err(error) => {
            span.end(Verdict::Broken, Some(error.to_string()));
            Err(broken(error))
        }
    }
}

async fn gather(engine: &Engine, folder: &Path) {
    let span = engine.recorder.span(Phase::CleanUp, "gather the evidence", SpanOptions::default());
    let gaps = evidence::gather(&engine.fleet, &engine.scenario.topology, folder, &engine.recorder).await;
    span.end(Verdict::Passed, (!gaps.is_empty()).then(|| gaps.join("; ")));
    for gap in gaps {
        engine.recorder.notice(gap);
    }
}
