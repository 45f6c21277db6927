//! Whether a long watch through the balancer is continuous: it misses nothing, repeats nothing, and is not away for long.

use std::time::Duration;

use super::world::World;
use crate::scenario::format_duration;

/// How the watch has missed something, if it has.
pub(super) fn missed(world: &World) -> Option<String> {
    let missed = world.stream.missed;
    (missed > 0).then(|| format!("the watch through the balancer did not deliver {missed} acknowledged writes"))
}

/// How the watch has repeated something, if it has.
pub(super) fn repeated(world: &World) -> Option<String> {
    let repeated = world.stream.repeated;
    (repeated > 0).then(|| format!("the watch through the balancer delivered {repeated} changes a second time"))
}

/// How the watch was away for too long, if it was.
pub(super) fn gap(bound: Duration, world: &World, since: f64) -> Option<String> {
    let stream = &world.stream;
    // What goes on counts from when it is watched; before, the cluster was being made.
    let open = stream.gap_since.map(|gap| world.now - gap.max(since));
    let over = stream.gaps.iter().filter(|(end, _)| *end >= since).map(|(end, length)| length.min(end - since));
    let longest = over.chain(open).reduce(f64::max)?;
    (stream.begun && longest >= bound.as_secs_f64()).then(|| {
        let error = stream.error.as_deref().unwrap_or("it was not cut, but delivered nothing");
        format!(
            "the watch through the balancer did not deliver for {longest:.1} s, and less than {} is allowed; last: {error}",
            format_duration(bound)
        )
    })
}

/// When the watch began to be away for too long, if it was.
pub(super) fn gap_since(bound: Duration, world: &World, since: f64) -> Option<f64> {
    let over = world.stream.gaps.iter().find(|(end, length)| *end >= since && *length >= bound.as_secs_f64());
    over.map(|(end, length)| end - length).or(world.stream.gap_since)
}
