//! Live progress, from events as they come.
//!
//! A [`Terminal`] only shows. It reports no errors and survives its own panics: what cannot be shown changes no verdict.

mod live;
mod plain;
mod state;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::event::{Event, What};

use super::text::{Style, short, verdict};
use super::{Summary, history};
use live::Live;
use plain::Plain;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The verdict only.
    Quiet,
    /// What a person wants to know.
    Normal,
    /// Every span, and every change of the cluster.
    Verbose,
    /// The events themselves, a line of JSON each, on standard output.
    Json,
}

/// What is shown and where to.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much is shown.
    pub mode: Mode,
    /// Whether standard error is a terminal, whose lines can be drawn anew.
    pub tty: bool,
    /// Whether there is colour.
    pub color: bool,
    /// The columns of the terminal.
    pub width: usize,
}

impl Options {
    /// What suits the process's standard error and environment, `NO_COLOR` and `TERM=dumb` included.
    pub fn detect(mode: Mode) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value: std::ffi::OsString| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let tty = std::io::stderr().is_terminal() && !dumb;
        let width = console::Term::stderr().size_checked().map_or(100, |(_, columns)| usize::from(columns));
        Self { mode, tty, color: tty && !set("NO_COLOR"), width }
    }

    fn style(&self) -> Style {
        Style { color: self.color, width: self.tty.then_some(self.width) }
    }
}

/// Shows events as they come.
pub struct Terminal {
    options: Options,
    out: Box<dyn Write + Send>,
    view: View,
    /// What the end is computed of: all events, or how the run ended where the others are in the log.
    events: Vec<Event>,
    log: Option<PathBuf>,
    evidence: Option<PathBuf>,
    dead: bool,
}

enum View {
    Silent,
    Json,
    Plain(Plain),
    Live(Live),
}

impl Terminal {
    /// Shows on standard error, or on standard output where the mode is [`Mode::Json`].
    pub fn new(options: Options) -> Self {
        match options.mode {
            Mode::Json => Self::on(options, Box::new(std::io::stdout())),
            _ => Self::on(options, Box::new(std::io::stderr())),
        }
    }

    /// Writes lines to `out`. Lines that are drawn anew go to standard error all the same.
    pub fn on(options: Options, out: Box<dyn Write + Send>) -> Self {
        let verbose = options.mode == Mode::Verbose;
        let view = match options.mode {
            Mode::Quiet => View::Silent,
            Mode::Json => View::Json,
            _ if options.tty => View::Live(Live::new(verbose, options.color, options.width)),
            _ => View::Plain(Plain::new(verbose)),
        };
        Self { options, out, view, events: Vec::new(), log: None, evidence: None, dead: false }
    }

    /// Says at the end that the evidence lies in `folder`.
    pub fn evidence(mut self, folder: &Path) -> Self {
        self.evidence = Some(folder.to_owned());
        self
    }

    /// Reads the events from the log at `path` for the end, instead of keeping them all.
    pub fn log(mut self, path: PathBuf) -> Self {
        self.log = Some(path);
        self
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        self.guarded(|terminal| terminal.show(event));
    }

    /// Says what time it is, in seconds since the run's start, where nothing else may for long: without a terminal to
    /// draw on, work is announced only once it has run for some seconds.
    pub fn tick(&mut self, now: f64) {
        self.guarded(|terminal| match &mut terminal.view {
            View::Plain(plain) => plain.tick(now, &mut terminal.out),
            _ => Ok(()),
        });
    }

    fn guarded(&mut self, show: impl FnOnce(&mut Self) -> std::io::Result<()>) {
        if !self.dead {
            let shown = catch_unwind(AssertUnwindSafe(|| show(self)));
            self.dead = !matches!(shown, Ok(Ok(())));
        }
    }

    fn show(&mut self, event: &Event) -> std::io::Result<()> {
        match &mut self.view {
            View::Silent => {}
            View::Json => {
                let mut line = serde_json::to_vec(event)?;
                line.push(b'\n');
                self.out.write_all(&line)?;
                return self.out.flush();
            }
            View::Plain(plain) => plain.event(event, &mut self.out)?,
            View::Live(live) => live.event(event)?,
        }
        if self.log.is_none() {
            self.events.push(event.clone());
        } else if let What::RunEnded { .. } = event.what {
            self.events = vec![event.clone()];
        }
        Ok(())
    }

    /// Shows how the run ended and where to look, once there is all that one can look at.
    pub fn conclude(&mut self) {
        self.guarded(|terminal| match terminal.events.last().map(|event| &event.what) {
            Some(What::RunEnded { .. }) => terminal.end(),
            _ => Ok(()),
        });
    }

    fn end(&mut self) -> std::io::Result<()> {
        if let View::Live(live) = &self.view {
            live.clear();
        }
        if let Some(log) = &self.log {
            let ended = std::mem::take(&mut self.events);
            self.events = history::read(log).map_or_else(|_| Vec::new(), |history| history.events);
            // A log on a full disk does not say how the run ended.
            if !matches!(self.events.last().map(|event| &event.what), Some(What::RunEnded { .. })) {
                self.events.extend(ended);
            }
        }
        let evidence = self.evidence.as_deref();
        let (summary, style) = (Summary::of(&self.events), self.options.style());
        let lines = match self.options.mode {
            Mode::Quiet => short(&summary, evidence, style),
            _ => verdict(&self.events, &summary, evidence, style),
        };
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let View::Live(live) = &self.view {
            live.clear();
        }
    }
}
