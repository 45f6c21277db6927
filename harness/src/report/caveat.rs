//! What a verdict does not say, and a reader should know: what was not well although the run passed, and what went wrong
//! while cleaning up.

use std::collections::BTreeMap;

use crate::event::{Event, Phase, Verdict, What};

use super::api::Api;
use super::faults::is_momentary;
use super::span::{Outcome, Span, Step};
use super::summary::{Fault, Notice};
use super::told::begun;
use super::words::{count, moment, time};

/// What was allowed in a run that passed, and whose scenario ended at `to`, a sentence each.
pub(super) fn allowed(events: &[Event], faults: &[Fault], api: Option<&Api>, to: f64) -> Vec<String> {
    let healed = healed(faults, to);
    let refused = api.filter(|api| api.failed > 0).map(|api| refused(events, api, healed, to));
    refused.into_iter().chain(unwell(events, to)).collect()
}

/// When the last fault was healed, if none lasted or was begun after that.
fn healed(faults: &[Fault], to: f64) -> Option<f64> {
    let there = || faults.iter().filter(|fault| fault.at <= to);
    let healed = there().filter(|fault| fault.heals).map(|fault| fault.at).reduce(f64::max)?;
    let undone = |fault: &Fault| there().any(|it| it.heals && it.machine == fault.machine && it.begun >= fault.begun);
    let over = |fault: &Fault| fault.begun < healed && (is_momentary(&fault.verb) || undone(fault));
    there().filter(|fault| !fault.heals).all(over).then_some(healed)
}

/// The requests that failed, which may be fewer than the scenario allows.
fn refused(events: &[Event], api: &Api, healed: Option<f64>, to: f64) -> String {
    let failed = |event: &&Event| matches!(event.what, What::ApiSample { ok: false, .. });
    let late =
        healed.map(|healed| events.iter().filter(failed).filter(|event| (healed..=to).contains(&event.at)).count());
    let late = match late {
        Some(late) if late > 0 => format!(", {late} of them after the last fault was healed"),
        _ => String::new(),
    };
    let waits = events.iter().filter(|event| event.at <= to).filter_map(|event| match event.what {
        What::ApiSample { ok: false, latency_ms, .. } => Some(latency_ms / 1e3),
        _ => None,
    });
    let (of, longest, wait) =
        (count(api.samples, "request"), time(api.longest_outage), time(waits.fold(0.0, f64::max)));
    format!("{} of {of} to the API failed{late}, after up to {wait}; the longest outage was {longest}", api.failed)
}

/// What was not well when it was seen last before `to`.
fn unwell(events: &[Event], to: f64) -> Vec<String> {
    let mut last: BTreeMap<(&str, &str), (f64, bool)> = BTreeMap::new();
    for event in events.iter().filter(|event| event.at <= to) {
        let at = begun(event).unwrap_or(event.at);
        let (of, machine, well) = match &event.what {
            What::Machine { machine, state, .. } => ("machine", machine, state == "running"),
            What::Node { node, ready, .. } if ready != "absent" => ("node", node, ready == "True"),
            What::Etcd { machine, healthy, .. } => ("etcd on", machine, *healthy),
            What::Readyz { machine, ready, .. } => ("the API server on", machine, *ready),
            _ => continue,
        };
        let (since, before) = last.entry((of, machine)).or_insert((at, well));
        if *before != well {
            (*since, *before) = (at, well);
        }
    }
    // What is on a machine that was off meanwhile is not well since the machine runs again.
    let started: BTreeMap<&str, f64> = last
        .iter()
        .filter(|((of, _), (_, runs))| *of == "machine" && *runs)
        .map(|((_, it), (at, _))| (*it, *at))
        .collect();
    let off = |machine: &str| last.get(&("machine", machine)).is_some_and(|(_, runs)| !runs);
    let sentence = |((of, machine), (since, well)): (&(&str, &str), &(f64, bool))| {
        let said = match *of {
            "machine" => "did not run",
            // All that is on a machine which does not run is not well either.
            _ if off(machine) => return None,
            "etcd on" => "was not healthy",
            _ => "was not ready",
        };
        let since = match started.get(machine) {
            Some(started) if started > since => format!("its machine runs again since {}", moment(*started)),
            _ => format!("since {}", moment(*since)),
        };
        (!well).then(|| format!("{of} {machine} {said} when the scenario ended, {since}"))
    };
    last.iter().filter_map(sentence).collect()
}

/// What the plan said beforehand of the line of the step that failed.
pub(super) fn foreseen(verdict: Verdict, notices: &[Notice], steps: &[Step], spans: &[Span]) -> Vec<String> {
    let failed = steps.iter().find(|step| verdict == Verdict::Failed && step.outcome == Outcome::Failed);
    let Some(failed) = failed else { return Vec::new() };
    let begun = spans.iter().map(|span| span.start).fold(f64::INFINITY, f64::min);
    let of_it = format!("line {} ", failed.line);
    let planned = notices.iter().filter(|notice| notice.at <= begun && notice.message.starts_with(&of_it));
    planned.map(|notice| format!("the plan says that {}", notice.message)).collect()
}

