//! The fold behind everything that is shown of a run.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::event::{Event, INTERRUPTED, JUDGE, LOOK, Phase, REMOVE, Verdict, What};

use super::always::{Always, always};
use super::api::{Api, api};
use super::caveat::{allowed, cleaning, foreseen};
use super::critical::{CriticalPath, path};
use super::numbers::{Number, brought_up, numbers};
use super::observed::{Observed, observed};
use super::span::{Span, Step, spans, steps};
use super::told::begun;
use super::words::rounded;

/// A run in the terms that people and pipelines ask for. All times are seconds since the run's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Which run it is.
    pub run: Run,
    /// How it ended. A log without an end is an interrupted run.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// Who made the machines.
    pub provider: Option<Provider>,
    /// What the cluster was made of.
    pub artifacts: Vec<Artifact>,
    /// What the run was to be made of, by name.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The scenario's invariants, in order.
    #[serde(default)]
    pub always: Vec<Always>,
    /// The scenario's steps with what became of them, in order.
    pub steps: Vec<Step>,
    /// Every span of work, in the order in which they started.
    pub spans: Vec<Span>,
    /// The faults that were injected and healed, in the order in which they were begun.
    pub faults: Vec<Fault>,
    /// The violations of what is watched all along, in order.
    pub violations: Vec<Violation>,
    /// What a person should know and what changes no verdict, in order.
    pub notices: Vec<Notice>,
    /// The API through the balancer, from the scenario's first step to the end of its last.
    pub api: Option<Api>,
    /// What was written, watched and voted for, from the scenario's first step to the end of its last.
    #[serde(default)]
    pub observed: Observed,
    /// How often a watch through the balancer was cut.
    pub watch_cuts: usize,
    /// What the verdict does not say and a reader should know, a sentence each.
    #[serde(default)]
    pub caveats: Vec<String>,
    /// The numbers worth comparing.
    pub numbers: Vec<Number>,
    /// What was found when the run was held against a baseline.
    #[serde(default)]
    pub comparisons: Vec<Comparison>,
    /// The critical path of bringing up the cluster, once it is up.
    pub bring_up: Option<CriticalPath>,
    /// The critical path of the whole run.
    pub whole: CriticalPath,
}

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// Where the scenario's file lay.
    pub path: String,
    /// The version of Quorate that ran it.
    pub version: String,
    /// When it started, by the host's clock.
    pub started: Timestamp,
    /// Seconds until its last event.
    pub seconds: f64,
    /// Whether it ended by itself; a log without its last event is one that was killed.
    pub ended: bool,
}

/// Who made the machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Provider {
    /// The provider's name.
    pub name: String,
    /// Why it was taken.
    pub reason: String,
}

/// A part that the cluster was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Artifact {
    /// What it is.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The source that gave it.
    pub source: String,
    /// Lower-case hexadecimal SHA-256 sums by file name.
    pub sha256: BTreeMap<String, String>,
}

/// A fault that was seen to have happened, or to be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Fault {
    /// When it was seen to be so.
    pub at: f64,
    /// When it was begun.
    pub begun: f64,
    /// The step that asked for it, from 0.
    pub step: Option<usize>,
    /// The verb of the scenario's language.
    pub verb: String,
    /// The machine that it befell.
    pub machine: String,
    /// The service that it befell.
    pub service: Option<String>,
    /// Whether it undoes an earlier one.
    pub heals: bool,
    /// Its particulars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What proves it.
    pub proof: String,
}

/// A violation of what is watched all along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Violation {
    /// When it was seen.
    pub at: f64,
    /// What was violated.
    pub invariant: String,
    /// What was seen.
    pub message: String,
    /// When that began which violates it, where that was earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<f64>,
}

impl Violation {
    /// When it began.
    pub fn begun(&self) -> f64 {
        self.since.unwrap_or(self.at)
    }
}

/// Something that a person should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    /// When it was said.
    pub at: f64,
    /// What.
    pub message: String,
}

