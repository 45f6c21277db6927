//! Runs as JUnit XML, by nextest's own writer: a test suite for each run, a test case for each step.
//!
//! What CI systems show of a failing test is its message and its output, so the evidence's path stands in both.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::Summary;
use super::span::{Outcome, Step};
use super::words::label;
use crate::compare::text;
use crate::event::Verdict;

/// Writes runs, each with the folder of its evidence.
pub fn write(runs: &[(&Summary, &Path)], to: impl Write) -> Result<(), SerializeError> {
    let mut report = Report::new("quorate");
    report.add_test_suites(runs.iter().map(|(summary, evidence)| suite(summary, evidence)));
    report.serialize(to)
}

fn suite(summary: &Summary, evidence: &Path) -> TestSuite {
    let run = &summary.run;
    let evidence = evidence.display().to_string();
    let mut suite = TestSuite::new(run.scenario.clone());
    suite.set_time(Duration::from_secs_f64(run.seconds.max(0.0)));
    for (name, value) in [("run", run.id.as_str()), ("verdict", &summary.verdict.to_string()), ("evidence", &evidence)]
    {
        suite.add_property(Property::new(name, value));
    }
    suite.add_test_cases(summary.steps.iter().map(|step| case(summary, step, &evidence)));
    // A run can end badly without any step that did: while it was prepared, or by what is watched all along.
    if summary.verdict != Verdict::Passed && summary.steps.iter().all(fine) {
        suite.add_test_case(failing("the run", summary, kind(summary.verdict), &summary.reason, &evidence));
    }
    suite.add_test_cases(summary.comparisons.iter().map(|comparison| {
        let name = "no regression against the baseline";
        if comparison.regressed() {
            let message = text::verdict(comparison).join("; ");
            let mut case = failing(name, summary, NonSuccessKind::Failure, &message, &evidence);
            case.set_system_out(text::lines(comparison).join("\n"));
            case
        } else {
            named(name, summary, TestCaseStatus::success())
        }
    }));
    suite
}

fn case(summary: &Summary, step: &Step, evidence: &str) -> TestCase {
    let name = label(Some(step.step), None, &step.title);
    let message = step.message.as_deref().unwrap_or(&summary.reason);
    let mut case = match step.outcome {
        Outcome::Passed => named(&name, summary, TestCaseStatus::success()),
        Outcome::NotReached => named(&name, summary, TestCaseStatus::skipped()),
        Outcome::Failed => failing(&name, summary, NonSuccessKind::Failure, message, evidence),
        Outcome::Broken | Outcome::Interrupted | Outcome::Unfinished => {
            failing(&name, summary, NonSuccessKind::Error, message, evidence)
        }
    };
    if let Some(seconds) = step.seconds {
        case.set_time(Duration::from_secs_f64(seconds.max(0.0)));
    }
    case
}

fn fine(step: &Step) -> bool {
    matches!(step.outcome, Outcome::Passed | Outcome::NotReached)
}

fn kind(verdict: Verdict) -> NonSuccessKind {
    if verdict == Verdict::Failed { NonSuccessKind::Failure } else { NonSuccessKind::Error }
}

fn failing(name: &str, summary: &Summary, kind: NonSuccessKind, message: &str, evidence: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message).set_type(summary.verdict.to_string());
    status.set_description(format!("{message}\n\nverdict: {}\nevidence: {evidence}", summary.verdict));
    let mut case = named(name, summary, status);
    case.set_system_out(format!("evidence: {evidence}"));
    case
}

fn named(name: &str, summary: &Summary, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(summary.run.scenario.clone());
    case
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn the_junit_of_every_verdict_stays_as_it_is() {
        let logs =
            [support::passed(), support::failed(), support::broken(), support::interrupted(), support::regressed()];
        let summaries: Vec<Summary> = logs.iter().map(|events| Summary::of(events)).collect();
        let runs: Vec<(&Summary, &Path)> = summaries.iter().map(|summary| (summary, Path::new("runs/x"))).collect();
        let mut text = Vec::new();
        write(&runs, &mut text).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap());
    }
}
