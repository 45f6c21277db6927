//! How events and times are said, the same wherever they are shown.

use crate::event::{Event, Phase, Verdict, What};

use super::span::Outcome;
use super::summary::Summary;

/// A time to a tenth of a millisecond, which is what events are stamped to.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

/// A time that was measured, as `0.4 s` or `2m03s`.
pub fn time(seconds: f64) -> String {
    if seconds < 99.95 { format!("{:.1} s", seconds.max(0.0)) } else { clock(seconds) }
}

/// A moment of the run, always to a tenth of a second.
pub(super) fn moment(at: f64) -> String {
    format!("{at:.1} s")
}

/// A time that somebody set, as `90s`, `5m` or `2m30s`: as it is written in a scenario.
pub(super) fn limit(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{:.0}ms", seconds * 1e3);
    }
    if seconds.round() <= 90.0 { format!("{seconds:.0}s") } else { clock(seconds).replace("m00s", "m") }
}

fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}h{minutes:02}m") } else { format!("{minutes}m{seconds:02}s") }
}

/// A phase as a heading.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "Prepare",
        Phase::BringUp => "Bring up",
        Phase::Scenario => "Scenario",
        Phase::CleanUp => "Clean up",
    }
}

/// What stands before something that came out so. One column wide in every terminal.
pub(super) fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Broken => "!",
        Outcome::Interrupted | Outcome::Unfinished => "~",
        Outcome::NotReached => "·",
    }
}

/// A fault as a person would say it, without its proof.
pub(super) fn fault(verb: &str, service: Option<&str>, machine: &str, detail: Option<&str>) -> String {
    let detail = detail.map_or(String::new(), |detail| format!(" {detail}"));
    match service {
        Some(service) => format!("{verb} {service} on {machine}{detail}"),
        None => format!("{verb} {machine}{detail}"),
    }
}

/// What a change of the cluster or of its machines is, in one line; nothing for what happens all the time.
pub(super) fn describe(what: &What) -> Option<String> {
    let because = |error: &Option<String>| error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    Some(match what {
        What::Machine { machine, state, proof } => format!("machine {machine} is {state} ({proof})"),
        What::Fault { verb, machine, service, heals, detail, proof, .. } => {
            let kind = if *heals { "healed" } else { "fault" };
            format!("{kind}: {} ({proof})", fault(verb, service.as_deref(), machine, detail.as_deref()))
        }
        What::Node { node, ready, reason, .. } => match ready.as_str() {
            "True" => format!("node {node} is Ready"),
            "absent" => format!("node {node} is absent"),
            _ => format!("node {node} is NotReady ({reason})"),
        },
        What::DaemonSet { name, exists: false, .. } => format!("DaemonSet {name} does not exist"),
        What::DaemonSet { name, desired, ready, .. } => format!("DaemonSet {name}: {ready} of {desired} pods ready"),
        What::Etcd { machine, healthy: true, .. } => format!("etcd on {machine} is healthy"),
        What::Etcd { machine, error, .. } => format!("etcd on {machine} is not healthy{}", because(error)),
        What::Watch { of, connected: false, error } => format!("the watch of {of} was cut{}", because(error)),
        What::Violation { invariant, message } => format!("violated {invariant}: {message}"),
        What::Notice { message } => format!("note: {message}"),
        What::Unexplained { message, .. } => format!("unexplained: {message}"),
        _ => return None,
    })
}

/// Something that happened, in one line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// When, in seconds since the run's start.
    pub(super) at: f64,
    /// What.
    pub(super) text: String,
}

/// The few things that happened around what a run did not pass for, in order. Nothing for one that passed.
pub(super) fn around(events: &[Event], summary: &Summary) -> Vec<Moment> {
    const BEFORE: usize = 6;
    const BEHIND: usize = 2;
    if summary.verdict == Verdict::Passed {
        return Vec::new();
    }
    let culprits = summary.spans.iter().filter(|span| span.outcome == summary.verdict.into());
    let moments = culprits.filter_map(|span| span.end).chain(summary.violations.iter().map(|violation| violation.at));
    let Some(moment) = moments.reduce(f64::min) else { return Vec::new() };
    let starts = |phase| summary.spans.iter().filter(move |span| span.phase == phase).map(|span| span.start);
    let clean_up = starts(Phase::CleanUp).reduce(f64::min).unwrap_or(f64::INFINITY);
    // What happened in an earlier phase has its own steps and outcomes, and is no news here.
    let scenario = starts(Phase::Scenario).reduce(f64::min).filter(|start| *start <= moment).unwrap_or(0.0);
    let all: Vec<Moment> = events
        .iter()
        .filter(|event| event.at >= scenario && event.at < clean_up)
        .filter_map(|event| {
            let text = ended(event, summary).or_else(|| describe(&event.what))?;
            Some(Moment { at: event.at, text })
        })
        .collect();
    let behind = all.partition_point(|other| other.at <= moment);
    all[behind.saturating_sub(BEFORE)..all.len().min(behind + BEHIND)].to_vec()
}

/// The end of a span that did not pass.
fn ended(event: &Event, summary: &Summary) -> Option<String> {
    let What::SpanEnded { span, verdict, message, .. } = &event.what else { return None };
    let span = summary.spans.iter().find(|other| other.id == *span && other.outcome != Outcome::Passed)?;
    let message = message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    Some(format!("{verdict}: {}{message}", label(span.step, span.machine.as_deref(), &span.title)))
}

/// How a span is called: by its step, or by its machine.
pub(super) fn label(step: Option<usize>, machine: Option<&str>, title: &str) -> String {
    match (step, machine) {
        (Some(step), _) => format!("step {}  {title}", step + 1),
        (None, Some(machine)) => format!("{machine}: {title}"),
        (None, None) => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        for (seconds, measured, set) in [
            (0.0, "0.0 s", "0ms"),
            (0.25, "0.2 s", "250ms"),
            (12.34, "12.3 s", "12s"),
            (90.0, "90.0 s", "90s"),
            (99.97, "1m40s", "1m40s"),
            (300.0, "5m00s", "5m"),
            (150.0, "2m30s", "2m30s"),
            (3725.0, "1h02m", "1h02m"),
        ] {
            assert_eq!((time(seconds).as_str(), limit(seconds).as_str()), (measured, set));
        }
    }
}
