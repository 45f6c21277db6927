//! Why runs do not pass: a cluster that misbehaved is never confused with a harness that could not do its job.

use crate::event::{INTERRUPTED, Verdict};
use crate::plan::Planned;

/// Why a run did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The cluster misbehaved.
    Failed(String),
    /// The harness or its host could not do its job.
    Broken(String),
    /// Somebody ended it.
    Interrupted,
}

impl Failure {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Failed(_) => Verdict::Failed,
            Self::Broken(_) => Verdict::Broken,
            Self::Interrupted => Verdict::Interrupted,
        }
    }

    pub(super) fn reason(&self) -> String {
        match self {
            Self::Failed(reason) | Self::Broken(reason) => reason.clone(),
            Self::Interrupted => INTERRUPTED.into(),
        }
    }

    pub(super) fn in_step(self, index: usize, planned: &Planned) -> Self {
        let say = |reason: String| format!("step {} (line {}, {}): {reason}", index + 1, planned.line, planned.title);
        match self {
            Self::Failed(reason) => Self::Failed(say(reason)),
            Self::Broken(reason) => Self::Broken(say(reason)),
            Self::Interrupted => Self::Interrupted,
        }
    }
}

/// That the harness or its host could not do its job.
pub(super) fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::Broken(error.to_string())
}
