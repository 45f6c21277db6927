//! `quorate compare`: holds runs against a baseline or against other runs.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::compare::baseline::Baseline;
use crate::compare::{Sample, judge, text};
use crate::comparison::Comparison;
use crate::event::Verdict;

use super::series::REGRESSED;
use super::which;

/// Holds runs against a baseline or against other runs, and tells a real change from noise.
///
/// Runs that did not pass are left out; where none of a side has passed, they are only shown side by side, without a verdict.
///
/// Exit code 0: no regression, or too few runs to tell; 2: cannot be compared, or only shown side by side; 3: worse than is
/// allowed.
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
    match beside(args) {
        Ok(None) => {}
        Ok(Some(lines)) => {
            return match shown(&lines, args.format) {
                Ok(()) => ExitCode::from(Verdict::Broken.exit_code()),
                Err(error) => super::complain(&error.to_string()),
            };
        }
        Err(error) => return super::complain(&error.to_string()),
    }
    match compare(args) {
        Ok(comparison) => match write(&comparison, args.format) {
            Ok(()) if comparison.regressed() => ExitCode::from(REGRESSED),
            written => super::written(written),
        },
        Err(error) => super::complain(&error.to_string()),
    }
}

fn is_file(asked: &str) -> bool {
    Path::new(asked).extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// The runs side by side, where those of one side have none that passed: no verdict can come of that. Programs get none.
fn beside(args: &Args) -> Result<Option<Vec<String>>, Box<dyn Error>> {
    let asked: Vec<String> = args.before.split(',').map(str::to_owned).collect();
    let sides = [if is_file(&args.before) { Vec::new() } else { which::judged(&asked)? }, which::judged(&args.after)?];
    let none = |side: &Vec<(Verdict, Sample)>| !side.is_empty() && side.iter().all(|(it, _)| *it != Verdict::Passed);
    if args.format == Format::Json || !sides.iter().any(none) {
        return Ok(None);
    }
    let ended: Vec<String> = sides
        .iter()
        .flatten()
        .filter(|(verdict, _)| *verdict != Verdict::Passed)
        .map(|(verdict, sample)| format!("run {} is {verdict}", sample.run))
        .collect();
    let [before, after] = sides.map(|side| side.into_iter().map(|(_, sample)| sample).collect::<Vec<_>>());
    let before = if before.is_empty() { Baseline::read(Path::new(&args.before))? } else { Baseline::of(&before)? };
    let comparison = judge::compare(&before, None, &Baseline::of(&after)?)?;
    Ok(Some(text::beside(&comparison, &ended)))
}

fn shown(lines: &[String], format: Format) -> Result<(), Box<dyn Error>> {
    let fence = if format == Format::Markdown { "```\n" } else { "" };
    let mut out = anstream::stdout();
    write!(out, "{fence}{}\n{fence}", lines.join("\n"))?;
    Ok(out.flush()?)
}

fn compare(args: &Args) -> Result<Comparison, Box<dyn Error>> {
    let (before, file) = if is_file(&args.before) {
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
