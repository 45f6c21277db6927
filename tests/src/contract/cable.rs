//! The cable of a machine's private network, pulled and plugged in again.

use std::time::Duration;

use quorate::machine::provider::State;

use super::findings::{Findings, Point};
use super::rig::{Rig, words};
use super::up::address;

const POINTS: [Point; 4] = [Point::CableCuts, Point::CableSpares, Point::CableRestores, Point::CableTold];
/// How long the network may take to notice a cable.
const NOTICED: Duration = Duration::from_secs(5);

pub(super) async fn judge(rig: &Rig, found: &mut Findings) {
    if let Err(reason) = observe(rig, found).await {
        found.not_reached(&POINTS, &reason);
    }
}

async fn observe(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let subject = rig.subject();
    rig.until_reached(true, NOTICED).await?;
    found.judge(Point::CableTold, told(rig, true).await);
    rig.fleet.set_link(subject, false, &rig.cancel).await.map_err(words)?;
    let cut = rig.until_reached(false, NOTICED).await;
    found.judge(Point::CableCuts, cut.map(|_| format!("{} does not reach it any more", rig.witness())));
    found.judge(Point::CableTold, told(rig, false).await);
    found.judge(Point::CableSpares, spared(rig).await);
    rig.fleet.set_link(subject, true, &rig.cancel).await.map_err(words)?;
    found.judge(Point::CableTold, told(rig, true).await);
    let restored = rig.until_reached(true, NOTICED).await;
    found.judge(Point::CableRestores, restored.map(|_| format!("{} reaches it again", rig.witness())));
    found.judge(Point::CableRestores, address(rig, subject).await);
    Ok(())
}

async fn told(rig: &Rig, up: bool) -> Result<String, String> {
    let link = rig.fleet.link(rig.subject(), &rig.cancel).await.map_err(words)?;
    let plugged = if up { "plugged in" } else { "pulled" };
    if link.up == up { Ok(link.proof) } else { Err(format!("it is {plugged}, but {}", link.proof)) }
}

/// Whether the harness comes in, over a connection that it makes now.
async fn spared(rig: &Rig) -> Result<String, String> {
    let way = rig.fleet.ssh(rig.subject()).map_err(words)?;
    way.close().await;
    way.wait(Duration::from_secs(60), &rig.cancel).await.map_err(words)?;
    let observed = rig.fleet.state(rig.subject(), &rig.cancel).await.map_err(words)?;
    match observed.state {
        State::Running => Ok("a new connection of ssh came in".to_owned()),
        _ => Err(format!("it should still be said to run: {}", observed.proof)),
    }
}
