//! `quorate runs`: the runs so far.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use console::{Alignment, pad_str};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::comparison::Comparison;
use crate::event::Verdict;
use crate::report::numbers::Name;
use crate::report::{Summary, history, text};

use super::which::{self, Found};

const HEAD: [&str; 10] =
    ["RUN", "WHEN", "SCENARIO", "VERDICT", "TIME", "TO FAULT", "MAX NOTREADY", "MAX READY", "MAX OUTAGE", "REASON"];
/// The first column that is aligned to the right.
const FIRST_NUMBER: usize = 4;
/// The column that says why a run did not pass, and how wide it is at least and at most.
const REASON: usize = 9;
const LEAST: usize = 24;
const MOST: usize = 100;

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
        reason(summary),
    ]
}

/// Why a run did not pass, in one line.
fn reason(summary: &Summary) -> String {
    if summary.verdict == Verdict::Passed {
        return String::new();
    }
    summary.reason.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn verdict(summary: &Summary) -> String {
    let regressed = summary.comparisons.last().is_some_and(Comparison::regressed);
    format!("{}{}", summary.verdict, if regressed { ", regressed" } else { "" })
}

/// Rows as aligned lines. Where they do not fit into `width`, columns are left out from the right,
/// but for the reason, which is cut to what is left. It has no column where all have passed, or where that were too narrow.
fn table(rows: &[Vec<String>], width: Option<usize>) -> Vec<String> {
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let widest = |column| rows.iter().map(|row| console::measure_text_width(&cell(row, column))).max().unwrap_or(0);
    let mut columns: Vec<(usize, usize)> = (0..REASON).map(|column| (column, widest(column))).collect();
    let taken = |columns: &[(usize, usize)]| columns.iter().map(|(_, wide)| wide + 2).sum::<usize>().saturating_sub(2);
    let bad = rows.iter().skip(1).any(|row| !cell(row, REASON).is_empty());
    let reason = widest(REASON).min(MOST);
    let fits = |columns: &[(usize, usize)], more: usize| width.is_none_or(|width| taken(columns) + more <= width);
    let least = Some(2 + reason.min(LEAST)).filter(|least| bad && fits(&columns[..FIRST_NUMBER], *least));
    while columns.len() > 1 && !fits(&columns, least.unwrap_or(0)) {
        columns.pop();
    }
    if least.is_some() {
        let room = width.map_or(reason, |width| width.saturating_sub(taken(&columns) + 2).min(reason));
        columns.push((REASON, room));
    }
    let line = |row: &Vec<String>| -> String {
        let cells = columns.iter().map(|&(column, width)| {
            let is_number = (FIRST_NUMBER..REASON).contains(&column);
            let side = if is_number { Alignment::Right } else { Alignment::Left };
            pad_str(&cell(row, column), width, side, Some("…")).into_owned()
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reason: &str, width: Option<usize>) -> Vec<String> {
        let row = ["r1", "2026-01-01 00:00", "kill", "failed", "2m", "1 s", "2 s", "3 s", "4 s", reason];
        table(&[HEAD, row].map(|row| row.map(str::to_owned).to_vec()), width)
    }

    #[test]
    fn a_table_that_is_too_wide_loses_columns_from_the_right() {
        let head = |width| lines("", width)[0].clone();
        assert!(head(None).ends_with("MAX OUTAGE"), "no reason where all have passed");
        assert_eq!(head(Some(40)), "RUN  WHEN              SCENARIO  VERDICT");
        assert_eq!(head(Some(39)), "RUN  WHEN              SCENARIO");
        assert_eq!(head(Some(1)), "RUN");
    }

    #[test]
    fn why_a_run_did_not_pass_is_cut_to_the_terminal_and_goes_before_numbers() {
        let reason = "step 4 (line 15): master2 was still Ready after 90 s";
        let last = |width| lines(reason, width)[1].clone();
        assert!(last(None).ends_with(reason), "{}", last(None));
        assert!(last(Some(120)).ends_with("  4 s  step 4 (line 15): master…"), "{}", last(Some(120)));
        assert_eq!(last(Some(80)), "r1   2026-01-01 00:00  kill      failed     2m  step 4 (line 15): master2 was s…");
        assert_eq!(last(Some(70)), "r1   2026-01-01 00:00  kill      failed   step 4 (line 15): master2 w…");
        assert_eq!(last(Some(50)), "r1   2026-01-01 00:00  kill      failed     2m");
        assert!(
            [50, 70, 80, 120, 200].into_iter().all(|width| {
                lines(reason, Some(width)).iter().all(|line| console::measure_text_width(line) <= width)
            })
        );
    }

    #[test]
    fn a_reason_is_one_line_whatever_a_program_said() {
        let summary = |events: &[crate::event::Event]| Summary::of(events);
        let mut failed = summary(&crate::report::support::failed());
        failed.reason = "ended with 1; its last output:\n    no such file\n".to_owned();
        assert_eq!(reason(&failed), "ended with 1; its last output: no such file");
        assert_eq!(reason(&summary(&crate::report::support::passed())), "");
    }
}
