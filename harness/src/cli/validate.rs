//! `quorate validate`: checks files without touching anything.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::scenario::{self, Diagnostics, LoadOptions, Rendering};

/// Checks scenario and topology files without touching anything.
///
/// Says all that is wrong with all of them. Exit code 0: all are good, perhaps with warnings; 2: some are bad.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scenario or topology files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let mut problems = Diagnostics::default();
    let mut good = Vec::new();
    for file in &args.files {
        match scenario::validate(file, &LoadOptions::default()) {
            Ok(warnings) => {
                problems.extend(warnings);
                good.push(file);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        let text = problems.render(Rendering::for_stream(&std::io::stderr()));
        // Whoever closed the stream does not want to read; the exit code still tells.
        let _ = anstream::stderr().write_all(text.as_bytes());
    }
    let mut out = anstream::stdout();
    for file in good {
        let _ = writeln!(out, "{}: ok", file.display());
    }
    if problems.has_errors() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
