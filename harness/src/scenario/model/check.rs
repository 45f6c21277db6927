//! What is expected of a cluster, and what must hold all along.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{MachineName, Service, Target};

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
