//! Machines that are removed, whole ones and such as Vagrant left half made.

use std::time::{Duration, Instant};

use quorate::machine::provider::State;
use rustix::process::{Signal, kill_process};

use super::findings::{Findings, Point};
use super::rig::{Rig, words};
use crate::host::{self, Traces};

const DESTROY: [Point; 2] = [Point::DestroyLeavesNothing, Point::DestroyTold];
const HALF_MADE: [Point; 2] = [Point::HalfMadeFound, Point::HalfMadeRemoved];
/// How long Vagrant may take until something of a machine is there.
const BEGUN: Duration = Duration::from_secs(120);

/// Destroys the machines, as a run does at its end.
pub(super) async fn judge_destroy(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = destroyed(rig, found).await {
        found.not_reached(&DESTROY, &reason);
    }
}

async fn destroyed(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let id = rig.id()?;
    let traces = Traces::of(rig.truth.name(), &rig.site.prefix());
    if traces.now().is_empty() {
        return Err(format!("nothing on this host is seen to be of {}, though its machines run", rig.site.prefix()));
    }
    rig.fleet.close().await;
    let removed = rig.removed_by(rig.fleet.provider()).await;
    found.judge(Point::DestroyLeavesNothing, removed.map(|()| "it was removed").map_err(words));
    found.judge(Point::DestroyLeavesNothing, nothing_left(rig, &traces).await);
    let observed = rig.fleet.provider().state(&id, &rig.cancel).await.map_err(words)?;
    found.judge(
        Point::DestroyTold,
        match observed.state {
            State::Absent => Ok(observed.proof),
            state => Err(format!("{id} is gone, but is said to be {state}: {}", observed.proof)),
        },
    );
    Ok(())
}

async fn nothing_left(rig: &Rig, traces: &Traces) -> Result<String, String> {
    let (left, told) = (traces.now(), rig.fleet.provider().remains(&rig.site.prefix()).await.map_err(words)?);
    match (left.as_slice(), told.as_slice()) {
        ([], []) => Ok(format!("neither of {}", traces.what())),
        ([], told) => Err(format!("nothing is left, but it tells of {}", told.join(", "))),
        (left, told) => Err(format!("left behind: {} (it tells of {} of them)", left.join(", "), told.len())),
    }
}

/// Ends Vagrant by SIGKILL as soon as there is something of a machine.
pub(super) async fn judge_half_made(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = half_made(rig, found).await {
        found.not_reached(&HALF_MADE, &reason);
    }
}

async fn half_made(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let traces = Traces::of(rig.truth.name(), &rig.site.prefix());
    let (up, killed) = tokio::join!(rig.fleet.up(&rig.cancel), kill_vagrant(rig, &traces));
    let there = killed?;
    if up.is_ok() {
        return Err("Vagrant was done before it could be killed".to_owned());
    }
    let told = rig.fleet.provider().remains(&rig.site.prefix()).await.map_err(words)?;
    let names = there.iter().filter(|trace| trace.contains(rig.site.prefix().as_str()));
    let missed: Vec<&String> = names.filter(|trace| !told.iter().any(|told| told.contains(trace.as_str()))).collect();
    found.judge(
        Point::HalfMadeFound,
        match missed.is_empty() {
            true => Ok(told.join(", ")),
            false => Err(format!("{missed:?} is there, but only {told:?} is told")),
        },
    );
    let removed = rig.removed_by(rig.fleet.provider()).await;
    found.judge(Point::HalfMadeRemoved, removed.map(|()| "it was removed").map_err(words));
    found.judge(Point::HalfMadeRemoved, nothing_left(rig, &traces).await);
    Ok(())
}

/// Waits for the first thing of a machine, kills all that belongs to Vagrant, and returns what is there then.
async fn kill_vagrant(rig: &Rig, traces: &Traces) -> Result<Vec<String>, String> {
    let begun = Instant::now();
    while !traces.now().iter().any(|trace| trace.contains(&format!("{}-", rig.site.prefix()))) {
        if begun.elapsed() > BEGUN || rig.cancel.is_cancelled() {
            return Err(format!("Vagrant made nothing within {BEGUN:?}:\n{}", rig.vagrant_said()));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let variable = format!("VAGRANT_CWD={}", rig.vagrant_folder().display());
    // What it starts while this looks is seen with the next look.
    while let processes = host::processes_with(&variable)
        && !processes.is_empty()
    {
        for (process, _) in processes {
            // It may have ended by itself.
            let _ = kill_process(process, Signal::KILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(traces.now())
}
