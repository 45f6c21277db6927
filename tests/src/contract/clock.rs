//! A machine's clock, put wrong and right again by the fault itself, where machines have clocks of their own.

use jiff::{SignedDuration, Timestamp};
use quorate::fault::Hand;
use quorate::fault::active::Active;
use quorate::record::Recorder;
use quorate::scenario::Verb;

use super::findings::{Finding, Findings, Point};
use super::rig::{Rig, words};

const POINTS: [Point; 3] = [Point::ClockWrong, Point::ClockRight, Point::ClockTold];
const SKEW: Verb = Verb::SkewClock { by: SignedDuration::from_mins(-10) };
/// Seconds that a command may take, one way, in a machine that is emulated on a busy host.
const SLACK: f64 = 10.0;

pub(super) async fn judge(rig: &Rig, found: &mut Findings) {
    if let Some(impossible) = rig.fleet.provider().impossible(&SKEW, &rig.cancel).await {
        POINTS.into_iter().for_each(|point| found.enter(point, Finding::NotOffered(impossible.reason.clone())));
    } else if let Err(reason) = observe(rig, found).await {
        found.not_reached(&POINTS, &reason);
    }
}

async fn observe(rig: &Rig, found: &mut Findings) -> Result<(), String> {
    let (recorder, active) = (Recorder::unwritten(), Active::default());
    let hand = Hand { fleet: &rig.fleet, recorder: &recorder, cancel: &rig.cancel, step: None, active: &active };
    let on = [rig.subject().clone()];
    let before = ahead(rig).await?;
    hand.inject(&SKEW, &on).await.map_err(words)?;
    found.judge(Point::ClockWrong, near(ahead(rig).await? - before, -600.0));
    hand.inject(&Verb::Restore, &on).await.map_err(words)?;
    found.judge(Point::ClockRight, near(ahead(rig).await? - before, 0.0));

    hand.inject(&SKEW, &on).await.map_err(words)?;
    let now = format!("@{}", Timestamp::now().as_second());
    rig.say(rig.subject(), &["date", "--set", &now]).await?;
    found.judge(
        Point::ClockTold,
        match hand.inject(&Verb::Restore, &on).await {
            Err(error) if error.to_string().contains("the fault did not last") => Ok("the fault did not last"),
            Err(error) => Err(error.to_string()),
            Ok(()) => Err("restored, as if nobody else had moved it".to_owned()),
        },
    );
    Ok(())
}

/// Seconds that the subject's clock is ahead of the host's.
pub(super) async fn ahead(rig: &Rig) -> Result<f64, String> {
    rig.fleet.clock(rig.subject(), &rig.cancel).await.map(|clock| clock.ahead).map_err(words)
}

fn near(moved: f64, by: f64) -> Result<String, String> {
    let seen = format!("its clock has moved by {moved:.1} s against the host's");
    if (moved - by).abs() <= SLACK { Ok(seen) } else { Err(format!("{seen}, and not by {by:.0} s")) }
}
