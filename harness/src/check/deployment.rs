//! Whether a Deployment has all its pods, Running and Ready, on the machines meant and nowhere else.

use super::daemonset::{PODS, unwell};
use super::world::{Pod, World};
use super::{Judgement, unless, unlisted};
use crate::scenario::MachineName;

/// The owner that pods of a Deployment are told with, so that a DaemonSet may have the same name.
pub(crate) fn owner(name: &str) -> String {
    format!("deployment/{name}")
}

/// Whether so many pods of a Deployment are on these machines. Those that are being deleted count no more: a machine that
/// is off cannot say that they are gone.
pub(super) fn running(name: &str, pods: usize, on: &[MachineName], world: &World, since: f64) -> Judgement {
    if let Some(unknown) = unlisted(PODS, world, since) {
        return unknown;
    }
    let owner = owner(name);
    let mine: Vec<(&String, &Pod)> =
        world.pods.iter().filter(|(_, pod)| pod.owner == owner && !pod.terminating).collect();
    let mut missing: Vec<String> = mine.iter().filter_map(|(name, pod)| misplaced(name, pod, on, world)).collect();
    if mine.len() != pods {
        missing.push(format!("there are {} pods of the deployment `{name}` and not {pods}", mine.len()));
    }
    unless(&missing)
}

fn misplaced(name: &str, pod: &Pod, on: &[MachineName], world: &World) -> Option<String> {
    let Some(node) = pod.node.as_deref() else { return Some(format!("{name} is bound to no node")) };
    match on.iter().find(|machine| machine.as_str() == node) {
        Some(machine) => unwell(name, pod, machine, world),
        None => Some(format!("{name} is on {node}, where none should be")),
    }
}
