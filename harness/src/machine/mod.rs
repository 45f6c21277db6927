//! Machines and how to reach them: made by Vagrant, broken and looked at through their provider, used over ssh.

pub mod clock;
pub(crate) mod docker;
pub mod doctor;
pub mod finding;
pub mod host;
pub mod libvirt;
mod memory;
mod network;
pub mod provider;
pub mod ssh;
mod tools;
pub mod vagrant;
mod virtualbox;
mod vm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::process::{Command, ProcessError};
use crate::record::Recorder;
use crate::scenario::{Machine, MachineName, Topology};
use provider::{Link, Observed, Provider, ProviderError, Site, State};
use ssh::Ssh;
use vagrant::Vagrant;

/// How long four machines may take to come up. Containers take ten seconds.
const UP: Duration = Duration::from_secs(600);
/// How long a machine may take to shut down in order.
const HALT: Duration = Duration::from_secs(150);
/// How long a machine that runs may take until it lets one in.
const LOGIN: Duration = Duration::from_secs(120);

/// How long a machine that lets one in may take to be reached on the private network.
const REACHED: Duration = Duration::from_secs(15);
/// How long to wait before it is tried again.
const GLANCE: Duration = Duration::from_millis(200);
/// The port of every machine's ssh server.
const SSH: u16 = 22;
/// What every ssh server begins with: <https://www.rfc-editor.org/rfc/rfc4253#section-4.2>.
const GREETING: &[u8; 4] = b"SSH-";

/// How long it may take to destroy all machines.
const DESTROY: Duration = Duration::from_secs(120);

/// Removes all machines of a run, whose folder is `folder`, and whatever else its provider made for it. It does not matter
/// how far any of them was made. What Vagrant prints goes into `log`.
pub async fn remove(provider: &dyn Provider, run: &str, folder: &Path, log: &Path) -> Result<(), ProviderError> {
    let vagrant = Vagrant::new(folder.join("vagrant"), provider.name(), log.to_owned());
    if vagrant.folder().join(".vagrant").exists() {
        // What Vagrant cannot remove, whatever hinders it, the sweep does.
        if let Err(error) = vagrant.destroy(DESTROY).await {
            tracing::debug!(%error, "the machines are removed without Vagrant");
        }
    }
    provider.sweep(&provider::prefix(run)).await
}

/// Why something could not be done to or in a machine.
#[derive(Debug, thiserror::Error)]
#[error("{machine}: {what}: {source}")]
pub struct MachineError {
    /// The machine.
    pub machine: String,
    /// What was being done.
    pub what: String,
    /// Why it failed.
    pub source: Box<ProviderError>,
}

/// The machines of a run.
#[derive(Debug)]
pub struct Fleet {
    provider: Box<dyn Provider>,
    site: Site,
    vagrant: Vagrant,
    machines: IndexMap<MachineName, Machine>,
    sockets: PathBuf,
    ways: Mutex<BTreeMap<MachineName, Ssh>>,
    /// When the state of each machine was told last.
    told: Mutex<BTreeMap<MachineName, Timestamp>>,
    recorder: Recorder,
}

impl Fleet {
    /// The machines of `topology`, none of which need exist. `sockets` is a folder with a short path.
    pub fn new(
        provider: Box<dyn Provider>,
        site: Site,
        topology: &Topology,
        sockets: PathBuf,
        recorder: Recorder,
    ) -> Self {
        let vagrant = Vagrant::new(site.folder.join("vagrant"), provider.name(), site.log.clone());
        let machines = topology.machines.clone();
        Self { provider, site, vagrant, machines, sockets, ways: Mutex::default(), told: Mutex::default(), recorder }
    }

    /// All machines, in the order of the topology.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// The provider that makes them.
    pub fn provider(&self) -> &dyn Provider {
        self.provider.as_ref()
    }

