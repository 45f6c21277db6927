//! Why programs do not do their job, and what they said last.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a program did not do its job.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not there, or may not be run.
    #[error("{program} cannot be started: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` ended with {status}{}", tail_of(.tail, .log))]
    Status {
        /// The command line.
        command: String,
        /// Its exit status.
        status: Describe,
        /// The last lines that it printed.
        tail: Vec<String>,
        /// The file with all of its output.
        log: Option<PathBuf>,
    },
    /// It did not end in time, and was ended.
    #[error("`{command}` did not end within {deadline:?}{}", tail_of(.tail, .log))]
    Deadline {
        /// The command line.
        command: String,
        /// The time that it had.
        deadline: Duration,
        /// The last lines that it printed.
        tail: Vec<String>,
        /// The file with all of its output.
        log: Option<PathBuf>,
    },
    /// The run was interrupted, and the program with it.
    #[error("`{command}` was interrupted")]
    Cancelled {
        /// The command line.
        command: String,
    },
    /// Its output could not be read or stored.
    #[error("the output of `{command}` cannot be kept: {source}{}", crate::paths::remedy(.source))]
    Output {
        /// The command line.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ProcessError {
    /// Whether the program ended because the run was interrupted.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }

    /// The last lines that the program printed.
    pub fn tail(&self) -> &[String] {
        match self {
            Self::Status { tail, .. } | Self::Deadline { tail, .. } => tail,
            _ => &[],
        }
    }
}

/// An exit status in words.
#[derive(Debug, Clone, Copy)]
pub struct Describe(pub(super) ExitStatus);

impl Describe {
    /// The exit code, unless a signal ended the program.
    pub fn code(self) -> Option<i32> {
        self.0.code()
    }
}

impl fmt::Display for Describe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "status {code}"),
            (None, Some(signal)) => write!(f, "signal {signal}"),
            (None, None) => write!(f, "{}", self.0),
        }
    }
}

fn tail_of(tail: &[String], log: &Option<PathBuf>) -> String {
    let mut text = String::new();
    if !tail.is_empty() {
        text.push_str("; its last output:");
        for line in tail {
            text.push_str("\n    ");
            text.push_str(line);
        }
    }
    if let Some(log) = log {
        text.push_str(&format!("\n    (all of it: {})", log.display()));
    }
    text
}
