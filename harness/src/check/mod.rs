//! Judging what is known: each check is a pure function of the [`World`], so a history can be judged again.

mod api;
mod daemonset;
mod etcd;
mod nodes;
/// The names under which observers tell what they have listed.
pub(crate) mod names {
    pub(crate) use super::daemonset::{DAEMON_SETS, PODS};
    pub(crate) use super::nodes::{LEASES, NODES};
}
pub mod world;

use crate::scenario::{Check, Invariant, Topology};
use world::World;

/// What a check makes of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// What was expected is so.
    Holds,
    /// It is not so yet, for this reason.
    NotYet(String),
}

/// Judges a check. Only what was seen since `since`, in seconds of the run, counts as current.
pub fn judge(check: &Check, topology: &Topology, world: &World, since: f64) -> Judgement {
    let missing = match check {
        Check::NodesReady => nodes::all_ready(topology, world, since),
        Check::Node { node, is } => nodes::one(node, *is, world, since),
        Check::DaemonSet { name, pods } => daemonset::placed(name, *pods, topology, world, since),
        Check::EtcdHealthy { members } => etcd::healthy(*members, topology, world, since),
        Check::ApiReachable => api::reachable(world, since),
        Check::ApiUnreachable => api::unreachable(world, since),
    };
    missing.map_or(Judgement::Holds, Judgement::NotYet)
}

/// Says how an invariant is violated right now, if it is.
pub fn violation(invariant: &Invariant, world: &World) -> Option<String> {
    match invariant {
        Invariant::ApiOutageBelow(bound) => api::outage(*bound, world),
    }
}

/// What is still missing before `of` can be judged: a list of it that is newer than `since`.
fn unlisted(of: &str, world: &World, since: f64) -> Option<String> {
    let listing = world.listed.get(of);
    if listing.and_then(|listing| listing.at).is_some_and(|at| at >= since) {
        return None;
    }
    let why = listing.and_then(|listing| listing.error.as_deref()).unwrap_or("no answer yet");
    Some(format!("{of} could not be listed through the balancer since the step began: {why}"))
}

/// Joins what is missing into one sentence.
fn sentence(missing: &[String]) -> Option<String> {
    (!missing.is_empty()).then(|| missing.join("; "))
}

#[cfg(test)]
mod tests;
