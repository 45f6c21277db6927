//! Whether nodes are Ready, believed only where their kubelet has shown itself since something was last done to it.

use super::world::World;
use super::{Judgement, targeted, unless, unlisted};
use crate::scenario::{NodeState, Target, Topology};

/// The name under which nodes are watched.
pub(crate) const NODES: &str = "nodes";
/// The name under which the leases of nodes are watched.
pub(crate) const LEASES: &str = "node leases";
/// The name under which the leases of control plane components are watched.
pub(crate) const COMPONENT_LEASES: &str = "component leases";

/// Whether the nodes of the topology are all Ready.
pub(super) fn all_ready(topology: &Topology, world: &World, since: f64) -> Judgement {
    if let Some(unknown) = unlisted(NODES, world, since).or_else(|| unlisted(LEASES, world, since)) {
        return unknown;
    }
    are_ready(topology.nodes().map(|machine| machine.name.as_str()), world)
}

/// Whether some nodes are in a state.
pub(super) fn some(target: &Target, is: NodeState, world: &World, since: f64) -> Judgement {
    if let Some(unknown) = unlisted(NODES, world, since).or_else(|| unlisted(LEASES, world, since)) {
        return unknown;
    }
    let names = targeted(target, world);
    if names.is_empty() {
        return Judgement::Unknown("nothing was chosen".into());
    }
    match is {
        NodeState::Ready => are_ready(names.into_iter(), world),
        NodeState::NotReady => unless(&names.into_iter().filter_map(|name| ready(name, world)).collect::<Vec<_>>()),
    }
}

/// A node that is called Ready is not known to be so until its kubelet has shown itself.
fn are_ready<'a>(names: impl Iterator<Item = &'a str>, world: &World) -> Judgement {
    let (mut missing, mut doubtful) = (Vec::new(), Vec::new());
    for name in names {
        match not_ready(name, world) {
            Some(reason) => missing.push(reason),
            None => doubtful.extend(unproven(name, world)),
        }
    }
    if missing.is_empty() && !doubtful.is_empty() {
        return Judgement::Unknown(doubtful.join("; "));
    }
    missing.extend(doubtful);
    unless(&missing)
}

fn ready(name: &str, world: &World) -> Option<String> {
    match world.nodes.get(name).map(|node| node.ready.as_str()) {
        None | Some("absent") => Some(format!("{name} is no node of the cluster")),
        Some("True") => Some(format!("{name} is Ready still{}", lease_age(name, world))),
        Some(_) => None,
    }
}

fn not_ready(name: &str, world: &World) -> Option<String> {
    let Some(node) = world.nodes.get(name).filter(|node| node.ready != "absent") else {
        return Some(format!("{name} is no node of the cluster"));
    };
    (node.ready != "True").then(|| format!("{name} is not Ready ({}) since {:.1} s", node.reason, node.since))
}

/// Why a node that is called Ready may be none, as is remembered for 40 s of one that is off.
fn unproven(name: &str, world: &World) -> Option<String> {
    let disturbance = world.disturbed.get(name)?;
    let renewed = world.nodes.get(name).and_then(|node| node.renewed);
    let believed = renewed.is_some_and(|renewed| renewed > disturbance.wall);
    (!believed).then(|| {
        let verb = &disturbance.verb;
        format!(
            "{name} is called Ready, but its kubelet has not renewed its lease since `{verb}`{}",
            lease_age(name, world)
        )
    })
}

fn lease_age(name: &str, world: &World) -> String {
    let renewed = world.nodes.get(name).and_then(|node| node.renewed);
    renewed.map_or(String::new(), |renewed| format!(" (its lease was renewed last at {renewed:.0})"))
}