    /// Makes and starts all machines, and waits until each lets one in.
    pub async fn up(&self, cancel: &CancellationToken) -> Result<(), MachineError> {
        let all = "the machines";
        self.make_key(cancel).await.map_err(failed(all, "a key cannot be made"))?;
        self.provider
            .prepare(&self.site, cancel)
            .await
            .map_err(|source| error(all, "their network cannot be made", source))?;
        self.vagrant.up(&[], self.patience(UP), cancel).await.map_err(|source| {
            let blamed = vagrant::blamed(source.tail());
            let on = if blamed.is_empty() { all.to_owned() } else { blamed.join(", ") };
            let why = vagrant::why(source.tail()).map(|why| format!(": {why}\nin full")).unwrap_or_default();
            failed(&on, &format!("`vagrant up` failed{why}"))(source)
        })?;
        self.enter(cancel).await?;
        self.are_reached(cancel).await
    }

    /// Waits until every machine answers at its address on the private network: that of the cluster and of what watches it.
    async fn are_reached(&self, cancel: &CancellationToken) -> Result<(), MachineError> {
        let each = self.machines.values().map(|machine| async {
            let connects = async {
                while let Err(error) = greeted(machine).await {
                    tracing::debug!(%error, "{} is not reached at {} yet", machine.name, machine.ip);
                    tokio::time::sleep(GLANCE).await;
                }
            };
            let reached = tokio::select! {
                reached = tokio::time::timeout(self.patience(REACHED), connects) => reached.is_ok(),
                () = cancel.cancelled() => true,
            };
            if reached {
                return Ok(());
            }
            let problem = format!("it runs, but this host does not reach it at {}", machine.ip);
            let remedy =
                "see what filters packets here; docs/virtual-machines.md says what another host's libvirt needs".into();
            Err(error(machine.name.as_str(), "it is not reached", ProviderError::Host { problem, remedy }))
        });
        futures::future::try_join_all(each).await.map(drop)
    }

    /// Finds the way into each machine, all of which run, and records what they are.
    pub async fn enter(&self, cancel: &CancellationToken) -> Result<(), MachineError> {
        let logins = self.machines.keys().map(|name| async move {
            self.login(name, cancel).await?;
            self.tell(name, self.state(name, cancel).await?);
            Ok(())
        });
        futures::future::try_join_all(logins).await.map(drop)
    }

    /// Records the state of every machine as far as it can be told.
    pub async fn look(&self, cancel: &CancellationToken) {
        let each = self.machines.keys().map(|name| async move {
            match self.state(name, cancel).await {
                Ok(observed) => self.tell(name, observed),
                Err(error) => tracing::debug!(%error, "what became of {name} is not told"),
            }
        });
        futures::future::join_all(each).await;
    }

    /// Records the state that a machine was seen in.
    pub fn tell(&self, name: &MachineName, observed: Observed) {
        let Observed { state, proof, since } = observed;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert(name.clone(), Timestamp::now());
        // One that was paused and resumed runs, by its provider, since it was started.
        let since = since.filter(|since| before.is_none_or(|before| *since > before));
        self.recorder.record(What::Machine { machine: name.to_string(), state: state.to_string(), proof, since });
    }

    /// A machine's state as the provider tells it.
    pub async fn state(&self, name: &MachineName, cancel: &CancellationToken) -> Result<Observed, MachineError> {
        let Some(id) = self.vagrant.id(name) else {
            return Ok(Observed::absent("Vagrant has not made it"));
        };
        self.provider
            .state(&id, cancel)
            .await
            .map_err(|source| error(name.as_str(), "its state cannot be read", source))
    }

    /// A command that prints a line whenever one of the machines changes its state, where the provider has one.
    pub fn changes(&self) -> Option<Command> {
        self.provider.changes(&self.site.prefix())
    }

    /// Switches a machine off at once.
    pub async fn kill(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        let id = self.id(name)?;
        self.provider
            .kill(&id, cancel)
            .await
            .map_err(|source| error(name.as_str(), "it cannot be switched off", source))?;
        let way = self.ways().remove(name);
        if let Some(way) = way {
            way.close().await;
        }
        Ok(())
    }

    /// Shuts a machine down in order.
    pub async fn halt(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        let way = self.ways().remove(name);
        if let Some(way) = way {
            way.close().await;
        }
        self.vagrant
            .halt(&[name], self.patience(HALT), cancel)
            .await
            .map_err(failed(name.as_str(), "`vagrant halt` failed"))
    }

