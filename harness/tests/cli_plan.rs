//! `quorate plan --provider` as a user runs it: what cannot be done is said with its line before a machine starts.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn plan(step: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.yaml");
    std::fs::write(&file, format!("name: planned\ntopology: stacked-3\nsteps:\n  - hold: 1s\n  - {step}\n")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_quorate")).args(["plan", "--provider", "docker"]).arg(file).output().unwrap()
}

#[test]
fn what_a_provider_cannot_do_is_refused_with_its_line_the_reason_and_the_alternative() {
    let output = plan("skew-clock: { on: master1, by: 5m }");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for words in ["scenario.yaml:5:5]", "docker cannot do `skew-clock`", "share the host's clock", "help: take virtual"]
    {
        assert!(said.contains(words), "`{words}` is not said: {said}");
    }
}

#[test]
fn what_a_provider_can_do_is_planned() {
    let output = plan("isolate: master1");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("2. isolate master1 (line 5"), "{said}");
}
