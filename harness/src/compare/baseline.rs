//! A baseline: the figures of several runs of a scenario, in a file that lives beside the scenario and is reviewed like it.
//!
//! Bounds in it are the user's: making it anew from other runs keeps them.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::FlowSeq;

use super::Sample;
use super::figure::{Allow, Worse};
use super::settings::{Settings, differences};
use crate::comparison::Unit;

/// The version of the format. It grows when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

const HEAD: &str = "# How a scenario went, to hold later runs against: docs/baselines.md of Quorate.\n\
                    # `allow` and `worse` are yours to change; `quorate baseline` keeps them.\n";

/// A baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Baseline {
    /// [`FORMAT`] of the writer.
    pub quorate_baseline: u32,
    /// The scenario's name.
    pub scenario: String,
    /// What all of its runs were made of.
    pub made_of: Settings,
    /// The ids of its runs, in the order of the samples.
    pub runs: Vec<String>,
    /// The figures by their ids.
    pub figures: IndexMap<String, Entry>,
}

/// One figure of a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// Its unit.
    pub unit: Unit,
    /// Which way it is worse.
    pub worse: Worse,
    /// By how much it may get worse.
    pub allow: Allow,
    /// Its value in each run; `null` where a run did not have it.
    #[schemars(with = "Vec<Option<f64>>")]
    pub samples: FlowSeq<Vec<Option<f64>>>,
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no baseline.
    #[error("{path} is no baseline: {problem}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is no run.
    #[error("no run that passed is left to compare")]
    Empty,
    /// Runs do not belong together.
    #[error("runs {one} and {other} cannot be taken together: {difference}")]
    Mixed {
        /// A run.
        one: String,
        /// Another run.
        other: String,
        /// How they differ.
        difference: String,
    },
}

impl Baseline {
    /// The baseline of runs, which must be of one scenario and made alike.
    pub fn of(samples: &[Sample]) -> Result<Self, Error> {
        let first = samples.first().ok_or(Error::Empty)?;
        for sample in samples {
            alike(first, sample)?;
        }
        let mut figures: IndexMap<String, Entry> = IndexMap::new();
        for (index, sample) in samples.iter().enumerate() {
            for figure in &sample.figures {
                let entry = figures.entry(figure.id.clone()).or_insert_with(|| Entry {
                    unit: figure.unit,
                    worse: figure.worse,
                    allow: figure.allow,
                    samples: FlowSeq(vec![None; samples.len()]),
                });
                entry.samples.0[index] = Some(figure.value);
            }
        }
        Ok(Self {
            quorate_baseline: FORMAT,
            scenario: first.scenario.clone(),
            made_of: first.settings.clone(),
            runs: samples.iter().map(|sample| sample.run.clone()).collect(),
            figures,
        })
    }

    /// Takes over the bounds of another baseline.
    #[must_use]
    pub fn with_bounds_of(mut self, other: &Self) -> Self {
        for (id, entry) in &mut self.figures {
            if let Some(bounds) = other.figures.get(id) {
                (entry.worse, entry.allow) = (bounds.worse, bounds.allow);
            }
        }
        self
    }

    /// Reads a baseline.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|problem| Error::Malformed { path: path.to_owned(), problem })
    }

    /// Writes it, in place of what was there.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        std::fs::write(path, self.text()?).map_err(|source| Error::File { path: path.to_owned(), source })
    }

    fn text(&self) -> Result<String, Error> {
        let yaml = serde_saphyr::to_string(self)
            .map_err(|error| Error::Malformed { path: PathBuf::from("this"), problem: error.to_string() })?;
        Ok(format!("{HEAD}{yaml}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let baseline: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if baseline.quorate_baseline != FORMAT {
            let found = baseline.quorate_baseline;
            return Err(format!("it has format {found}, and this Quorate reads format {FORMAT}"));
        }
        if baseline.runs.is_empty() {
            return Err("it has no runs".to_owned());
        }
        for (id, Entry { allow, samples, .. }) in &baseline.figures {
            let (samples, runs) = (&samples.0, baseline.runs.len());
            if samples.len() != runs {
                return Err(format!("{id} has {} samples for {runs} runs", samples.len()));
            }
            let numbers = samples.iter().flatten().chain([&allow.percent, &allow.at_least]);
            if let Some(odd) = numbers.clone().find(|number| !number.is_finite()) {
                return Err(format!("{id}: {odd} is not a finite number"));
            }
            if allow.percent < 0.0 || allow.at_least < 0.0 {
                return Err(format!("{id}: what is allowed is less than nothing"));
            }
        }
        Ok(baseline)
    }
}

/// Whether two runs may be taken together.
fn alike(one: &Sample, other: &Sample) -> Result<(), Error> {
    let difference = if one.scenario == other.scenario {
        differences(&one.settings, &other.settings).first().map(ToString::to_string)
    } else {
        Some(format!("one is of scenario {} and one of {}", one.scenario, other.scenario))
    };
    difference
        .map_or(Ok(()), |difference| Err(Error::Mixed { one: one.run.clone(), other: other.run.clone(), difference }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::support;

    fn baseline() -> Baseline {
        Baseline::of(&support::samples(&[72.0, 71.25, 74.1], 1)).unwrap()
    }

    #[test]
    fn a_baseline_is_read_back_as_it_was_written() {
        let mut baseline = baseline();
        baseline.figures[0].samples.0[1] = None;
        let text = baseline.text().unwrap();
        assert_eq!(Baseline::parse(&text).unwrap(), baseline);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn bounds_that_were_changed_are_kept() {
        let mut old = baseline();
        old.figures[0].allow = Allow { percent: 99.0, at_least: 9.0 };
        old.figures[0].worse = Worse::Lower;
        let new = Baseline::of(&support::samples(&[1.0, 2.0], 2)).unwrap().with_bounds_of(&old);
        assert_eq!((new.figures[0].allow, new.figures[0].worse), (old.figures[0].allow, Worse::Lower));
        assert_eq!(new.figures[0].samples.0, [Some(1.0), Some(2.0)]);
    }

    #[test]
    fn runs_that_are_not_alike_are_not_taken_together() {
        let mut samples = support::samples(&[1.0, 2.0], 1);
        samples[1].settings.insert("load-balancer.fall".to_owned(), "10".to_owned());
        let error = Baseline::of(&samples).unwrap_err().to_string();
        assert!(error.ends_with("load-balancer.fall: 3 → 10"), "{error}");
        samples[1].scenario = "other".to_owned();
        assert!(Baseline::of(&samples).unwrap_err().to_string().contains("of scenario kill and one of other"));
        assert!(matches!(Baseline::of(&[]), Err(Error::Empty)));
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_the_reason() {
        let text = baseline().text().unwrap();
        for (from, to, problem) in [
            ("quorate-baseline: 1", "quorate-baseline: 2", "it has format 2"),
            ("scenario: kill", "scenario: kill\nspaceship: 1", "spaceship"),
            ("71.25,", "", "bring-up has 2 samples for 3 runs"),
            ("71.25", ".inf", "is not a finite number"),
            ("percent: 25", "percent: -1", "less than nothing"),
            ("unit: s", "unit: parsec", "parsec"),
        ] {
            assert!(text.contains(from), "{text}");
            let error = Baseline::parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(problem), "{error} lacks {problem}");
        }
    }
}
