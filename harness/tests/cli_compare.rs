//! `quorate baseline`, `compare`, `clean` and `report` over runs on disk, as a user runs them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A state folder with runs made up by hand.
struct State(TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Adds a run of a scenario whose bring-up took so long.
    fn run(&self, id: &str, scenario: &str, bring_up: f64, verdict: &str) {
        let folder = self.0.path().join("runs").join(id);
        std::fs::create_dir_all(&folder).unwrap();
        let day = &id[6..8];
        let lines = [
            (0.0, format!(r#""kind":"run-started","format":1,"run":"{id}","version":"0.1.0","scenario":"{scenario}","path":"k.yaml","text":"","seed":1"#)),
            (0.0, r#""kind":"settings","settings":{"load-balancer.fall":"3"}"#.to_owned()),
            (1.0, r#""kind":"span-started","span":1,"phase":"bring-up","title":"up","machine":null,"step":null,"after":[],"deadline":null"#.to_owned()),
            (1.0 + bring_up, format!(r#""kind":"span-ended","span":1,"verdict":"passed","took":{bring_up},"message":null"#)),
            (2.0 + bring_up, format!(r#""kind":"run-ended","verdict":"{verdict}","reason":"so it was""#)),
        ];
        let log: String =
            lines.map(|(at, rest)| format!("{{\"at\":{at},\"wall\":\"2026-01-{day}T00:00:00Z\",{rest}}}\n")).concat();
        std::fs::write(folder.join("events.jsonl"), log).unwrap();
    }

    fn runs(&self, month: &str, scenario: &str, bring_ups: &[f64]) -> Vec<String> {
        let run = |(index, bring_up): (usize, &f64)| {
            let id = format!("2026{month}{:02}-000000-0000", index + 1);
            self.run(&id, scenario, *bring_up, "passed");
            id
        };
        bring_ups.iter().enumerate().map(run).collect()
    }

    fn quorate(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(args).env("QUORATE_STATE", self.0.path()).current_dir(self.0.path()).output().unwrap()
    }

    fn says(&self, args: &[&str], code: i32) -> String {
        let output = self.quorate(args);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    fn baseline(&self, runs: &[String]) -> PathBuf {
        let args: Vec<&str> = ["baseline", "b.yaml"].into_iter().chain(runs.iter().map(String::as_str)).collect();
        self.says(&args, 0);
        self.0.path().join("b.yaml")
    }
}

const BEFORE: [f64; 5] = [60.0, 61.0, 62.5, 60.5, 61.5];

fn joined(runs: &[String]) -> String {
    runs.join(",")
}

#[test]
fn a_regression_exits_with_three_and_noise_or_too_few_runs_with_zero() {
    let state = State::new();
    let before = state.runs("01", "kill", &BEFORE);
    let same = state.runs("02", "kill", &[60.2, 62.0, 61.2]);
    let slower = state.runs("03", "kill", &[90.0, 91.0, 92.0]);
    state.baseline(&before);
    insta::assert_snapshot!("same", state.says(&["compare", "b.yaml", &joined(&same)], 0));
    insta::assert_snapshot!("slower", state.says(&["compare", "b.yaml", &joined(&slower)], 3));
    insta::assert_snapshot!("too-few", state.says(&["compare", "b.yaml", &slower[0]], 0));
    assert!(state.says(&["compare", &joined(&before), &joined(&slower)], 3).contains("REGRESSED  bring-up"));
    let json = state.quorate(&["compare", "--format", "json", "b.yaml", &joined(&slower)]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["findings"][0]["judgement"], "regressed");
}

#[test]
fn what_cannot_be_compared_exits_with_two_and_says_why() {
    let state = State::new();
    let before = state.runs("01", "kill", &BEFORE);
    let other = state.runs("02", "other", &[60.0]);
    state.run("20260301-000000-0000", "kill", 60.0, "failed");
    state.baseline(&before);
    for (args, message) in [
        (vec!["compare", "b.yaml", &other[0]], "runs of scenario other cannot be held against those of scenario kill"),
        (vec!["compare", "b.yaml", "20260301"], "no verdict: run 20260301-000000-0000 is failed"),
        (vec!["compare", "nowhere.yaml", &before[0]], "nowhere.yaml: No such file"),
        (vec!["compare", &before[0], "zz"], "no run's id begins with `zz`"),
        (vec!["baseline", "c.yaml", &before[0], &other[0]], "one is of scenario kill and one of other"),
    ] {
        let said = state.says(&args, 2);
        assert!(said.contains(message), "{args:?}: {said}");
    }
}

#[test]
fn bounds_that_a_person_changed_are_kept_and_count() {
    let state = State::new();
    let before = state.runs("01", "kill", &BEFORE);
    let slower = state.runs("03", "kill", &[90.0, 91.0, 92.0]);
    let file = state.baseline(&before);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("percent: 25.0", "percent: 80.0", 1)).unwrap();
    assert!(state.says(&["compare", "b.yaml", &joined(&slower)], 0).contains("1 worse, as is allowed"));
    state.baseline(&slower);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("percent: 80.0") && text.contains("samples: [90.0, 91.0, 92.0]"), "{text}");
}

#[test]
fn compressed_runs_are_compared_reported_and_listed_as_before() {
    let state = State::new();
    let runs = state.runs("01", "kill", &BEFORE);
    let long = "x".repeat(8000);
    for run in &runs {
        let log = state.0.path().join("runs").join(run).join("events.jsonl");
        let text = std::fs::read_to_string(&log).unwrap().replace("\"so it was\"", &format!("\"{long}\""));
        std::fs::write(log, text).unwrap();
    }
    let report = |run: &str| state.says(&["report", run, "--format", "json"], 0);
    let (before, listed) = (report(&runs[0]), state.says(&["runs"], 0));
    state.says(&["clean", "--keep-size", "off"], 0);
    let folder = state.0.path().join("runs").join(&runs[0]);
    assert!(is_packed(&folder) && !is_packed(&state.0.path().join("runs").join(&runs[4])));
    assert_eq!((report(&runs[0]), state.says(&["runs"], 0)), (before, listed));
    state.says(&["report", folder.to_str().unwrap()], 0);
    state.baseline(&runs);
}

#[test]
fn clean_removes_old_evidence_when_asked_and_not_otherwise() {
    let state = State::new();
    let runs = state.runs("01", "kill", &BEFORE);
    state.says(&["clean"], 0);
    assert!(state.says(&["runs"], 0).contains(&runs[0]));
    let said = state.says(&["clean", "--older-than", "1d"], 0);
    assert_eq!(said.matches("removed the evidence of run").count(), 4, "{said}");
    let listed = state.says(&["runs"], 0);
    assert!(!listed.contains(&runs[0]) && listed.contains(&runs[4]), "{listed}");
    assert!(state.says(&["clean", "--older-than", "1"], 2).contains("write it as `30d`"));
}

#[test]
fn a_run_with_a_bad_baseline_does_not_start() {
    let state = State::new();
    let runs = state.runs("01", "other", &BEFORE);
    state.baseline(&runs);
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/kill-master2.yaml");
    let scenario = scenario.to_str().unwrap();
    for (file, message) in [("b.yaml", "those of scenario other"), ("nowhere.yaml", "No such file")] {
        let said = state.says(&["run", "--baseline", file, scenario], 2);
        assert!(said.contains(message), "{said}");
    }
    assert_eq!(std::fs::read_dir(state.0.path().join("runs")).unwrap().count(), runs.len());
}

fn is_packed(folder: &Path) -> bool {
    folder.join("events.jsonl.gz").is_file() && !folder.join("events.jsonl").exists()
}
