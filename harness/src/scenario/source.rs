//! The text of a file and places in it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::problem::Problems;

/// The largest file that is read. A scenario is a page; whatever is a megabyte is something else.
pub(super) const MAX_BYTES: usize = 1 << 20;

/// The text of a file, without a byte order mark.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// The same text with whatever could disturb a terminal replaced byte for byte, so that places fit both.
    shown: Shown,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Arc<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let shown = Shown { name: path.display().to_string(), text: harmless(&text) };
        Arc::new(Self { path: path.to_owned(), text, shown })
    }

    /// Reads a file, or says why not.
    pub(super) fn read(path: &Path, problems: &mut Problems) -> Option<Arc<Self>> {
        let bytes = match read_bytes(path) {
            Ok(bytes) => bytes,
            Err(Unreadable { why, help }) => {
                problems.file_error(path, why).mend(help);
                return None;
            }
        };
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            problems.file_error(path, "the file is UTF-16, not UTF-8").mend("save it as UTF-8");
            return None;
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Some(Self::new(path, text)),
            Err(error) => {
                let at = error.valid_up_to();
                let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
                let byte = bytes[at];
                problems
                    .file_error(path, format!("not UTF-8: byte 0x{byte:02x} at offset {at}, in line {line}"))
                    .mend("save the file as UTF-8");
                None
            }
        }
    }

    pub(super) fn shown(&self) -> &Shown {
        &self.shown
    }
}

/// A text with its name, whose columns are counted in characters. Miette's own count bytes.
pub(super) struct Shown {
    name: String,
    text: String,
}

impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.read_span(span, lines_before, lines_after)?;
        let before = &self.text.as_bytes()[..found.span().offset()];
        let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let column = String::from_utf8_lossy(line).chars().count();
        let (line, count) = (found.line(), found.line_count());
        let name = self.name.clone();
        Ok(Box::new(MietteSpanContents::new_named(name, found.data(), *found.span(), line, column, count)))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}

struct Unreadable {
    why: String,
    help: &'static str,
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let unreadable = |error: std::io::Error| Unreadable {
        help: match error.kind() {
            std::io::ErrorKind::NotFound => "check the path; it is taken relative to where you are",
            std::io::ErrorKind::PermissionDenied => "make the file readable for you",
            _ => "check the file and its folder",
        },
        why: match error.kind() {
            std::io::ErrorKind::NotFound => "no such file".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        },
    };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        let why = "this is a directory, not a file".to_owned();
        return Err(Unreadable { why, help: "name the files in it, for example with a shell's *.yaml" });
    }
    if !metadata.is_file() {
        return Err(Unreadable { why: "this is not a regular file".to_owned(), help: "name a YAML file" });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        let why = format!("the file has {} bytes, and the limit is {MAX_BYTES}", metadata.len());
        return Err(Unreadable { why, help: "a scenario is a page of YAML; is this the right file?" });
    }
    Ok(bytes)
}

/// Replaces control characters by as many question marks as they have bytes.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' => shown.push(' '),
            c if c.is_control() || is_direction(c) => (0..c.len_utf8()).for_each(|_| shown.push('?')),
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that reorder what a terminal shows.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A part of a file.
#[derive(Clone)]
pub struct Place {
    pub(super) source: Arc<Source>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Place {
    /// The text between two byte offsets, moved to where characters begin.
    pub(super) fn new(source: &Arc<Source>, start: usize, end: usize) -> Self {
        let floor = |mut at: usize| {
            at = at.min(source.text.len());
            while !source.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(start);
        Self { source: Arc::clone(source), start, end: floor(end).max(start) }
    }

    pub(super) fn text(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        1 + self.source.text[..self.start].matches('\n').count()
    }

    /// The line, from 1, as events have it.
    pub(super) fn line_number(&self) -> u32 {
        u32::try_from(self.line()).unwrap_or(u32::MAX)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        1 + self.source.text[self.line_start()..self.start].chars().count()
    }

    /// The length of the line in bytes.
    pub(super) fn line_len(&self) -> usize {
        let rest = &self.source.text[self.line_start()..];
        rest.find('\n').unwrap_or(rest.len())
    }

    fn line_start(&self) -> usize {
        self.source.text[..self.start].rfind('\n').map_or(0, |at| at + 1)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line(), self.column())
    }
}

/// As compilers write it: `FILE:LINE:COLUMN`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self:?}", self.source.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let source = Source::new(Path::new("x.yaml"), "\u{feff}ä: b\r\nc: d\r\n");
        let place = Place::new(&source, 4, 5);
        assert_eq!((place.text(), place.line(), place.column()), ("b", 1, 4));
        let place = Place::new(&source, 7, 8);
        assert_eq!((place.text(), place.line(), place.column()), ("c", 2, 1));
    }

    #[test]
    fn what_is_shown_has_the_same_bytes_count() {
        let text = "a\u{1b}[31m\u{85}\u{202e}\r\nb";
        assert_eq!(harmless(text).len(), text.len());
        assert!(!harmless(text).contains('\u{1b}'));
    }
}
