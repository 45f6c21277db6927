//! Colour, for those who want it.

use anstyle::{AnsiColor, Style};

use crate::event::Verdict;

use super::span::Outcome;

/// Paints, or leaves as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    /// Whether there is colour at all.
    pub(super) color: bool,
}

impl Paint {
    pub(super) fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }

    pub(super) fn outcome(self, outcome: Outcome, text: &str) -> String {
        let color = match outcome {
            Outcome::Passed => AnsiColor::Green,
            Outcome::Failed => AnsiColor::Red,
            Outcome::Broken | Outcome::Interrupted | Outcome::Unfinished => AnsiColor::Yellow,
            Outcome::NotReached => return self.dim(text),
        };
        self.with(color.on_default(), text)
    }

    pub(super) fn verdict(self, verdict: Verdict, text: &str) -> String {
        self.bold(&self.outcome(verdict.into(), text))
    }

    pub(super) fn fault(self, text: &str) -> String {
        self.with(AnsiColor::Magenta.on_default(), text)
    }

    pub(super) fn alarm(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
