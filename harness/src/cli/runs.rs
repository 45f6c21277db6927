//! `quorate runs`: the runs so far.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use console::{Alignment, pad_str};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::comparison::Comparison;
use crate::report::numbers::Name;
use crate::report::{Summary, history, text};

use super::which::{self, Found};

const HEAD: [&str; 9] = ["RUN", "WHEN", "SCENARIO", "VERDICT", "TIME", "TO FAULT", "NOTREADY", "READY", "API OUTAGE"];
/// The first column that is aligned to the right.
const FIRST_NUMBER: usize = 4;

/// Lists past runs, the newest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many to list.
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
}

/// Writes the list to standard output.
pub(crate) fn run(args: &Args) -> ExitCode {
    super::written(write(args))
}

fn write(args: &Args) -> Result<(), Box<dyn Error>> {
    let folder = which::folder();
    let runs = which::all(&folder)?;
    let mut out = anstream::stdout();
    if runs.is_empty() {
        writeln!(out, "no runs yet in {}", folder.display())?;
        return Ok(());
    }
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    let mut unreadable = Vec::new();
    for (started, run) in runs.iter().take(args.limit) {
        rows.push(row(*started, run).unwrap_or_else(|error| {
            unreadable.push(error);
            vec![run.id(), when(*started), "-".to_owned(), "unreadable".to_owned()]
        }));
    }
    let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    for line in table(&rows, width.filter(|_| std::io::stdout().is_terminal())) {
        writeln!(out, "{line}")?;
    }
    for error in unreadable {
        writeln!(out, "{error}")?;
    }
    if runs.len() > args.limit {
        writeln!(out, "and {} older ones", runs.len() - args.limit)?;
    }
    Ok(())
}

fn row(started: Option<Timestamp>, run: &Found) -> Result<Vec<String>, history::Error> {
    let history = history::read(&run.log)?;
    Ok([run.id(), when(started)].into_iter().chain(cells(&history.summary())).collect())
}

fn when(started: Option<Timestamp>) -> String {
    started
        .map_or("-".to_owned(), |started| started.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}

fn cells(summary: &Summary) -> Vec<String> {
    // A run with several faults is known by its worst.
    let number = |name| {
        let all = summary.numbers.iter().filter(|number| number.name == name).map(|number| number.seconds);
        all.reduce(f64::max).map_or("-".to_owned(), text::time)
    };
    vec![
        summary.run.scenario.clone(),
        verdict(summary),
        text::time(summary.run.seconds),
        number(Name::CommandToFirstFault),
        number(Name::FaultToNotReady),
        number(Name::HealToReady),
        summary.api.as_ref().map_or("-".to_owned(), |api| text::time(api.longest_outage)),
    ]
}

fn verdict(summary: &Summary) -> String {
    let regressed = summary.comparisons.last().is_some_and(Comparison::regressed);
    format!("{}{}", summary.verdict, if regressed { ", regressed" } else { "" })
}

/// Rows as aligned lines. Where they do not fit into `width`, columns are left out from the right.
fn table(rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let widest = |column| rows.iter().map(|row| console::measure_text_width(&cell(row, column))).max().unwrap_or(0);
    let mut columns: Vec<usize> = (0..HEAD.len()).map(widest).collect();
    while columns.len() > 1
        && width.is_some_and(|width| columns.iter().map(|column| column + 2).sum::<usize>() > width + 2)
    {
        columns.pop();
    }
    let line = |row: &Vec<String>| -> String {
        let cells = columns.iter().enumerate().map(|(column, width)| {
            let side = if column < FIRST_NUMBER { Alignment::Left } else { Alignment::Right };
            pad_str(&cell(row, column), *width, side, None).into_owned()
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_loses_columns_from_the_right() {
        let row = ["r1", "2026-01-01 00:00", "kill", "passed", "2m", "1 s", "2 s", "3 s", "4 s"];
        let rows = [HEAD, row].map(|row| row.map(str::to_owned).to_vec());
        let head = |width| table(&rows, width)[0].clone();
        assert!(head(None).ends_with("API OUTAGE"));
        assert_eq!(head(Some(40)), "RUN  WHEN              SCENARIO  VERDICT");
        assert_eq!(head(Some(39)), "RUN  WHEN              SCENARIO");
        assert_eq!(head(Some(1)), "RUN");
    }
}
