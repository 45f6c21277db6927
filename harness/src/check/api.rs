//! Whether the API answers through the balancer, and how long it did not.

use std::time::Duration;

use super::Judgement;
use super::world::World;
use crate::scenario::format_duration;

/// Failed requests in a row, all sent since the step began, after which the API counts as unreachable: two seconds of them.
const UNREACHABLE: usize = 8;

/// Whether the API answers.
pub(super) fn reachable(world: &World, since: f64) -> Judgement {
    let latest = world.samples.iter().rfind(|sample| sample.sent >= since);
    match latest {
        Some(sample) if sample.ok => Judgement::Holds,
        Some(sample) => Judgement::NotYet(format!(
            "the API does not answer through the balancer: {}",
            sample.error.as_deref().unwrap_or("no reason given")
        )),
        None => Judgement::Unknown("no request to the API has ended since the step began".into()),
    }
}

/// Whether the API does not answer.
pub(super) fn unreachable(world: &World, since: f64) -> Judgement {
    let latest: Vec<_> = world.samples.iter().filter(|sample| sample.sent >= since).rev().take(UNREACHABLE).collect();
    let failed = latest.iter().take_while(|sample| !sample.ok).count();
    let missing = format!("only the last {failed} requests to the API failed, and {UNREACHABLE} in a row should");
    match failed {
        UNREACHABLE => Judgement::Holds,
        _ if failed == latest.len() => Judgement::Unknown(missing),
        _ => Judgement::NotYet(missing),
    }
}

/// How an outage of the API is too long, if it is.
pub(super) fn outage(bound: Duration, world: &World) -> Option<String> {
    let length = world.outage.length();
    (length >= bound.as_secs_f64()).then(|| {
        let error = world.outage.error.as_deref().unwrap_or("no reason given");
        format!("no good answer of the API through the balancer for {length:.1} s, and less than {} is allowed; the last request met: {error}",
            format_duration(bound))
    })
}
