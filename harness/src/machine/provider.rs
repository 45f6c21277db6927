//! What makes machines: the contract of a provider, and the choice of one.

use std::path::PathBuf;

use async_trait::async_trait;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::ssh::Endpoint;
use super::vagrant::{Rendering, Vagrant};
use super::vm::Vms;
use super::{docker, libvirt, virtualbox};
use crate::artifact::NodeImage;
use crate::process::{Command, ProcessError, is_on_path};
use crate::scenario::{Machine, MachineName, Topology, Verb};

/// The Vagrant box that virtual machines are made from, unless another is asked for.
pub const DEFAULT_BOX: &str = "debian/bookworm64";

/// Where the machines of a run live on this host, and what their things are called.
#[derive(Debug, Clone)]
pub struct Site {
    /// The run's id.
    pub run: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// The private network of the machines.
    pub network: Ipv4Net,
    /// The Vagrant box that virtual machines are made from.
    pub vm_box: String,
}

impl Site {
    /// What the names of all things of this run start with.
    pub fn prefix(&self) -> String {
        prefix(&self.run)
    }

    /// The name that the provider knows a machine by.
    pub fn machine_id_name(&self, machine: &MachineName) -> String {
        format!("{}-{machine}", self.prefix())
    }

    /// The public key that lets the harness into the machines; the private one lies beside it, without the suffix.
    pub fn public_key(&self) -> PathBuf {
        self.folder.join("ssh/id_ed25519.pub")
    }

    /// The private key that lets the harness into the machines.
    pub fn private_key(&self) -> PathBuf {
        self.folder.join("ssh/id_ed25519")
    }
}

/// What the names of all things of a run start with.
pub fn prefix(run: &str) -> String {
    format!("quorate-{run}")
}

/// The state of a machine as its provider tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It runs.
    Running,
    /// It exists and is switched off.
    Stopped,
    /// It exists and is frozen.
    Paused,
    /// It does not exist.
    Absent,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Absent => "absent",
        })
    }
}

/// A machine's state with what the provider said of it.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The state.
    pub state: State,
    /// The provider's own words.
    pub proof: String,
}

/// The cable of a machine's private network, with what the provider said of it.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether it is plugged in.
    pub up: bool,
    /// The provider's own words.
    pub proof: String,
}

/// Why a fault cannot be done, and what else can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impossible {
    /// The reason.
    pub reason: String,
    /// What to do instead.
    pub alternative: String,
}

/// Why a provider could not do something, and how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A tool of the provider failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Something on the host is in the way.
    #[error("{problem}\n  mend it: {remedy}")]
    Host {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
}

/// What makes, breaks and removes machines. Vagrant does the life cycle; a provider does what Vagrant has no verb for.
#[async_trait]
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// The name that Vagrant knows it by.
    fn name(&self) -> &'static str;

    /// Whether it can be used on this host; if not, the error says why.
    async fn usable(&self, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Why a scenario cannot be run on it at all, if so.
    fn refusal(&self, topology: &Topology) -> Option<String>;

    /// What it adds to the Vagrantfile.
    fn rendering(&self, topology: &Topology, site: &Site, image: Option<&NodeImage>) -> Rendering;

    /// Makes what machines need that Vagrant does not make, and refuses what would collide with others on this host.
    async fn prepare(&self, site: &Site, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Switches a machine off at once, as a power failure does.
    async fn kill(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Freezes a machine.
    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Lets a paused machine run on.
    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Plugs the cable of a machine's private network in, or pulls it.
    async fn set_link(&self, id: &str, site: &Site, up: bool, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// The cable of a machine's private network.
    async fn link(&self, id: &str, site: &Site, cancel: &CancellationToken) -> Result<Link, ProviderError>;

    /// Why it, or this host, cannot do a fault, if so.
    async fn impossible(&self, verb: &Verb, cancel: &CancellationToken) -> Option<Impossible>;

    /// A machine's state. What it says of a machine that was started anew differs from what it said before.
    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError>;

    /// A command that prints a line whenever a machine that carries the prefix changes its state, and does not end by
    /// itself; none where the provider has no such thing.
    fn changes(&self, prefix: &str) -> Option<Command>;

    /// Where the ssh server of a running machine is, on an interface that no scenario touches.
    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError>;

    /// Copies a folder out of a machine that is not running, as a tar file.
    async fn salvage(&self, id: &str, folder: &str, to: &std::path::Path) -> Result<(), ProviderError>;

    /// What exists on this host that carries the prefix.
    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError>;

    /// Removes whatever exists on this host that carries the prefix.
    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError>;
}

/// All providers, in the order in which they are tried. This is the one place that knows them.
pub fn all() -> Vec<Box<dyn Provider>> {
    vec![Box::new(Vms(virtualbox::VirtualBox)), Box::new(Vms(libvirt::Libvirt)), Box::new(docker::Docker)]
}

/// The provider of this name.
pub fn by_name(name: &str) -> Option<Box<dyn Provider>> {
    all().into_iter().find(|provider| provider.name() == name)
}

/// A provider with the reason for which it was taken.
#[derive(Debug)]
pub struct Choice {
    /// The provider.
    pub provider: Box<dyn Provider>,
    /// Why this one.
    pub reason: String,
}

/// Takes the provider that is asked for, or the first that can be used here for the topology.
pub async fn choose(
    asked: Option<&str>,
    topology: &Topology,
    cancel: &CancellationToken,
) -> Result<Choice, ProviderError> {
    if !is_on_path("vagrant") {
        return Err(ProviderError::Host {
            problem: "vagrant is not on the PATH, and all machines are made by it".into(),
            remedy:
                "install it, as with `apt-get install --no-install-recommends vagrant`, or let `./quickstart` do so"
                    .into(),
        });
    }
    if let Some(name) = asked {
        let names: Vec<&str> = all().iter().map(|provider| provider.name()).collect();
        let provider = by_name(name).ok_or_else(|| ProviderError::Host {
            problem: format!("there is no provider `{name}`"),
            remedy: format!("name one of {}", names.join(", ")),
        })?;
        if let Some(refusal) = provider.refusal(topology) {
            let remedy = "take another provider, or another topology".into();
            return Err(ProviderError::Host {
                problem: format!("provider {name} cannot run this topology: {refusal}"),
                remedy,
            });
        }
        provider.usable(cancel).await?;
        return Ok(Choice { provider, reason: "it was asked for".into() });
    }
    let mut why_not = Vec::new();
    for provider in all() {
        let refusal = match provider.refusal(topology) {
            Some(refusal) => Err(refusal),
            None => provider.usable(cancel).await.map_err(|error| error.to_string()),
        };
        match refusal {
            Ok(()) if why_not.is_empty() => {
                return Ok(Choice { provider, reason: "it is the default and can be used here".into() });
            }
            Ok(()) => {
                return Ok(Choice {
                    provider,
                    reason: format!("it is the first that can be used here ({})", why_not.join("; ")),
                });
            }
            Err(reason) => why_not.push(format!("{}: {reason}", provider.name())),
        }
    }
    Err(ProviderError::Host {
        problem: format!("no provider can be used here:\n  - {}", why_not.join("\n  - ")),
        remedy: "install Docker, as with `apt-get install --no-install-recommends docker.io`, and start its daemon; `./quickstart` does both".into(),
    })
}
