//! The few things that happened around what a run did not pass for.

use crate::event::{Event, Phase, What};

use super::cause::Cause;
use super::span::{Outcome, Span};
use super::summary::Summary;
use super::told::{Line, Told, lines};
use super::words::{FAULT, first_line, label, moment, time};

/// How much is told of what happened before the cause and behind it, and of the work that was under way.
const BEFORE: usize = 6;
const BEHIND: usize = 2;
const WORK: usize = 4;

/// Something that happened, in one line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moment {
    /// When, in seconds since the run's start.
    pub(super) at: f64,
    /// What.
    pub(super) text: String,
}

/// What happened around the cause, in order. Nothing for a run that passed.
pub(super) fn around(events: &[Event], summary: &Summary) -> Vec<Moment> {
    let Some(cause) = Cause::of(summary) else { return Vec::new() };
    let (from, to) = window(summary, cause.at);
    let before = events.iter().filter(|event| event.at < to);
    let told = lines(&mut Told::of(events), before.clone()).into_iter();
    let told = told.filter(|line| line.at >= from).map(|Line { at, text, .. }| Moment { at, text });
    let late = before.filter(|event| event.at >= from);
    let ended = late.filter_map(|event| Some(Moment { at: event.at, text: ended(event, summary)? }));
    let mut all: Vec<Moment> = told.chain(ended).collect();
    all.extend(outages(summary).filter(|it| it.at >= from && it.at < to));
    all.sort_by(|one, other| one.at.total_cmp(&other.at));
    let behind = all.partition_point(|other| other.at <= cause.at);
    let first = behind.saturating_sub(BEFORE);
    // What was done to the cluster last is told however much has happened since.
    let fault = all[..first].iter().rfind(|moment| moment.text.starts_with(FAULT)).cloned();
    let last = all.len().min(behind + BEHIND);
    let near = all[first..last].iter().cloned();
    // What is violated shows later than it begins.
    let showed = all[last..].iter().find(|moment| cause.violation.is_some_and(|it| it.at == moment.at)).cloned();
    let near = fault.into_iter().chain(near).chain(showed);
    let mut near: Vec<Moment> = near.chain(under_way(summary, to)).collect();
    near.sort_by(|one, other| one.at.total_cmp(&other.at));
    near
}

/// From when to when there is news: what happened in an earlier phase has its own steps and outcomes, and cleaning up is
/// none, unless it is the cause.
fn window(summary: &Summary, cause: f64) -> (f64, f64) {
    let starts = |phase| summary.spans.iter().filter(move |span| span.phase == phase).map(|span| span.start);
    let from = starts(Phase::Scenario).filter(|start| *start <= cause).reduce(f64::min).unwrap_or(0.0);
    let to = starts(Phase::CleanUp).filter(|start| *start > cause).reduce(f64::min).unwrap_or(f64::INFINITY);
    (from, to)
}

/// The work that nobody brought to its end, at the moment at which it was left.
fn under_way(summary: &Summary, to: f64) -> impl Iterator<Item = Moment> {
    let left = move |span: &&Span| is_left(span) && span.end.unwrap_or(summary.run.seconds) < to;
    summary.spans.iter().filter(left).take(WORK).map(|span| {
        let waited = span.waited_for.as_ref().map_or(String::new(), |last| format!(": {last}"));
        let name = label(span.step, span.machine.as_deref(), &span.title);
        let text = format!("under way since {}: {name}{waited}", moment(span.start));
        Moment { at: span.end.unwrap_or(summary.run.seconds), text }
    })
}

fn is_left(span: &Span) -> bool {
    matches!(span.outcome, Outcome::Interrupted | Outcome::Unfinished)
}

/// The beginnings and ends of all times without a good answer of the API, but for single requests that failed.
fn outages(summary: &Summary) -> impl Iterator<Item = Moment> {
    let outages = summary.api.iter().flat_map(|api| &api.outages).filter(|outage| outage.failed > 1);
    outages.flat_map(|outage| {
        let text = "the API stops answering through the balancer".to_owned();
        let begins = Moment { at: outage.start, text };
        let text = format!("the API answers through the balancer again, after {}", time(outage.seconds()));
        let ends = (!outage.open).then_some(Moment { at: outage.end, text });
        [Some(begins), ends].into_iter().flatten()
    })
}

/// The end of a span that came out badly.
fn ended(event: &Event, summary: &Summary) -> Option<String> {
    let What::SpanEnded { span, verdict, message, .. } = &event.what else { return None };
    let bad = |other: &&Span| other.id == *span && other.outcome != Outcome::Passed && !is_left(other);
    let span = summary.spans.iter().find(bad)?;
    // What was violated is told by itself, and the reason above.
    let told =
        |message: &str| summary.reason.ends_with(message) || summary.violations.iter().any(|it| it.message == message);
    let own = message.as_ref().filter(|message| !told(message));
    // All that a program printed is at hand elsewhere.
    let message = own.map_or(String::new(), |message| format!(": {}", first_line(message)));
    Some(format!("{verdict}: {}{message}", label(span.step, span.machine.as_deref(), &span.title)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    fn told(events: &[Event]) -> Vec<String> {
        around(events, &Summary::of(events)).into_iter().map(|it| format!("{:.1} {}", it.at, it.text)).collect()
    }

    #[test]
    fn of_a_run_that_was_ended_there_is_what_was_under_way_and_what_happened_last() {
        let told = told(&support::interrupted());
        assert_eq!(
            told,
            [
                "11.0 machine master1 is running (docker inspect: running)",
                "20.0 under way since 10.1 s: master1: kubeadm init: waiting for the API server"
            ]
        );
    }

    #[test]
    fn of_a_run_that_was_killed_there_is_what_was_under_way_at_the_end_of_its_log() {
        let killed: Vec<_> = support::passed().into_iter().filter(|event| event.at < 100.0).collect();
        let told = told(&killed);
        let last = "96.0 under way since 70.5 s: step 4  master2 is NotReady: master2 is Ready: kubelet's lease is 26 s old, limit 40 s";
        assert_eq!(told.last().map(String::as_str), Some(last));
        assert!(told.iter().any(|line| line.contains("fault: kill master2")), "{told:?}");
    }

    #[test]
    fn a_run_that_passed_has_nothing_to_look_around_for() {
        assert_eq!(told(&support::passed()), Vec::<String>::new());
    }
}
