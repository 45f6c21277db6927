//! Whether the members of etcd serve, agree on a leader, and are all there.

use super::world::World;
use super::{Judgement, unless};
use crate::scenario::Topology;

/// Whether etcd is healthy with so many members.
pub(super) fn healthy(members: usize, topology: &Topology, world: &World, since: f64) -> Judgement {
    let mut missing = Vec::new();
    let mut unseen = Vec::new();
    let mut leaders = Vec::new();
    for machine in topology.members() {
        let name = &machine.name;
        match world.etcd.get(name.as_str()).filter(|member| member.at >= since) {
            None => unseen.push(format!("the member on {name} was not looked at since the step began")),
            Some(member) if !member.healthy => {
                missing.push(format!(
                    "the member on {name} is not healthy: {}",
                    member.error.as_deref().unwrap_or("it has no leader")
                ));
            }
            Some(member) if member.members != Some(members) => {
                let knows = member.members.map_or("none".to_owned(), |count| count.to_string());
                missing.push(format!("the member on {name} knows {knows} members and not {members}"));
            }
            Some(member) => leaders.extend(member.leader.clone()),
        }
    }
    leaders.sort();
    leaders.dedup();
    if leaders.len() > 1 {
        missing.push(format!("the members follow {} leaders: {}", leaders.len(), leaders.join(", ")));
    }
    if missing.is_empty() && !unseen.is_empty() {
        return Judgement::Unknown(unseen.join("; "));
    }
    missing.extend(unseen);
    unless(&missing)
}
