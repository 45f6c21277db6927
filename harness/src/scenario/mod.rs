//! The language of scenario and topology files: what a person wrote, fully checked, with the position of everything.
//!
//! Text becomes a tree with places (`yaml`); the tree is decoded by one file for each idea, driven by tables of keys
//! (`table`) of which the JSON Schema is made as well; problems are collected, never stopped at (`problem`).
//!
//! This module knows nothing of providers, machines or clusters; [`crate::plan`] holds a scenario against a provider.

mod check;
mod duration;
mod fault;
mod file;
mod invariant;
mod kubernetes;
mod library;
mod load_balancer;
mod machine;
mod model;
mod name;
mod network;
mod network_plugin;
mod problem;
mod rate;
mod schema;
mod shape;
mod share;
mod size;
mod source;
mod step;
mod table;
mod target;
mod topology;
mod workload;
mod yaml;

pub use duration::format_duration;
pub use file::{LoadOptions, Loaded, LoadedTopology, load, load_topology, topology_of, validate};
pub(crate) use kubernetes::NEWEST;
pub use model::*;
pub(crate) use network_plugin::CALICO_SINCE;
pub use network_plugin::NotAPlugin;
pub use problem::{Diagnostics, Problem, Rendering};
pub use rate::format_rate;
pub use schema::{FileKind, schema, schema_text};
pub use size::{format_size, parse_size};
pub use source::Place;