    /// Freezes a machine.
    pub async fn pause(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        let id = self.id(name)?;
        self.provider.pause(&id, cancel).await.map_err(|source| error(name.as_str(), "it cannot be paused", source))
    }

    /// Lets a paused machine run on.
    pub async fn resume(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        let id = self.id(name)?;
        self.provider.resume(&id, cancel).await.map_err(|source| error(name.as_str(), "it cannot be resumed", source))
    }

    /// Saves all machines as one: none runs on while another is saved. They run on afterwards, whatever became of it, with the
    /// host's time.
    pub async fn save(&self, name: &str, cancel: &CancellationToken) -> Result<(), MachineError> {
        let frozen = self.each(|machine| self.pause(machine, cancel)).await;
        let saved = match frozen {
            Ok(()) => self.each(|machine| self.save_one(machine, name, cancel)).await,
            Err(error) => Err(error),
        };
        let unhurried = CancellationToken::new();
        let resumed = self.each(|machine| self.wake(machine, &unhurried)).await;
        saved.and(resumed)?;
        self.each(|machine| self.set_clock(machine, cancel)).await
    }

    /// Puts all machines back into what was saved under a name, with the host's time, and enters them.
    pub async fn restore(&self, name: &str, cancel: &CancellationToken) -> Result<(), MachineError> {
        // Connections know nothing of what was before.
        self.close().await;
        self.each(|machine| self.restore_one(machine, name, cancel)).await?;
        self.each(|machine| self.wake(machine, cancel)).await?;
        self.enter(cancel).await?;
        self.each(|machine| self.set_clock(machine, cancel)).await
    }

    /// Does something to all machines at once, to its end on each: what is left halfway would hold the others up.
    async fn each<'a, F: Future<Output = Result<(), MachineError>>>(
        &'a self,
        work: impl Fn(&'a MachineName) -> F,
    ) -> Result<(), MachineError> {
        futures::future::join_all(self.machines.keys().map(work)).await.into_iter().collect()
    }

    async fn save_one(
        &self,
        machine: &MachineName,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), MachineError> {
        let saved = self.provider.save(&self.id(machine)?, name, cancel).await;
        saved.map_err(|source| error(machine.as_str(), "it cannot be saved", source))
    }

    async fn restore_one(
        &self,
        machine: &MachineName,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), MachineError> {
        let restored = self.provider.restore(&self.id(machine)?, name, cancel).await;
        restored.map_err(|source| error(machine.as_str(), "it cannot be put back into what was saved", source))
    }

    /// Lets a machine run on if it is paused.
    async fn wake(&self, machine: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        match self.state(machine, cancel).await?.state {
            State::Paused => self.resume(machine, cancel).await,
            _ => Ok(()),
        }
    }

    /// Plugs the cable of a machine's private network in, or pulls it.
    pub async fn set_link(&self, name: &MachineName, up: bool, cancel: &CancellationToken) -> Result<(), MachineError> {
        let set = self.provider.set_link(&self.id(name)?, &self.site, up, cancel).await;
        set.map_err(|source| error(name.as_str(), "its cable cannot be moved", source))
    }

    /// The cable of a machine's private network, as the provider tells it.
    pub async fn link(&self, name: &MachineName, cancel: &CancellationToken) -> Result<Link, MachineError> {
        let link = self.provider.link(&self.id(name)?, &self.site, cancel).await;
        link.map_err(|source| error(name.as_str(), "its cable cannot be looked at", source))
    }

    /// Switches a machine on and waits until it lets one in.
    pub async fn start(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        self.vagrant
            .up(&[name], self.patience(UP), cancel)
            .await
            .map_err(failed(name.as_str(), "`vagrant up` failed"))?;
        self.login(name, cancel).await
    }

