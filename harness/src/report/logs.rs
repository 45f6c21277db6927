//! What a machine's journal and its pods said around a moment of a run, from the evidence, merged by time.
//!
//! Times are those of the machines' clocks. Where a machine's clock is not the host's, its lines lie beside the events
//! by as much as the clocks differ.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::History;
use super::told::{Told, lines};
use super::words::label;
use crate::event::{Event, SpanId, Verdict, What};
use crate::pack;

/// Something that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When, in seconds since the run's start.
    pub at: f64,
    /// Who said it: a unit, a pod, or `quorate`.
    pub source: String,
    /// What.
    pub text: String,
}

/// All that was said in a time, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// The lines.
    pub lines: Vec<Line>,
    /// What there is that could not be shown.
    pub notes: Vec<String>,
}

/// Why logs cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no evidence of that machine.
    #[error("there is no evidence of a machine `{machine}`; {}", there_is(known, logs))]
    Machine {
        /// What was asked for.
        machine: String,
        /// The machines of which there is evidence.
        known: BTreeSet<String>,
        /// What the run's own work has said, as files within its folder.
        logs: BTreeSet<String>,
    },
    /// The run has no such step.
    #[error("there is no step {step}: the scenario has {steps}")]
    Step {
        /// What was asked for, from 1.
        step: usize,
        /// How many there are.
        steps: usize,
    },
    /// The run did not get so far.
    #[error("step {step} was not reached")]
    NotReached {
        /// The step, from 1.
        step: usize,
    },
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What else there is to read.
fn there_is(known: &BTreeSet<String>, logs: &BTreeSet<String>) -> String {
    match (known.is_empty(), logs.is_empty()) {
        (false, _) => format!("there is of: {}", listed(known)),
        (true, false) => format!("the run has gathered none of any. Its own work has left: {}", listed(logs)),
        (true, true) => "the run has gathered none of any; `quorate report` shows its events".to_owned(),
    }
}

/// The first few, and how many more.
fn listed(all: &BTreeSet<String>) -> String {
    const FEW: usize = 6;
    let few = all.iter().take(FEW).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > FEW { format!("{few}, and {} more", all.len() - FEW) } else { few }
}

/// What the run's own work has said, as files within its folder that are there.
fn own_logs(history: &History, folder: &Path) -> BTreeSet<String> {
    let path = |event: &Event| match &event.what {
        What::File { path, role, .. } if role == "log" => pack::find(&folder.join(path)),
        _ => None,
    };
    let found = history.events.iter().filter_map(path);
    let within = found.filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_string_lossy().into_owned()));
    within.collect()
}

/// The moment that is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Around {
    /// A step of the scenario, from 1: from its start to its end.
    Step(usize),
    /// Seconds since the run's start.
    At(f64),
}

/// What to say where there is more than anybody reads: how much, who says most of it, and how to see less.
pub fn much(said: &Said, window: &RangeInclusive<f64>, margin: f64) -> Option<String> {
    const MUCH: usize = 1000;
    if said.lines.len() <= MUCH {
        return None;
    }
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &said.lines {
        *by.entry(&line.source).or_default() += 1;
    }
    let (most, count) = by.into_iter().max_by_key(|(_, count)| *count)?;
    Some(format!(
        "{} lines from {:.1} s to {:.1} s, {count} of them from {most}: `--around {:.1}s --margin 1` shows two seconds at the end of it, and `grep` a single source",
        said.lines.len(),
        window.start(),
        window.end(),
        window.end() - margin,
    ))
}

impl std::str::FromStr for Around {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = text.strip_suffix('s').map(|seconds| seconds.trim().parse::<f64>());
        match (text.parse::<usize>(), seconds) {
            (Ok(step), _) if step > 0 => Ok(Self::Step(step)),
            (_, Some(Ok(at))) if at.is_finite() => Ok(Self::At(at)),
            _ => Err("write the number of a step, as 4, or a time since the run's start, as 81.2s".to_owned()),
        }
    }
}

