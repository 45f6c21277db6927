//! The scenario's text, with what became of each step beside its line.

use serde::Serialize;

use crate::event::{Event, What};
use crate::report::Summary;
use crate::report::span::Step;
use crate::report::words::{describe, mark};

/// A line of the scenario's file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
    /// The steps that stand there.
    pub(super) steps: Vec<Told>,
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
pub(super) fn lines(text: &str, steps: &[Told]) -> Vec<Line> {
    let of = |number: usize| steps.iter().filter(|told| told.step.line as usize == number).cloned().collect();
    text.lines()
        .enumerate()
        .map(|(at, text)| Line { number: at + 1, text: text.to_owned(), steps: of(at + 1) })
        .collect()
}

/// The scenario's steps.
pub(super) fn steps(events: &[Event], summary: &Summary, text: &str) -> Vec<Told> {
    let chosen = |of: usize| {
        let choices = events.iter().filter(|it| matches!(it.what, What::Choice { step, .. } if step == of));
        choices.filter_map(|it| describe(&it.what)).collect()
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
        let lines = lines(&text, &steps);
        assert_eq!(lines.len(), 18);
        let told: Vec<_> = lines.iter().flat_map(|line| line.steps.iter().map(|it| (line.number, it.number))).collect();
        assert_eq!(told, [(11, 1), (12, 2), (14, 3), (15, 4), (18, 5)]);
        assert_eq!(lines[14].steps[0].came_out, "failed");
        assert_eq!(steps.iter().filter(|it| !it.here).map(|it| it.number).collect::<Vec<_>>(), [6]);
    }
}
