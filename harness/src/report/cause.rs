//! Where a run that did not pass went wrong, and where to read on.
//!
//! A run has one reason, that of its first cause. What goes wrong later, as cleaning up after it, is told as what happened,
//! and never as the place where the run broke.

use std::path::Path;

use crate::event::{Event, Phase, Verdict, What};
use crate::paths;

use super::span::{Outcome, Span};
use super::summary::{Summary, Violation, interrupted};
use super::words::moment_and_wall;

/// More commands than this are not told on a terminal.
const COMMANDS: usize = 3;

/// The first cause of a run's verdict, as far as its log says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cause<'a> {
    /// When it began, as far as it is known, and else when it showed, in seconds since the run's start.
    pub(super) at: f64,
    /// The work that failed, or was under way.
    pub(super) span: Option<&'a Span>,
    /// The invariant that was violated, if it is that.
    pub(super) violation: Option<&'a Violation>,
}

impl<'a> Cause<'a> {
    /// The cause of a verdict; nothing where the run passed.
    pub(super) fn of(summary: &'a Summary) -> Option<Self> {
        if summary.verdict == Verdict::Passed {
            return None;
        }
        let by_reason = || violated(summary, true).or_else(|| failed(summary, true)).or_else(|| unexplained(summary));
        let by_time = || failed(summary, false).or_else(|| violated(summary, false)).or_else(|| stopped(summary));
        let end = Self { at: summary.run.seconds, span: None, violation: None };
        Some(by_reason().or_else(by_time).unwrap_or(end))
    }

    /// When it was by the clocks of the run and of the host, and in which line of the scenario, where that is an invariant's.
    pub(super) fn place(&self, summary: &Summary) -> String {
        let of = |violation: &Violation| summary.always.iter().find(|it| it.invariant == violation.invariant);
        let line =
            self.violation.and_then(of).map_or(String::new(), |it| format!(", line {} of the scenario", it.line));
        let what = if self.violation.is_some() { "from" } else { "at" };
        format!("{what} {}{line}", moment_and_wall(&summary.run, self.at))
    }

    /// The moment at which logs are to be read: that at which the cluster was last given a fault or healed of one before it,
    /// which what it shows follows from, unless it is an invariant's violation, whose beginning is known.
    pub(super) fn opens(&self, summary: &Summary) -> f64 {
        let faults = summary.faults.iter().filter(|fault| fault.begun <= self.at);
        let last = faults.map(|fault| fault.begun).reduce(f64::max);
        last.filter(|_| self.violation.is_none()).unwrap_or(self.at)
    }

    /// What `quorate logs --around` takes for it.
    pub(super) fn around(&self, summary: &Summary) -> String {
        format!("{:.1}s", self.opens(summary))
    }
}

/// Whether the run's reason names what was said.
fn names(summary: &Summary, said: &str) -> bool {
    !said.is_empty() && summary.reason.contains(said)
}

fn violated(summary: &Summary, named: bool) -> Option<Cause<'_>> {
    let violation = summary.violations.iter().find(|it| !named || names(summary, &it.message))?;
    // It went wrong when it began; that it was too long or too much showed later.
    let at = violation.begun();
    Some(Cause { at, span: under_way(summary, at), violation: Some(violation) })
}

/// The first work that came out as the run did. What went wrong while cleaning up is the cause only if the reason says so.
fn failed(summary: &Summary, named: bool) -> Option<Cause<'_>> {
    let asked = interrupted(&summary.notices).filter(|_| summary.verdict == Verdict::Interrupted);
    let ended = |span: &&Span| span.outcome == summary.verdict.into() && span.end.is_some() && asked.is_none();
    let is_cause = |span: &&Span| match &span.message {
        Some(message) if named => names(summary, message),
        _ => !named && span.phase != Phase::CleanUp,
    };
    let span = summary.spans.iter().filter(ended).find(is_cause)?;
    let at = span.end.unwrap_or(summary.run.seconds);
    Some(Cause { at, span: Some(span), violation: None })
}

