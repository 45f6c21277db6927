//! `quorate init`: what a repository needs to test failover, to begin with.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// All files, by their path in the repository.
const FILES: &[(&str, &str)] = &[
    ("failover/scenarios/kill-one-master.yaml", include_str!("init/scenario.yaml")),
    ("failover/scenarios/topologies/cluster.yaml", include_str!("init/topology.yaml")),
    ("failover/README.md", include_str!("init/README.md")),
    // Not named as it will be, or Cargo would take it for a package of its own.
    ("failover/Cargo.toml", include_str!("init/Cargo.toml.txt")),
    ("failover/tests/scenarios.rs", include_str!("init/scenarios.rs")),
    ("failover/.config/nextest.toml", include_str!("init/nextest.toml")),
    ("failover/.gitignore", include_str!("init/gitignore")),
    (".github/workflows/failover-nightly.yml", include_str!("init/nightly.yml")),
];

/// Writes a first scenario, a topology, a package that runs scenarios as tests, and a nightly workflow into a repository.
///
/// Never overwrites: where a file is there already, it is named and nothing is written. Exit code 0: all is written;
/// 2: nothing is.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of the repository.
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("{} is there already, so nothing was written", .0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "))]
    Exists(Vec<PathBuf>),
    #[error("{} cannot be written, so nothing was: {source}", .path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

pub(crate) fn run(args: &Args) -> ExitCode {
    if let Err(error) = write_all(&args.folder) {
        return super::complain(&error.to_string());
    }
    let mut out = anstream::stdout();
    for (path, _) in FILES {
        let _ = writeln!(out, "{}", args.folder.join(path).display());
    }
    let failover = args.folder.join("failover");
    let _ = writeln!(
        out,
        "\nnext, in {}:\n  quorate doctor scenarios/kill-one-master.yaml\n  quorate run scenarios/kill-one-master.yaml\n  cargo nextest run",
        failover.display()
    );
    ExitCode::SUCCESS
}

fn write_all(folder: &Path) -> Result<(), InitError> {
    let paths = || FILES.iter().map(|(path, _)| folder.join(path));
    // A link that leads nowhere is there as well.
    let there: Vec<PathBuf> = paths().filter(|path| path.symlink_metadata().is_ok()).collect();
    if !there.is_empty() {
        return Err(InitError::Exists(there));
    }
    let mut written = Vec::new();
    for (path, (_, text)) in paths().zip(FILES) {
        if let Err(source) = write(&path, text) {
            for path in written {
                // It was made here a moment ago.
                let _ = std::fs::remove_file(path);
            }
            return Err(match source.kind() {
                ErrorKind::AlreadyExists => InitError::Exists(vec![path]),
                _ => InitError::Write { path, source },
            });
        }
        written.push(path);
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(path)?;
    let done = file.write_all(text.as_bytes());
    if done.is_err() {
        let _ = std::fs::remove_file(path);
    }
    done
}
