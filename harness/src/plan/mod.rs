//! What a run will do, in order, before any of it is done.
//!
//! A plan exists only of a scenario that makes sense step by step: a machine that is off is not switched off again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::scenario::{
    Action, Check, Fault, Invariant, MachineName, NodeState, Placement, Scenario, Service, Step, Verb, format_duration,
};

/// How long a fault may take to be injected or healed.
const FAULT: Duration = Duration::from_secs(180);

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
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}: {problem}\n  mend it: {remedy}")]
pub struct Refusal {
    /// The scenario's file.
    pub path: String,
    /// The line of the step.
    pub line: u32,
    /// What makes no sense.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Plan {
    /// Plans a scenario, or says all that makes no sense in it.
    pub fn of(scenario: &Scenario) -> Result<Self, Vec<Refusal>> {
        let mut walk = Walk::default();
        let mut refusals = Vec::new();
        for step in &scenario.steps {
            if let Err((problem, remedy)) = walk.step(step) {
                refusals.push(Refusal { path: scenario.path.display().to_string(), line: step.line, problem, remedy });
            }
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let steps = scenario.steps.iter().map(|step| Planned {
            title: step.to_string(),
            line: step.line,
            deadline: step.deadline(),
        });
        Ok(Self { steps: steps.collect(), notes: walk.notes })
    }
}

/// What is broken while the steps are walked through: for each machine and thing of it, the line of the fault.
#[derive(Debug, Default)]
struct Walk {
    off: BTreeMap<MachineName, u32>,
    paused: BTreeMap<MachineName, u32>,
    stopped: BTreeMap<(MachineName, Service), u32>,
    notes: Vec<String>,
}

impl Walk {
    fn step(&mut self, step: &Step) -> Result<(), (String, String)> {
        match &step.action {
            Action::Hold(_) => Ok(()),
            Action::Expect { check, .. } => {
                self.doubt(check, step.line);
                Ok(())
            }
            Action::Fault(fault) => fault.on.iter().try_for_each(|machine| self.fault(fault.verb, machine, step.line)),
        }
    }

    fn fault(&mut self, verb: Verb, machine: &MachineName, line: u32) -> Result<(), (String, String)> {
        match verb {
            Verb::Start => self.off.remove(machine).map(drop).ok_or_else(|| undone(machine, "off", "kill or stop")),
            Verb::Resume => self.paused.remove(machine).map(drop).ok_or_else(|| undone(machine, "paused", "pause")),
            _ => self.running(machine).map(|()| match verb {
                Verb::Kill | Verb::Stop => drop(self.off.insert(machine.clone(), line)),
                Verb::Pause => drop(self.paused.insert(machine.clone(), line)),
                _ => {}
            }),
        }?;
        match verb {
            Verb::StopService(service) => {
                self.serving(machine, service)?;
                self.stopped.insert((machine.clone(), service), line);
                Ok(())
            }
            Verb::StartService(service) => match self.stopped.remove(&(machine.clone(), service)) {
                Some(_) => Ok(()),
                None => {
                    let problem = format!("{} of {machine} is not stopped here", service.as_str());
                    Err((problem, "take the step out, or stop the service before".into()))
                }
            },
            Verb::KillService(service) | Verb::RestartService(service) => self.serving(machine, service),
            _ => Ok(()),
        }
    }

    fn running(&self, machine: &MachineName) -> Result<(), (String, String)> {
        if let Some(since) = self.off.get(machine) {
            let problem = format!("{machine} is off here, since line {since}");
            return Err((problem, format!("write `- start: {machine}` before")));
        }
        match self.paused.get(machine) {
            Some(since) => {
                let problem = format!("{machine} is paused here, since line {since}");
                Err((problem, format!("write `- resume: {machine}` before")))
            }
            None => Ok(()),
        }
    }

