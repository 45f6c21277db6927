//! A machine that is switched off, in order and at once, and on again.

use std::time::{Duration, Instant};

use quorate::machine::provider::State;

use super::findings::{Finding, Findings, Point};
use super::rig::{Rig, words};
use super::up::{address, hostname};
use crate::host;

const HALT: [Point; 2] = [Point::HaltInOrder, Point::HaltTold];
const KILL: [Point; 7] = [
    Point::KillAtOnce,
    Point::KillInDisorder,
    Point::KillTold,
    Point::Salvage,
    Point::DiskSurvives,
    Point::StartAnew,
    Point::SameMachine,
];
/// How long after the call a killed machine may go on. Less than any orderly shutdown takes.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long it is watched for that.
const WATCHED: Duration = Duration::from_secs(6);
const FOLDER: &str = "/var/lib/quorate-contract";

/// Halts the machine. This proves as well that the service which a kill must not stop is one that a halt does.
pub(super) async fn judge_halt(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = halted(rig, found).await {
        found.not_reached(&HALT, &reason);
    }
}

async fn halted(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    prepare(rig, "before the halt").await?;
    let told = rig.changes().count();
    rig.fleet.halt(rig.subject(), &rig.cancel).await.map_err(words)?;
    found.judge(Point::HaltTold, rig.is_told(State::Stopped).await);
    rig.changes().expect("halt", told).await;
    let told = rig.changes().count();
    rig.fleet.start(rig.subject(), &rig.cancel).await.map_err(words)?;
    rig.changes().expect("start", told).await;
    found.judge(Point::HaltTold, rig.is_told(State::Running).await);
    let after = look(rig).await?;
    found.judge(
        Point::HaltInOrder,
        match after.stopped_in_order {
            true => Ok("a service in it left its mark when it was stopped"),
            false => Err("a service in it had no time to leave its mark"),
        },
    );
    Ok(())
}

/// Kills the machine, looks at it while it is off, and starts it again.
pub(super) async fn judge_kill(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = killed(rig, found).await {
        found.not_reached(&KILL, &reason);
    }
}

async fn killed(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let token = format!("before the kill of {}", rig.site.run);
    prepare(rig, &token).await?;
    rig.until_reached(true, Duration::from_secs(5)).await?;
    let before = rig.is_told(State::Running).await?;
    let told = rig.changes().count();
    let asked = Instant::now();
    rig.fleet.kill(rig.subject(), &rig.cancel).await.map_err(words)?;
    let call = asked.elapsed();
    found.judge(Point::KillAtOnce, at_once(rig, call).await);
    found.judge(Point::KillTold, rig.is_told(State::Stopped).await);
    rig.changes().expect("kill", told).await;
    if rig.fleet.provider().salvages() {
        found.judge(Point::Salvage, salvaged(rig, &token).await);
    } else {
        found.enter(Point::Salvage, Finding::NotOffered("its disks are not read from this host".into()));
    }

    rig.fleet.start(rig.subject(), &rig.cancel).await.map_err(words)?;
    let after = look(rig).await?;
    found.judge(
        Point::KillInDisorder,
        match after.stopped_in_order {
            true => Err("a service in it was stopped in order, and left its mark"),
            false => Ok("a service in it left no mark"),
        },
    );
    found.judge(
        Point::DiskSurvives,
        match after.kept == token {
            true => Ok("a file that was synced is as it was".to_owned()),
            false => Err(format!("a file that was synced should say {token:?}, but says {:?}", after.kept)),
        },
    );
    found.judge(Point::StartAnew, anew(rig, &before, after.new_boot).await);
    found.judge(Point::SameMachine, address(rig, rig.subject()).await);
    found.judge(Point::SameMachine, hostname(rig, rig.subject()).await);
    Ok(())
}

/// Whether the witness has soon lost sight of a machine whose kill took so long.
async fn at_once(rig: &Rig, call: Duration) -> Result<String, String> {
    let gone = rig.until_reached(false, WATCHED).await?;
    let seen =
        format!("the call took {:.1} s, and {:.1} s later nobody answered", call.as_secs_f64(), gone.as_secs_f64());
    if gone <= AT_ONCE { Ok(seen) } else { Err(seen) }
}

async fn anew(rig: &Rig, before: &str, new_boot: bool) -> Result<String, String> {
    if !new_boot {
        return Err("what was in its memory is still there".to_owned());
    }
    let after = rig.is_told(State::Running).await?;
    match after == before {
        true => Err(format!("it is said to be as before the kill: {after}")),
        false => Ok(after),
    }
}

async fn salvaged(rig: &Rig, token: &str) -> Result<String, String> {
    let to = rig.site.folder.join("salvaged.tar");
    rig.fleet.salvage(rig.subject(), FOLDER, &to).await.map_err(words)?;
    let to = to.to_string_lossy();
    let listed = host::output("tar", &["--list", "--file", &to]);
    let Some(kept) = listed.lines().find(|line| line.ends_with("/kept")) else {
        return Err(format!("a file that was synced is not in it, but {listed:?}"));
    };
    let text = host::output("tar", &["--extract", "--to-stdout", "--file", &to, kept]);
    match text.trim() == token {
        true => Ok(format!("{kept} is as it was synced")),
        false => Err(format!("{kept} should say {token:?}, but says {text:?}")),
    }
}

async fn prepare(rig: &Rig, token: &str) -> Result<(), String> {
    rig.script(rig.subject(), include_str!("prepare.sh"), &[token]).await.map(drop)
}

struct Look {
    kept: String,
    stopped_in_order: bool,
    new_boot: bool,
}

async fn look(rig: &Rig) -> Result<Look, String> {
    let said = rig.script(rig.subject(), include_str!("look.sh"), &[]).await?;
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(str::to_owned).ok_or_else(|| format!("it does not say what became of {name}: {said:?}"))
    };
    Ok(Look { kept: value("kept")?, stopped_in_order: value("order")? == "yes", new_boot: value("boot")? == "new" })
}
