//! How long evidence stays: it is compressed, its page made anew to match, and the oldest is removed when it is too old or
//! too much.
//!
//! Never removed are runs that go on or have left something on the host, and the newest run of each scenario and
//! verdict: what a person looks for first is how it failed last, and how it was when it passed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::store::{Folder, Owner, StoreError};
use crate::event::{Verdict, What};
use crate::pack;
use crate::report::{history, html};

/// Files that are smaller take a block of the disk either way.
const WORTH_IT: u64 = 4096;
/// A run's page.
const PAGE: &str = "report.html";

/// How much evidence stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// How old a run may be.
    pub age: Option<Duration>,
    /// How much room all runs may take, in bytes.
    pub size: Option<u64>,
}

/// What became of a run's evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The run's id.
    pub run: String,
    /// How much room it took, in bytes.
    pub size: u64,
    /// Why it was removed.
    pub reason: Reason,
}

/// Why evidence was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It was too old.
    Age,
    /// There was too much.
    Size,
}

/// A run, as far as it matters here.
#[derive(Debug)]
struct Run {
    folder: Folder,
    started: Timestamp,
    size: u64,
    /// Whether it must stay.
    stays: bool,
}

/// Compresses all runs but the newest, and removes what exceeds the bounds, oldest first.
pub fn tidy(bounds: Bounds, now: Timestamp) -> Result<Vec<Removed>, StoreError> {
    among(&super::store::runs(), bounds, now)
}

fn among(runs: &Path, bounds: Bounds, now: Timestamp) -> Result<Vec<Removed>, StoreError> {
    let folders = Folder::all_in(runs)?;
    for folder in folders.iter().rev().skip(1) {
        // One that goes on is written to.
        let Some(_held) = folder.hold()? else { continue };
        compress(folder.path())?;
        if let Err(error) = renew_page(folder.path()) {
            tracing::warn!(%error, run = folder.run(), "its page cannot be made anew");
        }
    }
    let runs = look(folders)?;
    let mut left: u64 = runs.iter().map(|run| run.size).sum();
    let mut removed = Vec::new();
    for run in runs.iter().filter(|run| !run.stays) {
        let age = Duration::try_from(now.duration_since(run.started)).unwrap_or_default();
        let reason = if bounds.age.is_some_and(|most| age > most) {
            Reason::Age
        } else if bounds.size.is_some_and(|most| left > most) {
            Reason::Size
        } else {
            continue;
        };
        if run.folder.forget()? {
            left -= run.size;
            removed.push(Removed { run: run.folder.run().to_owned(), size: run.size, reason });
        }
    }
    Ok(removed)
}

/// All runs, oldest first, with what must stay of them.
fn look(folders: Vec<Folder>) -> Result<Vec<Run>, StoreError> {
    let mut runs = Vec::new();
    let mut newest = BTreeSet::new();
    for folder in folders.into_iter().rev() {
        let (kind, started) = kind(&folder);
        let stays = newest.insert(kind) || folder.owner()? != Owner::Nothing;
        let size = files(folder.path()).iter().map(|(_, size)| size).sum();
        runs.push(Run { started, size, stays, folder });
    }
    runs.reverse();
    Ok(runs)
}

/// The scenario and the verdict of a run, and when it started. What is not known is a kind of its own.
fn kind(folder: &Folder) -> ((Option<String>, Option<String>), Timestamp) {
    let history = history::read(&folder.path().join("events.jsonl")).ok();
    let started = history.as_ref().and_then(|history| history.events.first()).map(|event| event.wall);
    let verdict = history.as_ref().map(|history| {
        let ended = history.events.iter().rev().find_map(|event| match event.what {
            What::RunEnded { verdict, .. } => Some(verdict),
            _ => None,
        });
        ended.unwrap_or(Verdict::Interrupted).to_string()
    });
    let card = folder.card();
    let scenario = card.as_ref().map(|card| card.scenario.clone());
    let started = started.or(card.map(|card| card.started)).or_else(|| made(folder.path()));
    ((scenario, verdict), started.unwrap_or(Timestamp::MAX))
}

fn made(path: &Path) -> Option<Timestamp> {
    path.metadata().ok()?.modified().ok()?.try_into().ok()
}

/// Compresses the log and the outputs of a run.
fn compress(folder: &Path) -> Result<(), StoreError> {
    const PACKED: [&str; 4] = ["jsonl", "log", "txt", "tar"];
    let packed = |name: &Path| name.extension().is_some_and(|end| PACKED.iter().any(|packed| end == *packed));
    let worth =
        |(path, size): &(PathBuf, u64)| *size >= WORTH_IT && packed(path) && !path.ends_with(super::store::LEDGER);
    for (path, _) in files(folder).into_iter().filter(worth) {
        match pack::pack(&path) {
            // Somebody else compressed it meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(|source| StoreError::File { path, source })?,
        }
    }
    Ok(())
}

/// Makes a run's page anew where it is older than a file that was compressed, so that its links lead to what is there.
/// A page whose log cannot be read, as that of a newer Quorate, stays as it is.
fn renew_page(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let page = folder.join(PAGE);
    let Some(written) = made(&page) else { return Ok(()) };
    let packed = files(folder).into_iter().filter(|(path, _)| pack::is_packed(path));
    if packed.filter_map(|(path, _)| made(&path)).all(|packed| packed < written) {
        return Ok(());
    }
    let Ok(history) = history::read(&folder.join("events.jsonl")) else { return Ok(()) };
    let text = html::html(&history, Some(folder))?;
    let part = folder.join(format!("{PAGE}.part"));
    let renewed = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &page));
    if renewed.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    Ok(renewed?)
}

/// All files in a folder with their sizes, however deep. What cannot be seen is left out.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => files.extend(self::files(&entry.path())),
            Ok(metadata) if metadata.is_file() => files.push((entry.path(), metadata.len())),
            _ => {}
        }
    }
    files
}

#[cfg(test)]
mod tests;