/// What went wrong while cleaning up.
pub(super) fn cleaning(spans: &[Span]) -> impl Iterator<Item = String> {
    let bad = spans.iter().filter(|span| span.phase == Phase::CleanUp);
    let bad = bad.filter(|span| matches!(span.outcome, Outcome::Failed | Outcome::Broken));
    bad.map(|span| {
        let why = span.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
        format!("it could not {}{why}", span.title)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Summary;
    use crate::report::support::Log;

    #[test]
    fn a_run_that_passed_says_what_it_allowed() {
        let mut log = Log::new("allowed");
        log.step(0, "kill master2", (10.0, 20.0), Verdict::Passed, "");
        log.befall(11.0, "kill", "m1", false);
        log.befall(15.0, "start", "m1", true);
        for (at, ok) in [(12.0, true), (13.0, false), (16.0, false), (17.0, true)] {
            log.sample(at, ok, 4.0);
        }
        for (at, machine, ready) in [(11.0, "m1", false), (12.0, "m2", false), (18.0, "m2", true), (30.0, "m2", false)]
        {
            let error = (!ready).then(|| "answered 500".to_owned());
            log.add(at, What::Readyz { machine: machine.to_owned(), ready, status: None, error });
        }
        log.end(40.0, Verdict::Passed, "everything that was expected held");
        assert_eq!(
            Summary::of(&log.finish()).caveats,
            [
                "2 of 4 requests to the API failed, 1 of them after the last fault was healed, after up to 0.0 s; the longest outage was 4.0 s",
                "the API server on m1 was not ready when the scenario ended, since 11.0 s"
            ]
        );
    }

    #[test]
    fn what_fails_while_another_fault_lasts_is_not_called_after_the_last() {
        let told = |second: bool| {
            let mut log = Log::new("second");
            log.step(0, "kill m1", (10.0, 20.0), Verdict::Passed, "");
            log.befall(11.0, "kill", "m1", false);
            log.befall(12.0, "start", "m1", true);
            if second {
                log.befall(13.0, "isolate", "m2", false);
            }
            log.sample(14.0, false, 4.0);
            log.end(40.0, Verdict::Passed, "everything that was expected held");
            Summary::of(&log.finish()).caveats.concat()
        };
        assert!(told(false).contains("after the last fault"), "{}", told(false));
        assert!(!told(true).contains("after the last fault"), "{}", told(true));
    }

    #[test]
    fn what_is_on_a_machine_that_was_off_is_not_well_since_it_was_started() {
        let mut log = Log::new("started");
        log.step(0, "start m1", (10.0, 20.0), Verdict::Passed, "");
        let error = Some("no answer".to_owned());
        log.add(11.0, What::Readyz { machine: "m1".to_owned(), ready: false, status: None, error });
        for (at, state) in [(10.5, "stopped"), (18.0, "running")] {
            let (machine, state, proof) = ("m1".to_owned(), state.to_owned(), String::new());
            log.add(at, What::Machine { machine, state, proof, since: None });
        }
        log.end(21.0, Verdict::Passed, "everything that was expected held");
        assert_eq!(
            Summary::of(&log.finish()).caveats,
            ["the API server on m1 was not ready when the scenario ended, its machine runs again since 18.0 s"]
        );
    }

    #[test]
    fn a_step_that_fails_as_the_plan_foresaw_says_so() {
        let caveats = |line: u32| {
            let mut log = Log::new("foreseen");
            log.add(0.0, What::StepPlanned { step: 0, title: "wait".to_owned(), line, deadline: None });
            let message = "line 8 expects health while m1 is down since line 7".to_owned();
            log.add(0.1, What::Notice { message });
            log.step(0, "wait", (10.0, 20.0), Verdict::Failed, "m1 is not Ready");
            log.end(21.0, Verdict::Failed, "m1 is not Ready");
            Summary::of(&log.finish()).caveats
        };
        assert_eq!(caveats(8), ["the plan says that line 8 expects health while m1 is down since line 7"]);
        assert_eq!(caveats(80), Vec::<String>::new());
    }

    #[test]
    fn a_machine_that_is_off_says_it_for_all_that_is_on_it() {
        let mut log = Log::new("off");
        log.step(0, "kill master2", (10.0, 20.0), Verdict::Passed, "");
        log.node(11.0, "m1", "Unknown");
        let (machine, state, proof) = ("m1".to_owned(), "stopped".to_owned(), String::new());
        log.add(12.0, What::Machine { machine, state, proof, since: None });
        log.end(21.0, Verdict::Passed, "everything that was expected held");
        let off = "machine m1 did not run when the scenario ended, since 12.0 s";
        assert_eq!(Summary::of(&log.finish()).caveats, [off]);
    }

    #[test]
    fn a_run_that_did_not_pass_says_what_else_went_wrong_while_cleaning_up() {
        let mut log = Log::new("cleaning");
        log.step(0, "kill m1", (10.0, 20.0), Verdict::Interrupted, "");
        log.sample(12.0, false, 4.0);
        log.clean_up_broken(21.0, "m1 is gone");
        log.end(23.0, Verdict::Interrupted, "the run was interrupted");
        assert_eq!(Summary::of(&log.finish()).caveats, ["it could not undo what lasts: m1 is gone"]);
    }
}
