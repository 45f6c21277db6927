//! Judging what is known: each check is a pure function of the [`World`], so a history can be judged again.

mod api;
mod daemonset;
mod deployment;
mod etcd;
mod lease;
mod nodes;
mod reach;
mod stream;
mod writes;
/// The names under which observers tell what they have listed.
pub(crate) mod names {
    pub(crate) use super::daemonset::{DAEMON_SETS, PODS};
    pub(crate) use super::deployment::owner as deployment;
    pub(crate) use super::nodes::{COMPONENT_LEASES, LEASES, NODES};
}
pub mod world;

use crate::scenario::{Check, Invariant, MachineName, Target, Topology};
use world::World;

/// What a check makes of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// What was expected is so.
    Holds,
    /// It is not so, for this reason.
    NotYet(String),
    /// Too little was seen to tell, for this reason.
    Unknown(String),
}

impl Judgement {
    /// It holds if nothing is missing.
    fn missing(missing: Option<String>) -> Self {
        missing.map_or(Self::Holds, Self::NotYet)
    }
}

/// Judges a check. Only what was seen since `since`, in seconds of the run, counts as current.
pub fn judge(check: &Check, topology: &Topology, world: &World, since: f64) -> Judgement {
    match check {
        Check::NodesReady => nodes::all_ready(topology, world, since),
        Check::Node { node, is } => nodes::some(node, *is, world, since),
        Check::DaemonSet { name, pods } => daemonset::placed(name, *pods, topology, world, since),
        Check::Deployment { name, pods, on } => deployment::running(name, *pods, on, world, since),
        Check::EtcdHealthy { members } => etcd::healthy(*members, topology, world, since),
        Check::EtcdLeaderless => etcd::leaderless(topology, world, since),
        Check::EtcdAlarmed => etcd::alarmed(topology, world, since),
        Check::ServerReady { on, ready } => api::server(on, *ready, world, since),
        Check::WritesAcknowledged => writes::acknowledged(world, since),
        Check::WritesStopped => writes::stopped(world, since),
        Check::WritesPresent => writes::present(world, since),
        Check::LeaseMoved { component } => lease::moved(*component, world, since),
        Check::PodsConnected { of, port } => reach::connected(of, *port, world, since),
        Check::ApiReachable => api::reachable(world, since),
        Check::ApiUnreachable => api::unreachable(world, since),
        Check::ApiBalanced { on } => api::balanced(on, world, since),
        Check::Not(check) => match judge(check, topology, world, since) {
            Judgement::Holds => Judgement::NotYet(format!("{check} is true")),
            Judgement::NotYet(_) => Judgement::Holds,
            unknown @ Judgement::Unknown(_) => unknown,
        },
    }
}

/// What explains a judgement further and changes all the time, so that it is told only once a check has failed.
pub fn particulars(check: &Check, world: &World, since: f64) -> Option<String> {
    match check {
        Check::ApiReachable | Check::ApiUnreachable => api::requests(world, since),
        Check::Not(check) => particulars(check, world, since),
        _ => None,
    }
}

/// Says how an invariant is violated right now, if it is. It has been watched since `since`, in seconds of the run.
/// What bounds a figure over the whole time is left to [`final_violation`].
pub fn violation(invariant: &Invariant, topology: &Topology, world: &World, since: f64) -> Option<String> {
    match invariant {
        Invariant::ApiOutageBelow(bound) => api::outage(*bound, world),
        Invariant::ApiErrorShareBelow(_) | Invariant::ApiLatencyBelow(_) => None,
        Invariant::WritesNoneLost => writes::lost(world),
        Invariant::WatchNoneMissed => stream::missed(world),
        Invariant::WatchNoneRepeated => stream::repeated(world),
        Invariant::WatchGapBelow(bound) => stream::gap(*bound, world, since),
        Invariant::Stays(check) => match judge(check, topology, world, since) {
            Judgement::NotYet(reason) => Some(format!("{check} should stay true, but {reason}")),
            Judgement::Holds | Judgement::Unknown(_) => None,
        },
    }
}

/// Says how an invariant is violated by what was seen in the whole time from `since` on, which is over.
pub fn final_violation(invariant: &Invariant, topology: &Topology, world: &World, since: f64) -> Option<String> {
    match invariant {
        Invariant::ApiErrorShareBelow(bound) => api::error_share(*bound, world, since),
        Invariant::ApiLatencyBelow(bound) => api::latency(*bound, world, since),
        _ => violation(invariant, topology, world, since),
    }
}

/// When that began which violates an invariant, in seconds of the run, where it is known: the first request or the gap that
/// counts.
pub fn began(invariant: &Invariant, world: &World, since: f64) -> Option<f64> {
    match invariant {
        Invariant::ApiOutageBelow(_) => api::failing_since(world, world.outage.since.unwrap_or(since)),
        Invariant::ApiErrorShareBelow(_) => api::failing_since(world, since),
        Invariant::ApiLatencyBelow(bound) => api::slow_since(*bound, world, since),
        Invariant::WatchGapBelow(bound) => stream::gap_since(*bound, world, since),
        Invariant::WritesNoneLost | Invariant::WatchNoneMissed | Invariant::WatchNoneRepeated | Invariant::Stays(_) => {
            None
        }
    }
}

/// Whether enough has been seen since `since` to judge an invariant.
pub fn is_judged(invariant: &Invariant, topology: &Topology, world: &World, since: f64) -> bool {
    match invariant {
        Invariant::ApiOutageBelow(_) => world.samples.iter().any(|sample| sample.sent >= since),
        Invariant::ApiErrorShareBelow(_) | Invariant::ApiLatencyBelow(_) => api::is_figure(world, since),
        Invariant::WritesNoneLost => writes::is_audited(world),
        Invariant::WatchNoneMissed | Invariant::WatchNoneRepeated | Invariant::WatchGapBelow(_) => world.stream.begun,
        Invariant::Stays(check) => !matches!(judge(check, topology, world, since), Judgement::Unknown(_)),
    }
}

/// What is still missing before `of` can be judged: a list of it that is newer than `since`.
fn unlisted(of: &str, world: &World, since: f64) -> Option<Judgement> {
    let listing = world.listed.get(of);
    if listing.and_then(|listing| listing.at).is_some_and(|at| at >= since) {
        return None;
    }
    let why = listing.and_then(|listing| listing.error.as_deref()).unwrap_or("no answer yet");
    let reason = format!("{of} could not be listed through the balancer since the step began: {why}");
    Some(Judgement::Unknown(reason))
}

/// The machines that a target means by now.
fn targeted<'a>(target: &'a Target, world: &'a World) -> Vec<&'a str> {
    match target {
        Target::Machines(machines) => machines.iter().map(MachineName::as_str).collect(),
        Target::Part(..) => world.chosen(None).iter().map(String::as_str).collect(),
        Target::Chosen(name) => world.chosen(name.as_deref()).iter().map(String::as_str).collect(),
    }
}

/// It holds if nothing is missing; all that is becomes one sentence.
fn unless(missing: &[String]) -> Judgement {
    Judgement::missing((!missing.is_empty()).then(|| missing.join("; ")))
}

#[cfg(test)]
mod tests;
