//! The part of a run that may fail anywhere: which provider, which image, and on which machines.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::cluster::{self, Origin};
use super::engine::Engine;
use super::failure::{Failure, broken};
use super::handover::Cluster;
use super::monitor::Monitor;
use super::store::{Entry, Folder};
use super::{Options, handover, settings, sysctl};
use crate::artifact::{self, Form, NodeImage, Sources};
use crate::cluster::Access;
use crate::event::{Phase, REMOVAL_LOG, Verdict, What};
use crate::machine::provider::{self, Choice, Provider, Site};
use crate::machine::{Fleet, vagrant};
use crate::plan::{self, Plan};
use crate::record::{Recorder, SpanOptions};
use crate::scenario::{Kubernetes, Scenario};

/// What Vagrant prints, in the run's folder.
const VAGRANT_LOG: &str = "logs/vagrant.log";

/// The cluster that an earlier run has left, until it is used or removed. The run that made it counts as alive until then.
pub(super) type Left = Arc<Mutex<Option<Cluster>>>;

/// Which cluster a run has used, and how it is.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// How it was made; nothing until the run turns to it.
    pub(super) made: String,
    /// Whether the run came to its end on it and nothing lasts.
    pub(super) well: bool,
    /// Whether its machines can be put back into what they were when it was proven, whatever the run has done to them.
    pub(super) saved: bool,
}

/// The part of a run that may fail anywhere.
pub(super) struct Body {
    pub(super) scenario: Scenario,
    pub(super) plan: Plan,
    pub(super) folder: Folder,
    pub(super) recorder: Recorder,
    pub(super) cancel: CancellationToken,
    pub(super) seed: u64,
    pub(super) left: Left,
    pub(super) used: Arc<Mutex<Used>>,
}

impl Body {
    pub(super) async fn run(self, options: Options) -> Result<(), Failure> {
        let choice = self.choose(options.provider.as_deref()).await?;
        let provider = choice.provider;
        let image = self.image(provider.form(), options.sources).await?;
        let made = handover::made(&self.scenario, provider.as_ref(), &image, &options.vm_box);
        let name = provider.name();
        let left = self.left(|left| left.as_ref().map(|left| (left.folder.clone(), left.made == made)));
        if let Some((folder, fit)) = left {
            self.used(|used| used.made.clone_from(&made));
            if fit && let Some(ended) = self.on_left(&folder, provider, &options.vm_box).await {
                return ended;
            }
            // What is to be removed is nothing to leave, should that fail.
            self.used(|used| (used.well, used.saved) = (false, false));
            self.discard(&folder).await?;
        }
        self.used(|used| *used = Used { made, ..Used::default() });
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
        self.on(&engine, Origin::New(Box::new(image)), &access, &AtomicBool::default()).await
    }

    /// Runs on the cluster that an earlier run has left; nothing if that is not well before the first step.
    async fn on_left(&self, of: &Folder, provider: Box<dyn Provider>, vm_box: &str) -> Option<Result<(), Failure>> {
        if let Err(failure) = self.remember_settings(provider.name()).await {
            return Some(Err(failure));
        }
        self.recorder.notice(format!("on the cluster that run {} has left", of.run()));
        let mut settings = settings::of(&self.scenario);
        settings.insert("cluster".to_owned(), "left by an earlier run".to_owned());
        self.recorder.record(What::Settings { settings });
        let site = self.site(of, vm_box);
        let engine =
            self.engine(Fleet::new(provider, site, &self.scenario.topology, sockets(of), self.recorder.clone()));
        let access = Access::new(of.path().join("credentials"));
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
    async fn discard(&self, of: &Folder) -> Result<(), Failure> {
        let title = format!("remove the machines of run {}", of.run());
        let span = self.recorder.span(Phase::Prepare, &title, SpanOptions::default());
        let log = self.folder.path().join(REMOVAL_LOG);
        let removed = of.remove(Some(&log)).await;
        if log.exists() {
            self.recorder.log_file(REMOVAL_LOG, "log", None);
        }
        match &removed {
            Ok(()) => {
                self.left(|left| drop(left.take()));
                span.end(Verdict::Passed, None);
            }
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
            saved: AtomicBool::default(),
        }
    }

    async fn on(&self, engine: &Engine, origin: Origin, access: &Access, begun: &AtomicBool) -> Result<(), Failure> {
        let ended = cluster::on_machines(engine, origin, access, self.folder.path(), begun).await;
        cluster::gather(engine, self.folder.path()).await;
        let lasting = engine.undo().await;
        self.used(|used| (used.well, used.saved) = (lasting.is_empty(), engine.saved.load(Ordering::Relaxed)));
        let ended = ended.and(if lasting.is_empty() { Ok(()) } else { Err(Failure::Broken(lasting.join("; "))) });
        engine.fleet.close().await;
        ended
    }

    fn left<T>(&self, with: impl FnOnce(&mut Option<Cluster>) -> T) -> T {
        with(&mut self.left.lock().unwrap_or_else(PoisonError::into_inner))
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

    async fn image(&self, form: Form, sources: Sources) -> Result<NodeImage, Failure> {
        let Kubernetes { version, network_plugin, .. } = self.scenario.topology.kubernetes.clone();
        let request = artifact::Request { version, calico: network_plugin.into_calico(), sources };
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
        let machines = Entry::Machines { provider: provider.name().to_owned(), at: provider.elsewhere() };
        self.folder.enter(&machines).map_err(broken)?;
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
