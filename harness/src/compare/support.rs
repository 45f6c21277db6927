//! Samples made up for tests.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Sample;
use super::figure::{Allow, Figure, Worse};
use crate::comparison::Unit;

/// Runs whose bring-up took so long, with ids that begin with `series`.
pub(super) fn samples(bring_ups: &[f64], series: usize) -> Vec<Sample> {
    let rows: Vec<Vec<f64>> = bring_ups.iter().map(|value| vec![*value]).collect();
    of_rows(&["bring-up"], &rows, series)
}

/// Runs with these figures, one row a run.
pub(super) fn of_rows(ids: &[&str], rows: &[Vec<f64>], series: usize) -> Vec<Sample> {
    let figure = |id: &&str, value: &f64| Figure {
        id: (*id).to_owned(),
        unit: Unit::Seconds,
        value: *value,
        worse: Worse::Higher,
        allow: Allow { percent: 25.0, at_least: 1.0 },
    };
    rows.iter()
        .enumerate()
        .map(|(run, row)| Sample {
            run: format!("{series}-{run}"),
            scenario: "kill".to_owned(),
            settings: BTreeMap::from([("load-balancer.fall".to_owned(), "3".to_owned())]),
            figures: ids.iter().zip(row).map(|(id, value)| figure(id, value)).collect(),
        })
        .collect()
}

/// Noise as of real runs: skewed, with now and then a run on a busy host in which all takes longer.
pub(super) struct Noise(StdRng);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Runs of `figures` figures around 10, the first of them times `factor`.
    pub(super) fn rows(&mut self, runs: usize, figures: usize, factor: f64) -> Vec<Vec<f64>> {
        (0..runs).map(|_| self.row(figures, factor)).collect()
    }

    fn row(&mut self, figures: usize, factor: f64) -> Vec<f64> {
        let busy = if self.0.random_bool(0.1) { 1.3 } else { 1.0 };
        let mut row: Vec<f64> = (0..figures)
            .map(|_| {
                // A sum of three is bell-shaped enough; its square leans to the right, as times do.
                let bell: f64 = (0..3).map(|_| self.0.random_range(-1.0..1.0)).sum();
                10.0 * busy * (1.0 + 0.03 * bell).powi(2)
            })
            .collect();
        row[0] *= factor;
        row
    }
}
