//! `quorate baseline`: makes a baseline of runs.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::compare::baseline::Baseline;

use super::which;

/// Makes a baseline of runs that passed, to hold later ones against.
///
/// Where FILE is a baseline already, its bounds are kept, and its samples give way to those of these runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The baseline's file, as baselines/kill-master2.yaml.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The runs: ids, beginnings of them, `last`, or folders.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    super::written(make(args))
}

fn make(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut baseline = Baseline::of(&which::samples(&args.runs)?)?;
    if args.file.exists() {
        baseline = baseline.with_bounds_of(&Baseline::read(&args.file)?);
    }
    baseline.write(&args.file)?;
    let (file, runs, figures) = (args.file.display(), baseline.runs.len(), baseline.figures.len());
    writeln!(anstream::stdout(), "{file}: {figures} figures of {runs} runs of {}", baseline.scenario)?;
    Ok(())
}
