//! A machine that is paused and resumed, seen by a counter in it.

use std::time::{Duration, Instant};

use quorate::machine::provider::State;

use super::findings::{Findings, Point};
use super::rig::{Rig, Ticks, words};

const POINTS: [Point; 3] = [Point::PauseFreezes, Point::ResumeGoesOn, Point::PauseTold];
/// How long the machine is paused. Longer ones end the shared connection of ssh.
const PAUSE: Duration = Duration::from_secs(3);
/// How long what was on its way may take to arrive.
const ARRIVAL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn judge(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = observe(rig, found).await {
        found.not_reached(&POINTS, &reason);
    }
}

async fn observe(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let ticks = Ticks::start(&rig.fleet.ssh(rig.subject()).map_err(words)?);
    let observed = counted(rig, &ticks, found).await;
    ticks.end().await;
    observed
}

async fn counted(rig: &Rig, ticks: &Ticks, found: &mut Findings) -> Result<(), String> {
    ticks.until(1, PATIENCE).await?;
    let (begun, first) = (Instant::now(), ticks.last());
    ticks.until(first + 10, PATIENCE).await?;
    let pace = (ticks.last() - first) as f64 / begun.elapsed().as_secs_f64();

    let told = rig.changes().count();
    rig.fleet.pause(rig.subject(), &rig.cancel).await.map_err(words)?;
    tokio::time::sleep(ARRIVAL).await;
    let (paused, stands) = (Instant::now(), ticks.last());
    found.judge(Point::PauseTold, rig.is_told(State::Paused).await);
    rig.changes().expect("pause", told).await;
    tokio::time::sleep(PAUSE.saturating_sub(paused.elapsed())).await;
    let (stood, length) = (ticks.last(), paused.elapsed().as_secs_f64());

    let told = rig.changes().count();
    rig.fleet.resume(rig.subject(), &rig.cancel).await.map_err(words)?;
    let resumed = Instant::now();
    found.judge(Point::ResumeGoesOn, ticks.until(stood + 1, PATIENCE).await.map(|()| "the counter goes on"));
    let (first, late) = (ticks.last(), resumed.elapsed().as_secs_f64());
    // Had it counted while nobody heard it, all of that would arrive now.
    let most = stands as f64 + pace * (late + length / 2.0) + 2.0;
    let frozen = stood == stands && (first as f64) < most;
    let seen = format!("its counter was at {stands}, {length:.1} s later at {stood}, and resumed at {first}");
    found.judge(Point::PauseFreezes, if frozen { Ok(seen) } else { Err(seen) });
    found.judge(Point::PauseTold, rig.is_told(State::Running).await);
    rig.changes().expect("resume", told).await;
    Ok(())
}
