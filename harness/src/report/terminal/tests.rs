//! What is shown stays as it is.

use std::io::Write;
use std::sync::{Arc, Mutex};

use super::*;
use crate::report::support;

/// A place to write to that can be looked at.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn shown(mode: Mode, color: bool, events: &[Event]) -> String {
    let paper = Paper::default();
    let options = Options { mode, tty: false, color, width: 80 };
    let mut terminal = Terminal::on(options, Box::new(paper.clone())).evidence(Path::new("runs/x"));
    events.iter().for_each(|event| terminal.event(event));
    terminal.conclude();
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn plain_lines_of_every_verdict_stay_as_they_are() {
    for (name, events) in [
        ("plain-passed", support::passed()),
        ("plain-failed", support::failed()),
        ("plain-broken", support::broken()),
        ("plain-interrupted", support::interrupted()),
    ] {
        insta::assert_snapshot!(name, shown(Mode::Normal, false, &events));
    }
}

#[test]
fn verbose_shows_every_span_and_change() {
    insta::assert_snapshot!("plain-verbose", shown(Mode::Verbose, false, &support::failed()));
}

#[test]
fn quiet_leaves_the_verdict_and_the_evidence() {
    let text = shown(Mode::Quiet, false, &support::passed());
    assert_eq!(text, "PASSED  kill-master2: all 6 steps held\nevidence  runs/x\n");
}

#[test]
fn json_is_the_log_itself() {
    let events = support::failed();
    assert!(shown(Mode::Json, false, &events).as_bytes() == support::jsonl(&events));
}

#[test]
fn colour_is_there_only_when_asked_for() {
    assert!(!shown(Mode::Normal, false, &support::failed()).contains('\u{1b}'));
    assert!(shown(Mode::Normal, true, &support::failed()).contains('\u{1b}'));
}

#[test]
fn a_run_that_did_not_pass_says_what_to_open() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["report.html", "report.json"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let paper = Paper::default();
    let options = Options { mode: Mode::Normal, tty: false, color: false, width: 80 };
    let mut terminal = Terminal::on(options, Box::new(paper.clone())).evidence(folder.path());
    support::failed().iter().for_each(|event| terminal.event(event));
    let said = || String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert!(!said().contains("FAILED"), "the verdict comes with what there is to open");
    terminal.conclude();
    let page = folder.path().join("report.html");
    assert!(said().contains("FAILED") && said().contains(&page.display().to_string()), "{}", said());
    assert!(!said().contains("events.jsonl"), "it is not there");
}

/// A pipe whose reader is gone, or that panics.
struct Gone {
    panics: bool,
}

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        assert!(!self.panics, "the terminal's own bug");
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_terminal_that_fails_or_panics_goes_silent_and_harms_nobody() {
    for panics in [false, true] {
        let options = Options { mode: Mode::Normal, tty: false, color: false, width: 80 };
        let mut terminal = Terminal::on(options, Box::new(Gone { panics }));
        support::passed().iter().for_each(|event| terminal.event(event));
        assert!(terminal.dead);
    }
}
