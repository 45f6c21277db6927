//! What a valid scenario says. Values of these types come from the parser of this module only, so whoever holds one need not check again.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use serde::Serialize;

use super::Place;

/// The name of a machine, which is its node's name in the cluster as well. A lower-case DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MachineName(pub(crate) String);

impl MachineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A checked scenario with the topology that it runs on.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows, and what its failure means.
    pub description: String,
    /// The file that it was read from.
    pub path: PathBuf,
    /// The whole text of that file.
    pub text: String,
    /// The cluster that it runs on.
    pub topology: Topology,
    /// What must hold from the first expectation that came true until the end.
    pub always: Vec<Always>,
    /// What is done and expected, in order. Never empty.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// What must hold all along, without its places in the file.
    pub fn invariants(&self) -> Vec<Invariant> {
        self.always.iter().map(|always| always.invariant.clone()).collect()
    }

    /// Whether a step fills the file system of etcd's data, which must not be one that others need.
    pub fn fills_disk(&self) -> bool {
        let fills = |step: &Step| matches!(&step.action, Action::Fault(Fault { verb: Verb::FillDisk { .. }, .. }));
        self.steps.iter().any(fills)
    }
}

/// Bytes of the file system that etcd's data has of its own where a step fills it: room for some write-ahead logs of 64 MB
/// each and a database.
pub const ETCD_DISK: u64 = 512 << 20;

/// A cluster of machines.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Its name.
    pub name: String,
    /// The private network that all machines share.
    pub network: Ipv4Net,
    /// The DNS domain of the machines' host names.
    pub domain: String,
    /// The machines in the order of the file; one is the balancer, at least one is a master.
    pub machines: IndexMap<MachineName, Machine>,
    /// The Kubernetes that runs on it.
    pub kubernetes: Kubernetes,
    /// How the balancer balances.
    pub load_balancer: LoadBalancer,
    /// What runs on the cluster.
    pub workload: Workload,
}

impl Topology {
    /// The machines of a role, in the order of the file.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Machine> {
        self.machines.values().filter(move |machine| machine.role == role)
    }

    /// The machines that run the control plane, in the order of the file. The first initialises the cluster.
    pub fn masters(&self) -> impl Iterator<Item = &Machine> {
        self.of_role(Role::Master)
    }

    /// The machines that run an etcd member, in the order of the file: those of the role, or else the masters.
    pub fn members(&self) -> impl Iterator<Item = &Machine> {
        self.of_role(if self.external_etcd() { Role::Etcd } else { Role::Master })
    }

    /// Whether etcd runs on machines of its own.
    pub fn external_etcd(&self) -> bool {
        self.of_role(Role::Etcd).next().is_some()
    }

    /// The machines that are nodes of the cluster, in the order of the file.
    pub fn nodes(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values().filter(|machine| matches!(machine.role, Role::Master | Role::Worker))
    }

    /// The machine in front of the API servers.
    ///
    /// # Panics
    /// Never: a topology without a balancer is not built.
    pub fn balancer(&self) -> &Machine {
        self.of_role(Role::Balancer).next().expect("a checked topology has a balancer")
    }
}

/// One machine of a topology.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name.
    pub name: MachineName,
    /// What it is for.
    pub role: Role,
    /// Its address on the topology's network.
    pub ip: Ipv4Addr,
    /// Its memory in bytes.
    pub memory: u64,
    /// Its processors.
    pub cpus: u32,
}

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// HAProxy in front of the API servers.
    Balancer,
    /// A control plane node, with an etcd member unless etcd has machines of its own.
    Master,
    /// An etcd member and nothing else. No node of the cluster.
    Etcd,
    /// A node without a control plane.
    Worker,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Balancer, Self::Master, Self::Etcd, Self::Worker];
}

/// The Kubernetes of a topology.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// The version that is asked for, without a leading `v`: `1.20.2`, `1.20`, or nothing for whatever the first source has.
    pub version: Option<String>,
    /// The network of the pods.
    pub pod_subnet: Ipv4Net,
    /// What runs the containers.
    pub runtime: Runtime,
    /// What connects pods of different machines.
    pub network_plugin: NetworkPlugin,
}

/// A container runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// containerd through the CRI.
    Containerd,
    /// Docker through the kubelet's dockershim, which ended with Kubernetes 1.24.
    Docker,
}

/// A way to connect pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkPlugin {
    /// A bridge on each machine and static routes between them.
    Bridge,
    /// Calico, whose images come from a registry.
    Calico,
}

