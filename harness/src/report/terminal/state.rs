//! What is running, as far as the events so far say.

use std::collections::BTreeMap;

use crate::event::{Event, Phase, SpanId, What};

/// A span that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) title: String,
    pub(super) machine: Option<String>,
    pub(super) step: Option<usize>,
    pub(super) start: f64,
    pub(super) deadline: Option<f64>,
    /// Whether it is a part of a scenario's step that another span stands for.
    pub(super) nested: bool,
    /// When it last said something, for those that say so only now and then.
    pub(super) said: Option<f64>,
    pub(super) message: Option<String>,
}

/// All spans that run.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) spans: BTreeMap<SpanId, Running>,
    /// How many steps the scenario has.
    pub(super) steps: usize,
    /// The phase whose heading was shown last.
    phase: Option<Phase>,
}

impl State {
    /// Takes in the start of a span. Gives its phase if that is a new one.
    pub(super) fn start(&mut self, event: &Event) -> Option<Phase> {
        let What::SpanStarted { span, phase, title, machine, step, deadline, .. } = &event.what else { return None };
        let nested = step.is_some() && self.spans.values().any(|other| other.step == *step);
        self.spans.insert(
            *span,
            Running {
                title: title.clone(),
                machine: machine.clone(),
                step: *step,
                start: event.at,
                deadline: *deadline,
                nested,
                said: None,
                message: None,
            },
        );
        (self.phase.replace(*phase) != Some(*phase)).then_some(*phase)
    }
}

/// How long a span must take to be worth a line of its own, when it passed and is no step of the scenario.
pub(super) const SHORT: f64 = 0.5;

impl Running {
    /// Whether its end is worth a line for who did not ask for everything.
    pub(super) fn matters(&self, passed: bool, took: f64) -> bool {
        !passed || (!self.nested && (self.step.is_some() || took >= SHORT))
    }
}
