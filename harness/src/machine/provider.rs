//! What makes machines: the contract of a provider, and the choice of one.

use std::path::PathBuf;

use async_trait::async_trait;
use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::finding::{self, Finding, Needs, Standing};
use super::host::Host;
use super::ssh::Endpoint;
use super::vagrant::{Rendering, Vagrant};
use super::vm::Vms;
use super::{docker, libvirt, tools, virtualbox};
use crate::artifact::{Form, NodeImage};
use crate::process::{Command, ProcessError};
use crate::scenario::{Machine, MachineName, Runtime, Topology, Verb};

/// The Vagrant box that virtual machines are made from, unless another is asked for.
pub const DEFAULT_BOX: &str = "debian/bookworm64";

/// Where the machines of a run live on this host, and what their things are called.
#[derive(Debug, Clone)]
pub struct Site {
    /// The run's id.
    pub run: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// Where everything goes that Vagrant prints.
    pub log: PathBuf,
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
    /// When it came into that state by the host's clock, if the provider says so.
    pub since: Option<Timestamp>,
}

impl Observed {
    /// That a machine is not there.
    pub fn absent(proof: impl Into<String>) -> Self {
        Self { state: State::Absent, proof: proof.into(), since: None }
    }
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

impl From<Impossible> for ProviderError {
    fn from(Impossible { reason, alternative }: Impossible) -> Self {
        Self::Host { problem: reason, remedy: alternative }
    }
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
    /// Several things are in the way.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<ProviderError>),
}

/// What makes, breaks and removes machines. Vagrant does the life cycle; a provider does what Vagrant has no verb for.
#[async_trait]
pub trait Provider: std::fmt::Debug + Send + Sync {
    /// The name that Vagrant knows it by.
    fn name(&self) -> &'static str;

    /// All that is to be said about it on a host: what is there, and what hinders that machines are made, for these
    /// needs where they are known.
    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding>;

    /// What it can do on a host only in part. It takes longer to find out, and none of it hinders.
    async fn limits(&self, _host: &Host, _cancel: &CancellationToken) -> Vec<Finding> {
        Vec::new()
    }

    /// Whether it can be used on this host; if not, the error says why.
    async fn usable(&self, cancel: &CancellationToken) -> Result<(), ProviderError> {
        finding::hindrance(self.findings(&Host::here(), None, cancel).await)
    }

    /// Why a scenario cannot be run on it at all, if so.
    fn refusal(&self, topology: &Topology) -> Option<String>;

    /// What its machines are made fit to be nodes from.
    fn form(&self) -> Form;

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

    /// Why its machines cannot be saved with their memory and restored, if so.
    fn unsaveable(&self) -> Option<Impossible>;

