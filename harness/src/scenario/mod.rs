//! The language of scenario and topology files: what a person wrote, fully checked, with the position of everything.
//!
//! This module knows nothing of providers, machines or clusters; [`crate::plan`] holds a scenario against a provider.

mod model;

pub use model::*;