/// What befell a machine without a step having asked for it.
fn unexplained(summary: &Summary) -> Option<Cause<'_>> {
    let told = |message: &str| message.strip_prefix("unexplained: ").is_some_and(|message| names(summary, message));
    let at = summary.notices.iter().find(|notice| told(&notice.message))?.at;
    Some(Cause { at, span: under_way(summary, at), violation: None })
}

/// What was under way when the run or its log ended.
fn stopped(summary: &Summary) -> Option<Cause<'_>> {
    let unended = |span: &&Span| span.outcome == Outcome::Unfinished;
    let abandoned = |span: &&Span| span.outcome == Outcome::Interrupted && span.phase != Phase::CleanUp;
    let at = match (interrupted(&summary.notices), summary.spans.iter().any(|span| unended(&span))) {
        (Some(at), _) => at,
        (None, true) => summary.run.seconds,
        (None, false) => summary.spans.iter().find(abandoned)?.end?,
    };
    Some(Cause { at, span: under_way(summary, at), violation: None })
}

/// The work that was under way at a moment: the step of the scenario, or what began last.
fn under_way(summary: &Summary, at: f64) -> Option<&Span> {
    let mut there = summary.spans.iter().filter(|span| span.start <= at && span.end.is_none_or(|end| end >= at));
    there.clone().find(|span| span.step.is_some()).or_else(|| there.next_back())
}

/// The machines of which there are files, those first on which a fault lasted at that moment or that the reason or the work
/// names, and how many these are.
pub(super) fn machines(events: &[Event], summary: &Summary, cause: &Cause<'_>) -> (Vec<String>, usize) {
    let said = cause.span.map(|span| [Some(&span.title), span.message.as_ref(), span.machine.as_ref()]);
    let said: Vec<&String> = said.into_iter().flatten().flatten().chain([&summary.reason]).collect();
    let mut machines: Vec<String> = events.iter().filter_map(filed).map(str::to_owned).collect();
    machines.sort_unstable();
    machines.dedup();
    let names = |said: &str, machine: &str| {
        // Nearly all that is seen of the API is seen through the balancer, whoever is the cause.
        let said = said.replace("through the balancer", "");
        said.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == machine)
    };
    let befallen = |machine: &str| {
        let last = summary.faults.iter().rfind(|fault| fault.machine == machine && fault.begun <= cause.at);
        last.is_some_and(|fault| !fault.heals)
    };
    let rank = |machine: &String| match machine.as_str() {
        name if befallen(name) => 0,
        name if said.iter().any(|said| names(said, name)) => 1,
        _ => 2,
    };
    machines.sort_by_key(rank);
    let count = machines.iter().filter(|machine| rank(machine) < 2).count();
    (machines, count)
}

/// The machine that a log is of.
fn filed(event: &Event) -> Option<&str> {
    let What::File { machine, text: None, .. } = &event.what else { return None };
    machine.as_deref()
}

/// The commands that show what the machines said that it is about, or all of them.
pub(super) fn commands(events: &[Event], summary: &Summary, cause: &Cause<'_>, run: &str) -> Vec<String> {
    let gathered: Vec<&str> = events.iter().filter(|event| is_gathered(event)).filter_map(filed).collect();
    let (mut machines, named) = machines(events, summary, cause);
    machines.truncate(if named == 0 { usize::MAX } else { named });
    machines.retain(|machine| gathered.contains(&machine.as_str()));
    machines.truncate(COMMANDS);
    machines.iter().map(|machine| format!("quorate logs {run} {machine} --around {}", cause.around(summary))).collect()
}

fn is_gathered(event: &Event) -> bool {
    matches!(&event.what, What::File { role, .. } if role == "journal" || role == "pod-logs")
}

