//! What is known of the cluster at a moment: a fold of the events so far.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::event::{Event, What};

/// What an orderly shutdown takes at least: no pod starts anew so soon after a reboot was begun.
const SHUTDOWN: SignedDuration = SignedDuration::from_secs(1);
/// How many seconds of samples of the API are kept for checks that look at the latest of them.
const SAMPLES_KEPT: f64 = 60.0;

/// What is known of the cluster. Built by nothing but [`World::apply`].
#[derive(Debug, Default, Clone)]
pub struct World {
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Pods by name, gone ones left out.
    pub pods: BTreeMap<String, Pod>,
    /// DaemonSets by name.
    pub daemon_sets: BTreeMap<String, DaemonSet>,
    /// Etcd members by the machine they are on.
    pub etcd: BTreeMap<String, Etcd>,
    /// The latest requests to the API through the balancer, oldest first.
    pub samples: VecDeque<Sample>,
    /// The stretch without a good answer of the API that goes on, or went last.
    pub outage: Outage,
    /// When something was last done to a machine, by its name.
    pub disturbed: BTreeMap<String, Disturbance>,
    /// The machine of the holder of each control plane component's lease, by the component.
    pub leaders: BTreeMap<String, String>,
    /// The machines that a part of the masters was last.
    pub chosen: Vec<String>,
    /// When each watch last had listed all of what it watches, and what cut it since, by what that is.
    pub listed: BTreeMap<String, Listing>,
}

/// A node.
#[derive(Debug, Default, Clone)]
pub struct Node {
    /// The status of its Ready condition, or `absent`.
    pub ready: String,
    /// The condition's reason.
    pub reason: String,
    /// Since when, in seconds of the run.
    pub since: f64,
    /// When its kubelet last renewed its lease, by the node's clock.
    pub renewed: Option<Timestamp>,
}

/// A pod of a DaemonSet or a Deployment.
#[derive(Debug, Clone)]
pub struct Pod {
    /// The DaemonSet it belongs to, or `deployment/NAME`.
    pub owner: String,
    /// The node it is bound to.
    pub node: Option<String>,
    /// Its phase.
    pub phase: String,
    /// Whether its Ready condition is True.
    pub ready: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// When the newest of its containers started, by the node's clock.
    pub started: Option<Timestamp>,
}

/// A DaemonSet.
#[derive(Debug, Default, Clone)]
pub struct DaemonSet {
    /// Whether it exists.
    pub exists: bool,
    /// How many nodes should run a pod of it.
    pub desired: i32,
}

/// An etcd member.
#[derive(Debug, Clone)]
pub struct Etcd {
    /// When it was looked at, in seconds of the run.
    pub at: f64,
    /// Whether it serves and has a leader.
    pub healthy: bool,
    /// Its id, in hexadecimal.
    pub member: Option<String>,
    /// The id of the leader that it follows, in hexadecimal.
    pub leader: Option<String>,
    /// How many members it knows.
    pub members: Option<usize>,
    /// What is wrong.
    pub error: Option<String>,
}

/// One request to the API through the balancer.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When it was sent, in seconds of the run.
    pub sent: f64,
    /// When its outcome was known.
    pub done: f64,
    /// Whether it was answered with success.
    pub ok: bool,
    /// What went wrong.
    pub error: Option<String>,
}

/// A stretch without a good answer of the API.
#[derive(Debug, Default, Clone)]
pub struct Outage {
    /// When the last request that was answered well was sent, in seconds of the run.
    pub last_good: Option<f64>,
    /// When the latest request whose outcome is known was sent.
    pub last_sent: f64,
    /// What the last failed request met.
    pub error: Option<String>,
}

impl Outage {
    /// Its length in seconds: from the last good request to the latest failed one, zero while all is well.
    pub fn length(&self) -> f64 {
        self.last_good.map_or(0.0, |good| (self.last_sent - good).max(0.0))
    }
}

