//! What a valid scenario says. Values of these types come from the parser of this module only, so whoever holds one need not check again.

mod check;
mod fault;
mod topology;

use std::path::PathBuf;
use std::time::Duration;

use super::Place;

pub use check::*;
pub use fault::*;
pub use topology::*;

/// A checked scenario with the topology that it runs on.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows, and what its failure means.
    pub description: String,
    /// The file that it was read from.
    pub path: PathBuf,
    /// The whole text of that file.
    pub text: String,
    /// The cluster that it runs on.
    pub topology: Topology,
    /// What must hold from the first expectation that came true until the end.
    pub always: Vec<Always>,
    /// What is done and expected, in order. Never empty.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// What must hold all along, without its places in the file.
    pub fn invariants(&self) -> Vec<Invariant> {
        self.always.iter().map(|always| always.invariant.clone()).collect()
    }

    /// Whether a step fills the file system of etcd's data, which must not be one that others need.
    pub fn fills_disk(&self) -> bool {
        let fills = |step: &Step| matches!(&step.action, Action::Fault(Fault { verb: Verb::FillDisk { .. }, .. }));
        self.steps.iter().any(fills)
    }
}

/// One step of a scenario.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is done or expected.
    pub action: Action,
    /// Where it stands.
    pub place: Place,
}

impl Step {
    /// The line of the scenario's file where it stands, from 1.
    pub fn line(&self) -> u32 {
        u32::try_from(self.place.line()).unwrap_or(u32::MAX)
    }
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Waits for something to become true.
    Expect {
        /// What.
        check: Check,
        /// How long it may take.
        within: Duration,
    },
    /// Lets time pass while the invariants are watched.
    Hold {
        /// What stays true meanwhile.
        check: Option<Check>,
        /// For how long.
        time: Duration,
    },
    /// Befalls machines, or undoes what befell them.
    Fault(Fault),
}