/// How the balancer balances.
#[derive(Debug, Clone)]
pub struct LoadBalancer {
    /// How it finds out whether an API server is there.
    pub check: LoadBalancerCheck,
    /// Failed checks in a row after which a server is down.
    pub fall: u32,
    /// Good checks in a row after which a server is up.
    pub rise: u32,
    /// HAProxy's balancing algorithm.
    pub balance: Balance,
    /// HAProxy's `retries`.
    pub retries: u32,
    /// HAProxy's `timeout connect`.
    pub connect_timeout: Duration,
    /// HAProxy's `timeout client`.
    pub client_timeout: Duration,
    /// HAProxy's `timeout server`.
    pub server_timeout: Duration,
    /// HAProxy's configuration as a template of the user's own, in the place of the one that Quorate brings along.
    pub template: Option<Template>,
}

/// A template whose variables are [`Topology::load_balancer_variables`].
#[derive(Debug, Clone)]
pub struct Template {
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// How the balancer finds out whether an API server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoadBalancerCheck {
    /// It accepts a TCP connection.
    Tcp,
    /// Its `/readyz` answers 200 over TLS.
    Readyz,
}

impl LoadBalancerCheck {
    /// Its name in the scenario's language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Readyz => "readyz",
        }
    }
}

/// HAProxy's balancing algorithms that make sense for API servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// Each server in turn.
    RoundRobin,
    /// The server with the fewest connections.
    LeastConn,
    /// By the client's address.
    Source,
    /// The first server that has room.
    First,
}

impl Balance {
    /// Its name in the scenario's language, which is HAProxy's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "roundrobin",
            Self::LeastConn => "leastconn",
            Self::Source => "source",
            Self::First => "first",
        }
    }
}

/// What runs on the cluster.
#[derive(Debug, Clone)]
pub enum Workload {
    /// The DaemonSet and Service `sh-cgi` that Quorate brings along.
    ShCgi,
    /// A manifest of the user's own.
    Manifest {
        /// Where it lies.
        path: PathBuf,
        /// Its text.
        text: String,
    },
}

/// One step of a scenario.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done or expected.
    pub action: Action,
    /// Where it stands.
    pub place: Place,
}

impl Step {
    /// The line of the scenario's file where it stands, from 1.
    pub fn line(&self) -> u32 {
        u32::try_from(self.place.line()).unwrap_or(u32::MAX)
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Waits for something to become true.
    Expect {
        /// What.
        check: Check,
        /// How long it may take.
        within: Duration,
    },
    /// Lets time pass while the invariants are watched.
    Hold {
        /// What stays true meanwhile.
        check: Option<Check>,
        /// For how long.
        time: Duration,
    },
    /// Befalls machines, or undoes what befell them.
    Fault(Fault),
}

/// Something that befalls machines, or its undoing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub verb: Verb,
    /// Which machines.
    pub on: Target,
}

/// The machines that a step means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// These, known from the file.
    Machines(Vec<MachineName>),
    /// A part of the masters or the etcd machines that is chosen when the step runs, and what the choice is called.
    Part(Part, Option<String>),
    /// Those that a [`Target::Part`] of an earlier step was: the one that is called so, or else the last.
    Chosen(Option<String>),
}

/// A part of the masters that is chosen when a step runs, among those that nothing befell that lasts. What has to do with
/// the quorum of etcd is a part of the etcd machines where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Any one.
    OneMaster,
    /// As many as can be lost while the others are a majority.
    Minority,
    /// As many as cannot be lost: more than half of all.
    Majority,
    /// The one whose etcd member leads.
    EtcdLeader,
    /// Any one whose etcd member does not lead.
    NotEtcdLeader,
    /// The one whose controller manager holds its lease.
    ControllerManagerLeader,
    /// The one whose scheduler holds its lease.
    SchedulerLeader,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 7] = [
        Self::OneMaster,
        Self::Minority,
        Self::Majority,
        Self::EtcdLeader,
        Self::NotEtcdLeader,
        Self::ControllerManagerLeader,
        Self::SchedulerLeader,
    ];

    /// Its name in the scenario's language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneMaster => "one-master",
            Self::Minority => "minority",
            Self::Majority => "majority",
            Self::EtcdLeader => "etcd-leader",
            Self::NotEtcdLeader => "not-etcd-leader",
            Self::ControllerManagerLeader => "controller-manager-leader",
            Self::SchedulerLeader => "scheduler-leader",
        }
    }

    /// The role of the machines that it is a part of, where etcd has machines of its own or not.
    pub fn role(self, external_etcd: bool) -> Role {
        match self {
            Self::Minority | Self::Majority | Self::EtcdLeader | Self::NotEtcdLeader if external_etcd => Role::Etcd,
            _ => Role::Master,
        }
    }

    /// The part of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }

    /// How many machines it is of so many masters.
    pub fn size(self, masters: usize) -> usize {
        match self {
            Self::Minority => masters.saturating_sub(1) / 2,
            Self::Majority => masters / 2 + 1,
            _ => 1,
        }
    }
}

