//! `quorate report`: a run's report, made again from its events.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use crate::report::text::Style;
use crate::report::{history, html, json, junit, markdown, text};

use super::which;

/// Makes a run's report again from its events.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, `last`, its folder, or an events.jsonl.
    run: String,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The formats of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person at a terminal.
    #[default]
    Text,
    /// For the page of a CI job.
    Markdown,
    /// For programs: docs/report.md describes it.
    Json,
    /// For CI systems: a test case for each step.
    Junit,
    /// One page for a browser. Its links to logs work from the run's folder.
    Html,
}

/// Writes the report to standard output. The exit status says whether it could, not what the run's verdict was.
pub(crate) fn run(args: &Args) -> ExitCode {
    super::written(write(args))
}

fn write(args: &Args) -> Result<(), Box<dyn Error>> {
    let run = which::run(&args.run)?;
    let history = history::read(&run.log)?;
    let mut out = anstream::stdout();
    match args.format {
        Format::Json => json::write(&history.summary(), &mut out)?,
        Format::Junit => junit::write(&[(&history.summary(), &run.folder)], &mut out)?,
        Format::Html => out.write_all(html::html(&history, Some(&run.folder))?.as_bytes())?,
        Format::Markdown => out.write_all(markdown::markdown(&history, Some(&run.folder)).as_bytes())?,
        Format::Text => {
            let tty = std::io::stdout().is_terminal();
            let width = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
            let style = Style { color: true, width: width.filter(|_| tty) };
            for line in text::report(&history, Some(&run.folder), style) {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(out.flush()?)
}
