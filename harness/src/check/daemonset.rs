//! Whether a DaemonSet has one Running and Ready pod on each machine meant, and none elsewhere.

use super::world::{Pod, World};
use super::{Judgement, unless, unlisted};
use crate::scenario::{Machine, MachineName, Placement, Topology};

/// The name under which DaemonSets are watched.
pub(crate) const DAEMON_SETS: &str = "daemonsets";
/// The name under which the pods of DaemonSets and Deployments are watched.
pub(crate) const PODS: &str = "pods";

/// Whether the pods of a DaemonSet are where they should be.
pub(super) fn placed(name: &str, pods: Placement, topology: &Topology, world: &World, since: f64) -> Judgement {
    if let Some(unknown) = unlisted(DAEMON_SETS, world, since).or_else(|| unlisted(PODS, world, since)) {
        return unknown;
    }
    if !world.daemon_sets.get(name).is_some_and(|daemon_set| daemon_set.exists) {
        return Judgement::NotYet(format!("there is no daemonset `{name}` in the namespace default"));
    }
    let machines: Vec<&Machine> = match pods {
        Placement::OnePerMaster => topology.masters().collect(),
        Placement::OnePerNode => topology.nodes().collect(),
    };
    let mine: Vec<(&String, &Pod)> = world.pods.iter().filter(|(_, pod)| pod.owner == name).collect();
    let mut missing: Vec<String> =
        machines.iter().filter_map(|machine| on_machine(&machine.name, &mine, world)).collect();
    let meant = |pod: &Pod| {
        pod.node.as_deref().is_some_and(|node| machines.iter().any(|machine| machine.name.as_str() == node))
    };
    missing.extend(mine.iter().filter(|(_, pod)| !meant(pod)).map(|(pod_name, pod)| match &pod.node {
        Some(node) => format!("{pod_name} runs on {node}, where none should be"),
        None => format!("{pod_name} is bound to no node"),
    }));
    unless(&missing)
}

fn on_machine(machine: &MachineName, mine: &[(&String, &Pod)], world: &World) -> Option<String> {
    let here: Vec<&(&String, &Pod)> =
        mine.iter().filter(|(_, pod)| pod.node.as_deref() == Some(machine.as_str())).collect();
    let (name, pod) = match here.as_slice() {
        [] => return Some(format!("{machine} has no pod of it")),
        [one] => one,
        several => return Some(format!("{machine} has {} pods of it", several.len())),
    };
    if pod.terminating {
        return Some(format!("{name} on {machine} is being deleted"));
    }
    unwell(name, pod, machine, world)
}

/// What keeps a pod on its machine from being believed to run.
pub(super) fn unwell(name: &str, pod: &Pod, machine: &MachineName, world: &World) -> Option<String> {
    if pod.phase != "Running" || !pod.ready {
        let ready = if pod.ready { "ready" } else { "not ready" };
        return Some(format!("{name} on {machine} is {} and {ready}", pod.phase));
    }
    let booted = world.disturbed.get(machine.as_str()).and_then(|disturbance| disturbance.booted)?;
    let stale = pod.started.is_none_or(|started| started.as_second() < booted.as_second());
    stale.then(|| {
        format!("{name} on {machine} is called Running, but by what was known before {machine} was switched on")
    })
}
