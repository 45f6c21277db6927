//! The few numbers of a run that are worth holding against those of another.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Phase, What};

use super::span::{Outcome, Span};
use super::summary::Fault;
use super::words::rounded;

/// A key number of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// From the moment at which a fault of the machine that led etcd was begun until another member led.
    FaultToNewLeader,
    /// Between two renewals of a node's lease by its kubelet: the median of all.
    LeaseRenewal,
    /// From the end of the scenario's last step to the end of the run.
    LastCheckToExit,
}

impl Name {
    /// What it is called in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CommandToFirstFault => "command-to-first-fault",
            Self::BringUp => "bring-up",
            Self::FaultToNotReady => "fault-to-not-ready",
            Self::HealToReady => "heal-to-ready",
            Self::FaultToNewLeader => "fault-to-new-leader",
            Self::LeaseRenewal => "lease-renewal",
            Self::LastCheckToExit => "last-check-to-exit",
        }
    }

    /// What a person calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::CommandToFirstFault => "command to first fault",
            Self::BringUp => "bring-up",
            Self::FaultToNotReady => "fault to NotReady",
            Self::HealToReady => "heal to Ready",
            Self::FaultToNewLeader => "fault to a new etcd leader",
            Self::LeaseRenewal => "between lease renewals",
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
    if let Some((start, end)) = brought_up(spans) {
        numbers.push(whole(Name::BringUp, end - start));
    }
    for (index, fault) in faults.iter().enumerate() {
        let next = faults[index + 1..].iter().find(|next| next.machine == fault.machine);
        let until = next.map_or(f64::INFINITY, |next| next.begun);
        let name = if fault.heals { Name::HealToReady } else { Name::FaultToNotReady };
        let mut of_fault = |name, seconds: Option<f64>| {
            let number =
                |seconds| Number { machine: Some(fault.machine.clone()), step: fault.step, ..whole(name, seconds) };
            numbers.extend(seconds.map(number));
        };
        of_fault(name, turn(events, &fault.machine, fault.begun, until, fault.heals));
        if !fault.heals {
            of_fault(Name::FaultToNewLeader, election(events, &fault.machine, fault.begun, until));
        }
    }
    numbers.extend(renewal(events).map(|seconds| whole(Name::LeaseRenewal, seconds)));
    if let (Some((_, end)), Some(ended)) = (phase(spans, Phase::Scenario), ended) {
        numbers.push(whole(Name::LastCheckToExit, ended - end));
    }
    numbers
}

