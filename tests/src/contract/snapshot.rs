//! Machines that are saved together and put back, where the provider can do that.

use std::time::Duration;

use jiff::Timestamp;

use super::findings::{Finding, Findings, Point};
use super::rig::{Rig, words};

const POINTS: [Point; 3] = [Point::SnapshotDisk, Point::SnapshotMemory, Point::SnapshotClock];
/// How long the machines run on before they are put back, which their clocks have to make up for.
const LATER: Duration = Duration::from_secs(15);
/// Seconds that a clock may be wrong, of a machine that is emulated on a busy host.
const SLACK: f64 = 10.0;

pub(super) async fn judge(rig: &Rig, found: &mut Findings) {
    if let Some(impossible) = rig.fleet.provider().unsaveable() {
        POINTS.into_iter().for_each(|point| found.enter(point, Finding::NotOffered(impossible.reason.clone())));
    } else if let Err(reason) = observe(rig, found).await {
        found.not_reached(&POINTS, &reason);
    }
}

/// /run is in memory. A process that was started before says whether it still is the same one.
async fn observe(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    // Nothing may be saved twice under one name.
    let name = format!("quorate-contract-{}", Timestamp::now().as_millisecond());
    let write = |what: &'static str| async move {
        rig.script(rig.subject(), "echo \"$1\" | tee /var/lib/mark /run/mark > /dev/null; sync", &[what]).await
    };
    write("then").await?;
    let boot = rig.say(rig.subject(), &["cat", "/proc/sys/kernel/random/boot_id"]).await?;
    let worker = rig.script(rig.subject(), "setsid --fork sleep 86400 > /dev/null 2>&1; pgrep -n sleep", &[]).await?;
    rig.fleet.save(&name, &rig.cancel).await.map_err(words)?;
    write("later").await?;
    rig.say(rig.subject(), &["kill", &worker]).await?;
    tokio::time::sleep(LATER).await;
    rig.fleet.restore(&name, &rig.cancel).await.map_err(words)?;

    let disk = rig.say(rig.subject(), &["cat", "/var/lib/mark"]).await?;
    found.judge(Point::SnapshotDisk, expected(&format!("its file says `{disk}`"), disk == "then"));
    let memory = rig.script(rig.subject(), "cat /run/mark 2> /dev/null || echo nothing", &[]).await?;
    let same = rig.say(rig.subject(), &["cat", "/proc/sys/kernel/random/boot_id"]).await? == boot;
    let runs = rig.say(rig.subject(), &["kill", "-0", &worker]).await.is_ok();
    let seen = format!(
        "its memory says `{memory}`, it is {} boot, and its process {worker} {}",
        if same { "the same" } else { "another" },
        if runs { "runs" } else { "is gone" }
    );
    found.judge(Point::SnapshotMemory, expected(&seen, memory == "then" && same && runs));
    let ahead = super::clock::ahead(rig).await?;
    let seen = format!("its clock is {ahead:.1} s ahead of the host's");
    found.judge(Point::SnapshotClock, expected(&seen, ahead.abs() <= SLACK));
    Ok(())
}

fn expected(seen: &str, holds: bool) -> Result<String, String> {
    if holds { Ok(seen.to_owned()) } else { Err(seen.to_owned()) }
}
