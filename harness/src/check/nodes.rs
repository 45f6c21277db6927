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
    let missing: Vec<String> = topology.nodes().filter_map(|machine| not_ready(machine.name.as_str(), world)).collect();
    unless(&missing)
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
    let missing = names.into_iter().filter_map(|name| match is {
        NodeState::Ready => not_ready(name, world),
        NodeState::NotReady => ready(name, world),
    });
    unless(&missing.collect::<Vec<_>>())
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
    if node.ready != "True" {
        return Some(format!("{name} is not Ready ({}) since {:.1} s", node.reason, node.since));
    }
    let disturbance = world.disturbed.get(name)?;
    let believed = node.renewed.is_some_and(|renewed| renewed > disturbance.wall);
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
