//! `quorate compare`: holds runs against a baseline or against other runs.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::compare::baseline::Baseline;
use crate::compare::{judge, text};
use crate::comparison::Comparison;

use super::series::REGRESSED;
use super::which;

/// Holds runs against a baseline or against other runs, and tells a real change from noise.
///
/// Exit code 0: no regression, or too few runs to tell; 2: cannot be compared; 3: worse than is allowed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What they are held against: a baseline's file (.yaml, .yml), or runs with commas between them.
    #[arg(value_name = "A")]
    before: String,
    /// The runs that are judged: ids, beginnings of them, `last`, or folders.
    #[arg(value_name = "B", required = true, value_delimiter = ',')]
    after: Vec<String>,
    /// How to write what was found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The formats of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person at a terminal.
    #[default]
    Text,
    /// For the page of a CI job.
    Markdown,
    /// For programs: docs/baselines.md describes it.
    Json,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    match compare(args) {
        Ok(comparison) => match write(&comparison, args.format) {
            Ok(()) if comparison.regressed() => ExitCode::from(REGRESSED),
            written => super::written(written),
        },
        Err(error) => super::complain(&error.to_string()),
    }
}

fn compare(args: &Args) -> Result<Comparison, Box<dyn Error>> {
    let is_file = Path::new(&args.before).extension().is_some_and(|end| end == "yaml" || end == "yml");
    let (before, file) = if is_file {
        (Baseline::read(Path::new(&args.before))?, Some(args.before.clone()))
    } else {
        let asked: Vec<String> = args.before.split(',').map(str::to_owned).collect();
        (Baseline::of(&which::samples(&asked)?)?, None)
    };
    Ok(judge::compare(&before, file, &Baseline::of(&which::samples(&args.after)?)?)?)
}

fn write(comparison: &Comparison, format: Format) -> Result<(), Box<dyn Error>> {
    let mut out = anstream::stdout();
    match format {
        Format::Text => {
            for line in text::lines(comparison) {
                writeln!(out, "{line}")?;
            }
        }
        Format::Markdown => out.write_all(text::markdown(comparison).as_bytes())?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(comparison)?)?,
    }
    Ok(out.flush()?)
}
