//! A run from beginning to end: prepare, bring up, carry out, gather, remove. Whatever happens, it gets to its end.
//!
//! A [`Session`] is what a run is to others; its `body` finds out which machines it goes on, and may fail anywhere; `cluster` is
//! what happens on these machines.

mod body;
mod choice;
mod cluster;
mod demand;
mod engine;
mod evidence;
mod failure;
mod gate;
mod handover;
mod monitor;
pub mod retention;
mod salvage;
mod session;
mod settings;
pub mod store;
pub mod sysctl;
mod watchdog;

use crate::artifact::Sources;

pub use handover::{Cluster, alike};
pub use session::Session;

/// What a person may choose about a run beyond its scenario.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The provider; the first usable one if not said.
    pub provider: Option<String>,
    /// The Vagrant box of virtual machines.
    pub vm_box: String,
    /// Where the parts of a cluster may come from.
    pub sources: Sources,
    /// Whether the machines stay when the run is over.
    pub keep: bool,
    /// Whether the cluster is left to another run, if it is well.
    pub leave: bool,
    /// What chance follows; a new one if not said.
    pub seed: Option<u64>,
}