impl Summary {
    /// Folds the events of a run, whole or not.
    pub fn of(events: &[Event]) -> Self {
        let facts = facts(events);
        let end = facts.run.seconds;
        let mut spans = spans(events, end);
        let whole = path(&spans, 0.0, end);
        for span in &mut spans {
            span.critical = whole.links.iter().any(|link| link.span == span.id);
        }
        let reason = facts.reason();
        let verdict = facts.verdict.unwrap_or(Verdict::Interrupted);
        let (from, to) = extent(&spans, verdict, end);
        let api = api(events, from, to);
        let steps = steps(events, &spans);
        let mut caveats = Vec::new();
        if verdict == Verdict::Passed {
            caveats = allowed(events, &facts.faults, api.as_ref(), to);
        }
        caveats.extend(foreseen(verdict, &facts.notices, &steps, &spans));
        caveats.extend(cleaning(&spans).filter(|caveat| !caveat.ends_with(&reason)));
        Self {
            verdict,
            reason,
            always: always(events, &facts.violations),
            steps,
            api,
            caveats,
            observed: observed(events, from, to),
            numbers: numbers(events, &spans, &facts.faults, facts.run.ended.then_some(end)),
            bring_up: brought_up(&spans).map(|(from, to)| path(&spans, from, to)),
            whole,
            spans,
            run: facts.run,
            provider: facts.provider,
            artifacts: facts.artifacts,
            settings: facts.settings,
            comparisons: facts.comparisons,
            faults: facts.faults,
            violations: facts.violations,
            notices: facts.notices,
            watch_cuts: facts.watch_cuts,
        }
    }
}

impl Summary {
    /// The notices that still hold: how to look at a cluster is of no use once its machines are removed.
    pub(super) fn notes(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().filter(|notice| !self.is_over(&notice.message))
    }

    /// Whether a notice was true only while the machines were there, and they are gone.
    pub(super) fn is_over(&self, notice: &str) -> bool {
        notice.starts_with(LOOK) && self.removed()
    }

    /// Whether all of the scenario was judged, and found good.
    pub(super) fn judged(&self) -> bool {
        self.spans.iter().any(|span| span.title == JUDGE && span.outcome == Verdict::Passed.into())
    }

    /// Whether all machines were removed.
    pub(super) fn removed(&self) -> bool {
        let removal = |span: &Span| span.phase == Phase::CleanUp && span.title == REMOVE;
        self.spans.iter().any(|span| removal(span) && span.outcome == Verdict::Passed.into())
    }
}

/// From when to when the cluster is judged by what clients of it met: as long as steps ran, or, where none did or they were
/// interrupted, until the run was cleaned up.
fn extent(spans: &[Span], verdict: Verdict, end: f64) -> (f64, f64) {
    let of = |phase| spans.iter().filter(move |span: &&Span| span.phase == phase);
    let cleaned = of(Phase::CleanUp).map(|span| span.start).fold(end, f64::min);
    let Some(from) = of(Phase::Scenario).map(|span| span.start).reduce(f64::min) else { return (0.0, cleaned) };
    if verdict == Verdict::Interrupted {
        return (from, cleaned);
    }
    (from, of(Phase::Scenario).map(|span| span.end.unwrap_or(end)).fold(0.0, f64::max))
}

/// When somebody asked the run to end, if its log says so.
pub(super) fn interrupted(notices: &[Notice]) -> Option<f64> {
    notices.iter().find(|notice| notice.message.starts_with("interrupted: ")).map(|notice| notice.at)
}

/// What single events say by themselves.
#[derive(Debug, Default)]
struct Facts {
    run: Run,
    verdict: Option<Verdict>,
    reason: Option<String>,
    provider: Option<Provider>,
    artifacts: Vec<Artifact>,
    settings: BTreeMap<String, String>,
    comparisons: Vec<Comparison>,
    faults: Vec<Fault>,
    violations: Vec<Violation>,
    notices: Vec<Notice>,
    watch_cuts: usize,
    /// The watches that are cut right now.
    cut: BTreeSet<String>,
}

