//! Spans of work, and the scenario's steps that they carry out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Phase, SpanId, Verdict, What};

use super::words::rounded;

/// How a span or a step came out, if it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It held.
    Passed,
    /// The cluster misbehaved.
    Failed,
    /// The harness or its host could not do its job.
    Broken,
    /// Somebody ended it.
    Interrupted,
    /// It started, and the log says nothing of its end.
    Unfinished,
    /// It was planned and never started.
    NotReached,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed => Self::Failed,
            Verdict::Broken => Self::Broken,
            Verdict::Interrupted => Self::Interrupted,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Interrupted => "interrupted",
            Self::Unfinished => "unfinished",
            Self::NotReached => "not reached",
        })
    }
}

/// A span of work. Times are seconds since the run's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Span {
    /// Its id.
    pub id: SpanId,
    /// The part of the run that it belongs to.
    pub phase: Phase,
    /// What was done.
    pub title: String,
    /// The machine that it was done on.
    pub machine: Option<String>,
    /// The scenario's step that it carried out, from 0.
    pub step: Option<usize>,
    /// The spans that had to end before it could start.
    pub after: Vec<SpanId>,
    /// When it started.
    pub start: f64,
    /// When it ended.
    pub end: Option<f64>,
    /// Seconds that it took, so far if it never ended.
    pub seconds: f64,
    /// Seconds after which it would have failed.
    pub deadline: Option<f64>,
    /// How it came out.
    pub outcome: Outcome,
    /// The last that it said of what it did or waited for.
    pub waited_for: Option<String>,
    /// Why it did not pass, or what it found.
    pub message: Option<String>,
    /// Whether it lies on the critical path of the whole run.
    pub critical: bool,
}

/// A step of the scenario. Times are seconds since the run's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Its place in the scenario, from 0.
    pub step: usize,
    /// The step as a person would say it.
    pub title: String,
    /// The line of the scenario's file, from 1.
    pub line: u32,
    /// Seconds after which it fails.
    pub deadline: Option<f64>,
    /// How it came out.
    pub outcome: Outcome,
    /// When it started.
    pub start: Option<f64>,
    /// Seconds that it took, so far if it never ended.
    pub seconds: Option<f64>,
    /// The last that it said of what it did or waited for.
    pub waited_for: Option<String>,
    /// Why it did not pass, or what it found.
    pub message: Option<String>,
}

/// All spans of `events`, in the order in which they started; those without an end last until `end`.
pub(super) fn spans(events: &[Event], end: f64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for event in events {
        match &event.what {
            What::SpanStarted { .. } => spans.extend(started(event)),
            What::Progress { span, message, .. } => {
                if let Some(span) = find(&mut spans, *span) {
                    span.waited_for = Some(message.clone());
                }
            }
            What::SpanEnded { span, verdict, took, message } => {
                if let Some(span) = find(&mut spans, *span) {
                    span.end = Some(event.at);
                    span.seconds = rounded(*took);
                    span.outcome = (*verdict).into();
                    span.message.clone_from(message);
                    span.waited_for = span.waited_for.take().filter(|waited| is_news(span, waited));
                }
            }
            _ => {}
        }
    }
    for span in spans.iter_mut().filter(|span| span.end.is_none()) {
        span.seconds = rounded(end - span.start);
    }
    spans
}

fn started(event: &Event) -> Option<Span> {
    let What::SpanStarted { span, phase, title, machine, step, after, deadline } = &event.what else { return None };
    Some(Span {
        id: *span,
        phase: *phase,
        title: title.clone(),
        machine: machine.clone(),
        step: *step,
        after: after.clone(),
        start: event.at,
        end: None,
        seconds: 0.0,
        deadline: *deadline,
        outcome: Outcome::Unfinished,
        waited_for: None,
        message: None,
        critical: false,
    })
}

/// Whether what work waited for last still says something once it has ended. Of what failed the message says it, and what
/// passed had to look first.
fn is_news(span: &Span, waited: &str) -> bool {
    match span.outcome {
        Outcome::Failed | Outcome::Broken => span.message.is_none(),
        Outcome::Passed => !waited.contains("since the step began"),
        Outcome::Interrupted | Outcome::Unfinished | Outcome::NotReached => true,
    }
}

/// What there is to say of a step without an end that lasts for longer than it may.
fn overdue(span: &Span) -> Option<String> {
    let over = span.start + span.deadline?;
    (span.outcome == Outcome::Unfinished && span.start + span.seconds > over)
        .then(|| format!("its time was up at {over:.1} s, and the log says nothing of its end"))
}

fn find(spans: &mut [Span], id: SpanId) -> Option<&mut Span> {
    spans.iter_mut().rev().find(|span| span.id == id)
}

/// The planned steps with what became of them. A step is what its first span says; later ones are parts of it.
pub(super) fn steps(events: &[Event], spans: &[Span]) -> Vec<Step> {
    let planned = events.iter().filter_map(|event| match &event.what {
        What::StepPlanned { step, title, line, deadline } => Some((*step, title, *line, *deadline)),
        _ => None,
    });
    planned
        .map(|(step, title, line, deadline)| {
            let span = spans.iter().find(|span| span.step == Some(step));
            Step {
                step,
                title: title.clone(),
                line,
                // Emulated machines have longer ones than was planned.
                deadline: span.and_then(|span| span.deadline).or(deadline),
                outcome: span.map_or(Outcome::NotReached, |span| span.outcome),
                start: span.map(|span| span.start),
                seconds: span.map(|span| span.seconds),
                waited_for: span.and_then(|span| span.waited_for.clone()),
                message: span.and_then(|span| span.message.clone().or_else(|| overdue(span))),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::{self, Log, Work};

    fn waited(verdict: Verdict, message: Option<&str>, progress: &str) -> Option<String> {
        let mut log = Log::new("waited");
        let work = support::work(crate::event::Phase::Scenario, "hold", 1.0, 3.0);
        log.work(&Work { step: Some(0), verdict, message, progress: &[(2.0, progress)], ..work });
        spans(&log.finish(), 3.0)[0].waited_for.clone()
    }

    #[test]
    fn what_was_waited_for_last_is_left_out_where_it_misleads() {
        let stale = "no request to the API has ended since the step began";
        assert_eq!(waited(Verdict::Failed, Some("no answer within 4s"), stale), None);
        assert_eq!(waited(Verdict::Passed, None, stale), None);
        assert_eq!(waited(Verdict::Passed, None, "2 of 3 pods are Ready").as_deref(), Some("2 of 3 pods are Ready"));
        assert_eq!(waited(Verdict::Interrupted, None, stale).as_deref(), Some(stale));
    }

    #[test]
    fn a_step_without_an_end_says_that_its_time_was_up() {
        let mut log = Log::new("overdue");
        let (title, line, deadline) = ("wait".to_owned(), 3, Some(10.0));
        log.add(0.0, What::StepPlanned { step: 0, title, line, deadline });
        let work = support::work(crate::event::Phase::Scenario, "wait", 1.0, 99.0);
        log.work(&Work { step: Some(0), to: None, deadline, ..work });
        let events = log.finish();
        let step = |end| steps(&events, &spans(&events, end)).remove(0).message;
        assert_eq!(step(60.0).as_deref(), Some("its time was up at 11.0 s, and the log says nothing of its end"));
        assert_eq!(step(5.0), None);
    }
}
