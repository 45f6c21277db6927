//! What the writer, the long watch of what it wrote, and the members of etcd met while the scenario ran.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, What};

use super::words::rounded;

/// What was observed all along, besides requests to the API.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Observed {
    /// Writes through the balancer.
    pub writes: Option<Writes>,
    /// The long watch of these writes.
    pub watch: Option<Watch>,
    /// How often etcd voted for a leader and got one.
    pub leader_elections: usize,
}

/// Writes through the balancer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Writes {
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// How many were not. Each of them may have happened all the same.
    pub unacknowledged: usize,
    /// Seconds of the longest stretch in which none was acknowledged, between the first write and the last.
    #[serde(default)]
    pub longest_gap: f64,
    /// How many of all that were acknowledged were not there when they were read back last; nothing if they were not.
    pub lost: Option<usize>,
    /// How many of them were out of order.
    pub disordered: Option<usize>,
}

/// A long watch through the balancer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Watch {
    /// How often it was cut.
    pub cuts: usize,
    /// Seconds of the longest stretch in which it was cut or owed an acknowledged write.
    pub longest_gap: f64,
    /// How many acknowledged writes it did not deliver.
    pub missed: u64,
    /// How many changes it delivered a second time.
    pub repeated: u64,
    /// How often all had to be listed anew.
    pub relisted: u64,
}

/// What was observed from `from` to `to`.
pub(super) fn observed(events: &[Event], from: f64, to: f64) -> Observed {
    let mut observed = Observed::default();
    let mut term = None;
    let mut acknowledged_last = None;
    for Event { at, what, .. } in events.iter().filter(|event| event.at <= to) {
        let within = *at >= from;
        match what {
            What::Etcd { term: Some(new), leader: Some(_), .. } => {
                observed.leader_elections += usize::from(within && term.is_some_and(|term| term < *new));
                term = term.max(Some(*new));
            }
            What::Write { acknowledged, latency_ms, .. } if within => {
                let writes = observed.writes.get_or_insert_default();
                let since = acknowledged_last.unwrap_or((at - latency_ms / 1e3).max(from));
                writes.longest_gap = writes.longest_gap.max(rounded(at - since));
                acknowledged_last = Some(if *acknowledged { *at } else { since });
                match acknowledged {
                    true => writes.acknowledged += 1,
                    false => writes.unacknowledged += 1,
                }
            }
            What::WritesAudit { lost, disordered, .. } if within => {
                let writes = observed.writes.get_or_insert_default();
                (writes.lost, writes.disordered) = (Some(*lost), Some(*disordered));
            }
            What::Stream { state, gap, missed, repeated, relisted, .. } => {
                let watch = observed.watch.get_or_insert_default();
                (watch.missed, watch.repeated, watch.relisted) = (*missed, *repeated, *relisted);
                if within {
                    watch.cuts += usize::from(state == "cut");
                    watch.longest_gap = watch.longest_gap.max(rounded(gap.min(at - from)));
                }
            }
            _ => {}
        }
    }
    observed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    #[test]
    fn what_was_written_watched_and_voted_for_is_counted_within_the_scenario() {
        let mut log = Log::new("observed");
        for (at, acknowledged) in [(1.0, true), (11.0, true), (12.0, false), (13.0, true)] {
            log.write(at, acknowledged);
        }
        for (at, state, gap) in
            [(2.0, "cut", 9.0), (10.5, "delivers", 9.0), (12.0, "cut", 0.5), (14.0, "delivers", 2.5)]
        {
            log.stream(at, state, gap);
        }
        for (at, term, leader) in [(1.0, 2, true), (2.0, 3, true), (12.0, 4, false), (13.0, 5, true), (13.1, 5, true)] {
            log.vote(at, term, leader);
        }
        let (server, examples) = ("master1".to_owned(), Vec::new());
        log.add(15.0, What::WritesAudit { server, acknowledged: 3, last: 4, lost: 1, disordered: 0, examples });
        let observed = observed(&log.finish(), 10.0, 20.0);
        let (acknowledged, unacknowledged, lost, disordered) = (2, 1, Some(1), Some(0));
        let writes = Writes { acknowledged, unacknowledged, longest_gap: 2.0, lost, disordered };
        let watch = Watch { cuts: 1, longest_gap: 2.5, ..Watch::default() };
        assert_eq!(observed, Observed { writes: Some(writes), watch: Some(watch), leader_elections: 1 });
    }

    #[test]
    fn a_log_without_observers_has_none() {
        assert_eq!(observed(&Log::new("observed").finish(), 0.0, 1.0), Observed::default());
    }
}
