//! Whether the members of etcd serve, agree with each other, and are all there; or do not.

use std::collections::BTreeSet;

use super::world::{Etcd, World};
use super::{Judgement, unless};
use crate::member::named;
use crate::scenario::Topology;

/// Whether etcd is healthy with so many members.
pub(super) fn healthy(members: usize, topology: &Topology, world: &World, since: f64) -> Judgement {
    let mut missing = Vec::new();
    let mut unseen = Vec::new();
    let mut leaders = Vec::new();
    for (name, member) in seen(topology, world, since) {
        match member {
            None => unseen.push(format!("the member on {name} was not looked at since the step began")),
            Some(member) if !member.healthy => {
                missing.push(format!(
                    "the member on {name} is not healthy: {}",
                    member
                        .error
                        .as_ref()
                        .map_or("it has no leader".to_owned(), |it| named(it, |id| machine(world, id)))
                ));
            }
            Some(member) if member.members != Some(members) => {
                let knows = member.members.map_or("none".to_owned(), |count| count.to_string());
                missing.push(format!("the member on {name} knows {knows} members and not {members}"));
            }
            Some(member) => leaders.extend(member.leader.as_deref().map(|leader| called(world, leader))),
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
    if missing.is_empty() { agreed(topology, world, since) } else { unless(&missing) }
}

/// Whether all members have the same data.
fn agreed(topology: &Topology, world: &World, since: f64) -> Judgement {
    let Some(hash) = world.hash.as_ref().filter(|hash| hash.at >= since) else {
        return Judgement::Unknown("the members' data was not compared since the step began".into());
    };
    let behind: Vec<_> = topology
        .members()
        .filter(|machine| !hash.hashes.contains_key(machine.name.as_str()))
        .map(|machine| {
            format!(
                "the member on {} tells no hash at revision {}: it is behind, or silent",
                machine.name, hash.revision
            )
        })
        .collect();
    if !behind.is_empty() {
        return unless(&behind);
    }
    if hash.hashes.values().collect::<BTreeSet<_>>().len() > 1 {
        let each: Vec<_> = hash.hashes.iter().map(|(name, hash)| format!("{name} {hash:08x}")).collect();
        let revision = hash.revision;
        return Judgement::NotYet(format!(
            "the members' data differs at revision {revision}: hashes {}",
            each.join(", ")
        ));
    }
    Judgement::Holds
}

/// The machine of the member with an id, if it was seen.
fn machine(world: &World, id: &str) -> Option<String> {
    let is_it = |(_, member): &(&String, &Etcd)| member.member.as_deref() == Some(id);
    world.etcd.iter().find(is_it).map(|(name, _)| name.clone())
}

fn called(world: &World, id: &str) -> String {
    machine(world, id)
        .map_or_else(|| format!("the member {id}, which was not seen yet"), |name| format!("that on {name}"))
}

/// Whether no member follows a leader. One that does not answer follows none.
pub(super) fn leaderless(topology: &Topology, world: &World, since: f64) -> Judgement {
    let mut missing = Vec::new();
    for (name, member) in seen(topology, world, since) {
        let Some(member) = member else {
            return Judgement::Unknown(format!("the member on {name} was not looked at since the step began"));
        };
        missing.extend(member.leader.as_ref().map(|leader| match member.member.as_ref() == Some(leader) {
            true => format!("the member on {name} leads"),
            false => format!("the member on {name} follows {}", called(world, leader)),
        }));
    }
    unless(&missing)
}

/// Whether a member has raised an alarm.
pub(super) fn alarmed(topology: &Topology, world: &World, since: f64) -> Judgement {
    let (mut unseen, mut answers) = (None, false);
    for (name, member) in seen(topology, world, since) {
        match member {
            Some(member) if !member.alarms.is_empty() => return Judgement::Holds,
            // Each member knows the alarms of all.
            Some(member) => answers |= member.member.is_some() || member.members.is_some(),
            None => unseen = Some(format!("the member on {name} was not looked at since the step began")),
        }
    }
    match unseen {
        Some(unseen) => Judgement::Unknown(unseen),
        None if !answers => Judgement::Unknown("no etcd member answers, so its alarms are not known".into()),
        None => Judgement::NotYet("no etcd member has raised an alarm".into()),
    }
}

/// Each machine that has a member, and the member as it was seen since the step began.
fn seen<'a>(topology: &'a Topology, world: &'a World, since: f64) -> impl Iterator<Item = (&'a str, Option<&'a Etcd>)> {
    topology.members().map(move |machine| {
        let name = machine.name.as_str();
        (name, world.etcd.get(name).filter(|member| member.at >= since))
    })
}