/// What befalls a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Power off at once.
    Kill,
    /// An orderly shutdown.
    Stop,
    /// Power on.
    Start,
    /// An orderly shutdown, and power on.
    Reboot,
    /// Frozen: nothing in it runs.
    Pause,
    /// Runs on after a pause.
    Resume,
    /// A service ends in order, and stays down until it is started.
    StopService(Service),
    /// The processes of a service are killed; whatever looks after the service may start it anew.
    KillService(Service),
    /// A service that was stopped starts.
    StartService(Service),
    /// A service ends in order and starts anew.
    RestartService(Service),
    /// The cable of the private network is pulled.
    Isolate,
    /// What passes between the machine and others is lost.
    Partition {
        /// The others.
        from: Peers,
        /// What of it is lost.
        direction: Direction,
    },
    /// What goes to these ports of TCP and UDP is lost.
    Block {
        /// The ports. Never empty.
        ports: Vec<u16>,
        /// Those of the machine, those of others, or both.
        direction: Direction,
    },
    /// What the machine sends to the private network goes slower, later, or is lost by chance. One of these at least.
    Slow {
        /// Bits in a second.
        rate: Option<u64>,
        /// How much later.
        delay: Option<Duration>,
        /// How many of a hundred packets are lost.
        loss: Option<u32>,
    },
    /// The file system of etcd's data becomes full.
    FillDisk {
        /// Bytes that stay free.
        leave: u64,
    },
    /// What etcd writes goes to its disk no faster than this.
    SlowDisk {
        /// Bytes in a second.
        rate: u64,
    },
    /// The quota of etcd's database is used up, so that etcd raises its alarm and takes no writes.
    FillEtcd,
    /// The etcd member ends and its data is deleted.
    Wipe,
    /// The machine's clock is wrong by so much.
    SkewClock {
        /// How much it is ahead, or behind if negative.
        by: jiff::SignedDuration,
    },
    /// Undoes all that lasts of the network, the disk and the clock.
    Restore,
}

/// The machines that others are cut off from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peers {
    /// All machines that the fault does not befall.
    Others,
    /// All masters that the fault does not befall.
    OtherMasters,
    /// These.
    Machines(Vec<MachineName>),
}

/// What of the traffic a fault is about, as the machine that it befalls sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What comes in and what goes out.
    Both,
    /// What comes in.
    In,
    /// What goes out.
    Out,
}

