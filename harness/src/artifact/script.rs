//! Runs the scripts of this module: as root where they need it, in namespaces that end with them, and with what they
//! say of their progress passed on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::{ArtifactError, DISK_FULL, NEEDS_ROOT, remedy_for};
use super::folders;
use crate::process::{Command, ProcessError};
use crate::record::Span;

/// Longer than any script takes on a slow machine; they report progress, so one that hangs is seen long before.
const DEADLINE: Duration = Duration::from_secs(60 * 60);

/// A script to run, and what to call it.
pub(super) struct Script<'a> {
    /// What it does, after "failed to".
    pub(super) what: &'a str,
    /// The script's name.
    pub(super) name: &'a str,
    /// The program with its arguments.
    pub(super) command: Command,
    /// The file that all of its output is added to.
    pub(super) log: PathBuf,
}

impl Script<'_> {
    /// Runs it; its progress becomes the span's.
    pub(super) async fn run(self, span: &Arc<Span>, cancel: &CancellationToken) -> Result<(), ArtifactError> {
        let remedy = Arc::new(Mutex::new(None));
        let (found, shown) = (Arc::clone(&remedy), Arc::clone(span));
        let command = self.command.deadline(DEADLINE).label(self.name).log(&self.log).on_line(move |line| {
            if !report(line, &shown)
                && let Some(remedy) = remedy_for(line)
            {
                found.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(remedy);
            }
        });
        let source = match command.run_async(cancel).await {
            Ok(_) => return Ok(()),
            Err(source) if source.is_cancelled() => return Err(ArtifactError::Cancelled),
            Err(source) => Box::new(without_progress(source)),
        };
        let remedy = match folders::is_full(&self.log) {
            // Whatever a program says then, this is why.
            true => Some(DISK_FULL),
            false => *remedy.lock().unwrap_or_else(PoisonError::into_inner),
        };
        Err(ArtifactError::Command { what: self.what.to_owned(), source, remedy: remedy.map(str::to_owned) })
    }
}

/// Makes the kernel end all that a program started when the program is killed.
const TOGETHER: [&str; 5] = ["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

/// A script that needs no privileges as a program, with `APT_CONFIG` set. Everything started by it ends with it, where
/// the host lets its users have namespaces; elsewhere a kill may leave a compiler running to its end.
pub(super) async fn as_user(script: &Path, apt: &Path, cancel: &CancellationToken) -> Command {
    let own: &[&str] = if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-current-user"] };
    let try_it = Command::new("unshare").args(own).args(TOGETHER).arg("true");
    let command = match try_it.run_async(cancel).await {
        Ok(_) => Command::new("unshare").args(own).args(TOGETHER).args(["bash", "--"]).arg(script),
        Err(_) => Command::new("bash").arg("--").arg(script),
    };
    command.env("APT_CONFIG", apt).env("LC_ALL", "C.UTF-8")
}

/// A script that needs root as a program that everything started by it ends with. `APT_CONFIG` is the only variable
/// that it gets beyond the environment's, because sudo clears that.
pub(super) async fn as_root(script: &Path, apt: &Path, cancel: &CancellationToken) -> Result<Command, ArtifactError> {
    let apt = format!("APT_CONFIG={}", apt.display());
    if !rustix::process::geteuid().is_root() {
        let refused = |_| ArtifactError::Host {
            problem: "this is not root, and sudo wants a password".into(),
            remedy: NEEDS_ROOT.into(),
        };
        Command::as_root("true").run_async(cancel).await.map_err(refused)?;
    }
    Ok(Command::as_root("unshare").args(TOGETHER).args(["env", &apt, "bash"]).arg(script))
}

/// Passes on a line that is meant for Quorate. Whether it was one.
fn report(line: &str, span: &Span) -> bool {
    match parse(line) {
        Some(Said::Message(message)) => span.progress(message),
        Some(Said::Progress { done, total, unit, message }) => span.advance(message, done, Some(total), unit),
        None => return false,
    }
    true
}

#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Message(&'a str),
    Progress { done: u64, total: u64, unit: &'a str, message: &'a str },
}

fn parse(line: &str) -> Option<Said<'_>> {
    if let Some(message) = line.strip_prefix("@say ") {
        return Some(Said::Message(message));
    }
    let mut words = line.strip_prefix("@progress ")?.splitn(4, ' ');
    let (done, total) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Said::Progress { done, total, unit: words.next()?, message: words.next()? })
}

/// Progress is not what a person looks for in the last lines of a failure.
fn without_progress(error: ProcessError) -> ProcessError {
    match error {
        ProcessError::Status { command, status, mut tail, log } => {
            tail.retain(|line| parse(line).is_none());
            ProcessError::Status { command, status, tail, log }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_quorate_are_told_from_output() {
        assert_eq!(parse("@say unpacking"), Some(Said::Message("unpacking")));
        let progress = Said::Progress { done: 3, total: 2144, unit: "packages", message: "compiling pkg/api v1" };
        assert_eq!(parse("@progress 3 2144 packages compiling pkg/api v1"), Some(progress));
        for line in ["@progress x 2 packages y", "@progress 1 2 packages", "say what", "E: @say", ""] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