/// From when to when, in seconds since the run's start.
pub fn window(history: &History, around: Around, margin: f64) -> Result<RangeInclusive<f64>, Error> {
    let (from, to) = match around {
        Around::At(at) => (at, at),
        Around::Step(step) => {
            let summary = history.summary();
            let steps = summary.steps.len();
            let found = summary.steps.get(step - 1).ok_or(Error::Step { step, steps })?;
            let start = found.start.ok_or(Error::NotReached { step })?;
            (start, start + found.seconds.unwrap_or(summary.run.seconds - start))
        }
    };
    Ok(from - margin..=to + margin)
}

/// The line that shows where a moment is among all that was said around it.
pub fn mark(said: &mut Said, around: Around) {
    if let Around::At(at) = around {
        let place = said.lines.partition_point(|line| line.at < at);
        let text = format!("---- {at:.1} s, as asked for ----");
        said.lines.insert(place, Line { at, source: "quorate".to_owned(), text });
    }
}

/// What the evidence in a run's folder says of a machine in a time, with the run's own events.
pub fn read(history: &History, folder: &Path, machine: &str, window: &RangeInclusive<f64>) -> Result<Said, Error> {
    let machines = folder.join("machines");
    let there = machines.join(machine);
    if machine.is_empty() || !there.is_dir() {
        let entries = std::fs::read_dir(&machines).into_iter().flatten().flatten();
        let known = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        return Err(Error::Machine { machine: machine.to_owned(), known, logs: own_logs(history, folder) });
    }
    let start = history.events.first().map_or(Timestamp::UNIX_EPOCH, |event| event.wall);
    let mut reader = Reader { start, window, said: Said::default(), known: None, journal: false };
    reader.events(history);
    let own = reader.said.lines.len();
    // Earlier versions called it a log.
    for name in ["journal.txt", "journal.log"] {
        reader.file(&there.join(name), |reader, file| {
            reader.journal = true;
            reader.stream(file, None)
        })?;
    }
    for name in ["pod-logs.tar", "var-log.tar"] {
        reader.file(&there.join(name), Reader::tar)?;
    }
    if reader.said.lines.len() == own {
        let note = reader.silence(machine, &own_logs(history, folder));
        reader.said.notes.push(note);
    }
    let mut said = reader.said;
    said.lines.sort_by(|one, other| one.at.total_cmp(&other.at));
    Ok(said)
}

struct Reader<'a> {
    start: Timestamp,
    window: &'a RangeInclusive<f64>,
    said: Said,
    /// From when to when the machine said anything.
    known: Option<(f64, f64)>,
    /// Whether its journal was there as text.
    journal: bool,
}

