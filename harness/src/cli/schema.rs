//! `quorate schema`: prints JSON Schemas for editors.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::scenario::{FileKind, schema_text};

/// Prints the JSON Schema of scenario or topology files, for editors.
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
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let kind = match args.kind {
        Kind::Scenario => FileKind::Scenario,
        Kind::Topology => FileKind::Topology,
    };
    match anstream::stdout().write_all(schema_text(kind).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