/// Something that was done to a machine.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// When it had been injected, or when its healing began, by the host's clock: what was seen later counts.
    pub wall: Timestamp,
    /// When the machine was last switched on since the run began, by the host's clock.
    pub booted: Option<Timestamp>,
    /// What it was, for people.
    pub verb: String,
}

/// The state of a watch.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// When it last had everything, in seconds of the run.
    pub at: Option<f64>,
    /// What cut it last.
    pub error: Option<String>,
}

impl World {
    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        match &event.what {
            What::Node { node, ready, reason, .. } => self.node(event.at, node, ready, reason),
            What::NodeLease { node, renewed } => self.nodes.entry(node.clone()).or_default().renewed = Some(*renewed),
            What::Pod { .. } => self.pod(&event.what),
            What::DaemonSet { name, exists, desired, .. } => {
                self.daemon_sets.insert(name.clone(), DaemonSet { exists: *exists, desired: *desired });
            }
            What::ComponentLease { component, machine, .. } => {
                match machine {
                    Some(machine) => self.leaders.insert(component.clone(), machine.clone()),
                    None => self.leaders.remove(component),
                };
            }
            What::Choice { machines, .. } => self.chosen.clone_from(machines),
            What::Watch { of, connected, error } => {
                let listing = self.listed.entry(of.clone()).or_default();
                if *connected {
                    *listing = Listing { at: Some(event.at), error: None };
                } else {
                    listing.error.clone_from(error);
                }
            }
            What::ApiSample { ok, latency_ms, error, .. } => self.sample(event.at, *ok, *latency_ms, error.as_ref()),
            What::Etcd { machine, healthy, member, leader, members, error } => {
                let etcd = Etcd {
                    at: event.at,
                    healthy: *healthy,
                    member: member.clone(),
                    leader: leader.clone(),
                    members: *members,
                    error: error.clone(),
                };
                self.etcd.insert(machine.clone(), etcd);
            }
            What::Fault { verb, machine, heals, begun, .. } => {
                let before = self.disturbed.get(machine).and_then(|before| before.booted);
                let booted = match verb.as_str() {
                    "start" => Some(*begun),
                    // Pods tell whole seconds, and one that started just before must not be taken for a new one.
                    "reboot" => Some(*begun + SHUTDOWN),
                    _ => before,
                };
                let wall = if *heals { *begun } else { event.wall };
                self.disturbed.insert(machine.clone(), Disturbance { wall, booted, verb: verb.clone() });
            }
            _ => {}
        }
    }

    fn node(&mut self, at: f64, name: &str, ready: &str, reason: &str) {
        let node = self.nodes.entry(name.to_owned()).or_default();
        if node.ready != ready {
            node.since = at;
        }
        ready.clone_into(&mut node.ready);
        reason.clone_into(&mut node.reason);
    }

    fn pod(&mut self, what: &What) {
        let What::Pod { owner, pod, node, phase, ready, terminating, started, .. } = what else { return };
        if phase == "absent" {
            self.pods.remove(pod);
            return;
        }
        let state = Pod {
            owner: owner.clone(),
            node: node.clone(),
            phase: phase.clone(),
            ready: *ready,
            terminating: *terminating,
            started: *started,
        };
        self.pods.insert(pod.clone(), state);
    }

    fn sample(&mut self, at: f64, ok: bool, latency_ms: f64, error: Option<&String>) {
        let sent = at - latency_ms / 1000.0;
        self.samples.push_back(Sample { sent, done: at, ok, error: error.cloned() });
        while self.samples.front().is_some_and(|sample| sample.done < at - SAMPLES_KEPT) {
            self.samples.pop_front();
        }
        self.outage.last_sent = self.outage.last_sent.max(sent);
        if ok {
            self.outage.last_good = Some(self.outage.last_good.map_or(sent, |good| good.max(sent)));
        } else {
            self.outage.error = error.cloned();
        }
    }
}