fn facts(events: &[Event]) -> Facts {
    let mut facts = Facts::default();
    for event in events {
        facts.add(event);
    }
    let own = events.iter().rfind(|event| !matches!(event.what, What::Compared { .. }));
    facts.run.seconds = rounded(own.map_or(0.0, |event| event.at));
    facts.run.ended = facts.verdict.is_some();
    facts.faults.sort_by(|one, other| one.begun.total_cmp(&other.begun));
    facts
}

impl Facts {
    /// Why the run ended as it did. One that somebody stopped says when, however its log ends.
    fn reason(&self) -> String {
        let end = || format!("the log ends after {:.1} s, before the run's end", self.run.seconds);
        let reason = self.reason.clone().unwrap_or_else(end);
        match interrupted(&self.notices) {
            Some(at) if self.verdict.is_none_or(|verdict| verdict == Verdict::Interrupted) => {
                let more = if reason == INTERRUPTED { String::new() } else { format!("; {reason}") };
                format!("interrupted at {at:.1} s by Ctrl-C or another signal{more}")
            }
            _ => reason,
        }
    }

    fn add(&mut self, event: &Event) {
        let Event { at, wall, what } = event;
        match what.clone() {
            What::RunStarted { run, version, scenario, path, .. } => {
                self.run = Run { id: run, scenario, path, version, started: *wall, ..Run::default() };
            }
            What::Provider { name, reason } => self.provider = Some(Provider { name, reason }),
            What::Artifact { name, version, source, sha256 } => {
                self.artifacts.push(Artifact { name, version, source, sha256 });
            }
            What::Settings { settings } => self.settings = settings,
            What::Compared { comparison } => self.comparisons.push(comparison),
            What::Fault { step, verb, machine, service, heals, detail, proof, .. } => {
                let begun = begun(event).unwrap_or(*at);
                self.faults.push(Fault { at: *at, begun, step, verb, machine, service, heals, detail, proof });
            }
            What::Violation { invariant, message, since } => {
                let since = since.map(rounded).filter(|since| since < at);
                self.violations.push(Violation { at: *at, invariant, message, since });
            }
            What::Notice { message } => self.notices.push(Notice { at: *at, message }),
            What::Unexplained { message, .. } => {
                self.notices.push(Notice { at: *at, message: format!("unexplained: {message}") });
            }
            What::Watch { of, connected: true, .. } => {
                self.cut.remove(&of);
            }
            // One that is cut fails again with each try to take it up.
            What::Watch { of, connected: false, .. } => self.watch_cuts += usize::from(self.cut.insert(of)),
            What::RunEnded { verdict, reason } => {
                self.verdict = Some(verdict);
                self.reason = Some(reason);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::numbers::Name;
    use crate::report::span::Outcome;
    use crate::report::support;

    #[test]
    fn how_to_look_at_the_cluster_is_told_until_its_machines_are_removed() {
        let told = |title: &str| {
            let mut log = support::Log::new("look");
            log.add(1.0, What::Notice { message: format!("{LOOK}kubectl get nodes") });
            log.work(&support::work(Phase::CleanUp, title, 2.0, 3.0));
            let message = "the machines stay".to_owned();
            log.add(4.0, What::Notice { message });
            Summary::of(&log.finish()).notes().count()
        };
        assert_eq!((told(REMOVE), told("leave the machines")), (1, 2));
    }

    fn number(summary: &Summary, name: Name) -> Vec<f64> {
        summary.numbers.iter().filter(|number| number.name == name).map(|number| number.seconds).collect()
    }

    #[test]
    fn a_passed_run_has_all_its_numbers() {
        let summary = Summary::of(&support::passed());
        assert_eq!(summary.verdict, Verdict::Passed);
        assert!(summary.steps.iter().all(|step| step.outcome == Outcome::Passed));
        assert_eq!(number(&summary, Name::CommandToFirstFault), [70.1]);
        assert_eq!(number(&summary, Name::FaultToNotReady), [45.9]);
        assert_eq!(number(&summary, Name::HealToReady), [17.9]);
        assert_eq!(number(&summary, Name::LastCheckToExit), [9.1]);
        let api = summary.api.unwrap();
        assert_eq!((api.failed, api.longest_outage), (3, 0.76));
    }

    #[test]
    fn every_end_of_a_run_has_its_verdict_and_reason() {
        let unended: Vec<_> = support::passed().into_iter().filter(|event| event.at < 40.0).collect();
        for (events, verdict, reason) in [
            (support::failed(), Verdict::Failed, "step 4 (line 15)"),
            (support::broken(), Verdict::Broken, "no Docker daemon"),
            (support::interrupted(), Verdict::Interrupted, "somebody pressed Ctrl-C"),
            (unended, Verdict::Interrupted, "the log ends after 35.0 s, before the run's end"),
            (Vec::new(), Verdict::Interrupted, "the log ends after 0.0 s"),
        ] {
            let summary = Summary::of(&events);
            assert_eq!(summary.verdict, verdict);
            assert!(summary.reason.contains(reason), "{}", summary.reason);
        }
    }

    #[test]
    fn a_run_that_somebody_stopped_says_when_however_its_log_ends() {
        let message = "interrupted: gathering the evidence and removing the machines".to_owned();
        let mut events: Vec<_> = support::passed().into_iter().filter(|event| event.at < 79.0).collect();
        let last = events.last().unwrap().clone();
        events.push(Event { at: 79.5, what: What::Notice { message }, ..last });
        let summary = Summary::of(&events);
        assert_eq!(
            summary.reason,
            "interrupted at 79.5 s by Ctrl-C or another signal; the log ends after 79.5 s, before the run's end"
        );
    }

    #[test]
    fn a_run_that_broke_once_all_had_held_says_so() {
        let blamed = |judged: Verdict| {
            let mut log = support::Log::new("judged");
            log.work(&support::Work { verdict: judged, ..support::work(Phase::Scenario, JUDGE, 20.0, 20.1) });
            log.end(26.0, Verdict::Broken, "the machines cannot be removed");
            let summary = Summary::of(&log.finish());
            crate::report::words::blame(summary.verdict, summary.judged()).unwrap()
        };
        assert!(blamed(Verdict::Passed).starts_with("All that was expected held"));
        assert!(blamed(Verdict::Broken).contains("was not judged"));
    }

    #[test]
    fn what_was_not_answered_when_a_run_was_interrupted_counts_until_it_was_cleaned_up() {
        let api = |verdict| {
            let mut log = support::Log::new("unanswered");
            log.step(0, "start m1", (10.0, 20.0), Verdict::Interrupted, "");
            log.sample(12.0, true, 4.0);
            log.sample(20.1, false, 7900.0);
            log.work(&support::work(Phase::CleanUp, REMOVE, 20.2, 25.0));
            log.end(26.0, verdict, "");
            let api = Summary::of(&log.finish()).api.unwrap();
            (api.failed, api.longest_outage)
        };
        assert_eq!((api(Verdict::Interrupted), api(Verdict::Failed)), ((1, 8.0), (0, 0.0)));
    }

    #[test]
    fn steps_that_were_not_reached_or_not_finished_say_so() {
        let outcomes =
            |events: &[Event]| -> Vec<Outcome> { Summary::of(events).steps.iter().map(|step| step.outcome).collect() };
        use Outcome::{Failed, NotReached, Passed, Unfinished};
        assert_eq!(outcomes(&support::failed()), [Passed, Passed, Passed, Failed, NotReached, NotReached]);
        let cut: Vec<_> = support::passed().into_iter().filter(|event| event.at < 100.0).collect();
        assert_eq!(outcomes(&cut), [Passed, Passed, Passed, Unfinished, NotReached, NotReached]);
    }
}
