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
    /// The time of the latest event, in seconds of the run.
    pub now: f64,
    /// Nodes by name.
    pub nodes: BTreeMap<String, Node>,
    /// Pods by name, gone ones left out.
    pub pods: BTreeMap<String, Pod>,
    /// DaemonSets by name.
    pub daemon_sets: BTreeMap<String, DaemonSet>,
    /// Etcd members by the machine they are on.
    pub etcd: BTreeMap<String, Etcd>,
    /// The last comparison of the data of etcd's members.
    pub hash: Option<Hash>,
    /// When the latest request was sent that each master answered through the balancer, in seconds of the run.
    pub answered: BTreeMap<String, f64>,
    /// API servers as they tell it themselves, by the machine they are on.
    pub servers: BTreeMap<String, Server>,
    /// The latest requests to the API through the balancer, oldest first.
    pub samples: VecDeque<Sample>,
    /// All requests to the API through the balancer, for figures over the whole time.
    pub tally: Vec<Tallied>,
    /// What became of writes through the balancer.
    pub writes: Writes,
    /// The long watch of these writes.
    pub stream: Stream,
    /// How pods reached each other last, by their DaemonSet and the port they were asked on.
    pub reach: BTreeMap<(String, u16), Reach>,
    /// The stretch without a good answer of the API that goes on, or went last.
    pub outage: Outage,
    /// When something was last done to a machine, by its name.
    pub disturbed: BTreeMap<String, Disturbance>,
    /// The machine of the holder of each control plane component's lease, by the component.
    pub leaders: BTreeMap<String, String>,
    /// Who these were from when on, by the host's clock, oldest first.
    reigns: Vec<(Timestamp, BTreeMap<String, String>)>,
    /// The latest thing that befell the cluster and was not the undoing of another.
    pub befallen: Option<Befallen>,
    /// The machines that a part of the masters was last.
    chosen: Vec<String>,
    /// The machines that were chosen, by what the choice is called.
    called: BTreeMap<String, Vec<String>>,
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
    /// Its address.
    pub address: Option<String>,
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
    /// The alarms that are raised.
    pub alarms: Vec<String>,
    /// What is wrong.
    pub error: Option<String>,
}

/// A comparison of the data of etcd's members.
#[derive(Debug, Clone)]
pub struct Hash {
    /// When it was made, in seconds of the run.
    pub at: f64,
    /// The revision at which they were compared.
    pub revision: u64,
    /// Each member's hash by its machine. Members that are at an earlier revision, or silent, have none.
    pub hashes: BTreeMap<String, u32>,
}

/// An API server.
#[derive(Debug, Clone)]
pub struct Server {
    /// When it was looked at, in seconds of the run.
    pub at: f64,
    /// Whether it says that it is ready.
    pub ready: bool,
    /// What is wrong.
    pub error: Option<String>,
}

/// A request to the API, as far as figures over the whole time need it.
#[derive(Debug, Clone)]
pub struct Tallied {
    /// When it was sent, in seconds of the run.
    pub sent: f64,
    /// Milliseconds until it was answered or failed.
    pub latency_ms: f64,
    /// Whether it was answered with success.
    pub ok: bool,
    /// The machine whose API server it reached, if it reached one.
    pub server: Option<String>,
}

/// What became of writes through the balancer.
#[derive(Debug, Default, Clone)]
pub struct Writes {
    /// The latest of them, oldest first.
    pub latest: VecDeque<Write>,
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// When the latest acknowledged one was sent, in seconds of the run, and its number.
    pub last_good: Option<(f64, u64)>,
    /// What was found when they were read back last.
    pub audit: Option<Audit>,
}

/// One write.
#[derive(Debug, Clone)]
pub struct Write {
    /// When it was sent, in seconds of the run.
    pub sent: f64,
    /// When its outcome was known.
    pub done: f64,
    /// Whether it was acknowledged.
    pub acknowledged: bool,
    /// What went wrong.
    pub error: Option<String>,
}

/// What was found when all writes were read back.
#[derive(Debug, Clone)]
pub struct Audit {
    /// When, in seconds of the run.
    pub at: f64,
    /// How many had been acknowledged by then.
    pub acknowledged: usize,
    /// How many of them are not there.
    pub lost: usize,
    /// How many of them are out of order.
    pub disordered: usize,
    /// Some of both.
    pub examples: Vec<String>,
}

