//! Whether the API answers, through the balancer and directly, how long it did not, and how well it did.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{Tallied, World};
use super::{Judgement, targeted, unless};
use crate::scenario::{Share, Target, format_duration};

/// Failed requests in a row, all sent since the step began, after which the API counts as unreachable: two seconds of them.
const UNREACHABLE: usize = 8;
/// Requests of which a share or a percentile says something: ten seconds of them.
const ENOUGH: usize = 40;
/// How many answers, for each machine that should give some, are enough to say that one gives none: balancers take turns.
const TURNS: usize = 4;

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
    let missing = match failed {
        0 if latest.is_empty() => "no request to the API has ended since the step began".to_owned(),
        0 => "the API answers through the balancer: its last request was answered well".to_owned(),
        _ => format!("only the last {failed} requests to the API failed, and {UNREACHABLE} in a row should"),
    };
    match failed {
        UNREACHABLE => Judgement::Holds,
        _ if failed == latest.len() => Judgement::Unknown(missing),
        _ => Judgement::NotYet(missing),
    }
}

/// What became of all requests since a moment: how many failed, at which servers, and who answered the others. It changes
/// with every request, so it is no part of a judgement.
pub(super) fn requests(world: &World, since: f64) -> Option<String> {
    let failed = tallied(world, since).filter(|request| !request.ok).count();
    let all = tallied(world, since).count();
    if all == 0 {
        return None;
    }
    let unready = by_server(world, since, false).into_keys().flatten().filter_map(|server| {
        let state = world.servers.get(server).filter(|state| !state.ready)?;
        let error = state.error.as_deref().unwrap_or("no reason given");
        Some(format!("; the API server on {server} is not ready: {error}, since {:.1} s", state.at))
    });
    let unready: String = unready.collect();
    let answered: Vec<_> = by_server(world, since, true).into_keys().flatten().collect();
    let by = if answered.is_empty() { String::new() } else { format!(" (by {})", answered.join(", ")) };
    let at = failures(world, since).map_or(String::new(), |at| format!(" ({at})"));
    Some(format!(
        "of {all} requests sent since {since:.1} s {failed} failed{at}, and {} were answered{by}{unready}",
        all - failed
    ))
}

/// Which servers the requests went to that failed since a moment, as `2 at master3, 1 reached no server`.
fn failures(world: &World, since: f64) -> Option<String> {
    let said = by_server(world, since, false).into_iter().map(|(server, count)| match server {
        Some(server) => format!("{count} at {server}"),
        None => format!("{count} reached no server"),
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn by_server(world: &World, since: f64, ok: bool) -> BTreeMap<Option<&str>, usize> {
    let mut by = BTreeMap::new();
    for request in tallied(world, since).filter(|request| request.ok == ok) {
        *by.entry(request.server.as_deref()).or_default() += 1;
    }
    by
}

/// Whether each of some masters has answered a request through the balancer.
pub(super) fn balanced(on: &Target, world: &World, since: f64) -> Judgement {
    let names = targeted(on, world);
    let answered = |name: &str| world.answered.get(name).is_some_and(|sent| *sent >= since);
    if names.is_empty() {
        return Judgement::Unknown("nothing was chosen".into());
    }
    if !world.answered.values().any(|sent| *sent >= since) {
        return Judgement::Unknown("it is not known who answered a request since the step began".into());
    }
    let silent = names.iter().filter(|name| !answered(name));
    let silent: Vec<_> = silent.map(|name| format!("{name} answered no request through the balancer")).collect();
    let all = world.samples.iter().filter(|sample| sample.ok && sample.sent >= since).count();
    if !silent.is_empty() && all < TURNS * names.len() {
        return Judgement::Unknown(format!("{}, of {all} since the step began", silent.join("; ")));
    }
    unless(&silent)
}

/// How an outage of the API is too long, if it is.
pub(super) fn outage(bound: Duration, world: &World) -> Option<String> {
    let length = world.outage.length();
    (length >= bound.as_secs_f64()).then(|| {
        let error = world.outage.error.as_deref().unwrap_or("no reason given");
        let at = world.outage.since.and_then(|good| failures(world, good.next_up()));
        let at = at.map_or(String::new(), |at| format!("; of the requests that failed, {at}"));
        format!("no good answer of the API through the balancer for {length:.1} s, and less than {} is allowed; the last request met: {error}{at}",
            format_duration(bound))
    })
}

/// Whether the API servers of some masters are ready, or are not, by their own word.
pub(super) fn server(on: &Target, ready: bool, world: &World, since: f64) -> Judgement {
    let names = targeted(on, world);
    if names.is_empty() {
        return Judgement::Unknown("nothing was chosen".into());
    }
    let seen = |name: &&str| world.servers.get(*name).filter(|server| server.at >= since);
    if let Some(name) = names.iter().find(|name| seen(name).is_none()) {
        return Judgement::Unknown(format!("the API server on {name} was not looked at since the step began"));
    }
    let missing = names.iter().filter_map(|name| match (seen(name)?, ready) {
        (server, true) if !server.ready => {
            let error = server.error.as_deref().unwrap_or("no reason given");
            Some(format!("the API server on {name} is not ready: {error}, since {:.1} s", server.at))
        }
        (server, false) if server.ready => Some(format!("the API server on {name} is ready")),
        _ => None,
    });
    unless(&missing.collect::<Vec<_>>())
}

/// Whether there were enough requests for a figure.
pub(super) fn is_figure(world: &World, since: f64) -> bool {
    tallied(world, since).nth(ENOUGH - 1).is_some()
}

/// How the share of failed requests is too large, if it is.
pub(super) fn error_share(bound: Share, world: &World, since: f64) -> Option<String> {
    let all = tallied(world, since).count();
    let failed = tallied(world, since).filter(|request| !request.ok).count();
    let share = 100.0 * failed as f64 / all.max(1) as f64;
    (share >= bound.0).then(|| {
        let at = failures(world, since).map_or(String::new(), |at| format!(": {at}"));
        format!(
            "{share:.2} % of the requests to the API through the balancer failed ({failed} of {all} since \
            {since:.1} s{at}), and less than {bound} is allowed"
        )
    })
}

/// How the slowest of good answers are too slow, if they are.
pub(super) fn latency(bound: Duration, world: &World, since: f64) -> Option<String> {
    let mut good: Vec<f64> = tallied(world, since).filter(|request| request.ok).map(|it| it.latency_ms).collect();
    good.sort_by(f64::total_cmp);
    // Nearest rank, as in reports.
    let p99 = *good.get(((0.99 * good.len() as f64).ceil() as usize).max(1) - 1)?;
    (p99 >= bound.as_secs_f64() * 1e3).then(|| {
        format!(
            "one of a hundred good answers of the API through the balancer took {p99:.0} ms or more ({} since \
            {since:.1} s), and less than {} is allowed",
            good.len(),
            format_duration(bound)
        )
    })
}

/// When the first request was sent that failed, of those sent since a moment.
pub(super) fn failing_since(world: &World, since: f64) -> Option<f64> {
    tallied(world, since).filter(|request| !request.ok).map(|request| request.sent).reduce(f64::min)
}

/// When the first request was sent that was answered too slowly.
pub(super) fn slow_since(bound: Duration, world: &World, since: f64) -> Option<f64> {
    let slow = |request: &&Tallied| request.ok && request.latency_ms >= bound.as_secs_f64() * 1e3;
    tallied(world, since).filter(slow).map(|request| request.sent).reduce(f64::min)
}

fn tallied(world: &World, since: f64) -> impl Iterator<Item = &Tallied> {
    world.tally.iter().filter(move |request| request.sent >= since)
}
