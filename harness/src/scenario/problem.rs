//! What is wrong with files, collected so that a person sees all of it at once.

use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, Severity, SourceCode};

use super::source::Place;

/// Lines longer than this are not shown, only named.
const LONGEST_LINE: usize = 400;

/// One thing that is wrong, or suspicious, in a file.
#[derive(Debug, Clone)]
pub struct Problem {
    is_error: bool,
    message: String,
    label: Option<String>,
    help: Option<String>,
    path: Option<PathBuf>,
    place: Option<Place>,
}

impl Problem {
    /// Whether it makes the file unusable. Otherwise it is a warning.
    pub fn is_error(&self) -> bool {
        self.is_error
    }

    /// What is wrong, without where.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file, if it is about one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Line and column, both from 1 and the column in characters, if it is about a part of a file.
    pub fn position(&self) -> Option<(usize, usize)> {
        self.place.as_ref().map(|place| (place.line(), place.column()))
    }

    /// The text in question, if it is about a part of a file.
    pub fn text(&self) -> Option<&str> {
        self.place.as_ref().map(Place::text)
    }

    /// Sets what stands beside the text in question.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(label.into());
        self
    }

    /// Sets how to mend it.
    pub(super) fn mend(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    fn shows_source(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.line_len() <= LONGEST_LINE)
    }

    fn order(&self) -> (bool, Option<&Path>, usize) {
        (!self.is_error, self.path(), self.place.as_ref().map_or(0, |place| place.start))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.shows_source() {
            if let Some(path) = &self.path {
                write!(f, "{}:", path.display())?;
            }
            if let Some((line, column)) = self.position() {
                write!(f, "{line}:{column}:")?;
            }
            if self.path.is_some() {
                f.write_str(" ")?;
            }
        }
        f.write_str(if self.is_error { "" } else { "warning: " })?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<Severity> {
        Some(if self.is_error { Severity::Error } else { Severity::Warning })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let place = self.place.as_ref().filter(|_| self.shows_source())?;
        Some(place.source.shown())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref().filter(|_| self.shows_source())?;
        let label = self.label.clone().unwrap_or_else(|| "here".to_owned());
        let span = (place.start, place.end - place.start);
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(Some(label), span))))
    }
}

/// How problems are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// Colours and lines, for a terminal.
    Fancy,
    /// ASCII without colours, for logs and files.
    Plain,
}

impl Rendering {
    /// What fits a stream: fancy on a terminal, unless `NO_COLOR` is set or the terminal is dumb.
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if stream.is_terminal() && !no_color && !dumb { Self::Fancy } else { Self::Plain }
    }

    fn handler(self) -> GraphicalReportHandler {
        let (theme, width) = match self {
            Self::Fancy => (GraphicalTheme::unicode(), 100),
            Self::Plain => (GraphicalTheme::none(), 120),
        };
        GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false).with_context_lines(1)
    }
}

/// All that is wrong, or suspicious, in some files. Errors first, then by file and place.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    problems: Vec<Problem>,
}

impl Diagnostics {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether a file is unusable.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter()
    }

    /// What makes files unusable.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.iter().filter(|problem| problem.is_error)
    }

    /// What is only suspicious.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.iter().filter(|problem| !problem.is_error)
    }

    /// Takes over those of another file.
    pub fn extend(&mut self, other: Diagnostics) {
        self.problems.extend(other.problems);
        self.sort();
    }

    /// Adds what makes a file unusable and shows only when all of it is read, with how to mend it.
    pub fn refuse(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let mut problems = Problems::default();
        problems.error(place, message).mend(help);
        self.extend(problems.into_diagnostics());
    }

    /// All of them as text for a person, with the lines in question, and their number at the end.
    pub fn render(&self, rendering: Rendering) -> String {
        let handler = rendering.handler();
        let mut text = String::new();
        for problem in &self.problems {
            if handler.render_report(&mut text, problem).is_err() {
                text.push_str(&problem.to_string());
            }
            text.push('\n');
        }
        if !self.is_empty() {
            text.push_str(&format!("{self}\n"));
        }
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }

    /// One file is reached from several others; what is wrong with it is said once.
    fn sort(&mut self) {
        self.problems.sort_by(|a, b| a.order().cmp(&b.order()));
        self.problems.dedup_by(|a, b| a.order() == b.order() && a.message == b.message);
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            count => Some(format!("{count} {word}s")),
        };
        let parts = [counted(self.errors().count(), "error"), counted(self.warnings().count(), "warning")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(if parts.is_empty() { "no problems" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl std::error::Error for Diagnostics {}

/// Problems while they are collected.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.push(true, Some(&place.source.path), Some(place), message.into())
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) -> &mut Problem {
        self.push(false, Some(&place.source.path), Some(place), message.into())
    }

    /// An error about a file as a whole.
    pub(super) fn file_error(&mut self, path: &Path, message: impl Into<String>) -> &mut Problem {
        self.push(true, Some(path), None, message.into())
    }

    /// An error about no file, but about what was asked for on the command line.
    pub(super) fn option_error(&mut self, message: impl Into<String>) -> &mut Problem {
        self.push(true, None, None, message.into())
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(Problem::is_error)
    }

    pub(super) fn into_diagnostics(self) -> Diagnostics {
        let mut diagnostics = Diagnostics { problems: self.0 };
        diagnostics.sort();
        diagnostics
    }

    fn push(&mut self, is_error: bool, path: Option<&Path>, place: Option<&Place>, message: String) -> &mut Problem {
        let path = path.map(Path::to_owned);
        self.0.push(Problem { is_error, message, label: None, help: None, path, place: place.cloned() });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

/// The text in question, short enough to stand within a message.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    let dots = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{shown}{dots}`")
}

/// The known word that was probably meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    near(word, known).first().copied()
}

/// The known words that may have been meant, which are as near as the nearest.
pub(super) fn near<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = word.to_lowercase().replace('_', "-");
    let mut near: Vec<_> = known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(lower.len()) / 3).max(1))
        .collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    near.retain(|(distance, _)| Some(*distance) == least);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A sentence that suggests the nearest known words, or else names all of them.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match &near(word, known.clone())[..] {
        [] => format!("known here: {}", listed(known)),
        near => mean(near),
    }
}

/// Asks whether one of these words was meant.
pub(super) fn mean(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match &quoted[..] {
        [rest @ .., last] if !rest.is_empty() => format!("did you mean {} or {last}?", rest.join(", ")),
        all => format!("did you mean {}?", all.concat()),
    }
}

/// Words with commas between them.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["steps", "topology", "always"];
        for (word, near) in [("step", Some("steps")), ("Topolgy", Some("topology")), ("banana", None)] {
            assert_eq!(nearest(word, known), near, "{word}");
        }
    }

    #[test]
    fn quoting_shortens_and_escapes() {
        assert_eq!(quoted("a\u{1b}b"), "`a\\u{1b}b`");
        assert!(quoted(&"x".repeat(1000)).chars().count() < 70);
    }
}
