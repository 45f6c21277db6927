//! What befalls machines: on which, what, and in which of their services.

use std::time::Duration;

use serde::Serialize;

use super::{MachineName, Role};

/// Bytes of the file system that etcd's data has of its own where a step fills it: room for some write-ahead logs of 64 MB
/// each and a database.
pub const ETCD_DISK: u64 = 512 << 20;

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
