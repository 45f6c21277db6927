//! Several runs, of one scenario or of several, summed up.

use super::Sample;
use super::baseline::Baseline;
use super::shift::spread;
use super::text::{aligned, value};
use crate::event::Verdict;
use crate::report::Summary;
use crate::report::text::time;

/// Runs in the order in which they were.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// What each came to.
    pub summaries: Vec<Summary>,
}

impl Series {
    /// The worst verdict: broken before failed, since of a broken run nothing is known.
    pub fn verdict(&self) -> Verdict {
        let worst = |verdict| self.summaries.iter().any(|summary| summary.verdict == verdict);
        let order = [Verdict::Interrupted, Verdict::Broken, Verdict::Failed];
        order.into_iter().find(|verdict| worst(*verdict)).unwrap_or(Verdict::Passed)
    }

    /// The samples of the runs that passed. Others ended early, and their numbers say nothing.
    pub fn samples(&self) -> Vec<Sample> {
        self.summaries.iter().filter(|summary| summary.verdict == Verdict::Passed).map(Sample::of).collect()
    }

    /// The series for a person at a terminal, one line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        lines.extend(self.summaries.iter().map(|summary| {
            let why = if summary.verdict == Verdict::Passed { "" } else { summary.reason.as_str() };
            let (verdict, took) = (summary.verdict, time(summary.run.seconds));
            format!("  {}  {verdict:<11}  {took:>7}  {why}", self.name(summary)).trim_end().to_owned()
        }));
        let rows = self.rows();
        if !rows.is_empty() {
            lines.push(String::new());
            let head = ["FIGURE", "RUNS", "MEDIAN", "FROM", "TO", ""].map(str::to_owned);
            lines.extend(aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
        }
        lines
    }

    /// The series for the page of a CI job.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n| Run | Verdict | Time |\n|---|---|---:|\n", self.title());
        for summary in &self.summaries {
            let name = self.name(summary);
            text.push_str(&format!(
                "| `{}` | {} | {} |\n",
                name.trim_end(),
                summary.verdict,
                time(summary.run.seconds)
            ));
        }
        if self.is_mixed() {
            text.push('\n');
            return text;
        }
        text.push_str("\n| Figure | Runs | Median | From | To |\n|---|---:|---:|---:|---:|\n");
        for [figure, rest @ .., _] in self.rows() {
            text.push_str(&format!("| `{figure}` | {} |\n", rest.join(" | ")));
        }
        text.push('\n');
        text
    }

    /// Whether the runs are of more than one scenario, so that their figures have nothing to do with each other.
    pub fn is_mixed(&self) -> bool {
        self.summaries.windows(2).any(|pair| pair[0].run.scenario != pair[1].run.scenario)
    }

    /// The id of a run, and its scenario where there are several.
    fn name(&self, summary: &Summary) -> String {
        let id = &summary.run.id;
        if self.is_mixed() { format!("{id}  {:<22}", summary.run.scenario) } else { id.clone() }
    }

    fn title(&self) -> String {
        let scenario = match self.summaries.first() {
            Some(_) if self.is_mixed() => "several scenarios",
            Some(summary) => summary.run.scenario.as_str(),
            None => "nothing",
        };
        let count = |verdict| self.summaries.iter().filter(|summary| summary.verdict == verdict).count();
        let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::Broken, Verdict::Interrupted];
        let counts = verdicts.map(|verdict| (count(verdict), verdict)).into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, verdict)| format!("{count} {verdict}")).collect();
        format!("{scenario}: {} runs, {}", self.summaries.len(), counts.join(", "))
    }

    fn rows(&self) -> Vec<[String; 6]> {
        if self.is_mixed() {
            return Vec::new();
        }
        let Ok(together) = Baseline::of(&self.samples()) else { return Vec::new() };
        let row = |(id, entry): (&String, &super::baseline::Entry)| {
            let values: Vec<f64> = entry.samples.0.iter().flatten().copied().collect();
            let spread = spread(&values)?;
            let said = |number| value(number, entry.unit);
            let count = spread.count.to_string();
            Some([id.clone(), count, said(spread.median), said(spread.min), said(spread.max), String::new()])
        };
        together.figures.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    fn series() -> Series {
        let logs = [support::passed(), support::passed(), support::failed()];
        Series { summaries: logs.iter().map(|events| Summary::of(events)).collect() }
    }

    #[test]
    fn a_series_stays_as_it_is() {
        insta::assert_snapshot!("series", series().lines().join("\n"));
        insta::assert_snapshot!("series-markdown", series().markdown());
    }

    #[test]
    fn runs_of_several_scenarios_are_told_apart_and_have_no_figures_in_common() {
        let mut series = series();
        series.summaries[1].run.scenario = "stop-etcd".to_owned();
        insta::assert_snapshot!("mixed", series.lines().join("\n"));
        insta::assert_snapshot!("mixed-markdown", series.markdown());
    }

    #[test]
    fn the_worst_verdict_is_that_of_the_series() {
        let mut series = series();
        assert_eq!((series.verdict(), series.samples().len()), (Verdict::Failed, 2));
        series.summaries.push(Summary::of(&support::broken()));
        assert_eq!(series.verdict(), Verdict::Broken);
        series.summaries.push(Summary::of(&support::interrupted()));
        assert_eq!(series.verdict(), Verdict::Interrupted);
        assert_eq!(Series::default().verdict(), Verdict::Passed);
    }
}
