//! Progress on a terminal: what has ended scrolls up, what runs is drawn anew below it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Result;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::event::{Event, SpanId, Verdict, What};
use crate::report::paint::Paint;
use crate::report::text::{cut, wrapped};
use crate::report::told::Told;
use crate::report::words::{first_line, label, limit, mark, numbered, phase, time};

use super::state::{Running, State};

/// Terminals narrower than this get no bars, only figures.
const ROOM_FOR_BARS: usize = 110;
/// Terminals narrower than this show what a wait is for on a line of its own.
const ROOM_FOR_MESSAGES: usize = 100;

pub(super) struct Live {
    verbose: bool,
    paint: Paint,
    width: usize,
    state: State,
    told: Told,
    screen: MultiProgress,
    bars: BTreeMap<SpanId, Bar>,
}

struct Bar {
    bar: ProgressBar,
    /// The unit that its template is for, and whether it has a message; nothing before it first said something.
    shape: Option<(Option<String>, bool)>,
}

impl Live {
    pub(super) fn new(verbose: bool, color: bool, width: usize) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let (state, told, bars) = (State::default(), Told::default(), BTreeMap::new());
        Self { verbose, paint: Paint { color }, width: width.max(20), state, told, screen, bars }
    }

    pub(super) fn clear(&self) {
        // The error would be of a terminal that is gone, and with it the lines.
        let _ = self.screen.clear();
    }

    pub(super) fn event(&mut self, event: &Event) -> Result<()> {
        match &event.what {
            What::RunStarted { run, scenario, .. } => {
                self.line(&format!("{}  {}", self.paint.bold(scenario), self.paint.dim(&format!("run {run}"))))
            }
            What::Provider { name, reason } => self.line(&self.paint.dim(&format!("on {name}: {reason}"))),
            What::Artifact { name, version, source, .. } => {
                self.line(&self.paint.dim(&format!("  with {name} {version} from {source}")))
            }
            What::StepPlanned { step, .. } => {
                self.state.steps = self.state.steps.max(step + 1);
                Ok(())
            }
            What::SpanStarted { span, .. } => self.start(*span, event),
            What::Progress { span, message, done, total, unit } => {
                self.progress(*span, message, *done, *total, unit.as_deref());
                Ok(())
            }
            What::SpanEnded { span, verdict, took, message } => self.end(*span, *verdict, *took, message.as_deref()),
            What::Fault { .. } => self.line(&self.paint.fault(&self.say("↯", event))),
            What::Violation { .. } | What::Unexplained { .. } => self.line(&self.paint.alarm(&self.say("✗", event))),
            What::Notice { .. } => self.line(&self.paint.dim(&self.say("·", event))),
            _ if self.verbose => match self.told.describe(event) {
                Some(text) => self.line(&self.paint.dim(&format!("  · {text}"))),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn say(&self, mark: &str, event: &Event) -> String {
        format!("  {mark} {}", self.told.say(&event.what).unwrap_or_default())
    }

    fn start(&mut self, id: SpanId, event: &Event) -> Result<()> {
        if let Some(new) = self.state.start(event) {
            self.line(&self.paint.bold(phase(new)))?;
        }
        let Some(span) = self.state.spans.get(&id) else { return Ok(()) };
        let bar =
            ProgressBar::no_length().with_style(self.style(span, None, false, false)).with_prefix(self.called(span));
        let bar = self.screen.add(bar);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.bars.insert(id, Bar { bar, shape: None });
        Ok(())
    }

    fn progress(&mut self, id: SpanId, message: &str, done: Option<u64>, total: Option<u64>, unit: Option<&str>) {
        let (Some(span), Some(known)) = (self.state.spans.get(&id), self.bars.get(&id)) else { return };
        let bar = &known.bar;
        let shape = Some((unit.map(str::to_owned), !message.is_empty()));
        if known.shape != shape || bar.length() != total {
            bar.set_style(self.style(span, unit, total.is_some(), !message.is_empty()));
            match total {
                Some(total) => bar.set_length(total),
                None => bar.unset_length(),
            }
        }
        if let Some(done) = done {
            bar.set_position(done);
        }
        bar.set_message(cut(message, None));
        if let Some(known) = self.bars.get_mut(&id) {
            known.shape = shape;
        }
    }

    fn end(&mut self, id: SpanId, verdict: Verdict, took: f64, message: Option<&str>) -> Result<()> {
        if let Some(Bar { bar, .. }) = self.bars.remove(&id) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
        let Some(span) = self.state.spans.remove(&id) else { return Ok(()) };
        let passed = verdict == Verdict::Passed;
        if !self.verbose && !span.matters(passed, took) {
            return Ok(());
        }
        let mark = self.paint.outcome(verdict.into(), mark(verdict.into()));
        let found = message.filter(|_| passed).map_or(String::new(), |message| self.paint.dim(&format!("  {message}")));
        self.line(&format!("  {mark} {} {:>8}{found}", self.called(&span), time(took)))?;
        // All that a program printed is told at the end.
        let why = message.filter(|_| !passed).map(first_line);
        for line in why.iter().flat_map(|it| wrapped(it, "      ", Some(self.width))) {
            self.line(&self.paint.outcome(verdict.into(), &line))?;
        }
        Ok(())
    }

    /// A line above all that runs.
    fn line(&self, text: &str) -> Result<()> {
        self.screen.println(cut(text, Some(self.width)))
    }

    /// What the span is called, as wide for all.
    fn called(&self, span: &Running) -> String {
        let width = (self.width / 3).clamp(30, 48).min(self.width / 2);
        let name = match span.step {
            Some(step) => numbered(step, self.state.steps, &span.title),
            None => label(None, span.machine.as_deref(), &span.title),
        };
        console::pad_str(&cut(&name, Some(width)), width, console::Alignment::Left, None).into_owned()
    }

    fn style(&self, span: &Running, unit: Option<&str>, bounded: bool, message: bool) -> ProgressStyle {
        let amount = match (unit, bounded, self.width >= ROOM_FOR_BARS) {
            (None, ..) => "",
            (Some("bytes"), true, true) => {
                " {bar:10} {binary_bytes}/{binary_total_bytes}, {binary_bytes_per_sec}, {eta}"
            }
            (Some("bytes"), true, false) => " {percent} %, {eta}",
            (Some("bytes"), false, _) => " {binary_bytes} {binary_bytes_per_sec}",
            (Some(_), true, true) => " {bar:10} {pos}/{len} {unit}, {eta}",
            (Some(_), true, false) => " {pos}/{len} {unit}",
            (Some(_), false, _) => " {pos} {unit}",
        };
        let (spinner, text) =
            if self.paint.color { ("{spinner:.cyan}", "{wide_msg:.dim}") } else { ("{spinner}", "{wide_msg}") };
        let rest = match (message || !amount.is_empty(), self.width >= ROOM_FOR_MESSAGES) {
            (false, _) => String::new(),
            (true, true) => format!("{amount}  {text}"),
            (true, false) if amount.is_empty() => format!("\n      {text}"),
            (true, false) => format!("\n     {amount}  {text}"),
        };
        let template = format!("  {spinner} {{prefix}} {{clock}}{rest}");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let unit = unit.unwrap_or_default().to_owned();
        let deadline = span.deadline;
        style
            .progress_chars("━╸─")
            .with_key("unit", move |_: &ProgressState, out: &mut dyn std::fmt::Write| _ = out.write_str(&unit))
            .with_key("clock", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let mut text = time(state.elapsed().as_secs_f64());
                if let Some(deadline) = deadline {
                    _ = write!(text, " of {}", limit(deadline));
                }
                _ = write!(out, "{text:>8}");
            })
    }
}
