//! `quorate schema`: prints JSON Schemas, of what people write and of what Quorate writes.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::report::schema;
use crate::scenario::{FileKind, schema_text};

/// Prints the JSON Schema of a kind of files: of scenarios, topologies and baselines for editors, of reports and of
/// what doctor and plan print for programs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The kind of files.
    #[arg(value_enum, default_value = "scenario")]
    kind: Kind,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Scenario,
    Topology,
    Report,
    Baseline,
    Doctor,
    Plan,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let text = match args.kind {
        Kind::Scenario => schema_text(FileKind::Scenario),
        Kind::Topology => schema_text(FileKind::Topology),
        Kind::Report => schema::report(),
        Kind::Baseline => schema::baseline(),
        Kind::Doctor => schema::doctor(),
        Kind::Plan => schema::plan(),
    };
    match anstream::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
