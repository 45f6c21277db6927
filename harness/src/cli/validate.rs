//! `quorate validate`: checks files without touching anything.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::plan::{self, Plan};
use crate::scenario::{self, Diagnostics, LoadOptions};

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
            Ok((scenario, warnings)) => {
                problems.extend(warnings);
                match scenario.map(|scenario| Plan::of(&scenario)) {
                    Some(Err(refusals)) => problems.extend(plan::told(&refusals)),
                    None | Some(Ok(_)) => good.push(file),
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    super::run::tell(&problems);
    let mut out = anstream::stdout();
    for file in good {
        let _ = writeln!(out, "{}: ok", file.display());
    }
    if problems.has_errors() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}
