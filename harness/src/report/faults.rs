//! What befell the cluster and what was violated, as one list in the order in which it began.

use super::summary::Summary;
use super::told::{done, tidy};
use super::words::{fault, moment};

/// A fault, a healing or a violation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// When it began, in seconds since the run's start.
    pub(super) at: f64,
    /// What it was.
    pub(super) what: String,
    /// What proves it, and when it was seen where that was later.
    pub(super) proof: String,
    /// Whether it is a violation.
    pub(super) violated: bool,
}

/// Faults that are over once they were seen to have happened.
pub(super) fn is_momentary(verb: &str) -> bool {
    matches!(verb, "reboot" | "kill-service" | "restart-service")
}

/// All of them.
pub(super) fn entries(summary: &Summary) -> Vec<Entry> {
    let faults = summary.faults.iter().map(|it| {
        let by_itself = if it.heals && it.step.is_none() { " while cleaning up" } else { "" };
        let what = fault(&it.verb, it.service.as_deref(), &it.machine, it.detail.as_deref());
        let done = done(it.begun, it.at);
        let later = if done.is_empty() { String::new() } else { format!("; {done}") };
        let proof = format!("{}{later}", tidy(&it.proof));
        Entry { at: it.begun, what: format!("{what}{by_itself}"), proof, violated: false }
    });
    let violations = summary.violations.iter().map(|it| {
        let later = it.since.map_or(String::new(), |_| format!("; seen at {}", moment(it.at)));
        let line = summary.always.iter().find(|always| always.invariant == it.invariant);
        let line = line.map_or(String::new(), |always| format!(" (line {})", always.line));
        let what = format!("violated {}{line}", it.invariant);
        Entry { at: it.begun(), what, proof: format!("{}{later}", it.message), violated: true }
    });
    let mut all: Vec<_> = faults.chain(violations).collect();
    all.sort_by(|one, other| one.at.total_cmp(&other.at));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::{self, Log};

    #[test]
    fn a_fault_stands_where_it_was_begun_however_late_it_was_proved() {
        let all = entries(&Summary::of(&support::violated()));
        let told: Vec<_> = all.iter().map(|it| (it.at, it.what.as_str(), it.proof.as_str())).collect();
        assert_eq!(
            told,
            [
                (70.1, "kill master2", "the container exited with 137; done at 70.4 s"),
                (142.9, "violated api: outage-below 15s (line 5)", "no good answer for 15.1 s; seen at 158.0 s"),
            ]
        );
    }

    #[test]
    fn what_is_undone_by_no_step_says_that_it_was_cleaned_up() {
        let mut log = Log::new("undone");
        log.befall(112.4, "restore", "master3", true);
        let all = entries(&Summary::of(&log.finish()));
        assert_eq!(all[0].what, "restore master3 from isolate while cleaning up");
        assert_eq!(all[0].proof, "seen", "seen when it was begun");
    }
}
