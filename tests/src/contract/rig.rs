//! Two machines of a provider, in folders of their own, and what watches them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use quorate::artifact::{self, Form, Request};
use quorate::event::REMOVAL_LOG;
use quorate::machine::provider::{DEFAULT_BOX, Provider, ProviderError, Site, State};
use quorate::machine::ssh::Ssh;
use quorate::machine::{Fleet, vagrant};
use quorate::process::{Command, ProcessError};
use quorate::record::Recorder;
use quorate::run::store::{Alive, Entry, Folder};
use quorate::scenario::{self, LoadOptions, MachineName, Rendering, Topology};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::findings::{Finding, Findings, Point};
use super::lies::{Liar, Lie};
use super::named;
use crate::fixture;

/// How long a provider may take to tell of a change.
const TOLD: Duration = Duration::from_secs(5);
/// How often something is looked at.
const GLANCE: Duration = Duration::from_millis(50);
const TICKS: &str = include_str!("ticks.sh");
const REACH: &str = include_str!("reach.sh");

/// The machines, none of which need be there.
pub(super) struct Rig {
    /// The machines.
    pub(super) fleet: Fleet,
    /// The provider, which never lies.
    pub(super) truth: Box<dyn Provider>,
    /// Where they live.
    pub(super) site: Site,
    /// Ends all that is done to them.
    pub(super) cancel: CancellationToken,
    topology: Topology,
    changes: Changes,
    /// The run that the machines are of for `quorate ls` and `quorate clean`, should this be killed.
    run: Folder,
    _alive: Alive,
    // Removed with the rig.
    _sockets: TempDir,
}

impl Rig {
    /// Prepares everything but the machines. With lies, what is judged is a provider that tells them.
    pub(super) async fn make(
        provider: &str,
        lies: Option<Arc<Mutex<Vec<Lie>>>>,
        cancel: &CancellationToken,
    ) -> Result<Self, String> {
        let truth = named(provider);
        let (run, alive) = Folder::create("the contract of providers").map_err(words)?;
        run.enter(&Entry::Machines { provider: provider.to_owned(), at: truth.elsewhere() }).map_err(words)?;
        let folder = run.path();
        let sockets = tempfile::Builder::new().prefix("quorate-ssh-").tempdir().map_err(words)?;
        // Another host's network is one that this host has a route into, made beforehand.
        let topology = topology(if truth.elsewhere().is_some() { crate::first_network() } else { crate::network(0) });
        let site = Site {
            run: run.run().to_owned(),
            folder: folder.to_owned(),
            log: folder.join("logs/vagrant.log"),
            network: topology.network,
            vm_box: std::env::var("QUORATE_BOX").unwrap_or_else(|_| DEFAULT_BOX.to_owned()),
        };
        let recorder = Recorder::unwritten();
        // The contract is about machines: nothing is installed on those that do not start as nodes.
        let image = match truth.form() {
            Form::Image => {
                Some(artifact::node_image(Form::Image, &Request::default(), &recorder, cancel).await.map_err(words)?)
            }
            Form::Bundle => None,
        };
        let rendering = truth.rendering(&topology, &site, image.as_ref());
        let vagrantfile = vagrant::render(&topology, &site, truth.name(), rendering).map_err(words)?;
        std::fs::write(folder.join("vagrant/Vagrantfile"), vagrantfile).map_err(words)?;
        let judged = match lies {
            Some(told) => Box::new(Liar::new(named(provider), told)),
            None => named(provider),
        };
        let changes = Changes::watch(judged.as_ref(), &site.prefix());
        let fleet = Fleet::new(judged, site.clone(), &topology, sockets.path().to_owned(), recorder);
        let cancel = cancel.clone();
        Ok(Self { fleet, truth, site, cancel, topology, changes, run, _alive: alive, _sockets: sockets })
    }

    /// The machine that things are done to.
    pub(super) fn subject(&self) -> &MachineName {
        self.topology.machines.get_index(1).unwrap().0
    }

