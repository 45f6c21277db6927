//! Whether nodes are Ready, believed only where their kubelet has shown itself since something was last done to it.

use super::world::World;
use super::{sentence, unlisted};
use crate::scenario::{MachineName, NodeState, Topology};

/// The name under which nodes are watched.
pub(crate) const NODES: &str = "nodes";
/// The name under which the leases of nodes are watched.
pub(crate) const LEASES: &str = "node leases";

/// What keeps the nodes of the topology from all being Ready.
pub(super) fn all_ready(topology: &Topology, world: &World, since: f64) -> Option<String> {
    if let Some(missing) = unlisted(NODES, world, since).or_else(|| unlisted(LEASES, world, since)) {
        return Some(missing);
    }
    let missing: Vec<String> = topology.nodes().filter_map(|machine| not_ready(&machine.name, world)).collect();
    sentence(&missing)
}

/// What keeps one node from being in a state.
pub(super) fn one(name: &MachineName, is: NodeState, world: &World, since: f64) -> Option<String> {
    if let Some(missing) = unlisted(NODES, world, since).or_else(|| unlisted(LEASES, world, since)) {
        return Some(missing);
    }
    match is {
        NodeState::Ready => not_ready(name, world),
        NodeState::NotReady => match world.nodes.get(name.as_str()).map(|node| node.ready.as_str()) {
            None | Some("absent") => Some(format!("{name} is no node of the cluster")),
            Some("True") => Some(format!("{name} is Ready still{}", lease_age(name, world))),
            Some(_) => None,
        },
    }
}

fn not_ready(name: &MachineName, world: &World) -> Option<String> {
    let Some(node) = world.nodes.get(name.as_str()).filter(|node| node.ready != "absent") else {
        return Some(format!("{name} is no node of the cluster"));
    };
    if node.ready != "True" {
        return Some(format!("{name} is not Ready ({}) since {:.1} s", node.reason, node.since));
    }
    let disturbance = world.disturbed.get(name.as_str())?;
    let believed = node.renewed.is_some_and(|renewed| renewed > disturbance.wall);
    (!believed).then(|| {
        let verb = &disturbance.verb;
        format!(
            "{name} is called Ready, but its kubelet has not renewed its lease since `{verb}`{}",
            lease_age(name, world)
        )
    })
}

fn lease_age(name: &MachineName, world: &World) -> String {
    let renewed = world.nodes.get(name.as_str()).and_then(|node| node.renewed);
    renewed.map_or(String::new(), |renewed| format!(" (its lease was renewed last at {renewed:.0})"))
}
