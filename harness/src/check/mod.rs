//! Judging what is known: each check is a pure function of the [`World`], so a history can be judged again.

mod api;
mod daemonset;
mod deployment;
mod etcd;
mod nodes;
/// The names under which observers tell what they have listed.
pub(crate) mod names {
    pub(crate) use super::daemonset::{DAEMON_SETS, PODS};
    pub(crate) use super::deployment::owner as deployment;
    pub(crate) use super::nodes::{COMPONENT_LEASES, LEASES, NODES};
}
pub mod world;

use crate::scenario::{Check, Invariant, Topology};
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
        Check::ApiReachable => api::reachable(world, since),
        Check::ApiUnreachable => api::unreachable(world, since),
        Check::Not(check) => match judge(check, topology, world, since) {
            Judgement::Holds => Judgement::NotYet(format!("{check} is true")),
            Judgement::NotYet(_) => Judgement::Holds,
            unknown @ Judgement::Unknown(_) => unknown,
        },
    }
}

/// Says how an invariant is violated right now, if it is. It has been watched since `since`, in seconds of the run.
pub fn violation(invariant: &Invariant, topology: &Topology, world: &World, since: f64) -> Option<String> {
    match invariant {
        Invariant::ApiOutageBelow(bound) => api::outage(*bound, world),
        Invariant::Stays(check) => match judge(check, topology, world, since) {
            Judgement::NotYet(reason) => Some(format!("{check} should stay true, but {reason}")),
            Judgement::Holds | Judgement::Unknown(_) => None,
        },
    }
}

/// Whether enough has been seen since `since` to judge an invariant.
pub fn is_judged(invariant: &Invariant, topology: &Topology, world: &World, since: f64) -> bool {
    match invariant {
        Invariant::ApiOutageBelow(_) => world.samples.iter().any(|sample| sample.sent >= since),
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

/// It holds if nothing is missing; all that is becomes one sentence.
fn unless(missing: &[String]) -> Judgement {
    Judgement::missing((!missing.is_empty()).then(|| missing.join("; ")))
}

#[cfg(test)]
mod tests;
