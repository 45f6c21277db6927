//! The scenario's text, with what became of each invariant and of each step beside its line.

use serde::Serialize;

use crate::event::{Event, Verdict, What};
use crate::report::Summary;
use crate::report::span::{Outcome, Step};
use crate::report::summary::Violation;
use crate::report::told;
use crate::report::words::mark;

/// A line of the scenario's file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    /// How it looks: a class of report.css, that of the worst that stands there.
    pub(super) class: String,
    /// The invariants that stand there.
    pub(super) always: Vec<Promise>,
    /// The steps that stand there.
    pub(super) steps: Vec<Told>,
}

/// An invariant with what a reader wants to see of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Promise {
    pub(super) class: String,
    pub(super) mark: String,
    pub(super) invariant: String,
    pub(super) line: u32,
    /// What became of it, in words.
    pub(super) came_out: String,
    /// When it was violated.
    pub(super) at: Option<f64>,
    /// How it was violated.
    pub(super) message: Option<String>,
    /// Whether its line is in the scenario's text.
    pub(super) here: bool,
}

/// A step with what a reader wants to see of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Told {
    /// From 1.
    pub(super) number: usize,
    pub(super) class: String,
    pub(super) mark: String,
    pub(super) step: Step,
    /// The outcome in words.
    pub(super) came_out: String,
    /// What was chosen for it at run time, and why.
    pub(super) chosen: Vec<String>,
    /// Whether its line is in the scenario's text.
    pub(super) here: bool,
}

/// The scenario's lines.
pub(super) fn lines(text: &str, steps: &[Told], always: &[Promise]) -> Vec<Line> {
    let line = |(number, text): (usize, &str)| {
        let steps: Vec<Told> = steps.iter().filter(|told| told.step.line as usize == number).cloned().collect();
        let always: Vec<Promise> = always.iter().filter(|it| it.line as usize == number).cloned().collect();
        let violated = always.iter().find(|it| it.at.is_some()).map(|it| &it.class);
        let class = violated.or(steps.first().map(|told| &told.class)).cloned().unwrap_or_default();
        Line { number, text: text.to_owned(), class, always, steps }
    };
    (1..).zip(text.lines()).map(line).collect()
}

/// The scenario's invariants, and those that were violated and that the log does not say the line of.
pub(super) fn always(summary: &Summary, text: &str) -> Vec<Promise> {
    let count = text.lines().count();
    // They are watched once what was expected first was seen.
    let watched = summary.steps.iter().any(|step| step.outcome == Outcome::Passed);
    let promise = |invariant: &str, line: u32, violation: Option<&Violation>| {
        let (outcome, came_out) = match (violation, summary.verdict) {
            (Some(_), _) => (Outcome::Failed, "violated"),
            (None, Verdict::Passed) => (Outcome::Passed, "held all along"),
            (None, _) if watched => (Outcome::NotReached, "not seen to be violated"),
            (None, _) => (Outcome::NotReached, "not watched yet"),
        };
        Promise {
            class: super::class(outcome).to_owned(),
            mark: mark(outcome).to_owned(),
            invariant: invariant.to_owned(),
            line,
            came_out: came_out.to_owned(),
            at: violation.map(|violation| violation.at),
            message: violation.map(|violation| violation.message.clone()),
            here: (1..=count).contains(&(line as usize)),
        }
    };
    let planned = summary.always.iter().map(|it| promise(&it.invariant, it.line, it.violation.as_ref()));
    let unplanned = |violation: &&Violation| !summary.always.iter().any(|it| it.invariant == violation.invariant);
    let elsewhere = summary.violations.iter().filter(unplanned);
    planned.chain(elsewhere.map(|it| promise(&it.invariant, 0, Some(it)))).collect()
}

/// The scenario's steps.
pub(super) fn steps(events: &[Event], summary: &Summary, text: &str) -> Vec<Told> {
    let chosen = |of: usize| {
        let choices = events.iter().filter(|it| matches!(it.what, What::Choice { step, .. } if step == of));
        choices.filter_map(|it| told::Told::default().say(&it.what)).collect()
    };
    let count = text.lines().count();
    let told = |step: &Step| Told {
        here: (1..=count).contains(&(step.line as usize)),
        number: step.step + 1,
        class: super::class(step.outcome).to_owned(),
        mark: mark(step.outcome).to_owned(),
        chosen: chosen(step.step),
        came_out: step.outcome.to_string(),
        step: step.clone(),
    };
    summary.steps.iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn each_step_stands_at_its_line_and_lines_without_steps_are_there() {
        let text = (1..=18).map(|line| format!("line {line}\n")).collect::<String>();
        let mut events = support::failed();
        let (part, machines, why) = ("etcd-leader".to_owned(), vec!["master2".to_owned()], "it leads".to_owned());
        events[1].what = What::Choice { step: 2, part, name: None, machines, why };
        let steps = steps(&events, &Summary::of(&support::failed()), &text);
        assert_eq!(steps[2].chosen, ["etcd-leader is master2 (it leads)"]);
        let lines = lines(&text, &steps, &[]);
        assert_eq!(lines.len(), 18);
        let told: Vec<_> = lines.iter().flat_map(|line| line.steps.iter().map(|it| (line.number, it.number))).collect();
        assert_eq!(told, [(11, 1), (12, 2), (14, 3), (15, 4), (18, 5)]);
        assert_eq!(lines[14].steps[0].came_out, "failed");
        assert_eq!(steps.iter().filter(|it| !it.here).map(|it| it.number).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn an_invariant_that_was_violated_is_marked_at_its_line() {
        let told = |events: &[Event]| -> Vec<(usize, String, String)> {
            let always = always(&Summary::of(events), "1\n2\n3\n4\n5\n6\n7\n8\n");
            let lines = lines("1\n2\n3\n4\n5\n6\n7\n8\n", &[], &always);
            let told = |line: &Line| {
                line.always.iter().map(|it| (line.number, line.class.clone(), it.came_out.clone())).collect()
            };
            lines.iter().flat_map::<Vec<_>, _>(told).collect()
        };
        let of = |line, class: &str, came_out: &str| (line, class.to_owned(), came_out.to_owned());
        assert_eq!(told(&support::passed()), [of(5, "", "held all along"), of(6, "", "held all along")]);
        assert_eq!(told(&support::failed()), [of(5, "failed", "violated"), of(6, "", "not seen to be violated")]);
    }

    #[test]
    fn a_violation_whose_line_the_log_does_not_say_is_told_below_the_text() {
        let mut events = support::failed();
        events.retain(|event| !matches!(event.what, What::InvariantPlanned { .. }));
        let always = always(&Summary::of(&events), "name: kill-master2\n");
        let told: Vec<_> = always.iter().map(|it| (it.invariant.as_str(), it.here)).collect();
        assert_eq!(told, [("api: outage-below 15s", false)]);
    }
}