    /// The machine that the other one is seen from.
    pub(super) fn witness(&self) -> &MachineName {
        self.topology.machines.get_index(0).unwrap().0
    }

    /// The names of both machines.
    pub(super) fn names(&self) -> impl Iterator<Item = &MachineName> {
        self.topology.machines.keys()
    }

    /// Their topology.
    pub(super) fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What the provider tells of changes.
    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Watches anew what the provider tells of changes.
    pub(super) fn watch_anew(&mut self) {
        self.changes = Changes::watch(self.fleet.provider(), &self.site.prefix());
    }

    /// The id that Vagrant has for the subject.
    pub(super) fn id(&self) -> Result<String, String> {
        let id = self.vagrant().id(self.subject());
        id.ok_or_else(|| "Vagrant has no id for it".to_owned())
    }

    /// The folder that Vagrant works in.
    pub(super) fn vagrant_folder(&self) -> PathBuf {
        self.site.folder.join("vagrant")
    }

    fn vagrant(&self) -> vagrant::Vagrant {
        vagrant::Vagrant::new(self.vagrant_folder(), self.truth.name(), self.site.log.clone())
    }

    /// What Vagrant said last.
    pub(super) fn vagrant_said(&self) -> String {
        let said = std::fs::read_to_string(&self.site.log).unwrap_or_default();
        // A trace of Ruby's calls says little.
        let lines: Vec<&str> = said.lines().filter(|line| !line.contains(":in `")).collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// What a command prints in a machine.
    pub(super) async fn say(&self, machine: &MachineName, command: &[&str]) -> Result<String, String> {
        let command = self.fleet.ssh(machine).map_err(words)?.command(command);
        command.run_async(&self.cancel).await.map(|output| output.stdout.trim().to_owned()).map_err(words)
    }

    /// What a script prints in a machine.
    pub(super) async fn script(&self, machine: &MachineName, script: &str, args: &[&str]) -> Result<String, String> {
        let command = self.fleet.ssh(machine).map_err(words)?.script(script, args);
        command.run_async(&self.cancel).await.map(|output| output.stdout.trim().to_owned()).map_err(words)
    }

    /// Whether the witness gets a connection to the subject's ssh server over the private network.
    pub(super) async fn reached(&self) -> Result<bool, String> {
        let address = self.topology.machines[self.subject()].ip.to_string();
        let said = self.script(self.witness(), REACH, &[&address, "22"]).await?;
        Ok(said == "reached")
    }

    /// Waits until the witness reaches the subject, or does not. Returns since when, at the latest.
    pub(super) async fn until_reached(&self, reached: bool, within: Duration) -> Result<Duration, String> {
        let begun = Instant::now();
        loop {
            let looked = begun.elapsed();
            if self.reached().await? == reached {
                return Ok(looked);
            }
            if begun.elapsed() > within {
                let not = if reached { "is not" } else { "is still" };
                let (subject, witness) = (self.subject(), self.witness());
                return Err(format!("{subject} {not} reached from {witness} after {:.1} s", looked.as_secs_f64()));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Holds if the provider says that the subject is in this state, at once or within a moment.
    pub(super) async fn is_told(&self, state: State) -> Result<String, String> {
        let begun = Instant::now();
        loop {
            let observed = self.fleet.state(self.subject(), &self.cancel).await.map_err(words)?;
            if observed.state == state {
                return Ok(observed.proof);
            }
            if begun.elapsed() > Duration::from_secs(1) {
                return Err(format!("it should be {state}, but is said to be {}: {}", observed.state, observed.proof));
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Removes the machines as a run does, by a provider that may lie.
    pub(super) async fn removed_by(&self, provider: &dyn Provider) -> Result<(), ProviderError> {
        let log = self.site.folder.join(REMOVAL_LOG);
        quorate::machine::remove(provider, &self.site.run, &self.site.folder, &log).await
    }

    /// Removes whatever is left of the machines, and ends what watches them.
    pub(super) async fn remove(&self) {
        self.changes.end();
        self.fleet.close().await;
        let removed = self.run.remove(None).await;
        if let Err(error) =
            removed.map_err(words).and_then(|()| std::fs::remove_dir_all(self.run.path()).map_err(words))
        {
            eprintln!("the machines of {} are not removed: {error}", self.site.prefix());
        }
    }
}

fn topology(network: Ipv4Net) -> Topology {
    let options = LoadOptions { network: Some(network), ..LoadOptions::default() };
    let loaded = scenario::load_topology(Path::new(&fixture("contract.yaml")), &options);
    loaded.unwrap_or_else(|problems| panic!("{}", problems.render(Rendering::Plain))).topology
}

pub(super) fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What a provider tells of changes, as long as it lives.
pub(super) struct Changes {
    lines: Arc<Mutex<Vec<String>>>,
    seen: Mutex<Vec<Result<String, String>>>,
    offered: bool,
    cancel: CancellationToken,
}

impl Changes {
    fn watch(provider: &dyn Provider, prefix: &str) -> Self {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let cancel = CancellationToken::new();
        let command = provider.changes(prefix);
        let offered = command.is_some();
        if let Some(command) = command {
            let (told, cancel) = (Arc::clone(&lines), cancel.clone());
            let command = command.on_line(move |line| lock(&told).push(line.to_owned()));
            tokio::spawn(async move { command.run_async(&cancel).await.map(drop) });
        }
        Self { lines, seen: Mutex::default(), offered, cancel }
    }

    /// How many changes were told so far.
    pub(super) fn count(&self) -> usize {
        lock(&self.lines).len()
    }

    /// Waits until one more was told than there were before something was done.
    pub(super) async fn expect(&self, done: &str, before: usize) {
        if !self.offered {
            return;
        }
        let begun = Instant::now();
        while self.count() <= before && begun.elapsed() < TOLD {
            tokio::time::sleep(GLANCE).await;
        }
        let told = lock(&self.lines).get(before).cloned();
        lock(&self.seen).push(match told {
            Some(line) => Ok(format!("{done}: {line}")),
            None => Err(format!("nothing was told within {TOLD:?} after {done}")),
        });
    }

    /// Judges what was expected so far.
    pub(super) fn judge(&self, found: &mut Findings) {
        if !self.offered {
            let reason = "its state has to be asked for".to_owned();
            return found.enter(Point::Changes, Finding::NotOffered(reason));
        }
        let seen: Result<Vec<String>, String> = std::mem::take(&mut *lock(&self.seen)).into_iter().collect();
        found.judge(Point::Changes, seen.map(|seen| seen.join(", ")));
    }

    fn end(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.end();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A counter that goes on in a machine as long as the machine does, seen from the host.
pub(super) struct Ticks {
    count: Arc<AtomicU64>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ProcessError>>,
}

impl Ticks {
    pub(super) fn start(way: &Ssh) -> Self {
        let (count, cancel): (Arc<AtomicU64>, _) = (Arc::default(), CancellationToken::new());
        let counted = Arc::clone(&count);
        let command: Command = way.script(TICKS, &[]).deadline(Duration::from_secs(600)).on_line(move |line| {
            if let Ok(tick) = line.parse() {
                counted.store(tick, Ordering::SeqCst);
            }
        });
        let ended = cancel.clone();
        let task = tokio::spawn(async move { command.run_async(&ended).await.map(drop) });
        Self { count, cancel, task }
    }

    /// The last tick that arrived.
    pub(super) fn last(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until this tick arrives.
    pub(super) async fn until(&self, tick: u64, within: Duration) -> Result<(), String> {
        let begun = Instant::now();
        while self.last() < tick {
            if begun.elapsed() > within || self.task.is_finished() {
                let last = self.last();
                return Err(format!("the counter in it stands at {last} after {:.1} s", begun.elapsed().as_secs_f64()));
            }
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Ends it.
    pub(super) async fn end(self) {
        self.cancel.cancel();
        let _ = self.task.await;
    }
}
