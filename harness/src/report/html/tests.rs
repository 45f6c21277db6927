//! The page as a whole.

use super::*;
use crate::event::{Phase, Verdict};
use crate::report::history::{self, Cut};
use crate::report::support::{self, Log};

fn page(events: Vec<Event>) -> String {
    html(&History { events, cut: None }, None).unwrap()
}

#[test]
fn every_verdict_has_its_page_with_the_reason_on_top() {
    for (events, verdict, reason) in [
        (support::passed(), "PASSED", "all 6 steps held"),
        (support::failed(), "FAILED", "step 4 (line 15): master2 was still Ready after 90 s"),
        (support::broken(), "BROKEN", "no Docker daemon answers at"),
        (support::interrupted(), "INTERRUPTED", "somebody pressed Ctrl-C"),
        (vec![support::passed().remove(0)], "INTERRUPTED", "the log ends after 0.0 s"),
    ] {
        let page = page(events);
        let (head, _) = page.split_once("<main").unwrap();
        assert!(head.contains(&format!(">{verdict}<")) && head.contains(reason), "{head}");
    }
}

#[test]
fn work_on_no_machine_leads_to_the_log_that_all_share() {
    let mut log = Log::new("kill-master2");
    log.plan();
    log.file(0.3, "logs/vagrant.log", "log", None, None);
    let up = support::work(Phase::BringUp, "bring the machines up", 0.4, 60.0);
    let message = "m2: `vagrant up` failed";
    for (machine, state, proof) in [("m1", "running", "started"), ("m2", "absent", "Vagrant has not made it")] {
        let (machine, state, proof) = (machine.to_owned(), state.to_owned(), proof.to_owned());
        log.add(60.0, What::Machine { machine, state, proof, since: None });
    }
    log.file(60.5, "machines/m1/journal.txt", "journal", Some("m1"), None);
    log.work(&support::Work { verdict: Verdict::Broken, message: Some(message), ..up });
    log.work(&support::work(Phase::CleanUp, crate::event::REMOVE, 60.6, 61.5));
    log.file(61.0, "logs/removal.log", "log", None, None);
    log.end(62.0, Verdict::Broken, message);
    let page = page(log.finish());
    let (_, logs) = page.split_once("<h3>Logs</h3>").unwrap();
    let (logs, _) = logs.split_once("</div>").unwrap();
    assert!(logs.contains("vagrant.log") && !logs.contains("removal.log"), "{logs}");
    assert!(logs.contains("There is none of m2: it was absent (Vagrant has not made it)."), "{logs}");
    assert!(
        page.contains(
            r#"all of its cluster were removed (<a href=".&#x2f;logs&#x2f;removal.log">logs&#x2f;removal.log</a>)"#
        ),
        "{page}"
    );
    assert!(page.contains(r#"title="machine m2 is absent (Vagrant has not made it). 0.000 s"#), "{page}");
}

#[test]
fn the_page_of_a_failed_run_stays_as_it_is() {
    let page = page(support::failed()).replace(SCRIPT, "").replace(STYLE, "");
    // A sum may have characters that are escaped, and so has no fixed length.
    let policy = page.find("sha256-").unwrap();
    let end = policy + page[policy..].find("&#x27;").unwrap();
    let page = page.replace(&page[policy..end], "(sum)");
    insta::assert_snapshot!(page);
}

#[test]
fn a_log_that_is_cut_anywhere_makes_a_page_that_says_where_it_ends() {
    let whole = support::jsonl(&support::failed());
    let lines = whole.iter().filter(|byte| **byte == b'\n').count();
    // In the middle of the last line, of one in the middle, and of the second.
    for end in [whole.len() - 20, whole.len() / 2, whole.iter().position(|byte| *byte == b'\n').unwrap() + 9] {
        let history = history::parse(&whole[..end], std::path::Path::new("events.jsonl")).unwrap();
        let Some(Cut { line, .. }) = history.cut else { panic!("not cut at {end}") };
        assert!(line <= lines);
        let page = html(&history, None).unwrap();
        assert!(page.contains(&format!("in the middle of line {line}")), "{end}");
        assert!(page.contains("The log of events ends here, after"), "{end}");
    }
}

#[test]
fn whatever_events_hold_is_text_and_nothing_else() {
    const EVIL: &str = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'><b>&amp;";
    let mut log = Log::new(EVIL);
    let evil = || EVIL.to_owned();
    log.sample(2.0, true, 5.0);
    log.add(2.1, What::ApiSample { ok: false, status: None, latency_ms: 5.0, server: None, error: Some(evil()) });
    log.add(1.0, What::StepPlanned { step: 0, title: evil(), line: 1, deadline: Some(9.0) });
    log.add(1.0, What::Machine { machine: evil(), state: evil(), proof: evil(), since: None });
    log.add(1.0, What::Watch { of: evil(), connected: false, error: Some(evil()) });
    log.add(1.0, What::Artifact { name: evil(), version: evil(), source: evil(), sha256: [(evil(), evil())].into() });
    log.add(1.0, What::Provider { name: evil(), reason: evil() });
    log.add(1.0, What::Violation { invariant: evil(), message: evil(), since: None });
    log.add(1.0, What::Notice { message: evil() });
    log.file(1.0, EVIL, "log", Some(EVIL), None);
    log.file(1.0, EVIL, "config", Some(EVIL), Some(EVIL));
    log.file(1.0, "javascript:alert(3)", "journal", Some(EVIL), None);
    log.befall(1.5, EVIL, EVIL, false);
    let work = support::work(crate::event::Phase::Scenario, EVIL, 1.0, 3.0);
    log.work(&work);
    log.add(9.0, What::RunEnded { verdict: Verdict::Failed, reason: format!("{EVIL}\n{EVIL}") });
    let page = page(log.finish());
    assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    assert_eq!(page.matches("</script").count(), 2);
    for markup in ["<img", "<b>&", "onerror=alert(2)>\"", "href=\"javascript:", "'><b"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn a_reason_is_one_sentence_on_top_however_much_a_program_said() {
    let (two, many) = ("ended with 1; its last output:\n    no such file\n", "its last output:\n  line\n".repeat(99));
    assert_eq!(told("short"), ("short".to_owned(), String::new()));
    assert_eq!(told(two), ("ended with 1; its last output: no such file".to_owned(), String::new()));
    assert_eq!(told(&many), ("its last output".to_owned(), many.clone()));
    let long = "é".repeat(500);
    assert_eq!(told(&long), (format!("{}…", "é".repeat(400)), long.clone()));
}

#[test]
fn a_page_loads_nothing() {
    let page = page(support::failed());
    for loading in ["http://", "https://", "src=", "@import", "url(", "<link", "fetch(", "import("] {
        assert!(!page.contains(loading), "{loading}");
    }
}

#[test]
fn an_axis_without_a_script_has_a_few_round_moments() {
    for end in [0.01, 0.5, 7.0, 156.0, 3600.0, 90_000.0] {
        let ticks = ticks(end);
        assert!((1..=30).contains(&ticks.len()) && ticks[0] == 0.0, "{end}: {ticks:?}");
    }
}
