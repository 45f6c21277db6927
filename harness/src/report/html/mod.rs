//! `report.html`: a run as one page that needs nothing but itself.
//!
//! All of it is computed here and in `report.html`, the template; the script only adds what a page without it can do
//! without: to look closer, to tell of single requests, to move about by keyboard. Events hold whatever programs said,
//! so every text is escaped, and the page forbids its browser to load anything and to run any script but its own.

mod bands;
mod blind;
mod chart;
mod files;
mod lanes;
mod moments;
mod piece;
mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::compare;
use crate::event::{Event, Verdict, What};

use super::around::around;
use super::cause::{self, Cause};
use super::rows::{rows, scope};
use super::span::{Outcome, Span};
use super::told::tidy;
use super::words::{began, blame, first_line, left, limit, moment, phase, time, wall};
use super::{History, Summary};
use bands::{Band, bands};
use chart::{Chart, chart};
use files::{Files, Link};
use lanes::{Lane, lanes, numbered, watched, worked};
use piece::{Piece, Row, Track, stacked, thinned};

const TEMPLATE: &str = include_str!("report.html");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// The page of a run. Where its folder `evidence` is known, links lead to files as they lie there, compressed or not.
pub fn html(history: &History, evidence: Option<&Path>) -> Result<String, minijinja::Error> {
    let summary = history.summary();
    let (started, end) = (summary.run.started, summary.run.seconds.max(f64::EPSILON));
    let page = Page::of(&history.events, &summary, end, evidence);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("share", move |seconds: f64| format!("{:.4}", 100.0 * seconds / end));
    environment.add_filter("exact", move |at: f64| format!("{at:.3} s ({} UTC)", wall(started, at, "%H:%M:%S%.3f")));
    environment.add_filter("wall", move |at: f64| wall(started, at, "%H:%M:%S"));
    environment.add_filter("moment", moment);
    environment.add_filter("time", time);
    environment.add_filter("limit", limit);
    environment.add_template("report.html", TEMPLATE)?;
    let data = Data {
        run: &summary.run.id,
        start: started.as_millisecond(),
        end,
        top: page.chart.as_ref().map_or(0.0, |chart| chart.top),
        samples: page.chart.as_ref().map(|chart| &chart.samples),
    };
    environment.get_template("report.html")?.render(context! {
        page => Value::from(Serde(&page)),
        run => Value::from(Serde(&summary.run)),
        summary => Value::from(Serde(&summary)),
        numbers => rows(&summary).into_iter().map(|row| [row.name, row.value, row.more]).collect::<Vec<_>>(),
        comparisons => summary.comparisons.iter().map(|it| compare::text::lines(it).join("\n")).collect::<Vec<_>>(),
        ticks => ticks(end),
        seed => seed(&history.events),
        started => began(&summary.run),
        blame => blame(summary.verdict, summary.judged()),
        left => left(&summary.run).or(summary.removed().then_some("all of its cluster were removed")),
        scope => scope(&summary),
        end,
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        // Nothing that a parser of HTML would take for markup.
        data => Value::from_safe_string(serde_json::to_string(&data).map_err(not_json)?.replace('<', "\\u003c")),
        policy => policy(),
    })
}

fn not_json(error: serde_json::Error) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::BadSerialization, "the samples").with_source(error)
}

/// What the page lets its browser do.
fn policy() -> String {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )
}

/// How an outcome looks: a class of report.css.
fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed => "failed",
        Outcome::Broken => "broken",
        Outcome::Interrupted => "interrupted",
        Outcome::Unfinished => "unfinished",
        Outcome::NotReached => "not-reached",
    }
}

/// Round moments for an axis without a script: at most ten, at least one.
fn ticks(end: f64) -> Vec<f64> {
    const STEPS: [f64; 12] = [0.1, 0.5, 1.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
    let step = STEPS.into_iter().find(|step| end / step <= 10.0).unwrap_or(end);
    (0..=(end / step) as u32).map(|tick| f64::from(tick) * step).collect()
}

/// What the script reads.
#[derive(Debug, Serialize)]
struct Data<'a> {
    /// What commands call the run.
    run: &'a str,
    /// When the run started, in milliseconds of the epoch.
    start: i64,
    /// Its length in seconds.
    end: f64,
    /// The power of ten of the highest latency on the chart.
    top: f64,
    samples: Option<&'a chart::Samples>,
}

