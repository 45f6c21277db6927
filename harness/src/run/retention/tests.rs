//! What stays of evidence, and what does not.

use std::io::Read;

use jiff::SignedDuration;

use super::*;
use crate::run::store::Entry;

const DAY: Duration = Duration::from_secs(86400);

/// A folder of runs, each as (id, scenario, verdict, age in days); every log is a bit more than 10 kB.
fn runs(all: &[(&str, &str, &str, i64)]) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for (id, scenario, verdict, days) in all {
        let folder = temp.path().join(id);
        std::fs::create_dir_all(folder.join("logs")).unwrap();
        let wall = now() - SignedDuration::from_hours(24 * days);
        let start = format!(
            r#"{{"at":0,"wall":"{wall}","kind":"run-started","format":1,"run":"{id}","version":"","scenario":"{scenario}","path":"","text":""}}"#
        );
        let notice = format!(r#"{{"at":1,"wall":"{wall}","kind":"notice","message":"{}"}}"#, noise(10_000));
        let end = format!(r#"{{"at":2,"wall":"{wall}","kind":"run-ended","verdict":"{verdict}","reason":""}}"#);
        let log = if verdict.is_empty() { format!("{start}\n") } else { format!("{start}\n{notice}\n{end}\n") };
        std::fs::write(folder.join("events.jsonl"), log).unwrap();
        std::fs::write(
            folder.join("run.json"),
            format!(r#"{{"run":"{id}","scenario":"{scenario}","started":"{wall}"}}"#),
        )
        .unwrap();
    }
    temp
}

/// Text that hardly compresses.
fn noise(length: u32) -> String {
    (0..length).map(|at| char::from(b'a' + (at.wrapping_mul(2_654_435_761) >> 24) as u8 % 26)).collect()
}

fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn left(temp: &tempfile::TempDir) -> Vec<String> {
    Folder::all_in(temp.path()).unwrap().iter().map(|folder| folder.run().to_owned()).collect()
}

#[test]
fn what_is_too_old_goes_but_the_newest_of_its_kind_stays() {
    let temp = runs(&[
        ("1", "kill", "passed", 90),
        ("2", "kill", "failed", 80),
        ("3", "kill", "passed", 70),
        ("4", "other", "passed", 60),
        ("5", "kill", "passed", 40),
        ("6", "kill", "passed", 2),
        ("7", "kill", "passed", 1),
    ]);
    let bounds = Bounds { age: Some(30 * DAY), size: None };
    let removed = among(temp.path(), bounds, now()).unwrap();
    assert!(removed.iter().all(|removed| removed.reason == Reason::Age));
    assert_eq!(left(&temp), ["2", "4", "6", "7"]);
    assert_eq!(among(temp.path(), bounds, now()).unwrap(), []);
}

#[test]
fn what_is_too_much_goes_from_the_oldest_on() {
    let temp =
        runs(&[("1", "a", "passed", 5), ("2", "a", "passed", 4), ("3", "a", "passed", 3), ("4", "a", "passed", 2)]);
    among(temp.path(), Bounds::default(), now()).unwrap();
    assert_eq!(left(&temp).len(), 4, "without bounds all stays");
    let all: u64 = look(Folder::all_in(temp.path()).unwrap()).unwrap().iter().map(|run| run.size).sum();
    let removed = among(temp.path(), Bounds { age: None, size: Some(all - 1) }, now()).unwrap();
    assert_eq!(
        (removed.len(), removed[0].reason, left(&temp)),
        (1, Reason::Size, vec!["2".into(), "3".into(), "4".into()])
    );
    among(temp.path(), Bounds { age: None, size: Some(0) }, now()).unwrap();
    assert_eq!(left(&temp), ["4"], "the newest of its kind stays whatever its size");
}

#[test]
fn what_goes_on_or_left_machines_stays_and_is_not_touched() {
    let temp =
        runs(&[("1", "a", "passed", 99), ("2", "a", "passed", 98), ("3", "a", "passed", 97), ("4", "a", "passed", 1)]);
    let folders = Folder::all_in(temp.path()).unwrap();
    let _alive = folders[0].hold().unwrap().unwrap();
    folders[1].enter(&Entry::Machines { provider: "docker".into(), at: None }).unwrap();
    among(temp.path(), Bounds { age: Some(DAY), size: Some(0) }, now()).unwrap();
    assert_eq!(left(&temp), ["1", "2", "4"]);
    assert!(temp.path().join("1/events.jsonl").exists(), "what goes on is written to");
    assert!(temp.path().join("2/ledger.jsonl").exists());
}

#[test]
fn older_runs_are_compressed_and_read_as_before_and_the_newest_is_left_for_other_tools() {
    let temp = runs(&[("1", "a", "passed", 2), ("2", "a", "passed", 1)]);
    std::fs::write(temp.path().join("1/logs/vagrant.log"), "x\n".repeat(5000)).unwrap();
    std::fs::write(temp.path().join("1/logs/small.log"), "x\n").unwrap();
    let log = temp.path().join("1/events.jsonl");
    let before = history::read(&log).unwrap();
    among(temp.path(), Bounds::default(), now()).unwrap();
    assert!(!log.exists() && temp.path().join("1/events.jsonl.gz").exists());
    assert!(temp.path().join("1/logs/small.log").exists() && temp.path().join("2/events.jsonl").exists());
    assert!(history::read(&log).unwrap() == before);
    let mut text = String::new();
    pack::open(&temp.path().join("1/logs/vagrant.log")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text.len(), 10_000);
}

#[test]
fn the_page_of_a_run_that_was_compressed_is_made_anew_with_links_that_live() {
    let temp = runs(&[("1", "a", "failed", 2), ("2", "a", "failed", 1)]);
    let page = |run: &str| temp.path().join(run).join(PAGE);
    let journal = "machines/m1/journal.txt";
    for run in ["1", "2"] {
        let folder = temp.path().join(run);
        std::fs::create_dir_all(folder.join("machines/m1")).unwrap();
        std::fs::write(folder.join(journal), noise(10_000)).unwrap();
        let file = format!(
            r#"{{"at":2,"wall":"{}","kind":"file","path":"{journal}","role":"journal","machine":"m1","text":null}}"#,
            now()
        );
        let log = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
        let (start, rest) = log.split_once('\n').unwrap();
        std::fs::write(folder.join("events.jsonl"), format!("{start}\n{file}\n{rest}")).unwrap();
        let history = history::read(&folder.join("events.jsonl")).unwrap();
        std::fs::write(page(run), html::html(&history, Some(&folder)).unwrap()).unwrap();
    }
    let before = std::fs::read_to_string(page("2")).unwrap();
    assert!(dead_links(&temp.path().join("1"), &before).is_empty());
    among(temp.path(), Bounds::default(), now()).unwrap();
    let after = std::fs::read_to_string(page("1")).unwrap();
    assert_eq!(dead_links(&temp.path().join("1"), &after), Vec::<String>::new());
    assert_eq!(dead_links(&temp.path().join("1"), &before).len(), 2, "the old page led nowhere");
    assert!(after.contains("journal.txt.gz") && after.contains("quorate logs 1 m1 --around"));
    assert_eq!(std::fs::read_to_string(page("2")).unwrap(), before, "the newest run stays as it is");
    // A log that nobody can read leaves the page that there is.
    std::fs::remove_file(temp.path().join("1/events.jsonl.gz")).unwrap();
    among(temp.path(), Bounds::default(), now()).unwrap();
    assert_eq!(std::fs::read_to_string(page("1")).unwrap(), after);
}

/// The files that a page has links to and that are not there.
fn dead_links(folder: &Path, page: &str) -> Vec<String> {
    let page = page.replace("&#x2f;", "/");
    let hrefs = page.split("href=\"./").skip(1).filter_map(|rest| rest.split(['"', '#']).next());
    let mut dead: Vec<String> =
        hrefs.filter(|href| !href.ends_with('/') && !folder.join(href).exists()).map(str::to_owned).collect();
    dead.sort_unstable();
    dead.dedup();
    dead
}

#[test]
fn a_run_that_was_killed_counts_as_interrupted_and_one_without_a_log_as_unknown() {
    let temp = runs(&[("1", "a", "", 9), ("2", "a", "interrupted", 8), ("3", "a", "passed", 7)]);
    std::fs::create_dir(temp.path().join("0")).unwrap();
    let removed = among(temp.path(), Bounds { age: Some(DAY), size: None }, now()).unwrap();
    assert_eq!(removed.iter().map(|removed| removed.run.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(left(&temp), ["0", "2", "3"]);
}
