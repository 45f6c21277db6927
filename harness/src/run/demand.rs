//! Looks at what is looked at only while somebody waits for it, because it costs too much to be looked at all along.

use std::time::Duration;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use crate::check::world::World;
use crate::probe::{Asked, Observers, reach};
use crate::scenario::{Check, Invariant};

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Looks again and again at what checks need, for as long as it is awaited.
pub(super) async fn attend(engine: &Engine, observers: &Observers, checks: &[&Check]) -> std::convert::Infallible {
    let needs: Vec<&Check> = checks.iter().copied().map(plain).filter(|check| is_on_demand(check)).collect();
    if needs.is_empty() {
        std::future::pending::<()>().await;
    }
    let cancel = engine.cancel.child_token();
    let _ended_with_this = cancel.clone().drop_guard();
    // What one waits for keeps no other from being looked at.
    join_all(needs.into_iter().map(|check| look(engine, observers, check, &cancel))).await;
    std::future::pending().await
}

async fn look(engine: &Engine, observers: &Observers, check: &Check, cancel: &CancellationToken) {
    loop {
        match check {
            Check::WritesPresent => observers.audit(drop).await,
            Check::PodsConnected { of, port } => {
                let pods = asked(engine, of, &engine.monitor.world());
                engine.recorder.record(reach(&engine.fleet, of, *port, &pods, cancel).await);
            }
            _ => return,
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The checks among invariants.
pub(super) fn checks(invariants: &[Invariant]) -> Vec<&Check> {
    let stays = invariants.iter().filter_map(|invariant| match invariant {
        Invariant::Stays(check) => Some(check),
        _ => None,
    });
    stays.collect()
}

fn plain(check: &Check) -> &Check {
    if let Check::Not(check) = check { plain(check) } else { check }
}

fn is_on_demand(check: &Check) -> bool {
    matches!(check, Check::WritesPresent | Check::PodsConnected { .. })
}

/// The pods of a DaemonSet that are said to run.
fn asked(engine: &Engine, of: &str, world: &World) -> Vec<Asked> {
    let pods = world.pods.values().filter(|pod| pod.owner == of && pod.phase == "Running" && !pod.terminating);
    let asked = pods.filter_map(|pod| {
        let node = pod.node.as_deref()?;
        let machine = engine.scenario.topology.machines.keys().find(|name| name.as_str() == node)?;
        Some(Asked { machine: machine.clone(), address: pod.address.clone()? })
    });
    asked.collect()
}
