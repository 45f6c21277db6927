//! The cluster that a scenario runs on: its machines, its Kubernetes, its load balancer, its workload.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use serde::Serialize;

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
    /// The memory that all machines are given together, in bytes.
    pub fn memory(&self) -> u64 {
        self.machines.values().map(|machine| machine.memory).sum()
    }

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkPlugin {
    /// A bridge on each machine and static routes between them.
    Bridge,
    /// Calico.
    Calico(CalicoRelease),
}

impl NetworkPlugin {
    /// The release of Calico, if it is that.
    pub fn into_calico(self) -> Option<CalicoRelease> {
        match self {
            Self::Bridge => None,
            Self::Calico(release) => Some(release),
        }
    }
}

/// A release of Calico.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalicoRelease {
    /// Its version without a leading `v`: `3.32.1`.
    pub version: String,
    /// The lower-case hexadecimal SHA-256 sum that its archive, `release-v3.32.1.tgz`, has to have; whatever is published if none.
    pub sha256: Option<String>,
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
        /// The kinds and names of the objects in it that expectations can name.
        objects: Vec<(String, String)>,
    },
}

impl Workload {
    /// The names of the objects of a kind that expectations can name.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        match self {
            Self::ShCgi => ["sh-cgi"].into_iter().filter(|_| matches!(kind, "DaemonSet" | "Service")).collect(),
            Self::Manifest { objects, .. } => {
                objects.iter().filter(|(other, _)| other == kind).map(|(_, name)| name.as_str()).collect()
            }
        }
    }
}