/// What the template draws beyond the summary.
#[derive(Debug, Serialize)]
struct Page {
    verdict: &'static str,
    /// The reason's first line, and the rest of it.
    reason: String,
    details: String,
    failure: Option<Failure>,
    phases: Vec<Piece>,
    faults: Vec<Row>,
    /// The faults once more, to be drawn across all lanes.
    bands: Vec<Piece>,
    chart: Option<Chart>,
    cluster: Vec<Row>,
    lanes: Vec<Lane>,
    work: Vec<Row>,
    steps: Vec<script::Told>,
    always: Vec<script::Promise>,
    lines: Vec<script::Line>,
    moments: Vec<moments::Line>,
    left_out: usize,
    files: Files,
    /// What was printed while the machines were removed.
    removal: Option<Link>,
}

/// Where a run that did not pass went wrong.
#[derive(Debug, Serialize)]
struct Failure {
    at: f64,
    /// The invariant that was violated, if it is that, and its line.
    invariant: Option<String>,
    line: Option<u32>,
    /// The step's number, from 1, and its line.
    step: Option<(usize, u32)>,
    title: String,
    around: Vec<(f64, String)>,
    logs: Vec<Link>,
    /// The moment at which a browser opens them, if it can open any.
    opened: Option<f64>,
    /// Why there is none of a machine, a sentence each.
    missing: Vec<String>,
    /// What to say at a terminal to read more.
    commands: Vec<String>,
}

impl Page {
    fn of(events: &[Event], summary: &Summary, end: f64, evidence: Option<&Path>) -> Self {
        let files = Files::of(events, &summary.run, evidence);
        let (reason, details) = told(&files.found(&summary.reason));
        let bands = bands(events, &summary.faults, end);
        let (moments, left_out) = moments::moments(events, summary, &files);
        let text = scenario(events);
        let (steps, always) = (script::steps(events, summary, text), script::always(summary, text));
        let work = |span: &&Span| span.machine.is_none() && span.step.is_none();
        let work = summary.spans.iter().filter(work).map(|span| worked(span, end)).collect();
        Self {
            verdict: class(summary.verdict.into()),
            reason,
            details,
            failure: failure(events, summary, &files),
            phases: phases(summary, end),
            faults: numbered("Faults", "faults", stacked(bands.iter().map(Band::piece).collect())).collect(),
            bands: bands.iter().map(Band::piece).collect(),
            chart: chart(events, summary.api.as_ref(), end),
            cluster: cluster(events, summary, end),
            lanes: lanes(events, &summary.spans, &bands, end),
            work: numbered("work", "work", stacked(thinned(work, end))).collect(),
            lines: script::lines(text, &steps, &always),
            steps,
            always,
            moments,
            left_out,
            removal: files.removal(),
            files,
        }
    }
}

/// A reason as one sentence, and all of it where it is too long for that.
fn told(reason: &str) -> (String, String) {
    const SENTENCE: usize = 400;
    let lines: Vec<&str> = reason.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if reason.len() <= SENTENCE {
        return (lines.join(" "), String::new());
    }
    let first = first_line(reason);
    match first.char_indices().nth(SENTENCE) {
        Some((end, _)) => (format!("{}…", &first[..end]), reason.to_owned()),
        None if lines.len() > 1 => (first.to_owned(), reason.to_owned()),
        None => (first.to_owned(), String::new()),
    }
}

fn scenario(events: &[Event]) -> &str {
    let Some(What::RunStarted { text, .. }) = events.first().map(|event| &event.what) else { return "" };
    text
}

fn seed(events: &[Event]) -> u64 {
    let Some(What::RunStarted { seed, .. }) = events.first().map(|event| &event.what) else { return 0 };
    *seed
}