impl Reader<'_> {
    /// Why a machine has no lines in the window, and what there is.
    fn silence(&self, machine: &str, logs: &BTreeSet<String>) -> String {
        let (from, to) = (self.window.start(), self.window.end());
        match self.known {
            Some((first, last)) => format!(
                "{machine} said nothing from {from:.1} s to {to:.1} s: what was gathered of it is from {first:.1} s to {last:.1} s"
            ),
            None if logs.is_empty() => format!("no journal and no pod logs of {machine} were gathered"),
            None => format!(
                "no journal and no pod logs of {machine} were gathered; the run's own work has left: {}",
                listed(logs)
            ),
        }
    }

    fn events(&mut self, history: &History) {
        let within = history.events.iter().filter(|event| self.window.contains(&event.at));
        let own = |at, text| Line { at, source: "quorate".to_owned(), text };
        let told = lines(&mut Told::of(&history.events), within.clone());
        self.said.lines.extend(told.into_iter().map(|line| own(line.at, line.text)));
        let mut work: BTreeMap<SpanId, String> = BTreeMap::new();
        for event in &history.events {
            if let What::SpanStarted { span, step, machine, title, .. } = &event.what {
                work.insert(*span, label(*step, machine.as_deref(), title));
            }
            let text = self.window.contains(&event.at).then(|| work_line(event, &work)).flatten();
            self.said.lines.extend(text.map(|text| own(event.at, text)));
        }
    }

    /// Reads a file if it is there, compressed or not.
    fn file(
        &mut self,
        path: &Path,
        read: impl FnOnce(&mut Self, Box<dyn Read>) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let Some(path) = pack::find(path) else { return Ok(()) };
        let read = pack::open(&path).and_then(|file| read(self, file));
        read.map_err(|source| Error::File { path, source })
    }

    fn tar(&mut self, file: Box<dyn Read>) -> std::io::Result<()> {
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries()? {
            let entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            if let Some(pod) = pod(&path) {
                self.stream(entry, Some(&pod))?;
            } else if path.ends_with("system.journal") && !self.journal {
                self.said.notes.push(
                    "the machine was off when the evidence was gathered: its journal is in var-log.tar, for `journalctl --file`"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// Reads the lines of a pod's log, or of a journal.
    fn stream(&mut self, stream: impl Read, pod: Option<&str>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream);
        let mut bytes = Vec::new();
        // A message of several lines has its time on the first of them.
        let mut last: Option<Line> = None;
        while lines.read_until(b'\n', &mut bytes)? > 0 {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            bytes.clear();
            let parsed = if let Some(pod) = pod { pod_line(&text, pod) } else { journal_line(&text) };
            last = match (parsed, last) {
                (Some((wall, source, text)), _) => Some(Line { at: self.since(wall), source, text }),
                (None, Some(line)) if text.starts_with(' ') => {
                    Some(Line { text: text.trim_start().to_owned(), ..line })
                }
                (None, _) => None,
            };
            if let Some(Line { at, .. }) = last {
                self.known = self.known.map_or(Some((at, at)), |(from, to)| Some((at.min(from), at.max(to))));
            }
            self.said.lines.extend(last.clone().filter(|line| self.window.contains(&line.at)));
        }
        Ok(())
    }

    fn since(&self, wall: Timestamp) -> f64 {
        wall.duration_since(self.start).as_secs_f64()
    }
}

/// The beginning or the end of a step, or the end of other work that went wrong.
fn work_line(event: &Event, work: &BTreeMap<SpanId, String>) -> Option<String> {
    match &event.what {
        What::SpanStarted { span, step: Some(_), .. } => Some(format!("begins: {}", work.get(span)?)),
        What::SpanEnded { span, verdict, message, .. } => {
            let name = work.get(span)?;
            let message = message.as_ref().map_or(String::new(), |message| format!(": {message}"));
            let is_told = name.starts_with("step ") || *verdict != Verdict::Passed;
            is_told.then(|| format!("{verdict}: {name}{message}"))
        }
        _ => None,
    }
}

/// The pod whose log has this path: `…/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`.
fn pod(path: &str) -> Option<String> {
    let (_, rest) = path.split_once("pods/")?;
    let [pod, _container, file] = rest.split('/').collect::<Vec<_>>().try_into().ok()?;
    let name = pod.split('_').nth(1)?;
    match file.strip_suffix(".log")? {
        "0" => Some(name.to_owned()),
        restarts => Some(format!("{name}#{restarts}")),
    }
}

/// A line as the container runtime writes it: `TIME stdout F text`.
fn pod_line(line: &str, pod: &str) -> Option<(Timestamp, String, String)> {
    let mut parts = line.splitn(4, ' ');
    let wall = parts.next()?.parse().ok()?;
    let text = parts.nth(2).unwrap_or_default();
    Some((wall, pod.to_owned(), text.to_owned()))
}

/// A line as `journalctl --output short-iso-precise` writes it: `TIME HOST UNIT[PID]: text`.
fn journal_line(line: &str) -> Option<(Timestamp, String, String)> {
    let mut parts = line.splitn(3, ' ');
    let wall = parts.next()?.parse().ok()?;
    let (source, text) = parts.nth(1)?.split_once(": ")?;
    Some((wall, source.split('[').next().unwrap_or(source).to_owned(), text.to_owned()))
}

#[cfg(test)]
mod tests;
