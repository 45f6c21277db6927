//! Shows a run's events as they came, or faster: for looking at the live progress without a cluster.
//!
//! `cargo run --example replay -- EVENTS [SPEED] [normal|verbose|quiet|json]`, where EVENTS is an `events.jsonl`, or
//! `passed`, `failed`, `broken` or `interrupted` for a made-up run.

use std::path::Path;
use std::time::{Duration, Instant};

use quorate::report::history;
use quorate::report::terminal::{Mode, Options, Terminal};

// The made-up runs name their types by their place in the library.
use quorate::{comparison, event};

#[allow(dead_code)]
#[path = "../src/report/support.rs"]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let what = args.next().ok_or("which events?")?;
    let speed: f64 = args.next().map_or(Ok(10.0), |speed| speed.parse())?;
    let mode = match args.next().as_deref() {
        None | Some("normal") => Mode::Normal,
        Some("verbose") => Mode::Verbose,
        Some("quiet") => Mode::Quiet,
        Some("json") => Mode::Json,
        Some(other) => return Err(format!("no mode `{other}`").into()),
    };
    let events = match what.as_str() {
        "passed" => support::passed(),
        "failed" => support::failed(),
        "broken" => support::broken(),
        "interrupted" => support::interrupted(),
        path => history::read(Path::new(path))?.events,
    };
    let mut terminal = Terminal::new(Options::detect(mode)).evidence(Path::new("runs/made-up"));
    let start = Instant::now();
    for event in &events {
        let due = Duration::from_secs_f64(event.at / speed);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        terminal.event(event);
    }
    terminal.conclude();
    Ok(())
}