impl Direction {
    /// Its name in the scenario's language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Verb {
    /// Its name in the scenario's language.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Reboot => "reboot",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::StopService(_) => "stop-service",
            Self::KillService(_) => "kill-service",
            Self::StartService(_) => "start-service",
            Self::RestartService(_) => "restart-service",
            Self::Isolate => "isolate",
            Self::Partition { .. } => "partition",
            Self::Block { .. } => "block",
            Self::Slow { .. } => "slow",
            Self::FillDisk { .. } => "fill-disk",
            Self::SlowDisk { .. } => "slow-disk",
            Self::FillEtcd => "fill-etcd",
            Self::Wipe => "wipe",
            Self::SkewClock { .. } => "skew-clock",
            Self::Restore => "restore",
        }
    }

    /// The service that it befalls, if it is one of that family.
    pub fn service(&self) -> Option<Service> {
        match self {
            Self::StopService(service)
            | Self::KillService(service)
            | Self::StartService(service)
            | Self::RestartService(service) => Some(*service),
            _ => None,
        }
    }

    /// Whether it is the undoing of something.
    pub fn heals(&self) -> bool {
        matches!(self, Self::Start | Self::Resume | Self::StartService(_) | Self::Restore)
    }

    /// What undoes it, if it lasts.
    pub fn undoing(&self) -> Option<Self> {
        match self {
            Self::Kill | Self::Stop => Some(Self::Start),
            Self::Pause => Some(Self::Resume),
            Self::StopService(service) => Some(Self::StartService(*service)),
            Self::Isolate
            | Self::Partition { .. }
            | Self::Block { .. }
            | Self::Slow { .. }
            | Self::FillDisk { .. }
            | Self::SlowDisk { .. }
            | Self::FillEtcd
            | Self::Wipe
            | Self::SkewClock { .. } => Some(Self::Restore),
            Self::Start
            | Self::Reboot
            | Self::Resume
            | Self::KillService(_)
            | Self::StartService(_)
            | Self::RestartService(_)
            | Self::Restore => None,
        }
    }

    /// Whether it is of the network, the disk or the clock: what `restore` undoes and a power cycle might undo unseen.
    pub fn is_restorable(&self) -> bool {
        self.undoing() == Some(Self::Restore)
    }

    /// Whether another fault would do nothing, not work, or undo this one unseen, while this one lasts on the same machine.
    pub fn is_in_the_way_of(&self, other: &Self) -> bool {
        let restarts = matches!(other, Self::Kill | Self::Stop | Self::Reboot);
        let on_the_cable = matches!(other, Self::Partition { .. } | Self::Block { .. } | Self::Slow { .. });
        let of_etcd = other.service() == Some(Service::Etcd);
        let of_the_member = matches!(other, Self::FillEtcd | Self::Wipe);
        (self.is_restorable() && (restarts || self.is_like(other)))
            || match self {
                Self::Isolate => on_the_cable || of_the_member,
                Self::SlowDisk { .. } => of_etcd || of_the_member,
                Self::Wipe => of_etcd || of_the_member || matches!(other, Self::SlowDisk { .. }),
                Self::StopService(Service::Etcd) => of_the_member || matches!(other, Self::SlowDisk { .. }),
                Self::StopService(Service::Kubelet | Service::Containerd) => other.needs_kubelet(),
                _ => false,
            }
    }

    /// Whether the machine's kubelet and its container runtime have to run for it, since it goes by a static pod's manifest.
    /// To kill a process takes neither.
    pub fn needs_kubelet(&self) -> bool {
        match self {
            Self::StopService(service) | Self::StartService(service) | Self::RestartService(service) => {
                service.keeper() == Keeper::StaticPod
            }
            Self::FillEtcd | Self::Wipe => true,
            _ => false,
        }
    }

    /// Whether doing it ends another that lasts on the same machine. A machine that starts anew starts its units.
    pub fn ends(&self, other: &Self) -> bool {
        let starts = matches!(self, Self::Start | Self::Reboot);
        let unit = matches!(other, Self::StopService(service) if service.keeper() == Keeper::Unit);
        (starts && unit) || other.undoing().is_some_and(|undoing| undoing == *self)
    }

    /// Whether the other is the same fault, whatever its particulars.
    pub fn is_like(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.service() == other.service()
    }

    /// Whether the etcd member of a master is no use to the others while it lasts.
    pub fn takes_etcd(&self) -> bool {
        match self {
            Self::Kill
            | Self::Stop
            | Self::Pause
            | Self::StopService(Service::Etcd)
            | Self::Isolate
            | Self::Partition { .. }
            | Self::FillDisk { .. }
            | Self::Wipe => true,
            Self::Block { ports, .. } => ports.contains(&2380),
            _ => false,
        }
    }
}

/// A service that a machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The etcd member, a static pod of a master or of an etcd machine.
    Etcd,
    /// A static pod of a master.
    KubeApiserver,
    /// A static pod of a master.
    KubeControllerManager,
    /// A static pod of a master.
    KubeScheduler,
    /// A systemd unit of a node or an etcd machine.
    Kubelet,
    /// The container runtime, a systemd unit of a node or an etcd machine.
    Containerd,
    /// A systemd unit of the balancer.
    Haproxy,
}

/// What looks after a service on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    /// kubelet, by a manifest in its folder.
    StaticPod,
    /// systemd, by a unit.
    Unit,
}

