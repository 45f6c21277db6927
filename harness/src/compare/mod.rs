//! Holds runs against earlier runs of the same scenario, and tells a real change from noise.
//!
//! A run's [`figure`]s are its numbers, each with a unit and the direction in which it is worse. A [`baseline`] keeps
//! those of several runs. [`judge`] compares two sets of runs; `docs/baselines.md` states the method and its error rates.

pub mod baseline;
pub mod figure;
pub mod judge;
mod permutation;
pub mod series;
pub mod settings;
mod shift;
pub mod text;

#[cfg(test)]
mod support;

use crate::report::Summary;
use figure::Figure;

/// What a comparison knows of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The run's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the run was made of.
    pub settings: settings::Settings,
    /// Its numbers.
    pub figures: Vec<Figure>,
}

impl Sample {
    /// The sample that a run is.
    pub fn of(summary: &Summary) -> Self {
        Self {
            run: summary.run.id.clone(),
            scenario: summary.run.scenario.clone(),
            settings: settings::of(summary),
            figures: figure::of(summary),
        }
    }
}
