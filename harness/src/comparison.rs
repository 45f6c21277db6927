//! What a comparison of runs found, as data.
//!
//! [`crate::compare`] makes it; it is printed, and recorded in the log of the runs that were judged by it, so that every
//! later report shows what was found and against what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The runs of a scenario held against earlier ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// What is held against.
    pub before: Side,
    /// What is judged.
    pub after: Side,
    /// What differs in what the runs were made of, sorted by setting.
    pub differences: Vec<Difference>,
    /// The highest probability of a false alarm, over all figures together.
    pub alpha: f64,
    /// How many runs `after` would need for any verdict, if it has too few.
    pub needed: Option<usize>,
    /// What was found of each figure.
    pub findings: Vec<Finding>,
}

/// One of two sides of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Side {
    /// Where it came from: a baseline's file, or nothing for runs.
    pub file: Option<String>,
    /// The ids of its runs.
    pub runs: Vec<String>,
}

/// A setting that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Its name.
    pub setting: String,
    /// What it was, if it was known.
    pub before: Option<String>,
    /// What it is, if it is known.
    pub after: Option<String>,
}

/// What was found of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The figure's id.
    pub figure: String,
    /// The unit of all that is said about it, but for `p`.
    pub unit: Unit,
    /// Its values before.
    pub before: Option<Spread>,
    /// Its values now.
    pub after: Option<Spread>,
    /// By how much it changed.
    pub shift: Option<Shift>,
    /// By how much it may get worse.
    pub allowed: f64,
    /// How probable it is that any of the figures differs so much by chance.
    pub p: Option<f64>,
    /// What to make of it.
    pub judgement: Judgement,
}

/// Where values lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// The lowest.
    pub min: f64,
    /// Half of them are at most this.
    pub median: f64,
    /// The highest.
    pub max: f64,
}

/// By how much values changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Shift {
    /// The best estimate, by Hodges and Lehmann.
    pub estimate: f64,
    /// The lower and the upper end of its 95 % confidence interval, if there are enough runs for one.
    pub interval: Option<(f64, f64)>,
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Per cent; changes are percentage points.
    #[serde(rename = "%")]
    Percent,
    /// A number of things.
    #[serde(rename = "times")]
    Times,
}

/// What to make of a figure's change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It is worse by more than is allowed, and not by chance.
    Regressed,
    /// It is worse, not by chance, but by no more than is allowed.
    Tolerated,
    /// It is better, and not by chance.
    Improved,
    /// It looks worse by more than is allowed, but that may be chance.
    Unclear,
    /// No change can be told from chance.
    Same,
    /// One side has no values of it.
    Absent,
}

impl Comparison {
    /// Whether any figure regressed.
    pub fn regressed(&self) -> bool {
        self.findings.iter().any(|finding| finding.judgement == Judgement::Regressed)
    }

    /// How many figures are judged so.
    pub fn count(&self, judgement: Judgement) -> usize {
        self.findings.iter().filter(|finding| finding.judgement == judgement).count()
    }
}

impl Unit {
    /// How it is written behind a number.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Percent => "%",
            Self::Times => "times",
        }
    }
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Regressed => "REGRESSED",
            Self::Tolerated => "allowed",
            Self::Improved => "improved",
            Self::Unclear => "unclear",
            Self::Same => "same",
            Self::Absent => "absent",
        })
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
        write!(f, "{}: {} → {}", self.setting, said(&self.before), said(&self.after))
    }
}
