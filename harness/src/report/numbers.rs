//! The few numbers of a run that are worth holding against those of another.

use serde::{Deserialize, Serialize};

use crate::event::{Event, Phase, What};

use super::span::Span;
use super::summary::Fault;
use super::words::rounded;

/// A key number of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Number {
    /// What it measures.
    pub name: Name,
    /// The machine that it is about.
    pub machine: Option<String>,
    /// The step whose fault it counts from, from 0.
    pub step: Option<usize>,
    /// The number.
    pub seconds: f64,
}

/// What a key number measures, always in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    /// From the command to the moment at which the first fault was begun.
    CommandToFirstFault,
    /// From the first to the last of bringing the cluster up.
    BringUp,
    /// From the moment at which a fault was begun until its node was no longer Ready.
    FaultToNotReady,
    /// From the moment at which a healing was begun until its node was Ready again.
    HealToReady,
    /// From the end of the scenario's last step to the end of the run.
    LastCheckToExit,
}

impl Name {
    /// What a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::CommandToFirstFault => "command to first fault",
            Self::BringUp => "bring-up",
            Self::FaultToNotReady => "fault to NotReady",
            Self::HealToReady => "heal to Ready",
            Self::LastCheckToExit => "last check to exit",
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.machine {
            Some(machine) => write!(f, "{machine}: {}", self.name.title()),
            None => f.write_str(self.name.title()),
        }
    }
}

/// All key numbers that the run got far enough to have.
pub(super) fn numbers(events: &[Event], spans: &[Span], faults: &[Fault], ended: Option<f64>) -> Vec<Number> {
    let whole = |name, seconds: f64| Number { name, machine: None, step: None, seconds: rounded(seconds) };
    let mut numbers = Vec::new();
    if let Some(fault) = faults.iter().find(|fault| !fault.heals) {
        numbers.push(whole(Name::CommandToFirstFault, fault.begun));
    }
    if let Some((start, end)) = phase(spans, Phase::BringUp) {
        numbers.push(whole(Name::BringUp, end - start));
    }
    numbers.extend(faults.iter().enumerate().filter_map(|(index, fault)| {
        let until = faults[index + 1..].iter().find(|next| next.machine == fault.machine).map(|next| next.begun);
        let name = if fault.heals { Name::HealToReady } else { Name::FaultToNotReady };
        let seconds = turn(events, &fault.machine, fault.begun, until.unwrap_or(f64::INFINITY), fault.heals)?;
        Some(Number { machine: Some(fault.machine.clone()), step: fault.step, ..whole(name, seconds) })
    }));
    if let (Some((_, end)), Some(ended)) = (phase(spans, Phase::Scenario), ended) {
        numbers.push(whole(Name::LastCheckToExit, ended - end));
    }
    numbers
}

/// When a phase began and ended, if all of its spans ended.
pub(super) fn phase(spans: &[Span], phase: Phase) -> Option<(f64, f64)> {
    let of_phase = || spans.iter().filter(|span| span.phase == phase);
    let start = of_phase().map(|span| span.start).reduce(f64::min)?;
    let ends: Option<Vec<f64>> = of_phase().map(|span| span.end).collect();
    Some((start, ends?.into_iter().reduce(f64::max)?))
}

/// Seconds from `from` until `node` turned Ready (or no longer Ready), unless it was so already or `until` came first.
fn turn(events: &[Event], node: &str, from: f64, until: f64, ready: bool) -> Option<f64> {
    let mut is_ready = None;
    for event in events.iter().take_while(|event| event.at <= until) {
        let What::Node { node: name, ready: status, .. } = &event.what else { continue };
        if name != node {
            continue;
        }
        let now = status == "True";
        if event.at >= from && is_ready == Some(!ready) && now == ready {
            return Some(event.at - from);
        }
        is_ready = Some(now);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    #[test]
    fn a_node_turns_only_from_what_it_was_before() {
        type Case<'a> = (&'a str, &'a [(f64, &'a str)], bool, Option<f64>);
        let cases: [Case<'_>; 8] = [
            ("turns", &[(1.0, "True"), (50.0, "Unknown")], false, Some(40.0)),
            ("turns back", &[(1.0, "True"), (5.0, "False"), (15.0, "True")], true, Some(5.0)),
            ("never turns", &[(1.0, "True")], false, None),
            ("was so already", &[(1.0, "Unknown"), (20.0, "Unknown")], false, None),
            (
                "another reason for the same status",
                &[(1.0, "False"), (12.0, "Unknown"), (18.0, "True")],
                true,
                Some(8.0),
            ),
            ("stale Ready that falls first", &[(1.0, "True"), (30.0, "Unknown"), (40.0, "True")], true, Some(30.0)),
            ("too late", &[(1.0, "True"), (70.0, "False")], false, None),
            ("is gone", &[(1.0, "True"), (11.0, "absent")], false, Some(1.0)),
        ];
        for (name, nodes, ready, expected) in cases {
            let mut log = Log::new("turns");
            for (at, status) in nodes {
                log.node(*at, "master2", status);
                log.node(*at + 0.1, "master3", "True");
            }
            assert_eq!(turn(&log.finish(), "master2", 10.0, 60.0, ready), expected, "{name}");
        }
    }
}
