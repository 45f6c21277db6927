//! Whether writes through the balancer are acknowledged, and whether what was acknowledged is there.

use super::Judgement;
use super::world::{Audit, World};

/// Seconds of writes that were not acknowledged after which they count as stopped.
const STOPPED: f64 = 2.0;

/// Whether the latest write was acknowledged.
pub(super) fn acknowledged(world: &World, since: f64) -> Judgement {
    match world.writes.latest.iter().rfind(|write| write.sent >= since) {
        Some(write) if write.acknowledged => Judgement::Holds,
        Some(write) => {
            let error = write.error.as_deref().unwrap_or("no reason given");
            Judgement::NotYet(format!("writes through the balancer are not acknowledged: {error}"))
        }
        None => Judgement::Unknown("no write has ended since the step began".into()),
    }
}

/// Whether writes were tried since the step began, and not one of them was acknowledged.
pub(super) fn stopped(world: &World, since: f64) -> Judgement {
    if let Some((sent, seq)) = world.writes.last_good.filter(|(sent, _)| *sent >= since) {
        return Judgement::NotYet(format!("write {seq} was acknowledged, which was sent at {sent:.1} s"));
    }
    let first = world.writes.latest.iter().find(|write| write.sent >= since);
    let last = world.writes.latest.back().filter(|write| write.sent >= since);
    let tried = first.zip(last).map_or(0.0, |(first, last)| last.done - first.sent);
    if tried >= STOPPED {
        return Judgement::Holds;
    }
    Judgement::Unknown(format!(
        "writes were tried for {tried:.1} s only since the step began, and {STOPPED} s are needed"
    ))
}

/// Whether everything that was acknowledged was found since the step began.
pub(super) fn present(world: &World, since: f64) -> Judgement {
    match world.writes.audit.as_ref().filter(|audit| audit.at >= since) {
        None => Judgement::Unknown("the writes were not read back since the step began".into()),
        Some(audit) if audit.acknowledged == 0 => Judgement::Unknown("no write was acknowledged so far".into()),
        Some(audit) => Judgement::missing(wrong(audit)),
    }
}

/// How writes are known to be lost or out of order, if they are.
pub(super) fn lost(world: &World) -> Option<String> {
    world.writes.audit.as_ref().and_then(wrong)
}

/// Whether all writes were read back that were acknowledged.
pub(super) fn is_audited(world: &World) -> bool {
    let all = |audit: &Audit| audit.acknowledged > 0 && audit.acknowledged >= world.writes.acknowledged;
    world.writes.audit.as_ref().is_some_and(all)
}

fn wrong(Audit { at, acknowledged, lost, disordered, examples }: &Audit) -> Option<String> {
    let what = match (lost, disordered) {
        (0, 0) => return None,
        (lost, 0) => format!("lost: {lost}"),
        (0, disordered) => format!("out of order: {disordered}"),
        (lost, disordered) => format!("lost: {lost}, out of order: {disordered}"),
    };
    Some(format!("of {acknowledged} acknowledged writes, read back at {at:.1} s, {what} ({})", examples.join(", ")))
}