    /// Saves a machine that is paused, with its memory and its disk, under a name that nothing of it was saved under yet.
    async fn save(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// Puts a machine back into what was saved under a name, whatever it does now. It is paused then, or runs.
    async fn restore(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError>;

    /// A command that prints a line whenever a machine that carries the prefix changes its state, and does not end by
    /// itself; none where the provider has no such thing.
    fn changes(&self, prefix: &str) -> Option<Command>;

    /// How many times longer than usual its machines take for everything, as emulated ones do.
    fn slowness(&self) -> u32 {
        1
    }

    /// Where the ssh server of a running machine is, on an interface that no scenario touches.
    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError>;

    /// The address at which its machines are made, if that is another host's. Their private network is reached by a route then,
    /// and is none of this host's.
    fn elsewhere(&self) -> Option<String> {
        None
    }

    /// Whether it reads the disks of machines that are not running.
    fn salvages(&self) -> bool {
        true
    }

    /// Copies a folder out of a machine that is not running, as a tar file.
    async fn salvage(&self, id: &str, folder: &str, to: &std::path::Path) -> Result<(), ProviderError>;

    /// What exists on this host that carries the prefix.
    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError>;

    /// Removes whatever exists on this host that carries the prefix.
    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError>;
}

/// All providers. This is the one place that knows them.
pub fn all() -> Vec<Box<dyn Provider>> {
    vec![Box::new(Vms(virtualbox::VirtualBox)), Box::new(Vms(libvirt::Libvirt)), Box::new(docker::Docker)]
}

/// All providers, in the order in which they are tried: emulated machines are the last to be taken.
pub(super) fn in_order() -> Vec<Box<dyn Provider>> {
    let mut providers = all();
    providers.sort_by_key(|provider| provider.slowness() > 1);
    providers
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
    choose_at(&Host::here(), asked, topology, cancel).await
}

/// The same, on any host.
pub async fn choose_at(
    host: &Host,
    asked: Option<&str>,
    topology: &Topology,
    cancel: &CancellationToken,
) -> Result<Choice, ProviderError> {
    finding::hindrance(tools::look(host))?;
    let needs = Needs::of(topology);
    if let Some(name) = asked {
        let provider = by_name(name).ok_or_else(|| unknown(name))?;
        let mut findings = Vec::from_iter(refused(provider.as_ref(), topology).map(|refused| Finding {
            found: format!("provider {name} cannot run this topology: {}", refused.found),
            ..refused
        }));
        findings.extend(provider.findings(host, Some(&needs), cancel).await);
        finding::hindrance(findings)?;
        return Ok(Choice { provider, reason: "it was asked for".into() });
    }
    let mut why_not = Vec::new();
    for provider in in_order() {
        let mut findings = Vec::from_iter(refused(provider.as_ref(), topology));
        if findings.is_empty() {
            findings = provider.findings(host, Some(&needs), cancel).await;
        }
        findings.retain(Finding::hinders);
        if findings.is_empty() {
            return Ok(Choice { provider, reason: reason(&why_not) });
        }
        why_not.push((provider.name(), findings));
    }
    let hindered = why_not.into_iter().filter_map(|(name, findings)| Some((name, finding::hindrance(findings).err()?)));
    let hindered: Vec<String> = hindered.map(|(name, error)| format!("\n  - {name}: {error}")).collect();
    Err(ProviderError::Host {
        problem: format!("no provider can be used here:{}", hindered.concat()),
        remedy: "install Docker, as with `apt-get install --no-install-recommends docker.io`, and start its daemon; `./quickstart` does both. \
                 `quorate doctor` says all that is in the way"
            .into(),
    })
}

/// Why the provider was taken that comes after those that could not be.
fn reason(why_not: &[(&str, Vec<Finding>)]) -> String {
    if why_not.is_empty() {
        return "it is the default and can be used here".into();
    }
    let found = |findings: &[Finding]| findings.iter().map(|it| it.found.as_str()).collect::<Vec<_>>().join(", ");
    let others: Vec<String> = why_not.iter().map(|(name, findings)| format!("{name}: {}", found(findings))).collect();
    format!("it is the first that can be used here ({})", others.join("; "))
}

/// Why a topology cannot be made from what Quorate packs for machines, if so.
pub(super) fn not_packed(topology: &Topology) -> Option<String> {
    if topology.kubernetes.runtime == Runtime::Docker {
        return Some(
            "machines have containerd alone, and kubelet without dockershim; take `runtime: containerd`".into(),
        );
    }
    None
}

/// That a topology cannot be run on a provider, if so.
pub(super) fn refused(provider: &dyn Provider, topology: &Topology) -> Option<Finding> {
    let refusal = provider.refusal(topology)?;
    Some(Finding::new("topology", Standing::Conflict, refusal, "take another provider, or another topology"))
}

/// That there is no provider of this name.
pub(crate) fn unknown(name: &str) -> ProviderError {
    let names: Vec<&str> = all().iter().map(|provider| provider.name()).collect();
    let remedy = format!("name one of {}", names.join(", "));
    ProviderError::Host { problem: format!("there is no provider `{name}`"), remedy }
}
