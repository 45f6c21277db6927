//! What a run will do, in order, before any of it is done.
//!
//! A plan exists only of a scenario that makes sense step by step: a machine that is off is not switched off again.

mod able;
pub mod outline;
mod walk;
mod words;

use std::time::Duration;

use crate::scenario::{Action, Diagnostics, Place, Scenario, Step};
pub use able::refusals;
use walk::Walk;

/// How long a fault may take to be injected or healed.
const FAULT: Duration = Duration::from_secs(360);

/// The steps of a scenario as they will be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The scenario's steps, in order.
    pub steps: Vec<Planned>,
    /// What a person should know beforehand and that stops nothing.
    pub notes: Vec<String>,
}

/// A planned step.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The step as a person would say it.
    pub title: String,
    /// The line of the scenario's file.
    pub line: u32,
    /// How long it may take.
    pub deadline: Duration,
}

/// Why a scenario cannot be planned.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{place}: {problem}\n  mend it: {remedy}")]
pub struct Refusal {
    /// The step.
    pub place: Place,
    /// What makes no sense.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// Refusals as they are shown beside whatever else is wrong with files.
pub fn told(refusals: &[Refusal]) -> Diagnostics {
    let mut told = Diagnostics::default();
    for Refusal { place, problem, remedy } in refusals {
        told.refuse(place, problem.as_str(), remedy.as_str());
    }
    told
}

impl Plan {
    /// Plans a scenario, or says all that makes no sense in it.
    pub fn of(scenario: &Scenario) -> Result<Self, Vec<Refusal>> {
        let mut walk = Walk::new(&scenario.topology);
        let mut refusals = Vec::new();
        for step in &scenario.steps {
            if let Err(walk::Nonsense { problem, remedy }) = walk.step(step) {
                refusals.push(Refusal { place: step.place.clone(), problem, remedy });
            }
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let steps = scenario.steps.iter().map(|step| Planned {
            title: step.to_string(),
            line: step.line(),
            deadline: step.deadline(),
        });
        Ok(Self { steps: steps.collect(), notes: walk.into_notes() })
    }
}

impl Step {
    /// How long the step may take.
    fn deadline(&self) -> Duration {
        match &self.action {
            Action::Expect { within, .. } => *within,
            Action::Hold { time, .. } => *time,
            Action::Fault(_) => FAULT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{LoadOptions, load};

    /// Plans steps, which stand from line 4 on.
    fn plan(steps: &[&str]) -> Result<Plan, Vec<Refusal>> {
        plan_on("stacked-3", steps)
    }

    fn plan_on(topology: &str, steps: &[&str]) -> Result<Plan, Vec<Refusal>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.yaml");
        let steps = steps.iter().map(|step| format!("  - {step}\n")).collect::<String>();
        std::fs::write(&file, format!("name: planned\ntopology: {topology}\nsteps:\n{steps}")).unwrap();
        Plan::of(&load(&file, &LoadOptions::default()).unwrap().scenario)
    }

    #[test]
    fn steps_keep_their_order_their_lines_and_their_deadlines() {
        let plan = plan(&[
            "expect: { nodes: ready, within: 90s }",
            "kill: [master1, master2]",
            "hold: 30s",
            "start: [master1, master2]",
            "stop-service: { service: etcd, on: master2 }",
        ]);
        let plan = plan.unwrap();
        let steps: Vec<_> = plan.steps.iter().map(|step| (step.title.as_str(), step.line, step.deadline)).collect();
        let expected = [
            ("expect all nodes Ready within 1m30s", 4, Duration::from_secs(90)),
            ("kill master1, master2", 5, FAULT),
            ("hold for 30s", 6, Duration::from_secs(30)),
            ("start master1, master2", 7, FAULT),
            ("stop-service etcd on master2", 8, FAULT),
        ];
        assert_eq!(steps, expected);
        assert_eq!(plan.notes, Vec::<String>::new());
    }

    #[test]
    fn faults_of_network_disk_and_clock_are_followed_to_their_restoring() {
        let good: [&[&str]; 6] = [
            &["isolate: etcd-leader", "restore: chosen"],
            &["partition: { on: master1 }", "block: { on: master1, ports: [6443] }", "restore: machines"],
            &["isolate: minority", "restore: masters"],
            &["wipe: master2", "restore: [master2, master3]", "wipe: master3"],
            &["isolate: master1", "pause: master1", "resume: master1", "restore: master1", "kill: master1"],
            &["slow: { on: master1, rate: 1mbit }", "isolate: master1"],
        ];
        for steps in good {
            plan(steps).unwrap_or_else(|refusals| panic!("{steps:?}: {refusals:?}"));
        }
        let bad: [(&[&str], usize, &str); 13] = [
            (&["restore: master1"], 4, "nothing of the network, the disk or the clock lasts on master1 here"),
            (&["kill: master1", "restore: masters"], 5, "master1 is off here"),
            (&["isolate: master1", "restore: master2"], 5, "nothing of the network"),
            (&["isolate: master1", "isolate: masters"], 5, "`isolate` of master1 would do nothing"),
            (&["isolate: master1", "partition: { on: master1 }"], 5, "`partition` of master1 would do nothing, since"),
            (&["partition: { on: master1 }", "kill: master1"], 5, "`kill` of master1 would undo a part of that unseen"),
            (&["slow-disk: { on: master1, rate: 1MiB }", "reboot: master1"], 5, "`reboot` of master1 would undo"),
            (&["isolate: minority", "stop: chosen"], 5, "`stop` of minority of line 4 would undo"),
            (&["wipe: majority"], 4, "etcd would lose its quorum: 2 of 3"),
            (&["wipe: masters"], 4, "etcd would lose its quorum: 3 of 3"),
            (&["kill: master1", "wipe: master2"], 5, "etcd would lose its quorum: 2 of 3"),
            (&["isolate: one-master", "wipe: one-master"], 5, "etcd would lose its quorum: 2 of 3"),
            (&["pause: master1", "isolate: master1"], 5, "master1 is paused here"),
        ];
        for (steps, line, problem) in bad {
            let refusals = plan(steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
        }
    }

    #[test]
    fn what_needs_a_service_that_is_stopped_is_refused() {
        let good: [&[&str]; 7] = [
            &["stop-service: { service: kubelet, on: master1 }", "kill-service: { service: etcd, on: master1 }"],
            &["stop-service: { service: kubelet, on: master1 }", "restart-service: { service: etcd, on: master2 }"],
            &[
                "stop-service: { service: kubelet, on: master1 }",
                "reboot: master1",
                "stop-service: { service: etcd, on: master1 }",
            ],
            &["stop-service: { service: kubelet, on: master1 }", "kill: master1", "start: master1", "wipe: master1"],
            &["stop-service: { service: etcd, on: master1 }", "fill-disk: { on: master1 }", "restore: master1"],
            &["slow-disk: { on: master1, rate: 1MiB }", "restart-service: { service: kubelet, on: master1 }"],
            &["fill-etcd: master1", "restart-service: { service: etcd, on: master1 }", "restore: master1"],
        ];
        for steps in good {
            plan(steps).unwrap_or_else(|refusals| panic!("{steps:?}: {refusals:?}"));
        }
        let kubelet = "stop-service: { service: kubelet, on: master1 }";
        let stopped = "stop-service: { service: etcd, on: master1 }";
        let slow = "slow-disk: { on: master1, rate: 1MiB }";
        let bad: [(&[&str], usize, &str); 13] = [
            (
                &[kubelet, stopped],
                5,
                "`stop-service` of etcd on master1 cannot work: kubelet is stopped there, since line 4",
            ),
            (
                &[kubelet, "restart-service: { service: kube-scheduler, on: masters }"],
                5,
                "`restart-service` of kube-scheduler",
            ),
            (
                &[stopped, kubelet, "start-service: { service: etcd, on: master1 }"],
                6,
                "`start-service` of etcd on master1",
            ),
            (
                &["stop-service: { service: containerd, on: master1 }", "wipe: master1"],
                5,
                "`wipe` of master1 cannot work",
            ),
            (
                &["wipe: master1", kubelet, "restore: master1"],
                6,
                "`restore` cannot undo `wipe` of master1: kubelet is stopped",
            ),
            (
                &["fill-etcd: master1", stopped, "restore: masters"],
                6,
                "`restore` cannot undo `fill-etcd` of master1: etcd",
            ),
            (&[stopped, slow], 5, "`slow-disk` of master1 cannot work: etcd is stopped there"),
            (&[stopped, "wipe: master1"], 5, "`wipe` of master1 cannot work: etcd is stopped there"),
            (
                &["wipe: master1", slow],
                5,
                "`slow-disk` of master1 cannot work, since no member runs there: `wipe` lasts",
            ),
            (
                &["wipe: master1", "kill-service: { service: etcd, on: master1 }"],
                5,
                "`kill-service` of etcd on master1 cannot work",
            ),
            (
                &[slow, "restart-service: { service: etcd, on: master1 }"],
                5,
                "`restart-service` of etcd on master1 would undo that unseen",
            ),
            (&["isolate: master1", "wipe: master1"], 5, "`wipe` of master1 cannot be done and undone while its cable"),
            (
                &[kubelet, "reboot: master1", "start-service: { service: kubelet, on: master1 }"],
                6,
                "kubelet of master1 is not stopped",
            ),
        ];
        for (steps, line, problem) in bad {
            let refusals = plan(steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
        }
    }

    #[test]
    fn what_is_chosen_can_be_chosen_and_is_what_the_step_needs() {
        let good: [(&str, &[&str]); 3] = [
            ("stacked-3", &["kill: one-master", "kill: one-master", "kill: one-master", "start: chosen"]),
            ("external-etcd", &["kill-service: { service: etcd, on: etcd-leader }", "kill: chosen"]),
            ("external-etcd", &["kill: one-master", "expect: { node: chosen, is: not-ready, within: 1m }"]),
        ];
        for (topology, steps) in good {
            plan_on(topology, steps).unwrap_or_else(|refusals| panic!("{steps:?}: {refusals:?}"));
        }
        let bad: [(&str, &[&str], usize, &str); 7] = [
            ("stacked-3", &["kill: masters", "kill: one-master"], 5, "no one-master can be chosen: a fault lasts on 3"),
            (
                "stacked-3",
                &["kill: majority", "kill: majority"],
                5,
                "no majority can be chosen: a fault lasts on 2 of 3",
            ),
            ("stacked-3", &["kill: one-master", "start: master1"], 5, "master1 may be well here: one-master of line 4"),
            ("external-etcd", &["kill: one-master", "wipe: chosen"], 5, "`chosen` is a master here, by `one-master`"),
            (
                "external-etcd",
                &["kill: etcd-leader", "expect: { node: chosen, is: not-ready, within: 1m }"],
                5,
                "`chosen` is an etcd machine here",
            ),
            (
                "external-etcd",
                &["pause: etcd-leader", "expect: { api: reachable, on: chosen, within: 1m }"],
                5,
                "`chosen` is an etcd machine here",
            ),
            (
                "external-etcd",
                &["isolate: etcd-leader", "restart-service: { service: kube-apiserver, on: chosen }"],
                5,
                "`chosen` is an etcd machine here",
            ),
        ];
        for (topology, steps, line, problem) in bad {
            let refusals = plan_on(topology, steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
        }
    }

    #[test]
    fn titles_say_what_is_particular_to_a_fault() {
        let cases = [
            ("isolate: master1", "isolate master1"),
            ("partition: { on: master1 }", "partition master1 from all others"),
            (
                "partition: { on: master1, from: other-masters, direction: in }",
                "partition master1 from the other masters, what comes in alone",
            ),
            ("block: { on: masters, ports: [2379, 2380] }", "block master1, master2, master3 at port 2379, 2380"),
            ("slow: { on: master1, rate: 500kbit, loss: 5% }", "slow master1 to 500kbit losing 5%"),
            ("fill-disk: { on: master1, leave: 1MiB }", "fill-disk master1 but for 1MiB"),
            ("slow-disk: { on: master1, rate: 64KiB }", "slow-disk master1 to 64KiB a second"),
            ("skew-clock: { on: balancer, by: -5m }", "skew-clock balancer by -5m"),
        ];
        for (step, title) in cases {
            assert_eq!(plan(&[step]).unwrap().steps[0].title, title);
        }
    }

    #[test]
    fn workers_are_a_target_where_there_are_any() {
        let steps =
            ["kill: workers", "start: workers", "partition: { on: master1, from: workers }", "restore: master1"];
        let plan = plan_on("stacked-3-workers", &steps).unwrap();
        let titles: Vec<_> = plan.steps.iter().map(|step| step.title.as_str()).collect();
        let both = "worker1, worker2";
        let expected = [
            format!("kill {both}"),
            format!("start {both}"),
            format!("partition master1 from {both}"),
            "restore master1".into(),
        ];
        assert_eq!(titles, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line_and_a_remedy() {
        let cases: [(&[&str], usize, &str); 13] = [
            (
                &["expect: { not: { lease: kube-scheduler, is: moved }, within: 60s }"],
                4,
                "nothing befell the cluster before this step that the lease of kube-scheduler could move for",
            ),
            (&["kill: master2", "kill: master2"], 5, "master2 is off here, since line 4"),
            (&["kill: master2", "stop: masters"], 5, "master2 is off here, since line 4"),
            (&["stop: master2", "pause: master2"], 5, "master2 is off here, since line 4"),
            (&["pause: master2", "kill: master2"], 5, "master2 is paused here, since line 4"),
            (&["start: master2"], 4, "master2 is not off here"),
            (&["pause: master2", "start: master2"], 5, "master2 is not off here"),
            (&["kill: master2", "start: master2", "start: master2"], 6, "master2 is not off here"),
            (&["resume: master2"], 4, "master2 is not paused here"),
            (&["start-service: { service: kubelet, on: master1 }"], 4, "kubelet of master1 is not stopped here"),
            (
                &["stop-service: { service: etcd, on: master1 }", "kill-service: { service: etcd, on: masters }"],
                5,
                "etcd of master1 is stopped here, since line 4",
            ),
            (
                &["kill: master1", "stop-service: { service: etcd, on: master1 }"],
                5,
                "master1 is off here, since line 4",
            ),
            (
                &["stop-service: { service: etcd, on: master1 }", "start-service: { service: kubelet, on: master1 }"],
                5,
                "kubelet of master1 is not stopped here",
            ),
        ];
        for (steps, line, problem) in cases {
            let refusals = plan(steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
            assert!(!refusals[0].remedy.is_empty());
        }
    }

    #[test]
    fn what_is_chosen_at_run_time_is_followed_by_what_chose_it() {
        let good: [&[&str]; 3] = [
            &["kill: etcd-leader", "expect: { node: chosen, is: not-ready, within: 90s }", "start: chosen"],
            &["stop-service: { service: etcd, on: minority }", "start-service: { service: etcd, on: chosen }"],
            &["pause: one-master", "hold: { not: { nodes: ready }, for: 10s }", "resume: chosen"],
        ];
        for steps in good {
            plan(steps).unwrap();
        }
        let bad: [(&[&str], usize, &str); 6] = [
            (&["start: chosen"], 4, "nothing was chosen before this step"),
            (&["expect: { node: chosen, is: ready, within: 1m }"], 4, "nothing was chosen before this step"),
            (&["kill: one-master", "start: one-master"], 5, "`start` cannot choose anew what it heals"),
            (&["kill: one-master", "kill: chosen"], 5, "one-master of line 4 is off here, since line 4"),
            (
                &["kill: one-master", "kill: one-master", "start: chosen", "start: chosen"],
                7,
                "one-master of line 5 is not",
            ),
            (&["pause: etcd-leader", "start: chosen"], 5, "etcd-leader of line 4 is not off here"),
        ];
        for (steps, line, problem) in bad {
            let refusals = plan(steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
        }
    }

    #[test]
    fn choices_that_have_names_are_healed_one_by_one() {
        let two = ["kill: one-master as first", "kill: one-master as second"];
        let steps =
            [two[0], two[1], "expect: { node: first, is: not-ready, within: 90s }", "start: first", "start: chosen"];
        let titles: Vec<_> = plan(&steps).unwrap().steps.into_iter().map(|step| step.title).collect();
        assert_eq!(titles[0], "kill one-master as first");
        assert_eq!(titles[2..], ["expect first NotReady within 1m30s", "start first", "start what was chosen"]);
        let bad: [(&[&str], usize, &str, &str); 5] = [
            (&["start: first", two[0]], 4, "nothing is called `first` before this step", "move the step"),
            (&[two[0], "start: first", "start: first"], 6, "one-master of line 4 is not off here", "take the step out"),
            (
                &[two[0], two[1], "start: second", "kill: first"],
                7,
                "one-master of line 4 is off",
                "write `- start: first`",
            ),
            (
                &["isolate: one-master", "kill: chosen"],
                5,
                "`kill` of one-master of line 4",
                "write `- restore: chosen`",
            ),
            (
                &["isolate: one-master as first", "kill: one-master", "kill: first"],
                6,
                "`kill` of one",
                "write `- restore: first`",
            ),
        ];
        for (steps, line, problem, remedy) in bad {
            let refusals = plan(steps).unwrap_err();
            assert_eq!((refusals.len(), refusals[0].place.line()), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem) && refusals[0].remedy.starts_with(remedy), "{refusals:?}");
        }
    }

    #[test]
    fn all_that_makes_no_sense_is_said_at_once() {
        let refusals = plan(&["start: master1", "kill: master2", "start: master3"]).unwrap_err();
        assert_eq!(refusals.iter().map(|refusal| refusal.place.line()).collect::<Vec<_>>(), [4, 6]);
    }

    #[test]
    fn a_machine_is_missed_only_where_it_has_a_part_in_what_is_expected() {
        let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/workloads/web.yaml");
        let plan = plan_on(
            &format!("{{ extends: external-etcd, workload: {web} }}"),
            &[
                "kill: etcd2",
                "expect: { nodes: ready, within: 60s }",
                "expect: { etcd: healthy, within: 60s }",
                "start: etcd2",
                "kill: master2",
                "expect: { etcd: healthy, within: 60s }",
                "expect: { deployment: web, pods: 2, on: master1, within: 60s }",
                "expect: { deployment: web, pods: 2, within: 60s }",
                "start: master2",
                "kill: minority",
                "expect: { nodes: ready, within: 60s }",
                "expect: { etcd: healthy, within: 60s }",
            ],
        );
        let expected = [
            "line 6 expects health while etcd2 is down since line 4",
            "line 11 expects health while master2 is down since line 8",
            "line 15 expects health while minority of line 13 is down since line 13",
        ];
        assert_eq!(plan.unwrap().notes, expected);
    }

    #[test]
    fn health_that_is_expected_of_a_machine_that_is_off_is_noted_and_planned() {
        let plan = plan(&[
            "kill: master2",
            "expect: { nodes: ready, within: 60s }",
            "expect: { node: master2, is: not-ready, within: 60s }",
            "start: master2",
            "expect: { etcd: healthy, within: 60s }",
        ]);
        let expected = "line 5 expects health while master2 is down since line 4";
        assert_eq!(plan.unwrap().notes, [expected]);
    }
}
