//! What is said about bad files. The snapshots are what a person reads, so read them when they change.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use quorate::scenario::{LoadOptions, Rendering, load, validate};

fn said(path: &Path) -> String {
    let diagnostics = match validate(path, &LoadOptions::default()) {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    };
    diagnostics.render(Rendering::Plain)
}

/// The file has this content; what is said names it by this name only.
fn said_of(name: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    said(&path).replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn every_bad_file_is_refused_with_place_and_remedy() {
    let mut paths: Vec<_> = Path::new("tests/bad").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file()) {
        let name = path.file_stem().unwrap().to_string_lossy();
        insta::assert_snapshot!(format!("bad__{name}"), said(path));
        let (Ok((_, problems)) | Err(problems)) = validate(path, &LoadOptions::default());
        let without = problems.iter().find(|problem| problem.help().is_none());
        assert!(without.is_none(), "{name} has a problem without a remedy: {without:?}");
    }
}

#[test]
fn a_topology_is_no_scenario() {
    let problems = load(Path::new("../scenarios/topologies/stacked-3.yaml"), &LoadOptions::default()).unwrap_err();
    insta::assert_snapshot!(problems.render(Rendering::Plain));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    insta::assert_snapshot!("not_there", said(Path::new("tests/nowhere.yaml")));
    insta::assert_snapshot!("a_directory", said(Path::new("tests/bad")));
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_offset() {
    insta::assert_snapshot!("not_utf8", said_of("latin1.yaml", b"name: x\ndescription: m\xe4ster\n"));
    insta::assert_snapshot!("utf16", said_of("utf16.yaml", b"\xff\xfen\0a\0"));
    insta::assert_snapshot!("nul", said_of("nul.yaml", b"name: x\0y\n"));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_at_once() {
    insta::assert_snapshot!("ten_megabytes", said_of("large.yaml", &b"- name: x\n".repeat(1 << 20)));
}

#[test]
fn what_expands_without_end_is_refused_at_once() {
    insta::assert_snapshot!("deep_flow", said_of("deep.yaml", "[".repeat(100_000).as_bytes()));
    let deep: String = (0..500).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    insta::assert_snapshot!("deep_block", said_of("deep.yaml", deep.as_bytes()));
    insta::assert_snapshot!("many_nodes", said_of("wide.yaml", "- x\n".repeat(200_000).as_bytes()));
}

#[test]
fn a_long_line_is_named_but_not_shown() {
    let content = format!("name: {}\ntopology: stacked-3\nsteps: [{{hold: 1s}}]\n", "X".repeat(10_000));
    insta::assert_snapshot!(said_of("long.yaml", content.as_bytes()));
}

#[test]
fn positions_count_characters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, "\u{feff}name: x\r\ntopology: stacked-3\r\nsteps: [ {hold: 1s}, \"ä\", {hold: 1} ]\r\n").unwrap();
    let problems = load(&path, &LoadOptions::default()).unwrap_err();
    let positions: Vec<_> = problems.iter().filter_map(|problem| problem.position()).collect();
    assert_eq!(positions, [(3, 22), (3, 34)]);
    assert!(problems.render(Rendering::Plain).contains(":3:34]"), "{}", problems.render(Rendering::Plain));
}