/// The long watch of all writes.
#[derive(Debug, Default, Clone)]
pub struct Stream {
    /// Whether it has ever delivered what it should.
    pub begun: bool,
    /// Since when it does not, in seconds of the run.
    pub gap_since: Option<f64>,
    /// The stretches in which it did not and that are over: the end and the length of each, in seconds.
    pub gaps: Vec<(f64, f64)>,
    /// How many acknowledged writes it left out.
    pub missed: u64,
    /// How many changes it delivered a second time.
    pub repeated: u64,
    /// What cut it last.
    pub error: Option<String>,
}

/// How pods reached each other.
#[derive(Debug, Clone)]
pub struct Reach {
    /// When it was tried, in seconds of the run.
    pub at: f64,
    /// The machines that a pod was asked on.
    pub machines: Vec<String>,
    /// The pairs that did not, one sentence each.
    pub failed: Vec<String>,
}

/// Something that befell the cluster.
#[derive(Debug, Clone)]
pub struct Befallen {
    /// The scenario's step that asked for it.
    pub step: Option<usize>,
    /// What it was, for people.
    pub verb: String,
    /// Who held the lease of each control plane component when it began.
    pub leaders: BTreeMap<String, String>,
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
    /// When the good request was sent that came before it, in seconds of the run; none while all is well.
    pub since: Option<f64>,
    /// When the latest of its requests was sent that are known to have failed.
    pub until: f64,
    /// When the latest request of all was sent that is known to have failed, and the latest that was answered well.
    last_failed: Option<f64>,
    last_good: Option<f64>,
    /// What the last failed request met.
    pub error: Option<String>,
}

