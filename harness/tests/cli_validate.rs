//! `quorate validate` and `quorate schema` as a user runs them.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn quorate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate")).args(args).output().unwrap()
}

#[test]
fn good_files_exit_with_zero_and_bad_ones_with_two() {
    let good = "../scenarios/kill-master2.yaml";
    for (files, code) in [
        (vec![good], 0),
        (vec!["tests/bad/even-masters.yaml"], 0),
        (vec![good, "tests/bad/unknown-key.yaml"], 2),
        (vec!["tests/nowhere.yaml"], 2),
        (vec![], 2),
    ] {
        let args: Vec<_> = ["validate"].into_iter().chain(files).collect();
        assert_eq!(quorate(&args).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn problems_of_all_files_are_said_at_once_and_without_colour() {
    let output = quorate(&["validate", "tests/bad/bom.yaml", "tests/bad/circle.yaml", "../scenarios/stop-etcd.yaml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("bom.yaml:1:7") && said.contains("circle-b.yaml:1:10") && said.ends_with("2 errors\n"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "../scenarios/stop-etcd.yaml: ok\n");
}

#[test]
fn what_shows_only_in_the_plan_has_its_place_and_is_counted_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, "name: x\ntopology: stacked-3\nsteps:\n- kill: master2\n-   kill: master2\n").unwrap();
    let output = quorate(&["validate", file.to_str().unwrap(), "tests/bad/unknown-key.yaml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for words in ["master2 is off here, since line 4", "scenario.yaml:5:5]", "help: write `- start: master2` before"] {
        assert!(said.contains(words), "`{words}` is not said: {said}");
    }
    assert!(said.ends_with("3 errors\n"), "{said}");
}

#[test]
fn schemas_are_json() {
    for kind in ["scenario", "topology"] {
        let output = quorate(&["schema", kind]);
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["title"], format!("Quorate {kind}"));
    }
}
