//! Reads a run's events back from disk, also those of a run that was killed while it wrote a line.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::event::{Event, FORMAT, What};
use crate::pack;

use super::Summary;

/// What is left of a run's event log.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The whole events, in order. Never empty, and the first is [`What::RunStarted`].
    pub events: Vec<Event>,
    /// Where the log breaks off, if its last line is not whole.
    pub cut: Option<Cut>,
}

/// The end of a log that was cut in the middle of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// The number of the line that is not whole, from 1.
    pub line: usize,
    /// How many bytes of it are there.
    pub bytes: usize,
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line that is whole is no event.
    #[error("{path}:{line}: not an event: {source}")]
    Line {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is not one whole event.
    #[error("{path} holds no whole event: the run ended before it wrote one")]
    Empty {
        /// The log.
        path: PathBuf,
    },
    /// The first event is not the start of a run.
    #[error("{path} does not begin with `run-started`: it is not the whole log of a run")]
    Start {
        /// The log.
        path: PathBuf,
    },
    /// A newer Quorate wrote the log.
    #[error(
        "{path} has format {found}, this Quorate reads up to {FORMAT}: use the Quorate that wrote it, or a newer one"
    )]
    Format {
        /// The log.
        path: PathBuf,
        /// The format it is in.
        found: u32,
    },
}

/// Reads the log at `path`, compressed or not.
pub fn read(path: &Path) -> Result<History, Error> {
    let file = pack::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    parse(BufReader::new(file), path)
}

/// Reads only the first event of the log at `path`, which says what run it is.
pub fn first(path: &Path) -> Result<Event, Error> {
    let file = pack::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut line = Vec::new();
    BufReader::new(file)
        .read_until(b'\n', &mut line)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut history = parse(line.as_slice(), path)?;
    Ok(history.events.remove(0))
}

pub(super) fn parse(mut log: impl BufRead, path: &Path) -> Result<History, Error> {
    let mut events = Vec::new();
    let mut cut = None;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let bytes = log.read_until(b'\n', &mut line).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        if bytes == 0 {
            break;
        }
        match serde_json::from_slice::<Event>(&line) {
            Ok(event) => {
                if events.is_empty() {
                    check_start(&event, path)?;
                }
                events.push(event);
            }
            // Only the end of the line tells that the writer had finished it.
            Err(_) if !line.ends_with(b"\n") => cut = Some(Cut { line: number, bytes }),
            Err(source) => return Err(Error::Line { path: path.to_owned(), line: number, source }),
        }
    }
    if events.is_empty() {
        return Err(Error::Empty { path: path.to_owned() });
    }
    Ok(History { events, cut })
}

fn check_start(event: &Event, path: &Path) -> Result<(), Error> {
    match event.what {
        What::RunStarted { format, .. } if format > FORMAT => {
            Err(Error::Format { path: path.to_owned(), found: format })
        }
        What::RunStarted { .. } => Ok(()),
        _ => Err(Error::Start { path: path.to_owned() }),
    }
}

impl History {
    /// The summary of these events, which says where a cut log breaks off.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::of(&self.events);
        if let (Some(cut), false) = (self.cut, summary.run.ended) {
            summary.reason.push_str(&format!(", in the middle of line {}", cut.line));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Verdict;
    use crate::report::support;

    fn parsed(text: &[u8]) -> Result<History, String> {
        parse(text, Path::new("events.jsonl")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_log_is_read_back_as_it_was_written() {
        let events = support::passed();
        assert!(parsed(&support::jsonl(&events)) == Ok(History { events, cut: None }));
    }

    #[test]
    fn a_log_that_is_cut_anywhere_in_its_last_line_says_where_it_ends() {
        let whole = support::jsonl(&support::failed());
        let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        let lines = whole.iter().filter(|byte| **byte == b'\n').count();
        for end in last + 1..whole.len() - 1 {
            let history = parsed(&whole[..end]).unwrap();
            assert_eq!(history.cut, Some(Cut { line: lines, bytes: end - last }));
            let summary = history.summary();
            assert_eq!(summary.verdict, Verdict::Interrupted);
            assert!(summary.reason.ends_with(&format!("in the middle of line {lines}")), "{}", summary.reason);
        }
    }

    #[test]
    fn a_last_line_that_lacks_only_its_end_counts() {
        let events = support::passed();
        let text = support::jsonl(&events);
        assert!(parsed(&text[..text.len() - 1]) == Ok(History { events, cut: None }));
    }

    #[test]
    fn what_is_not_a_log_is_refused_with_its_line() {
        let first = String::from_utf8(support::jsonl(&support::passed()[..1])).unwrap();
        let newer = first.replace("\"format\":1", "\"format\":99");
        for (text, message) in [
            (String::new(), "holds no whole event"),
            ("{\"at\":0".to_owned(), "holds no whole event"),
            (format!("{first}nonsense\n{first}"), "events.jsonl:2: not an event: expected"),
            (format!("{first}\n"), "events.jsonl:2: not an event"),
            (newer, "has format 99, this Quorate reads up to 1"),
            (r#"{"at":1,"wall":"2026-01-01T00:00:00Z","kind":"notice","message":""}"#.to_owned(), "run-started"),
        ] {
            let error = parsed(text.as_bytes()).unwrap_err();
            assert!(error.contains(message), "{error} lacks {message}");
        }
    }
}
