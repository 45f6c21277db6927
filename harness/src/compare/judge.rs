//! Compares two sets of runs, figure by figure, and says what is a regression.

use indexmap::IndexMap;

use super::baseline::{self, Baseline, Entry};
use super::figure::Worse;
use super::permutation::{Column, attainable, p_values};
use super::settings::differences;
use super::shift::{shift, spread};
use crate::comparison::{Comparison, Finding, Judgement, Side};

/// The highest probability that a comparison in which nothing changed calls anything a change.
pub const ALPHA: f64 = 0.02;
/// No comparison asks for more runs than this.
const MANY: usize = 1000;

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They are of different scenarios.
    #[error("runs of scenario {after} cannot be held against those of scenario {before}")]
    Scenarios {
        /// That of the earlier ones.
        before: String,
        /// That of the later ones.
        after: String,
    },
    /// The earlier or the later ones are no set.
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
}

/// Holds `after` against `before`, which came from `file`.
pub fn compare(before: &Baseline, file: Option<String>, after: &Baseline) -> Result<Comparison, Error> {
    if before.scenario != after.scenario {
        let (before, after) = (before.scenario.clone(), after.scenario.clone());
        return Err(Error::Scenarios { before, after });
    }
    let pairs = pairs(before, after);
    let columns: Vec<Column> = pairs.values().map(|pair| pair.column(before.runs.len(), after.runs.len())).collect();
    let p_values = p_values(&columns, before.runs.len() + after.runs.len(), after.runs.len());
    let findings = pairs.iter().zip(p_values).map(|((id, pair), p)| pair.finding(id, p)).collect();
    Ok(Comparison {
        scenario: before.scenario.clone(),
        before: Side { file, runs: before.runs.clone() },
        after: Side { file: None, runs: after.runs.clone() },
        differences: differences(&before.made_of, &after.made_of),
        alpha: ALPHA,
        needed: needed(before.runs.len()).filter(|needed| after.runs.len() < *needed),
        findings,
    })
}

/// How many runs can be told from so many earlier ones at all.
fn needed(before: usize) -> Option<usize> {
    (1..MANY).find(|after| attainable(before, *after) <= ALPHA)
}

/// A figure on both sides.
#[derive(Debug, Clone, Copy)]
struct Pair<'a> {
    /// The one that says how it is judged: the earlier, where there is one.
    bounds: &'a Entry,
    before: Option<&'a Entry>,
    after: Option<&'a Entry>,
}

fn pairs<'a>(before: &'a Baseline, after: &'a Baseline) -> IndexMap<&'a str, Pair<'a>> {
    let mut pairs: IndexMap<&str, Pair<'_>> = IndexMap::new();
    for (id, entry) in &before.figures {
        pairs.insert(id, Pair { bounds: entry, before: Some(entry), after: None });
    }
    for (id, entry) in &after.figures {
        pairs.entry(id).or_insert(Pair { bounds: entry, before: None, after: None }).after = Some(entry);
    }
    pairs
}

impl Pair<'_> {
    fn column(&self, before: usize, after: usize) -> Column {
        let side =
            |entry: Option<&Entry>, runs| entry.map_or_else(|| vec![None; runs], |entry| entry.samples.0.clone());
        let mut values = side(self.before, before);
        values.extend(side(self.after, after));
        Column { values, allow: self.bounds.allow }
    }

    fn finding(&self, id: &str, p: f64) -> Finding {
        let values = |entry: Option<&Entry>| -> Vec<f64> {
            entry.map_or_else(Vec::new, |entry| entry.samples.0.iter().flatten().copied().collect())
        };
        let (before, after) = (values(self.before), values(self.after));
        let shift = shift(&before, &after);
        let before = spread(&before);
        let Entry { unit, worse, allow, .. } = self.bounds;
        let allowed = allow.of(before.map_or(0.0, |before| before.median));
        Finding {
            figure: id.to_owned(),
            unit: *unit,
            before,
            after: spread(&after),
            shift,
            allowed,
            p: shift.map(|_| p),
            judgement: shift.map_or(Judgement::Absent, |shift| judge(*worse, shift.estimate, allowed, p <= ALPHA)),
        }
    }
}

fn judge(worse: Worse, change: f64, allowed: f64, real: bool) -> Judgement {
    let worse = match worse {
        Worse::Higher => change,
        Worse::Lower => -change,
        Worse::Either => change.abs(),
    };
    match (real, worse > allowed) {
        (true, true) => Judgement::Regressed,
        (true, false) if worse > 0.0 => Judgement::Tolerated,
        (true, false) if worse < 0.0 => Judgement::Improved,
        (false, true) => Judgement::Unclear,
        (_, false) => Judgement::Same,
    }
}

#[cfg(test)]
mod tests;
