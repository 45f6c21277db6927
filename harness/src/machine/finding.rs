//! What was found out about a host: one part at a time, with what to do where something is in the way.
//!
//! A run refuses to begin on what hinders, and `quorate doctor` tells all: both read the same findings.

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::Serialize;

use super::provider::ProviderError;
use crate::scenario::Topology;

/// How it is with a part of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is there and will do.
    Here,
    /// It will do, but not for everything or not well.
    Limited,
    /// It is not there.
    Missing,
    /// It is too old.
    TooOld,
    /// It is there, and does not go together with something else that is there.
    Conflict,
    /// It is there, and cannot be used as it is.
    Unusable,
}

impl Standing {
    /// Whether no machine can be made as long as it is so.
    pub fn hinders(self) -> bool {
        !matches!(self, Self::Here | Self::Limited)
    }
}

/// What was found out about a part of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// The part: a tool, a module, memory.
    pub part: String,
    /// How it is with it.
    pub standing: Standing,
    /// What was found, as a sentence without its capital.
    pub found: String,
    /// What to do about it. Always there for what hinders.
    pub mend: Option<String>,
}

impl Finding {
    /// Something that will do.
    pub(super) fn here(part: &str, found: impl Into<String>) -> Self {
        Self { part: part.to_owned(), standing: Standing::Here, found: found.into(), mend: None }
    }

    /// Something that could be better.
    pub(super) fn new(part: &str, standing: Standing, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { part: part.to_owned(), standing, found: found.into(), mend: Some(mend.into()) }
    }

    /// That killed runs have left something.
    pub(crate) fn earlier_runs(runs: &[&str]) -> Self {
        let found = format!("killed runs have left machines or networks: {}", runs.join(", "));
        Self::new("earlier runs", Standing::Limited, found, "`quorate ls` shows what, `quorate clean` removes it")
    }

    /// Whether no machine can be made as long as it is so.
    pub fn hinders(&self) -> bool {
        self.standing.hinders()
    }
}

impl From<Finding> for ProviderError {
    fn from(finding: Finding) -> Self {
        let remedy = finding.mend.unwrap_or_else(|| "`quorate doctor` says more".into());
        Self::Host { problem: finding.found, remedy }
    }
}

/// What machines that are to be made need of a host.
#[derive(Debug, Clone)]
pub struct Needs {
    /// The topology's name.
    pub topology: String,
    /// The private network of the machines.
    pub network: Ipv4Net,
    /// The memory of all machines together, in bytes.
    pub memory: u64,
    /// How many machines there are.
    pub machines: usize,
}

impl Needs {
    /// What the machines of a topology need.
    pub fn of(topology: &Topology) -> Self {
        Self {
            topology: topology.name.clone(),
            network: topology.network,
            memory: topology.memory(),
            machines: topology.machines.len(),
        }
    }
}

/// What is in the way among findings, as one error.
pub(super) fn hindrance(findings: Vec<Finding>) -> Result<(), ProviderError> {
    let mut hindrances = findings.into_iter().filter(Finding::hinders);
    let Some(first) = hindrances.next() else { return Ok(()) };
    let others: Vec<Finding> = hindrances.collect();
    if others.is_empty() {
        return Err(first.into());
    }
    Err(ProviderError::Several(std::iter::once(first).chain(others).map(ProviderError::from).collect()))
}