fn failure(events: &[Event], summary: &Summary, files: &Files) -> Option<Failure> {
    let cause = Cause::of(summary)?;
    let step = cause.span.and_then(|span| span.step).and_then(|step| summary.steps.get(step));
    let from = cause.span.map_or(cause.at, |span| span.start);
    let open = cause.opens(summary);
    let (machines, _) = cause::machines(events, summary, &cause);
    let title = |span: &Span| super::words::label(None, span.machine.as_deref(), &span.title);
    let invariant = cause.violation.map(|violation| violation.invariant.clone());
    let of_all = cause.span.is_some_and(|span| span.machine.is_none() && span.step.is_none());
    let mut logs = logs(files, &machines, (from, cause.at), open, summary.verdict != Verdict::Failed);
    if of_all {
        // What was done to all machines at once is told by the log of that, and after it by theirs.
        logs.sort_by_key(|link| link.machine);
    }
    let line = |invariant: &String| summary.always.iter().find(|it| it.invariant == *invariant).map(|it| it.line);
    Some(Failure {
        at: cause.at,
        line: invariant.as_ref().and_then(line),
        invariant,
        step: step.map(|step| (step.step + 1, step.line)),
        title: cause.span.map_or_else(String::new, title),
        around: around(events, summary).into_iter().map(|moment| (moment.at, moment.text)).collect(),
        opened: logs.iter().find(|link| link.opens()).map(|_| open),
        logs,
        missing: missing(events, files),
        commands: cause::commands(events, summary, &cause, &summary.run.id),
    })
}

/// The logs of the work that was under way from a moment to another, and of the machines at the second. Those of all
/// machines together that were begun by then, as Vagrant's, stand there where there is nothing else, or if they are asked for.
fn logs(files: &Files, machines: &[String], (from, at): (f64, f64), open: f64, of_all: bool) -> Vec<Link> {
    let of = |machine| files.about(Some(machine), (from, at), open);
    let mut logs: Vec<Link> = machines.iter().flat_map(|machine| of(machine)).collect();
    let from = if of_all || logs.is_empty() { 0.0 } else { from };
    logs.extend(files.about(None, (from, at), open));
    logs
}

/// Why there is no log of some machines: those that did not run when they were seen last.
fn missing(events: &[Event], files: &Files) -> Vec<String> {
    let mut seen: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for event in events {
        if let What::Machine { machine, state, proof, .. } = &event.what {
            seen.insert(machine, (state, proof));
        }
    }
    let none = seen.into_iter().filter(|(machine, (state, _))| *state != "running" && !files.has(machine));
    none.map(|(machine, (state, proof))| format!("There is none of {machine}: it was {state} ({proof}).")).collect()
}

fn phases(summary: &Summary, end: f64) -> Vec<Piece> {
    use crate::event::Phase::{BringUp, CleanUp, Prepare, Scenario};
    let mut starts: Vec<(f64, &'static str)> = [Prepare, BringUp, Scenario, CleanUp]
        .into_iter()
        .filter_map(|it| {
            let spans = summary.spans.iter().filter(|span| span.phase == it);
            Some((spans.map(|span| span.start).reduce(f64::min)?, phase(it)))
        })
        .collect();
    starts.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut track = Track::default();
    for (at, name) in starts {
        track.turn(at, "phase", name, name.to_owned());
    }
    track.pieces(None, end)
}

/// What is of no single machine: watches that were cut, and what was violated or noted.
fn cluster(events: &[Event], summary: &Summary, end: f64) -> Vec<Row> {
    let watched = watched(events, &summary.spans, end);
    let mut watches: BTreeMap<&str, Track> = BTreeMap::new();
    for event in events {
        let What::Watch { of, connected, error } = &event.what else { continue };
        let error = error.as_ref().map_or(String::new(), |error| format!(": {}", tidy(error)));
        let class = if *connected { "" } else { "down" };
        watches.entry(of).or_default().turn(event.at, class, "", format!("the watch of {of} is cut{error}"));
    }
    let mut cuts: Vec<Piece> = watches.into_values().flat_map(|track| track.pieces(None, watched)).collect();
    cuts.sort_by(|one, other| one.from.total_cmp(&other.from));
    let at_once = |at, class: &str, title| {
        let (class, short) = (class.to_owned(), String::new());
        Piece { from: at, to: at, class, short, title, machine: None }
    };
    let violated = summary.violations.iter();
    let violated =
        violated.map(|it| at_once(it.at, "mark failed", format!("violated {}: {}", it.invariant, it.message)));
    let noted = summary.notes().map(|it| at_once(it.at, "mark note", it.message.clone()));
    let mut rows: Vec<Row> = numbered("watches cut", "watch", stacked(thinned(cuts, end))).collect();
    rows.extend([
        Row { name: "violations".to_owned(), class: "marks".to_owned(), pieces: violated.collect() },
        Row { name: "notes".to_owned(), class: "marks".to_owned(), pieces: thinned(noted.collect(), end) },
    ]);
    rows.retain(|row| !row.pieces.is_empty());
    rows
}
