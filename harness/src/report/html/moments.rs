//! What happened, as a list to read: for those who do not see the timeline, and to search in.

use serde::Serialize;

use crate::event::{Event, What};
use crate::report::Summary;
use crate::report::span::{Outcome, Span};
use crate::report::told::{Told, lines as told};
use crate::report::words::{count, label};

use super::files::{Files, Link};

/// Longer lists leave out what is not the run's own doing.
const MANY: usize = 1500;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) at: f64,
    /// How it looks: a class of report.css.
    pub(super) class: String,
    pub(super) text: String,
    pub(super) log: Option<Link>,
}

/// The list, and how many changes of the cluster it had no room for.
pub(super) fn moments(events: &[Event], summary: &Summary, files: &Files) -> (Vec<Line>, usize) {
    let mut lines: Vec<Line> = steps(summary);
    lines.extend(summary.spans.iter().filter_map(gone_wrong));
    let (own, seen): (Vec<_>, Vec<_>) = told(&mut Told::of(events), events.iter())
        .into_iter()
        .filter(|told| !matches!(told.what, What::Notice { message } if summary.is_over(message)))
        .map(|told| {
            let log = files.journal(machine(told.what), told.at);
            Line { at: told.at, class: class(told.what).to_owned(), text: told.text, log }
        })
        .partition(|line| !line.class.is_empty());
    lines.extend(own);
    lines.extend(summary.api.iter().flat_map(|api| &api.outages).map(|outage| Line {
        at: outage.start,
        class: "outage".to_owned(),
        text: format!(
            "the API is not answered for {:.1} s ({})",
            outage.seconds(),
            count(outage.failed, "failed request")
        ),
        log: None,
    }));
    let room = MANY.saturating_sub(lines.len());
    let left_out = seen.len().saturating_sub(room);
    lines.extend(seen.into_iter().take(room));
    lines.sort_by(|one, other| one.at.total_cmp(&other.at));
    (lines, left_out)
}

fn steps(summary: &Summary) -> Vec<Line> {
    let mut lines = Vec::new();
    for step in &summary.steps {
        let Some(start) = step.start else { continue };
        let name = label(Some(step.step), None, &step.title);
        lines.push(Line { at: start, class: "step".to_owned(), text: format!("begins: {name}"), log: None });
        let message = step.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        // Its end stands before the beginning of the next, however either was rounded.
        let next = summary.steps.get(step.step + 1).and_then(|next| next.start).unwrap_or(f64::INFINITY);
        let (class, text) = (super::class(step.outcome).to_owned(), format!("{}: {name}{message}", step.outcome));
        lines.push(Line {
            at: (start + step.seconds.unwrap_or_default()).min(next),
            class: format!("step {class}"),
            text,
            log: None,
        });
    }
    lines
}

/// The end of work that is no step and came out badly.
fn gone_wrong(span: &Span) -> Option<Line> {
    let is_bad = span.step.is_none() && matches!(span.outcome, Outcome::Failed | Outcome::Broken);
    let message = span.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    let text = format!("{}: {}{message}", span.outcome, label(None, span.machine.as_deref(), &span.title));
    is_bad.then(|| Line {
        at: span.end.unwrap_or(span.start),
        class: super::class(span.outcome).to_owned(),
        text,
        log: None,
    })
}

fn class(what: &What) -> &'static str {
    match what {
        What::Fault { heals: false, .. } => "fault",
        What::Fault { heals: true, .. } => "heal",
        What::Violation { .. } | What::Unexplained { .. } => "failed",
        What::Choice { .. } => "choice",
        What::Notice { .. } => "note",
        _ => "",
    }
}

fn machine(what: &What) -> Option<&str> {
    match what {
        What::Machine { machine, .. } | What::Fault { machine, .. } | What::Etcd { machine, .. } => Some(machine),
        What::Unexplained { machine, .. } => Some(machine),
        What::Node { node, .. } => Some(node),
        _ => None,
    }
}
