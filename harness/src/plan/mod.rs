//! What a run will do, in order, before any of it is done.
//!
//! A plan exists only of a scenario that makes sense step by step: a machine that is off is not switched off again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::scenario::{
    Action, Check, Fault, Invariant, MachineName, NodeState, Placement, Scenario, Step, format_duration,
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
    stopped: BTreeMap<(MachineName, &'static str), u32>,
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
            Action::Fault(fault) => {
                fault.machines().iter().try_for_each(|machine| self.fault(fault, machine, step.line))
            }
        }
    }

    fn fault(&mut self, fault: &Fault, machine: &MachineName, line: u32) -> Result<(), (String, String)> {
        let off = self.off.get(machine).copied();
        match (fault, off) {
            (Fault::Kill(_), Some(since)) => Err((
                format!("{machine} is off already: it was killed at line {since}"),
                format!("write `- start: {machine}` in between"),
            )),
            (Fault::Kill(_), None) => {
                self.off.insert(machine.clone(), line);
                Ok(())
            }
            (Fault::Start(_), None) => Err((
                format!("{machine} is not off here, so it cannot be started"),
                "take the step out, or kill the machine before".into(),
            )),
            (Fault::Start(_), Some(_)) => {
                self.off.remove(machine);
                Ok(())
            }
            (Fault::StopService(_) | Fault::StartService(_), Some(since)) => Err((
                format!("{machine} is off here: it was killed at line {since}"),
                format!("write `- start: {machine}` before"),
            )),
            (Fault::StopService(service), None) => {
                let name = service.service.as_str();
                match self.stopped.insert((machine.clone(), name), line) {
                    Some(since) => Err((
                        format!("{name} of {machine} is stopped already, at line {since}"),
                        "start it in between".into(),
                    )),
                    None => Ok(()),
                }
            }
            (Fault::StartService(service), None) => {
                let name = service.service.as_str();
                match self.stopped.remove(&(machine.clone(), name)) {
                    None => Err((
                        format!("{name} of {machine} is not stopped here"),
                        "take the step out, or stop the service before".into(),
                    )),
                    Some(_) => Ok(()),
                }
            }
        }
    }

    /// Notes an expectation of health while something is broken. It may be meant: then it shows that the check bites.
    fn doubt(&mut self, check: &Check, line: u32) {
        let everything = matches!(check, Check::NodesReady | Check::DaemonSet { .. } | Check::EtcdHealthy { .. });
        if !everything {
            return;
        }
        for (machine, since) in &self.off {
            self.notes.push(format!(
                "line {line} expects health while {machine}, killed at line {since}, is not started again"
            ));
        }
    }
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
        let machines = self.machines().iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Kill(_) => write!(f, "kill {machines}"),
            Self::Start(_) => write!(f, "start {machines}"),
            Self::StopService(fault) => write!(f, "stop {} on {machines}", fault.service.as_str()),
            Self::StartService(fault) => write!(f, "start {} on {machines}", fault.service.as_str()),
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
