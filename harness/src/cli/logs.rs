//! `quorate logs`: what a machine said around a step.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use crate::report::history;
use crate::report::logs::{Around, mark, much, read, window};

use super::which;

/// Prints what a machine's journal and its pods said around a step of a run, merged by time with the run's events.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, `last`, its folder, or an events.jsonl.
    run: String,
    /// The machine, as master2.
    machine: String,
    /// The step, as `quorate report` numbers it, or a time since the run's start, as 81.2s.
    #[arg(long, value_name = "STEP")]
    around: Around,
    /// How many seconds before and behind it are shown as well.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    margin: f64,
}

/// Writes the lines to standard output.
pub(crate) fn run(args: &Args) -> ExitCode {
    super::written(write(args))
}

fn write(args: &Args) -> Result<(), Box<dyn Error>> {
    let run = which::run(&args.run)?;
    let history = history::read(&run.log)?;
    let window = window(&history, args.around, args.margin)?;
    let mut said = read(&history, &run.folder, &args.machine, &window)?;
    let much = much(&said, &window, args.margin);
    for note in said.notes.iter().chain(&much) {
        writeln!(anstream::stderr(), "note: {note}")?;
    }
    let mut out = anstream::stdout();
    if said.lines.is_empty() {
        writeln!(out, "nothing was said from {:.1} s to {:.1} s", window.start(), window.end())?;
    }
    if !said.lines.is_empty() {
        mark(&mut said, args.around);
    }
    let width = said.lines.iter().map(|line| line.source.len()).max().unwrap_or(0).min(36);
    for line in &said.lines {
        writeln!(out, "{:>9.3} s  {:<width$}  {}", line.at, line.source, line.text)?;
    }
    Ok(out.flush()?)
}