impl Service {
    /// All services.
    pub const ALL: [Self; 7] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubelet,
        Self::Containerd,
        Self::Haproxy,
    ];

    /// Its name in the scenario's language, which is that of its process.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Containerd => "containerd",
            Self::Haproxy => "haproxy",
        }
    }

    /// What looks after it.
    pub fn keeper(self) -> Keeper {
        match self {
            Self::Etcd | Self::KubeApiserver | Self::KubeControllerManager | Self::KubeScheduler => Keeper::StaticPod,
            Self::Kubelet | Self::Containerd | Self::Haproxy => Keeper::Unit,
        }
    }

    /// The roles of the machines that run it, where etcd has machines of its own or not.
    pub fn roles(self, external_etcd: bool) -> &'static [Role] {
        match self {
            Self::Etcd if external_etcd => &[Role::Etcd],
            Self::Kubelet | Self::Containerd if external_etcd => &[Role::Master, Role::Worker, Role::Etcd],
            Self::Kubelet | Self::Containerd => &[Role::Master, Role::Worker],
            Self::Haproxy => &[Role::Balancer],
            _ => &[Role::Master],
        }
    }
}

/// What can be expected of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Every machine that should be a node is one, is Ready, and has renewed its lease since anything last befell it.
    NodesReady,
    /// One node is in a state.
    Node {
        /// Which node, or the nodes that were chosen.
        node: Target,
        /// The state.
        is: NodeState,
    },
    /// A DaemonSet has one Running and Ready pod on each of the machines meant, and none elsewhere.
    DaemonSet {
        /// The DaemonSet, in the namespace `default`.
        name: String,
        /// Where its pods should be.
        pods: Placement,
    },
    /// A Deployment has so many Running and Ready pods on some of the machines meant, and none elsewhere.
    Deployment {
        /// The Deployment, in the namespace `default`.
        name: String,
        /// How many pods.
        pods: usize,
        /// The machines; all nodes if not said.
        on: Vec<MachineName>,
    },
    /// Every etcd member serves, follows the same leader, and knows this number of members.
    EtcdHealthy {
        /// The number of members; all that the topology has if not said.
        members: usize,
    },
    /// No etcd member follows a leader.
    EtcdLeaderless,
    /// An etcd member has raised an alarm.
    EtcdAlarmed,
    /// The API answers through the balancer.
    ApiReachable,
    /// The API does not answer through the balancer.
    ApiUnreachable,
    /// Each of some masters answered a request through the balancer.
    ApiBalanced {
        /// Which masters.
        on: Target,
    },
    /// The API servers of some masters, asked directly, say that they are ready, or do not.
    ServerReady {
        /// Which masters.
        on: Target,
        /// Whether they are ready.
        ready: bool,
    },
    /// The latest write through the balancer was acknowledged.
    WritesAcknowledged,
    /// Writes through the balancer were tried, and none was acknowledged.
    WritesStopped,
    /// Every write that was acknowledged is there.
    WritesPresent,
    /// Another machine than before the latest fault holds the lease of a control plane component.
    LeaseMoved {
        /// The component.
        component: Service,
    },
    /// The pods of a DaemonSet reach each other across machines by HTTP.
    PodsConnected {
        /// The DaemonSet, in the namespace `default`.
        of: String,
        /// The port that they listen on.
        port: u16,
    },
    /// The contrary of another, which is not one of these.
    Not(Box<Check>),
}

/// The state of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Its Ready condition is True.
    Ready,
    /// Its Ready condition is False or Unknown.
    NotReady,
}

/// Where the pods of a DaemonSet should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// One on every master.
    OnePerMaster,
    /// One on every node.
    OnePerNode,
}

/// An invariant at its place in the scenario.
#[derive(Debug, Clone)]
pub struct Always {
    /// What must hold.
    pub invariant: Invariant,
    /// The line of the scenario's file where it stands, from 1.
    pub line: u32,
}

/// What must hold all along.
#[derive(Debug, Clone, PartialEq)]
pub enum Invariant {
    /// No stretch without a good answer of the API through the balancer is as long as this.
    ApiOutageBelow(Duration),
    /// The share of failed requests to the API through the balancer, over the whole time, is smaller than this.
    ApiErrorShareBelow(Share),
    /// 99 of 100 good answers of the API through the balancer, over the whole time, came sooner than this.
    ApiLatencyBelow(Duration),
    /// Every acknowledged write is there at the end, and in order.
    WritesNoneLost,
    /// A watch through the balancer delivered every acknowledged write.
    WatchNoneMissed,
    /// A watch through the balancer delivered nothing a second time.
    WatchNoneRepeated,
    /// No stretch in which a watch through the balancer is cut, or owes an acknowledged write, is as long as this.
    WatchGapBelow(Duration),
    /// A check that is true whenever it can be judged, and can be judged at least once.
    Stays(Check),
}

/// A share, in percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(pub(crate) f64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
