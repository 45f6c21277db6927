//! What a run would do, for a person and for programs.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Plan;
use crate::scenario::{Scenario, format_duration, format_size};

/// A scenario and its plan, as `quorate plan` tells them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Outline {
    /// The scenario's name.
    pub scenario: String,
    /// The topology's name.
    pub topology: String,
    /// The private network of all machines.
    pub network: String,
    /// The version of Kubernetes that is asked for. Without one it is whatever the first source has.
    pub kubernetes: Option<String>,
    /// What connects the pods.
    pub network_plugin: String,
    /// All machines, in the order of the topology.
    pub machines: Vec<MachineOutline>,
    /// The memory that all machines are given together, in bytes.
    pub memory: u64,
    /// The load balancer's settings.
    pub load_balancer: String,
    /// What runs on the cluster.
    pub workload: String,
    /// What must hold all along, from the first expectation that holds.
    pub always: Vec<LineOutline>,
    /// The steps, in order.
    pub steps: Vec<StepOutline>,
    /// What a person should know beforehand and that stops nothing.
    pub notes: Vec<String>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct MachineOutline {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Its address on the private network.
    pub ip: String,
    /// How many processors it is given.
    pub cpus: u32,
    /// How much memory it is given, in bytes.
    pub memory: u64,
}

/// Something that a line of the scenario says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct LineOutline {
    /// As a person would say it.
    pub title: String,
    /// The line of the scenario's file.
    pub line: u32,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StepOutline {
    /// As a person would say it.
    pub title: String,
    /// The line of the scenario's file.
    pub line: u32,
    /// How long it may take, in seconds.
    pub deadline: f64,
}

impl Outline {
    /// The outline of a scenario that was planned.
    pub fn of(scenario: &Scenario, plan: &Plan) -> Self {
        let topology = &scenario.topology;
        let machines = topology.machines.values().map(|machine| MachineOutline {
            name: machine.name.to_string(),
            role: format!("{:?}", machine.role).to_lowercase(),
            ip: machine.ip.to_string(),
            cpus: machine.cpus,
            memory: machine.memory,
        });
        let always =
            scenario.always.iter().map(|always| LineOutline { title: always.invariant.to_string(), line: always.line });
        let steps = plan.steps.iter().map(|step| StepOutline {
            title: step.title.clone(),
            line: step.line,
            deadline: step.deadline.as_secs_f64(),
        });
        Self {
            scenario: scenario.name.to_string(),
            topology: topology.name.to_string(),
            network: topology.network.to_string(),
            kubernetes: topology.kubernetes.version.clone(),
            network_plugin: topology.kubernetes.network_plugin.to_string(),
            machines: machines.collect(),
            memory: topology.memory(),
            load_balancer: topology.load_balancer.to_string(),
            workload: topology.workload.to_string(),
            always: always.collect(),
            steps: steps.collect(),
            notes: plan.notes.clone(),
        }
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.kubernetes.as_deref().unwrap_or("whatever the first source has");
        let (scenario, topology, network, plugin) =
            (&self.scenario, &self.topology, &self.network, &self.network_plugin);
        writeln!(f, "{scenario}\n\nmachines ({topology}, on {network}; Kubernetes: {version}; pods by: {plugin})")?;
        for MachineOutline { name, role, ip, cpus, memory } in &self.machines {
            writeln!(f, "  {name:<12} {role:<9} {ip:<15} {cpus} cpus, {}", format_size(*memory))?;
        }
        writeln!(f, "load balancer: {}", self.load_balancer)?;
        writeln!(f, "workload: {}", self.workload)?;
        if !self.always.is_empty() {
            writeln!(f, "\nalways, from the first expectation that holds")?;
        }
        for LineOutline { title, line } in &self.always {
            writeln!(f, "  {title} (line {line})")?;
        }
        writeln!(f, "\nsteps")?;
        for (number, StepOutline { title, line, deadline }) in (1..).zip(&self.steps) {
            let deadline = format_duration(Duration::from_secs_f64(*deadline));
            writeln!(f, "  {number:>2}. {title} (line {line}, at most {deadline})")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "\nnote: {note}"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{LoadOptions, load};

    #[test]
    fn what_is_told_of_a_scenario_that_ships_stays_as_it_is() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/five-masters.yaml");
        let scenario = load(&file, &LoadOptions::default()).unwrap().scenario;
        let outline = Outline::of(&scenario, &Plan::of(&scenario).unwrap());
        insta::assert_snapshot!("outline", outline.to_string());
        let json = serde_json::to_value(&outline).unwrap();
        let given: Vec<u64> =
            json["machines"].as_array().unwrap().iter().map(|it| it["memory"].as_u64().unwrap()).collect();
        assert_eq!(json["memory"].as_u64(), Some(given.iter().sum()));
    }
}
