//! Chooses machines when a step runs: by chance that the run's seed repeats, or by what the cluster tells.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::engine::Engine;
use super::failure::{Failure, broken};
use crate::check::world::World;
use crate::event::What;
use crate::probe::Observers;
use crate::record::Span;
use crate::scenario::{MachineName, Part, Service, Target};

/// How long it may take until a leader is known. A lease of a control plane component ends after 15 s, and an election
/// of etcd takes one or two seconds.
const KNOWN: Duration = Duration::from_secs(30);

/// The machines that a target means now.
pub(super) async fn machines(
    engine: &Engine,
    step: usize,
    target: &Target,
    span: &Span,
    observers: &Observers,
) -> Result<Vec<MachineName>, Failure> {
    match target {
        Target::Machines(machines) => Ok(machines.clone()),
        Target::Part(part, name) => choose(engine, step, (*part, name.as_deref()), span, observers).await,
        Target::Chosen(name) => {
            let world = engine.monitor.world();
            let chosen = world.chosen(name.as_deref());
            let names = engine.scenario.topology.machines.keys();
            Ok(names.filter(|name| chosen.iter().any(|chosen| chosen == name.as_str())).cloned().collect())
        }
    }
}

async fn choose(
    engine: &Engine,
    step: usize,
    (part, name): (Part, Option<&str>),
    span: &Span,
    observers: &Observers,
) -> Result<Vec<MachineName>, Failure> {
    let (machines, why) = match part {
        Part::OneMaster | Part::Minority | Part::Majority => by_chance(engine, step, part)?,
        Part::NotEtcdLeader => {
            let leader = leader(engine, part, span, observers).await?;
            let others: Vec<_> = untouched(engine, part).into_iter().filter(|name| *name != leader).collect();
            let one = pick(engine, step, &others, 1).ok_or_else(|| too_few(part, 1, others.len()))?;
            (one, format!("etcd's leader is on {leader}; by chance, seed {}", engine.seed))
        }
        Part::EtcdLeader | Part::ControllerManagerLeader | Part::SchedulerLeader => {
            let leader = leader(engine, part, span, observers).await?;
            (vec![leader], "it leads".to_owned())
        }
    };
    span.progress(format!("chosen: {}", machines.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ")));
    engine.recorder.record(What::Choice {
        step,
        part: part.as_str().to_owned(),
        name: name.map(str::to_owned),
        machines: machines.iter().map(ToString::to_string).collect(),
        why,
    });
    Ok(machines)
}

/// The machines that a part is of.
fn whole(engine: &Engine, part: Part) -> impl Iterator<Item = MachineName> {
    let topology = &engine.scenario.topology;
    topology.of_role(part.role(topology.external_etcd())).map(|machine| machine.name.clone())
}

/// Those of them that nothing befell that lasts.
fn untouched(engine: &Engine, part: Part) -> Vec<MachineName> {
    whole(engine, part).filter(|name| !engine.active.befell(name)).collect()
}

fn by_chance(engine: &Engine, step: usize, part: Part) -> Result<(Vec<MachineName>, String), Failure> {
    let (of, size) = (untouched(engine, part), part.size(whole(engine, part).count()));
    let machines = pick(engine, step, &of, size).ok_or_else(|| too_few(part, size, of.len()))?;
    Ok((machines, format!("by chance, seed {}", engine.seed)))
}

fn too_few(part: Part, size: usize, of: usize) -> Failure {
    broken(format!(
        "{} cannot be chosen: it takes {size} of the machines that nothing befell, and there are {of}",
        part.as_str()
    ))
}

/// Takes some of the machines by chance, in their own order. The seed and the step decide, whatever was chosen before.
fn pick(engine: &Engine, step: usize, machines: &[MachineName], size: usize) -> Option<Vec<MachineName>> {
    let step = u64::try_from(step).unwrap_or_default();
    let mut chance = StdRng::seed_from_u64(engine.seed.wrapping_add(step));
    let mut taken: Vec<_> = machines.choose_multiple(&mut chance, size).cloned().collect();
    taken.sort_by_key(|name| machines.iter().position(|machine| machine == name));
    (taken.len() == size).then_some(taken)
}

/// Waits until a leader is known that was seen since now.
async fn leader(engine: &Engine, part: Part, span: &Span, observers: &Observers) -> Result<MachineName, Failure> {
    let since = engine.recorder.now();
    observers.refresh();
    let lead = |world: &World| match part {
        Part::ControllerManagerLeader => component(Service::KubeControllerManager, world, since),
        Part::SchedulerLeader => component(Service::KubeScheduler, world, since),
        _ => etcd(world, since),
    };
    span.progress(format!("waiting until it is known who the {} is", part.as_str().trim_start_matches("not-")));
    let found = tokio::select! {
        found = tokio::time::timeout(KNOWN, engine.monitor.find(lead)) => found,
        () = engine.cancel.cancelled() => return Err(Failure::Interrupted),
    };
    let name = found
        .map_err(|_| broken(format!("{} cannot be chosen: nobody was seen to lead within {KNOWN:?}", part.as_str())))?;
    let known = engine.scenario.topology.machines.keys().find(|machine| machine.as_str() == name);
    known.cloned().ok_or_else(|| broken(format!("{name} leads, which is no machine of the topology")))
}

fn component(service: Service, world: &World, since: f64) -> Option<String> {
    let listed = world.listed.get(crate::check::names::COMPONENT_LEASES)?.at?;
    (listed >= since).then(|| world.leaders.get(service.as_str()).cloned())?
}

/// The machine whose member is followed by more than half of all members.
fn etcd(world: &World, since: f64) -> Option<String> {
    let mut followers: BTreeMap<&str, usize> = BTreeMap::new();
    for leader in world.etcd.values().filter(|member| member.at >= since).filter_map(|member| member.leader.as_deref())
    {
        *followers.entry(leader).or_default() += 1;
    }
    let (leader, _) = followers.into_iter().find(|(_, count)| *count > world.etcd.len() / 2)?;
    let lead = world.etcd.iter().find(|(_, member)| member.member.as_deref() == Some(leader))?;
    Some(lead.0.clone())
}
