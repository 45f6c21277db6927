//! Progress as plain lines that only ever grow: for logs and pipes.

use std::io::{Result, Write};

use crate::event::{Event, SpanId, Verdict, What};
use crate::report::told::Told;
use crate::report::words::{first_line, label, limit, mark, moment, phase, time};

use super::state::{Running, State};

/// How long a span runs before its start is worth a line, and how often it may say how far it is.
const ANNOUNCE: f64 = 5.0;
const REPEAT: f64 = 10.0;

#[derive(Debug)]
pub(super) struct Plain {
    verbose: bool,
    state: State,
    told: Told,
}

impl Plain {
    pub(super) fn new(verbose: bool) -> Self {
        Self { verbose, state: State::default(), told: Told::default() }
    }

    pub(super) fn event(&mut self, event: &Event, out: &mut dyn Write) -> Result<()> {
        let ends = if let What::SpanEnded { span, .. } = event.what { Some(span) } else { None };
        self.announce(event.at, ends, out)?;
        match &event.what {
            What::RunStarted { run, scenario, path, .. } => {
                line(out, event.at, &format!("{scenario}: run {run} of {path}"))?;
            }
            What::Provider { name, reason } => line(out, event.at, &format!("on {name}: {reason}"))?,
            What::Artifact { name, version, source, .. } => {
                line(out, event.at, &format!("with {name} {version} from {source}"))?;
            }
            What::SpanStarted { .. } => {
                if let Some(new) = self.state.start(event) {
                    line(out, event.at, &format!("== {}", phase(new)))?;
                }
            }
            What::Progress { span, message, done, total, unit } => {
                let amount = amount(*done, *total, unit.as_deref());
                self.progress(event.at, *span, format!("{message}{amount}"), out)?;
            }
            What::SpanEnded { span, verdict, took, message } => {
                self.ended(event.at, *span, *verdict, *took, message.as_deref(), out)?;
            }
            What::Fault { .. } | What::Violation { .. } | What::Unexplained { .. } | What::Notice { .. } => {
                line(out, event.at, &format!("! {}", self.told.say(&event.what).unwrap_or_default()))?;
            }
            _ if self.verbose => {
                if let Some(text) = self.told.describe(event) {
                    line(out, event.at, &format!("  {text}"))?;
                }
            }
            _ => {}
        }
        out.flush()
    }

    /// Announces what has been running for long enough.
    pub(super) fn tick(&mut self, now: f64, out: &mut dyn Write) -> Result<()> {
        self.announce(now, None, out)
    }

    fn announce(&mut self, now: f64, but: Option<SpanId>, out: &mut dyn Write) -> Result<()> {
        let due = |span: &Running| span.said.is_none() && now - span.start >= ANNOUNCE;
        for (_, span) in self.state.spans.iter_mut().filter(|(id, span)| Some(**id) != but && due(span)) {
            span.said = Some(now);
            let deadline = span.deadline.map_or(String::new(), |deadline| format!(", limit {}", limit(deadline)));
            let message = span.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
            let since = moment(span.start);
            line(out, now, &format!("… {} (since {since}{deadline}){message}", called(span)))?;
        }
        Ok(())
    }

    fn progress(&mut self, at: f64, id: SpanId, message: String, out: &mut dyn Write) -> Result<()> {
        let Some(span) = self.state.spans.get_mut(&id) else { return Ok(()) };
        let due = span.said.is_some_and(|said| at - said >= REPEAT);
        if due && span.message.as_ref() != Some(&message) {
            span.said = Some(at);
            line(out, at, &format!("… {}: {message}", called(span)))?;
        }
        span.message = Some(message);
        Ok(())
    }

    fn ended(
        &mut self,
        at: f64,
        id: SpanId,
        verdict: Verdict,
        took: f64,
        message: Option<&str>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let Some(span) = self.state.spans.remove(&id) else { return Ok(()) };
        let passed = verdict == Verdict::Passed;
        if !self.verbose && !span.matters(passed, took) && span.said.is_none() {
            return Ok(());
        }
        let word = if passed { String::new() } else { format!("{verdict}: ") };
        // All that a program printed is told at the end.
        let message = message.map_or(String::new(), |message| format!(": {}", first_line(message)));
        line(out, at, &format!("{} {word}{} ({}){message}", mark(verdict.into()), called(&span), time(took)))
    }
}

fn called(span: &Running) -> String {
    label(span.step, span.machine.as_deref(), &span.title)
}

fn line(out: &mut dyn Write, at: f64, text: &str) -> Result<()> {
    let mut lines = text.lines();
    writeln!(out, "[{at:>7.1}s] {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "{:>10} {line}", ""))
}

fn amount(done: Option<u64>, total: Option<u64>, unit: Option<&str>) -> String {
    let Some(done) = done else { return String::new() };
    let say = |amount: u64| match unit {
        Some("bytes") => indicatif::HumanBytes(amount).to_string(),
        _ => amount.to_string(),
    };
    let unit = unit.filter(|unit| *unit != "bytes").map_or(String::new(), |unit| format!(" {unit}"));
    match total.filter(|total| *total > 0) {
        Some(total) => format!(", {} of {}{unit} ({} %)", say(done), say(total), done.saturating_mul(100) / total),
        None => format!(", {}{unit}", say(done)),
    }
}