    /// The way into a machine.
    pub fn ssh(&self, name: &MachineName) -> Result<Ssh, MachineError> {
        self.ways().get(name).cloned().ok_or_else(|| {
            let problem = "it is off, or nobody has entered it since it was started".into();
            let remedy = "see logs/vagrant.log of the run".into();
            error(name.as_str(), "it cannot be entered", ProviderError::Host { problem, remedy })
        })
    }

    /// The way into a machine that runs; it is found first where nobody has entered the machine so far.
    pub async fn enter_one(&self, name: &MachineName, cancel: &CancellationToken) -> Result<Ssh, MachineError> {
        if let Ok(way) = self.ssh(name) {
            return Ok(way);
        }
        self.login(name, cancel).await?;
        self.ssh(name)
    }

    /// Copies a folder out of a machine that cannot be entered.
    pub async fn salvage(&self, name: &MachineName, folder: &str, to: &Path) -> Result<(), MachineError> {
        let id = self.id(name)?;
        self.provider
            .salvage(&id, folder, to)
            .await
            .map_err(|source| error(name.as_str(), "its disk cannot be read", source))
    }

    /// Finds the way into a machine that runs and waits until it is open.
    async fn login(&self, name: &MachineName, cancel: &CancellationToken) -> Result<(), MachineError> {
        let machine = &self.machines[name];
        let endpoint = self.provider.endpoint(&self.vagrant, &self.site, machine, cancel).await;
        let endpoint = endpoint.map_err(|source| error(name.as_str(), "its address cannot be found", source))?;
        let known_hosts = self.site.folder.join("ssh").join(format!("known_hosts.{name}"));
        let way = Ssh::new(endpoint, &self.sockets, name.as_str(), known_hosts);
        let config = self.site.folder.join("ssh").join(format!("{name}.conf"));
        std::fs::write(&config, way.config(name.as_str())).map_err(|problem| {
            let problem = format!("{} cannot be written: {problem}", config.display());
            error(
                name.as_str(),
                "its way in",
                ProviderError::Host { problem, remedy: "see that the disk is not full".into() },
            )
        })?;
        way.wait(self.patience(LOGIN), cancel).await.map_err(failed(name.as_str(), "it lets nobody in"))?;
        self.ways().insert(name.clone(), way);
        Ok(())
    }

    /// Ends all shared connections.
    pub async fn close(&self) {
        let ways = std::mem::take(&mut *self.ways());
        futures::future::join_all(ways.values().map(Ssh::close)).await;
    }

    /// How long something may take on its machines that takes so long on usual ones.
    pub fn patience(&self, usual: Duration) -> Duration {
        usual * self.provider.slowness()
    }

    async fn make_key(&self, cancel: &CancellationToken) -> Result<(), ProcessError> {
        let key = self.site.private_key();
        if key.exists() {
            return Ok(());
        }
        let keygen = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", &self.site.prefix(), "-f"])
            .arg(key);
        keygen.run_async(cancel).await.map(drop)
    }

    fn id(&self, name: &MachineName) -> Result<String, MachineError> {
        self.vagrant.id(name).ok_or_else(|| {
            let remedy = "see logs/vagrant.log of the run".into();
            error(
                name.as_str(),
                "it is unknown",
                ProviderError::Host { problem: "Vagrant has not made it".into(), remedy },
            )
        })
    }

    fn ways(&self) -> std::sync::MutexGuard<'_, BTreeMap<MachineName, Ssh>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The greeting of a machine's ssh server on the private network. A connection alone is no proof: proxies accept all.
async fn greeted(machine: &Machine) -> std::io::Result<()> {
    let mut greeting = [0; GREETING.len()];
    TcpStream::connect((machine.ip, SSH)).await?.read_exact(&mut greeting).await?;
    if greeting == *GREETING { Ok(()) } else { Err(std::io::Error::other("no ssh server answers there")) }
}

fn error(machine: &str, what: &str, source: ProviderError) -> MachineError {
    MachineError { machine: machine.to_owned(), what: what.to_owned(), source: Box::new(source) }
}

fn failed(machine: &str, what: &str) -> impl Fn(ProcessError) -> MachineError {
    let (machine, what) = (machine.to_owned(), what.to_owned());
    move |source| error(&machine, &what, source.into())
}