impl Outage {
    /// Its length in seconds: from the last good request before it to the latest failed one, zero while all is well.
    pub fn length(&self) -> f64 {
        self.since.map_or(0.0, |good| self.until - good)
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
    /// The machines that were chosen last, or by the choice that is called so; none if there was no such choice yet.
    pub fn chosen(&self, name: Option<&str>) -> &[String] {
        match name {
            None => &self.chosen,
            Some(name) => self.called.get(name).map_or(&[], Vec::as_slice),
        }
    }

    /// Takes in one more event.
    pub fn apply(&mut self, event: &Event) {
        self.now = self.now.max(event.at);
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
                if self.reigns.last().is_none_or(|(_, leaders)| *leaders != self.leaders) {
                    self.reigns.push((event.wall, self.leaders.clone()));
                }
            }
            What::Choice { machines, name, .. } => {
                self.chosen.clone_from(machines);
                self.called.extend(name.iter().map(|name| (name.clone(), machines.clone())));
            }
            What::Watch { of, connected, error } => {
                let listing = self.listed.entry(of.clone()).or_default();
                if *connected {
                    *listing = Listing { at: Some(event.at), error: None };
                } else {
                    listing.error.clone_from(error);
                }
            }
            What::ApiSample { ok, latency_ms, server, error, .. } => {
                self.sample(event.at, *ok, *latency_ms, server.as_ref(), error.as_ref());
                if let Some(server) = server.as_ref().filter(|_| *ok) {
                    self.answered.insert(server.clone(), event.at - latency_ms / 1000.0);
                }
            }
            What::Etcd { .. } => self.etcd(event.at, &event.what),
            What::EtcdHash { revision, hashes } => {
                self.hash = Some(Hash { at: event.at, revision: *revision, hashes: hashes.clone() });
            }
            What::Readyz { machine, ready, error, .. } => {
                self.servers.insert(machine.clone(), Server { at: event.at, ready: *ready, error: error.clone() });
            }
            What::Write { .. } => self.write(event.at, &event.what),
            What::WritesAudit { acknowledged, lost, disordered, examples, .. } => {
                let (acknowledged, lost, disordered) = (*acknowledged, *lost, *disordered);
                let examples = examples.clone();
                self.writes.audit = Some(Audit { at: event.at, acknowledged, lost, disordered, examples });
            }
            What::Stream { .. } => self.stream(event.at, &event.what),
            What::Reach { of, port, machines, failed } => {
                let reach = Reach { at: event.at, machines: machines.clone(), failed: failed.clone() };
                self.reach.insert((of.clone(), *port), reach);
            }
            What::Fault { step, verb, machine, heals, begun, .. } => {
                let before = self.disturbed.get(machine).and_then(|before| before.booted);
                let booted = match verb.as_str() {
                    "start" => Some(*begun),
                    // Pods tell whole seconds, and one that started just before must not be taken for a new one.
                    "reboot" => Some(*begun + SHUTDOWN),
                    _ => before,
                };
                let wall = if *heals { *begun } else { event.wall };
                self.disturbed.insert(machine.clone(), Disturbance { wall, booted, verb: verb.clone() });
                // What one step does to several machines is one thing.
                let same = self.befallen.as_ref().is_some_and(|befallen| befallen.step == *step);
                if !heals && !same {
                    let before = self.reigns.iter().rfind(|(since, _)| since <= begun);
                    let leaders = before.map(|(_, leaders)| leaders.clone()).unwrap_or_default();
                    self.befallen = Some(Befallen { step: *step, verb: verb.clone(), leaders });
                }
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

    fn etcd(&mut self, at: f64, what: &What) {
        let What::Etcd { machine, healthy, member, leader, members, alarms, error, .. } = what else { return };
        let etcd = Etcd {
            at,
            healthy: *healthy,
            member: member.clone(),
            leader: leader.clone(),
            members: *members,
            alarms: alarms.clone(),
            error: error.clone(),
        };
        self.etcd.insert(machine.clone(), etcd);
    }

    fn write(&mut self, at: f64, what: &What) {
        let What::Write { seq, acknowledged, latency_ms, error, .. } = what else { return };
        let sent = at - latency_ms / 1000.0;
        let writes = &mut self.writes;
        writes.latest.push_back(Write { sent, done: at, acknowledged: *acknowledged, error: error.clone() });
        while writes.latest.front().is_some_and(|write| write.done < at - SAMPLES_KEPT) {
            writes.latest.pop_front();
        }
        if *acknowledged {
            writes.acknowledged += 1;
            writes.last_good = Some((sent, *seq));
        }
    }

    fn stream(&mut self, at: f64, what: &What) {
        let What::Stream { state, gap, missed, repeated, error, .. } = what else { return };
        let stream = &mut self.stream;
        (stream.missed, stream.repeated) = (*missed, *repeated);
        if error.is_some() {
            stream.error.clone_from(error);
        }
        if state == "delivers" {
            if stream.begun && *gap > 0.0 {
                stream.gaps.push((at, *gap));
            }
            (stream.begun, stream.gap_since) = (true, None);
        } else {
            stream.gap_since.get_or_insert(at - gap);
        }
    }

    fn pod(&mut self, what: &What) {
        let What::Pod { owner, pod, node, phase, ready, terminating, address, started } = what else { return };
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
            address: address.clone(),
            started: *started,
        };
        self.pods.insert(pod.clone(), state);
    }

    fn sample(&mut self, at: f64, ok: bool, latency_ms: f64, server: Option<&String>, error: Option<&String>) {
        let sent = at - latency_ms / 1000.0;
        self.tally.push(Tallied { sent, latency_ms, ok, server: server.cloned() });
        self.samples.push_back(Sample { sent, done: at, ok, error: error.cloned() });
        while self.samples.front().is_some_and(|sample| sample.done < at - SAMPLES_KEPT) {
            self.samples.pop_front();
        }
        let latest = if ok { &mut self.outage.last_good } else { &mut self.outage.last_failed };
        *latest = Some(latest.map_or(sent, |last| last.max(sent)));
        if !ok {
            self.outage.error = error.cloned();
        }
        let last_good = self.outage.last_good;
        let open = self.outage.last_failed.filter(|end| last_good.is_none_or(|good| good < *end));
        // A request fails late where nobody answers: its outage may have been ended meanwhile by one that was sent after it.
        let ends = open.into_iter().chain((!ok).then_some(sent));
        let gaps = ends.filter_map(|end| Some((self.good_before(end)?, end)));
        let longest = gaps.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        (self.outage.since, self.outage.until) = longest.map_or((None, 0.0), |(good, end)| (Some(good), end));
    }

    /// When the latest good request was sent, of those sent before a moment.
    fn good_before(&self, end: f64) -> Option<f64> {
        let good = self.tally.iter().rev().filter(|request| request.ok && request.sent < end);
        good.map(|request| request.sent).reduce(f64::max)
    }
}
