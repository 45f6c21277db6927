//! Which run is meant: by its id, the beginning of it, `last`, or a path.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::compare::Sample;
use crate::event::{Verdict, What};
use crate::report::history;
use crate::{pack, paths};

/// The name of the log in a run's folder.
const LOG: &str = "events.jsonl";

/// A run that lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Its log.
    pub(super) log: PathBuf,
}

/// Why no run is meant.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There are none at all.
    #[error("there is no run in {0}: `quorate run` makes one")]
    None(PathBuf),
    /// None has that id.
    #[error("no run's id begins with `{asked}`: `quorate runs` lists those that there are in {folder}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// Where runs lie.
        folder: PathBuf,
    },
    /// More than one has.
    #[error("`{asked}` is the beginning of more than one run's id: {}", ids.join(", "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The ids that begin so.
        ids: Vec<String>,
    },
    /// The folder of runs cannot be read.
    #[error("cannot read {folder}: {source}")]
    Read {
        /// Where runs lie.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The run that `asked` means.
pub(super) fn run(asked: &str) -> Result<Found, Error> {
    let path = Path::new(asked);
    if path.is_file() {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        return Ok(Found { folder: folder.to_owned(), log: path.to_owned() });
    }
    if pack::find(&path.join(LOG)).is_some() {
        return Ok(at(path));
    }
    among(&folder(), asked)
}

/// The samples of the runs that are meant. Those that did not pass are left out, which is said on standard error: they
/// ended early, and their numbers are not those of the scenario.
pub(super) fn samples(asked: &[String]) -> Result<Vec<Sample>, Box<dyn std::error::Error>> {
    let (passed, other): (Vec<_>, Vec<_>) =
        judged(asked)?.into_iter().partition(|(verdict, _)| *verdict == Verdict::Passed);
    for (verdict, sample) in other {
        let _ = writeln!(anstream::stderr(), "left out: run {}, which is {verdict}", sample.run);
    }
    Ok(passed.into_iter().map(|(_, sample)| sample).collect())
}

/// The samples of all runs that are meant, with how each ended.
pub(super) fn judged(asked: &[String]) -> Result<Vec<(Verdict, Sample)>, Box<dyn std::error::Error>> {
    let of = |asked: &String| {
        let summary = history::read(&run(asked)?.log)?.summary();
        Ok((summary.verdict, Sample::of(&summary)))
    };
    asked.iter().map(of).collect()
}

/// Where runs lie.
pub(super) fn folder() -> PathBuf {
    paths::state().join("runs")
}

/// All runs in `folder` with their starts, the newest first. Those whose log does not even begin come last.
pub(super) fn all(folder: &Path) -> Result<Vec<(Option<Timestamp>, Found)>, Error> {
    let failed = |source| Error::Read { folder: folder.to_owned(), source };
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut runs = Vec::new();
    for entry in entries {
        let found = at(&entry.map_err(failed)?.path());
        if pack::find(&found.log).is_some() {
            runs.push((started(&found.log), found));
        }
    }
    runs.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| b.folder.cmp(&a.folder)));
    Ok(runs)
}

fn among(folder: &Path, asked: &str) -> Result<Found, Error> {
    let runs = all(folder)?;
    if asked == "last" {
        return runs.into_iter().next().map(|(_, run)| run).ok_or_else(|| Error::None(folder.to_owned()));
    }
    let mut begin: Vec<Found> =
        runs.into_iter().map(|(_, run)| run).filter(|run| !asked.is_empty() && run.id().starts_with(asked)).collect();
    if let Some(exact) = begin.iter().position(|run| run.id() == asked) {
        return Ok(begin.swap_remove(exact));
    }
    match begin.len() {
        0 => Err(Error::Unknown { asked: asked.to_owned(), folder: folder.to_owned() }),
        1 => Ok(begin.swap_remove(0)),
        _ => {
            let ids = begin.iter().map(Found::id).collect();
            Err(Error::Ambiguous { asked: asked.to_owned(), ids })
        }
    }
}

fn at(folder: &Path) -> Found {
    Found { folder: folder.to_owned(), log: folder.join(LOG) }
}

fn started(log: &Path) -> Option<Timestamp> {
    let event = history::first(log).ok()?;
    matches!(event.what, What::RunStarted { .. }).then_some(event.wall)
}

impl Found {
    /// The run's id, which its folder is called by.
    pub(super) fn id(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(ids: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (id, wall) in ids {
            std::fs::create_dir(folder.path().join(id)).unwrap();
            let event = format!(
                r#"{{"at":0,"wall":"{wall}","kind":"run-started","format":1,"run":"{id}","version":"","scenario":"","path":"","text":""}}"#
            );
            std::fs::write(folder.path().join(id).join(LOG), event + "\n").unwrap();
        }
        std::fs::create_dir(folder.path().join("no-run")).unwrap();
        folder
    }

    #[test]
    fn a_run_is_meant_by_its_id_its_beginning_or_as_the_last() {
        let folder =
            runs(&[("ab1", "2026-01-03T00:00:00Z"), ("ab12", "2026-01-01T00:00:00Z"), ("cd", "2026-01-02T00:00:00Z")]);
        for (asked, expected) in [
            ("ab1", Ok("ab1")),
            ("ab12", Ok("ab12")),
            ("c", Ok("cd")),
            ("last", Ok("ab1")),
            ("a", Err("more than one run's id: ab1, ab12")),
            ("no-run", Err("no run's id begins with `no-run`")),
            ("", Err("no run's id begins with ``")),
        ] {
            match (among(folder.path(), asked), expected) {
                (Ok(run), Ok(id)) => assert_eq!(run.id(), id),
                (Err(error), Err(message)) => assert!(error.to_string().contains(message), "{error}"),
                (found, _) => panic!("{asked}: {found:?}"),
            }
        }
    }

    #[test]
    fn without_runs_there_is_no_last() {
        let folder = runs(&[]);
        assert!(matches!(among(folder.path(), "last"), Err(Error::None(_))));
        assert!(matches!(among(&folder.path().join("nowhere"), "last"), Err(Error::None(_))));
    }
}