/// When the bring-up began and ended, if it did all that it is for. Where a cluster that was left was not well, that is the
/// bring-up of the one that was made in its place.
pub(super) fn brought_up(spans: &[Span]) -> Option<(f64, f64)> {
    let of_it = || spans.iter().filter(|span| span.phase == Phase::BringUp);
    let bad = of_it().filter(|span| span.outcome != Outcome::Passed);
    let given_up = bad.map(|span| span.end.unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
    let (before, after): (Vec<&Span>, Vec<&Span>) = of_it().partition(|span| span.start < given_up);
    let begun = after.iter().map(|span| span.start).reduce(f64::min)?;
    // What went on beside what failed is a part of it.
    let over = before.iter().all(|span| span.end.is_some_and(|end| end <= begun));
    let ended: Option<Vec<f64>> = after.iter().map(|span| span.end).collect();
    ended?.into_iter().reduce(f64::max).filter(|_| over).map(|end| (begun, end))
}

/// When a phase began and ended, if all of its spans ended.
fn phase(spans: &[Span], phase: Phase) -> Option<(f64, f64)> {
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

/// Seconds from `from` until a member knew another leader than that on `machine`, if it led and `until` came not first.
fn election(events: &[Event], machine: &str, from: f64, until: f64) -> Option<f64> {
    let mut member_there = None;
    let mut led = None;
    for event in events.iter().take_while(|event| event.at <= until) {
        let What::Etcd { machine: on, member, leader: Some(leader), .. } = &event.what else { continue };
        if event.at >= from {
            if led.is_some() && led == member_there && led != Some(leader) {
                return Some(event.at - from);
            }
            continue;
        }
        led = Some(leader);
        if on == machine {
            member_there = member.as_ref();
        }
    }
    None
}

/// The median time between two renewals of the same node's lease. An outage is a long one among many and moves it little.
fn renewal(events: &[Event]) -> Option<f64> {
    let mut last: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut times = Vec::new();
    for event in events {
        let What::NodeLease { node, renewed } = &event.what else { continue };
        if let Some(before) = last.insert(node, *renewed) {
            times.push(renewed.duration_since(before).as_secs_f64());
        }
    }
    // A lease that is looked at anew tells of the same renewal again.
    times.retain(|time| *time > 0.0);
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Verdict;
    use crate::report::Summary;
    use crate::report::support::{Log, Work, work};

    #[test]
    fn a_bring_up_counts_when_it_is_over_and_from_the_cluster_that_was_made_in_the_place_of_another() {
        let brought_up = |spans: &[(f64, f64, Verdict)]| {
            let mut log = Log::new("bring-up");
            for (from, to, verdict) in spans {
                log.work(&Work { verdict: *verdict, ..work(Phase::BringUp, "work", *from, *to) });
            }
            brought_up(&Summary::of(&log.finish()).spans)
        };
        use Verdict::{Broken, Passed};
        assert_eq!(brought_up(&[(1.0, 5.0, Passed), (2.0, 9.0, Passed)]), Some((1.0, 9.0)));
        assert_eq!(brought_up(&[(1.0, 5.0, Passed), (5.0, 9.0, Broken)]), None);
        assert_eq!(brought_up(&[(1.0, 5.0, Broken), (2.0, 9.0, Passed)]), None, "side by side");
        assert_eq!(brought_up(&[(1.0, 5.0, Broken), (6.0, 9.0, Passed), (9.0, 10.0, Passed)]), Some((6.0, 10.0)));
    }

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

    #[test]
    fn an_election_is_timed_only_when_the_machine_of_the_leader_is_befallen() {
        type Case<'a> = (&'a str, &'a [(f64, &'a str, &'a str)], Option<f64>);
        let before = [(1.0, "master1", "a"), (1.1, "master2", "a")];
        let cases: [Case<'_>; 4] = [
            ("another leads", &[(12.0, "master2", "a"), (13.5, "master2", "b")], Some(3.5)),
            ("the same leads on", &[(12.0, "master2", "a")], None),
            ("too late", &[(70.0, "master2", "b")], None),
            ("nobody knows", &[], None),
        ];
        for (name, after, expected) in cases {
            let mut log = Log::new("elections");
            for (at, machine, leader) in before.iter().chain(after) {
                log.etcd(*at, machine, if *machine == "master1" { "a" } else { "b" }, leader);
            }
            let events = log.finish();
            assert_eq!(election(&events, "master1", 10.0, 60.0), expected, "{name}");
            assert_eq!(election(&events, "master2", 10.0, 60.0), None, "{name}, of a follower");
        }
    }

    #[test]
    fn leases_are_timed_by_the_clocks_of_their_nodes_and_an_outage_does_not_matter() {
        let of = |renewals: &[(&str, f64)]| {
            let mut log = Log::new("leases");
            for (node, renewed) in renewals {
                log.lease(renewed + 3.0, node, *renewed);
            }
            renewal(&log.finish())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("a", 1.0), ("b", 5.0)]), None);
        assert_eq!(of(&[("a", 1.0), ("b", 5.0), ("a", 1.0), ("a", 11.0)]), Some(10.0));
        assert_eq!(of(&[("a", 1.0), ("a", 11.0), ("b", 15.0), ("a", 21.0), ("b", 95.0), ("b", 105.5)]), Some(10.5));
    }
}
