//! The numbers of a run that are compared: what each is called, its unit, and which way it is worse.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::Unit;
use crate::report::Summary;
use crate::report::numbers::{Name, Number};

/// One number of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is called in baselines and comparisons: `bring-up`, `step-3.fault-to-not-ready`.
    pub id: String,
    /// Its unit.
    pub unit: Unit,
    /// Its value.
    pub value: f64,
    /// Which way it is worse, unless a baseline says otherwise.
    pub worse: Worse,
    /// By how much it may get worse, unless a baseline says otherwise.
    pub allow: Allow,
}

/// Which way a figure is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Worse {
    /// More is worse.
    Higher,
    /// Less is worse.
    Lower,
    /// It should stay as it is.
    Either,
}

/// By how much a figure may get worse: by the larger of both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Allow {
    /// This share of the baseline's median, in per cent.
    pub percent: f64,
    /// This much, in the figure's unit.
    pub at_least: f64,
}

impl Allow {
    /// By how much a figure with this median may get worse.
    pub fn of(self, median: f64) -> f64 {
        (median.abs() * self.percent / 100.0).max(self.at_least)
    }
}

/// All figures of a run, in the order in which they are shown.
pub fn of(summary: &Summary) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    for figure in summary.numbers.iter().map(of_number) {
        // Of several machines in a step the slowest counts; which machine it was may be chosen anew in each run.
        match figures.iter_mut().find(|other| other.id == figure.id) {
            Some(other) => other.value = other.value.max(figure.value),
            None => figures.push(figure),
        }
    }
    let mut add = |id: &str, unit, value, percent, at_least| {
        let allow = Allow { percent, at_least };
        figures.push(Figure { id: id.to_owned(), unit, value, worse: Worse::Higher, allow });
    };
    if let Some(api) = &summary.api {
        add("api.longest-outage", Unit::Seconds, api.longest_outage, 25.0, 1.0);
        add("api.failed-requests", Unit::Percent, api.failed_percent, 25.0, 1.0);
        if let Some(latency) = api.latency_ms {
            add("api.median-latency", Unit::Milliseconds, latency.median, 25.0, 10.0);
            add("api.p99-latency", Unit::Milliseconds, latency.p99, 50.0, 100.0);
        }
        add("watches-cut", Unit::Times, summary.watch_cuts as f64, 50.0, 2.0);
    }
    figures
}

fn of_number(number: &Number) -> Figure {
    // A node that is given up sooner than before is no good news: it bears shorter hiccups.
    let (worse, percent, at_least) = match number.name {
        Name::CommandToFirstFault | Name::BringUp | Name::LastCheckToExit => (Worse::Higher, 25.0, 5.0),
        Name::FaultToNotReady => (Worse::Either, 20.0, 3.0),
        Name::HealToReady => (Worse::Higher, 25.0, 3.0),
        Name::LeaseRenewal => (Worse::Higher, 25.0, 1.0),
        Name::FaultToNewLeader => (Worse::Higher, 50.0, 2.0),
    };
    Figure { id: id(number), unit: Unit::Seconds, value: number.seconds, worse, allow: Allow { percent, at_least } }
}

fn id(number: &Number) -> String {
    let step = number.step.map(|step| format!("step-{}.", step + 1)).unwrap_or_default();
    format!("{step}{}", number.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn the_figures_of_a_run_stay_as_they_are() {
        let figures = of(&Summary::of(&support::passed()));
        let lines: Vec<String> =
            figures.iter().map(|it| format!("{} {} {} {:?}", it.id, it.value, it.unit.as_str(), it.worse)).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn of_several_machines_in_a_step_the_slowest_counts() {
        let mut summary = Summary::of(&support::passed());
        let fault = summary.numbers.iter().find(|number| number.name == Name::FaultToNotReady).unwrap();
        let slower = Number { machine: Some("master3".to_owned()), seconds: fault.seconds + 20.0, ..fault.clone() };
        summary.numbers.push(slower.clone());
        let found: Vec<_> = of(&summary).into_iter().filter(|it| it.id == "step-3.fault-to-not-ready").collect();
        assert_eq!(found.len(), 1);
        assert!((found[0].value - slower.seconds).abs() < 1e-9);
    }

    #[test]
    fn the_larger_bound_counts() {
        let allow = Allow { percent: 25.0, at_least: 1.0 };
        for (median, allowed) in [(0.0, 1.0), (2.0, 1.0), (40.0, 10.0), (-40.0, 10.0)] {
            assert!((allow.of(median) - allowed).abs() < 1e-9);
        }
    }
}