/// What commands call a run whose evidence lies in `evidence`: its id where runs lie, and the folder elsewhere.
pub(super) fn called(summary: &Summary, evidence: Option<&Path>) -> String {
    let elsewhere = evidence.filter(|folder| folder.parent() != Some(&paths::state().join("runs")));
    let folder = elsewhere.map(|folder| folder.display().to_string());
    let quoted = folder.and_then(|folder| shlex::try_quote(&folder).ok().map(std::borrow::Cow::into_owned));
    quoted.unwrap_or_else(|| summary.run.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::{self, Log};

    /// When the cause showed, the title of its work, and what `--around` takes.
    fn cause(events: &[Event]) -> (f64, String, String) {
        let summary = Summary::of(events);
        let cause = Cause::of(&summary).unwrap();
        (cause.at, cause.span.map_or(String::new(), |span| span.title.clone()), cause.around(&summary))
    }

    fn of(at: f64, title: &str, around: &str) -> (f64, String, String) {
        (at, title.to_owned(), around.to_owned())
    }

    #[test]
    fn the_cause_is_what_the_reason_names() {
        let killed: Vec<_> = support::passed().into_iter().filter(|event| event.at < 100.0).collect();
        for (events, expected) in [
            (support::failed(), of(160.5, "master2 is NotReady", "70.1s")),
            (support::violated(), of(142.9, "master2 is NotReady", "142.9s")),
            (support::broken(), of(0.4, "look at the host", "0.4s")),
            (support::interrupted(), of(20.0, "kubeadm init", "20.0s")),
            (killed, of(96.0, "master2 is NotReady", "70.1s")),
        ] {
            assert_eq!(cause(&events), expected);
        }
        assert_eq!(Cause::of(&Summary::of(&support::passed())), None);
    }

    #[test]
    fn logs_are_read_from_the_last_fault_on_and_those_of_a_violation_from_its_beginning() {
        let opens = |events: &[Event]| {
            let summary = Summary::of(events);
            Cause::of(&summary).unwrap().opens(&summary)
        };
        assert_eq!((opens(&support::failed()), opens(&support::violated())), (70.1, 142.9));
        assert_eq!(opens(&support::interrupted()), 20.0, "nothing befell it");
    }

    #[test]
    fn what_breaks_while_cleaning_up_is_the_cause_only_if_nothing_was_before_it() {
        let run = |reason: &str, meddled: bool| {
            let mut log = Log::new("meddled");
            if meddled {
                log.unexplained(15.0, "balancer", "balancer is stopped, and no step of this scenario did that");
            }
            let step = if meddled { Verdict::Interrupted } else { Verdict::Passed };
            log.step(0, "hold for 30s", (10.0, 15.0), step, "was abandoned");
            log.clean_up_broken(16.0, "master2 is gone");
            log.add(20.0, What::RunEnded { verdict: Verdict::Broken, reason: reason.to_owned() });
            cause(&log.finish())
        };
        let meddled = "balancer is stopped, and no step of this scenario did that";
        assert_eq!(run(meddled, true), of(15.0, "hold for 30s", "15.0s"));
        assert_eq!(run("an observer ended: it panicked", true), of(15.0, "hold for 30s", "15.0s"));
        assert_eq!(run("master2 is gone", false), of(17.0, "undo what lasts", "17.0s"));
    }

    #[test]
    fn commands_name_the_machines_that_it_is_about_and_of_which_there_is_evidence() {
        let told = |machines: &[&str]| {
            let mut events = support::failed();
            let mut log = Log::new("files");
            for machine in machines {
                log.file(161.0, &format!("machines/{machine}/journal.txt"), "journal", Some(machine), None);
            }
            events.extend(log.finish().split_off(1));
            let summary = Summary::of(&events);
            commands(&events, &summary, &Cause::of(&summary).unwrap(), "RUN")
        };
        let all = ["balancer", "master1", "master2", "master3"];
        assert_eq!(told(&all), ["quorate logs RUN master2 --around 70.1s"]);
        assert_eq!(told(&all[..2]).len(), 2, "of no machine that is named there is any");
        assert_eq!(told(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_run_is_called_by_its_id_where_runs_lie_and_by_its_folder_elsewhere() {
        let summary = Summary::of(&support::failed());
        let at_home = paths::state().join("runs").join(&summary.run.id);
        for (evidence, expected) in [
            (None, "20261123-0601-k3x9"),
            (Some(at_home.as_path()), "20261123-0601-k3x9"),
            (Some(Path::new("of ci/run")), "'of ci/run'"),
        ] {
            assert_eq!(called(&summary, evidence), expected);
        }
    }
}
