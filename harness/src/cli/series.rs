//! What follows when the runs of a `quorate run` are over: their reports, their comparison, and the exit code.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::compare::baseline::Baseline;
use crate::compare::{self, judge, text};
use crate::comparison::Comparison;
use crate::event::{Verdict, What};
use crate::record;
use crate::report::terminal::Mode;
use crate::report::{History, Summary, history, html, json, junit, markdown};

/// The exit code where all passed and something is worse than the baseline allows.
pub(super) const REGRESSED: u8 = 3;

/// The runs so far.
#[derive(Debug)]
pub(super) struct Series {
    baseline: Option<(PathBuf, Baseline)>,
    folders: Vec<PathBuf>,
}

/// Where else reports go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    /// Markdown.
    pub(super) summary: Option<&'a Path>,
    /// JUnit.
    pub(super) junit: Option<&'a Path>,
}

impl Series {
    /// No runs yet of a scenario that is to be held against the baseline in a file. A bad baseline is told before a run.
    pub(super) fn of(scenario: &str, file: Option<&Path>) -> Result<Self, judge::Error> {
        let baseline = file.map(|file| Baseline::read(file).map(|baseline| (file.to_owned(), baseline))).transpose()?;
        if let Some((_, baseline)) = baseline.as_ref().filter(|(_, baseline)| baseline.scenario != scenario) {
            let (before, after) = (baseline.scenario.clone(), scenario.to_owned());
            return Err(judge::Error::Scenarios { before, after });
        }
        Ok(Self { baseline, folders: Vec::new() })
    }

    /// Takes a run that is over.
    pub(super) fn add(&mut self, folder: PathBuf) {
        self.folders.push(folder);
    }

    /// How many runs are over.
    pub(super) fn len(&self) -> usize {
        self.folders.len()
    }

    /// Compares the runs, writes all reports, says what was found, and returns the exit code.
    pub(super) fn end(&self, mode: Mode, files: Files<'_>) -> Result<u8, Box<dyn Error>> {
        let read = || self.folders.iter().map(|folder| history::read(&log(folder))).collect::<Result<Vec<_>, _>>();
        let mut histories = read()?;
        let series = compare::series::Series { summaries: histories.iter().map(History::summary).collect() };
        let comparison = self.compare(&series)?;
        if let Some(comparison) = &comparison {
            self.record(&histories, comparison)?;
            histories = read()?;
        }
        let summaries: Vec<Summary> = histories.iter().map(History::summary).collect();
        for (folder, history) in self.folders.iter().zip(&histories) {
            reports(folder, history)?;
        }
        if let Some(path) = files.summary {
            std::fs::write(path, self.markdown(&series, &histories, comparison.as_ref()))?;
        }
        if let Some(path) = files.junit {
            let runs: Vec<(&Summary, &Path)> =
                summaries.iter().zip(self.folders.iter().map(PathBuf::as_path)).collect();
            junit::write(&runs, std::fs::File::create(path)?)?;
        }
        self.say(mode, &series, comparison.as_ref())?;
        let regressed = comparison.is_some_and(|comparison| comparison.regressed());
        Ok(match series.verdict() {
            Verdict::Passed if regressed => REGRESSED,
            verdict => verdict.exit_code(),
        })
    }

    /// Nothing where there is no baseline, or no run that passed: its verdict says enough then.
    fn compare(&self, series: &compare::series::Series) -> Result<Option<Comparison>, judge::Error> {
        let Some((file, baseline)) = &self.baseline else { return Ok(None) };
        let samples = series.samples();
        if samples.is_empty() {
            return Ok(None);
        }
        judge::compare(baseline, Some(file.display().to_string()), &Baseline::of(&samples)?).map(Some)
    }

    fn record(&self, histories: &[History], comparison: &Comparison) -> std::io::Result<()> {
        for (folder, history) in self.folders.iter().zip(histories) {
            let (Some(end), true) = (history.events.last(), comparison.after.runs.contains(&history.summary().run.id))
            else {
                continue;
            };
            record::append(&log(folder), end, What::Compared { comparison: comparison.clone() })?;
        }
        Ok(())
    }

    /// One run as ever; of several their summary, and the reports of those that did not pass.
    fn markdown(
        &self,
        series: &compare::series::Series,
        histories: &[History],
        comparison: Option<&Comparison>,
    ) -> String {
        let report = |(history, folder): (&History, &PathBuf)| markdown::markdown(history, Some(folder));
        let all = histories.iter().zip(&self.folders);
        if histories.len() == 1 {
            return all.map(report).collect();
        }
        let mut text = series.markdown();
        text.extend(comparison.map(text::markdown));
        text.extend(all.filter(|(history, _)| history.summary().verdict != Verdict::Passed).map(report));
        text
    }

    fn say(
        &self,
        mode: Mode,
        series: &compare::series::Series,
        comparison: Option<&Comparison>,
    ) -> Result<(), Box<dyn Error>> {
        let mut lines = Vec::new();
        if self.folders.len() > 1 && mode != Mode::Json {
            lines.extend(series.lines());
            let runs: Vec<String> = series.samples().into_iter().map(|sample| sample.run).collect();
            if !runs.is_empty() && !series.is_mixed() {
                let command = format!("quorate baseline FILE {}", runs.join(" "));
                lines.extend([String::new(), format!("to hold later runs against these: {command}")]);
            }
        }
        match (mode, comparison) {
            (_, None) => {}
            (Mode::Json, Some(comparison)) => {
                let mut out = anstream::stdout();
                serde_json::to_writer(&mut out, &What::Compared { comparison: comparison.clone() })?;
                writeln!(out)?;
            }
            (Mode::Quiet, Some(comparison)) => lines.extend(text::verdict(comparison)),
            (_, Some(comparison)) => {
                lines.push(String::new());
                lines.extend(text::lines(comparison));
            }
        }
        let mut err = anstream::stderr();
        for line in lines {
            writeln!(err, "{line}")?;
        }
        Ok(())
    }
}

/// Makes the reports of a run that is over from its events.
pub(super) fn report(folder: &Path) -> Result<(), Box<dyn Error>> {
    reports(folder, &history::read(&log(folder))?)
}

/// Writes a run's reports into its folder.
fn reports(folder: &Path, history: &History) -> Result<(), Box<dyn Error>> {
    json::write(&history.summary(), std::fs::File::create(folder.join("report.json"))?)?;
    Ok(std::fs::write(folder.join("report.html"), html::html(history, Some(folder))?)?)
}

fn log(folder: &Path) -> PathBuf {
    folder.join("events.jsonl")
}