    fn serving(&self, machine: &MachineName, service: Service) -> Result<(), (String, String)> {
        self.stopped.get(&(machine.clone(), service)).map_or(Ok(()), |since| {
            let problem = format!("{} of {machine} is stopped here, since line {since}", service.as_str());
            Err((problem, "start it in between".into()))
        })
    }

    /// Notes an expectation of health while something is broken. It may be meant: then it shows that the check bites.
    fn doubt(&mut self, check: &Check, line: u32) {
        let everything = matches!(check, Check::NodesReady | Check::DaemonSet { .. } | Check::EtcdHealthy { .. });
        if !everything {
            return;
        }
        for (machine, since) in self.off.iter().chain(&self.paused) {
            self.notes.push(format!("line {line} expects health while {machine} is down since line {since}"));
        }
        let needed: &[Service] = match check {
            Check::EtcdHealthy { .. } => &[Service::Etcd],
            _ => &[Service::Kubelet, Service::Containerd],
        };
        for ((machine, service), since) in self.stopped.iter().filter(|((_, service), _)| needed.contains(service)) {
            let name = service.as_str();
            self.notes
                .push(format!("line {line} expects health while {name} of {machine} is stopped since line {since}"));
        }
    }
}

fn undone(machine: &MachineName, state: &str, before: &str) -> (String, String) {
    (format!("{machine} is not {state} here"), format!("take the step out, or {before} the machine before"))
}

impl Step {
    /// How long the step may take.
    fn deadline(&self) -> Duration {
        match &self.action {
            Action::Expect { within, .. } => *within,
            Action::Hold(time) => *time,
            Action::Fault(_) => FAULT,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Expect { check, within } => write!(f, "expect {check} within {}", format_duration(*within)),
            Action::Hold(time) => write!(f, "hold for {}", format_duration(*time)),
            Action::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machines = self.on.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ");
        match self.verb.service() {
            Some(service) => write!(f, "{} {} on {machines}", self.verb.as_str(), service.as_str()),
            None => write!(f, "{} {machines}", self.verb.as_str()),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodesReady => write!(f, "all nodes Ready"),
            Self::Node { node, is: NodeState::Ready } => write!(f, "{node} Ready"),
            Self::Node { node, is: NodeState::NotReady } => write!(f, "{node} NotReady"),
            Self::DaemonSet { name, pods: Placement::OnePerMaster } => write!(f, "one pod of {name} on every master"),
            Self::DaemonSet { name, pods: Placement::OnePerNode } => write!(f, "one pod of {name} on every node"),
            Self::EtcdHealthy { members } => write!(f, "etcd healthy with {members} members"),
            Self::ApiReachable => write!(f, "the API reachable through the balancer"),
            Self::ApiUnreachable => write!(f, "the API unreachable through the balancer"),
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiOutageBelow(bound) => {
                write!(f, "outages of the API through the balancer stay below {}", format_duration(*bound))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{LoadOptions, load};

    /// Plans steps, which stand from line 4 on.
    fn plan(steps: &[&str]) -> Result<Plan, Vec<Refusal>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("scenario.yaml");
        let steps = steps.iter().map(|step| format!("  - {step}\n")).collect::<String>();
        std::fs::write(&file, format!("name: planned\ntopology: stacked-3\nsteps:\n{steps}")).unwrap();
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
    fn what_makes_no_sense_is_refused_with_its_line_and_a_remedy() {
        let cases: [(&[&str], u32, &str); 12] = [
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
            assert_eq!((refusals.len(), refusals[0].line), (1, line), "{refusals:?}");
            assert!(refusals[0].problem.starts_with(problem), "{refusals:?}");
            assert!(!refusals[0].remedy.is_empty());
        }
    }

    #[test]
    fn all_that_makes_no_sense_is_said_at_once() {
        let refusals = plan(&["start: master1", "kill: master2", "start: master3"]).unwrap_err();
        assert_eq!(refusals.iter().map(|refusal| refusal.line).collect::<Vec<_>>(), [4, 6]);
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
