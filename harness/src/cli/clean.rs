//! `quorate clean`: removes what runs left behind.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::evidence::{self, Limit};
use crate::artifact::{self, ArtifactError};
use crate::run::retention::{Bounds, Reason, tidy};
use crate::run::store::{Folder, Owner, StoreError};

/// What a mark in the cache is trusted for.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes what orphaned runs left behind, and nothing else. Evidence stays, unless it is bounded here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs whose things are to be removed even if they are kept. A run that goes on is refused.
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Removes what is kept, or left to a later run, on purpose as well.
    #[arg(long, conflicts_with = "runs")]
    kept: bool,
    /// Removes evidence that is older than this, as 30d. The newest run of each scenario and verdict stays.
    #[arg(long, value_name = "AGE", value_parser = evidence::age)]
    older_than: Option<Limit<Duration>>,
    /// Removes the oldest evidence where all takes more than this, as 2GiB. The newest run of each scenario and verdict
    /// stays.
    #[arg(long, value_name = "SIZE", value_parser = evidence::size)]
    keep_size: Option<Limit<u64>>,
    /// Removes from the cache and from the docker engine what machines are made of, where no run has used it for this long, as 30d.
    #[arg(long, value_name = "AGE", value_parser = idle)]
    unused_for: Option<Limit<Duration>>,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    match clean(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::complain(&error.to_string()),
    }
}

async fn clean(args: &Args) -> Result<(), CleanError> {
    let all = Folder::all()?;
    if let Some(unknown) = args.runs.iter().find(|run| !all.iter().any(|folder| folder.run() == *run)) {
        return Err(CleanError::Unknown { run: unknown.clone() });
    }
    let mut out = anstream::stdout();
    let mut failed = None;
    for folder in all {
        let wanted = match folder.owner()? {
            Owner::Nothing => false,
            Owner::Alive => args.runs.iter().any(|run| run == folder.run()),
            Owner::Kept | Owner::Left => args.kept || args.runs.iter().any(|run| run == folder.run()),
            Owner::Orphaned => args.runs.is_empty() || args.runs.iter().any(|run| run == folder.run()),
        };
        if !wanted {
            continue;
        }
        let _ = writeln!(out, "removing what run {} left", folder.run());
        if let Err(error) = folder.remove_orphan().await {
            let _ = writeln!(anstream::stderr(), "error: {error}");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)?;
    if args.older_than.is_some() || args.keep_size.is_some() {
        let bounds =
            Bounds { age: args.older_than.and_then(|limit| limit.0), size: args.keep_size.and_then(|limit| limit.0) };
        for removed in tidy(bounds, Timestamp::now())? {
            let (run, size) = (removed.run, removed.size / 1024);
            let why = match removed.reason {
                Reason::Age => "too old",
                Reason::Size => "too much",
            };
            let _ = writeln!(out, "removed the evidence of run {run}: {why}, {size} KiB");
        }
    }
    if let Some(Limit(Some(idle))) = args.unused_for {
        clear_cache(idle, &mut out).await?;
    }
    Ok(())
}

/// Removes what machines are made of and nobody has used for so long. Fails in the end if something of it is still there.
async fn clear_cache(idle: Duration, out: &mut impl Write) -> Result<(), CleanError> {
    let mut left = 0;
    for unused in artifact::remove_unused(idle, &CancellationToken::new()).await? {
        let (name, days) = (unused.name, unused.idle.as_secs() / DAY.as_secs());
        match unused.removed {
            Ok(()) => drop(writeln!(out, "removed {name}: unused for {days} days")),
            Err(error) => {
                left += 1;
                let _ = writeln!(anstream::stderr(), "error: {name}, which is unused for {days} days, stays: {error}");
            }
        }
    }
    if left == 0 { Ok(()) } else { Err(CleanError::Left { count: left }) }
}

/// Reads how long something is not to have been used: at least a day, which is longer than any run or build.
fn idle(text: &str) -> Result<Limit<Duration>, String> {
    match evidence::age(text)? {
        Limit(Some(idle)) if idle < DAY => {
            Err("what was used within a day may be in use now: write `1d` or more".into())
        }
        limit => Ok(limit),
    }
}

#[derive(Debug, thiserror::Error)]
enum CleanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error("{count} unused things of the cache are still there; the lines above say why")]
    Left { count: usize },
    #[error("there is no run `{run}`; `quorate ls` lists those that have left something")]
    Unknown { run: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_in_use_is_not_called_unused() {
        assert_eq!(idle("1d"), Ok(Limit(Some(DAY))));
        assert_eq!(idle("off"), Ok(Limit(None)));
        for text in ["23h", "0d"] {
            assert!(idle(text).unwrap_err().contains("`1d` or more"), "{text}");
        }
    }
}
