//! The scenario's invariants, with what became of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, What};

use super::summary::Violation;

/// An invariant of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Always {
    /// What was to hold.
    pub invariant: String,
    /// The line of the scenario's file, from 1.
    pub line: u32,
    /// How it was violated first, if it was seen to be.
    pub violation: Option<Violation>,
}

/// The planned invariants, in the order of the scenario.
pub(super) fn always(events: &[Event], violations: &[Violation]) -> Vec<Always> {
    let planned = events.iter().filter_map(|event| match &event.what {
        What::InvariantPlanned { invariant, line } => Some((invariant, *line)),
        _ => None,
    });
    let violation = |of: &str| violations.iter().find(|violation| violation.invariant == of).cloned();
    planned
        .map(|(invariant, line)| Always { invariant: invariant.clone(), line, violation: violation(invariant) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    #[test]
    fn an_invariant_has_its_own_first_violation_and_no_other() {
        let mut log = Log::new("always");
        for (invariant, line) in [("writes: none-lost", 3), ("api: outage-below 15s", 4)] {
            log.add(0.0, What::InvariantPlanned { invariant: invariant.to_owned(), line });
        }
        let violations = [9.0, 12.0].map(|at| {
            let (invariant, message) = ("api: outage-below 15s".to_owned(), format!("seen at {at}"));
            Violation { at, invariant, message, since: None }
        });
        let all = always(&log.finish(), &violations);
        let told: Vec<_> = all.iter().map(|it| (it.line, it.violation.as_ref().map(|it| it.at))).collect();
        assert_eq!(told, [(3, None), (4, Some(9.0))]);
    }
}
