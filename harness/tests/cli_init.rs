//! `quorate init` as a user runs it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn quorate(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_quorate")).args(args).current_dir(folder).output().unwrap()
}

/// All files below a folder with their texts.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn what_is_written_is_valid_and_is_all_that_is_named() {
    let repository = tempfile::tempdir().unwrap();
    let output = quorate(repository.path(), &["init"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let written = files(repository.path());
    for path in written.keys() {
        let path = path.strip_prefix(repository.path()).unwrap().display().to_string();
        assert!(said.contains(&format!("./{path}\n")), "{path} is not in {said}");
    }
    assert_eq!(written.len(), said.lines().take_while(|line| !line.is_empty()).count());
    let scenarios = ["failover/scenarios/kill-one-master.yaml", "failover/scenarios/topologies/cluster.yaml"];
    let checked = quorate(repository.path(), &["validate", scenarios[0], scenarios[1]]);
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
    assert!(quorate(repository.path(), &["plan", scenarios[0]]).status.success());
}

#[test]
fn a_file_that_is_there_is_named_and_nothing_is_written() {
    let repository = tempfile::tempdir().unwrap();
    let folder = repository.path().join("new/folder");
    let folder = folder.to_str().unwrap();
    assert!(quorate(repository.path(), &["init", folder]).status.success());
    let kept = Path::new(folder).join("failover/tests/scenarios.rs");
    std::fs::write(&kept, "mine").unwrap();
    for path in files(Path::new(folder)).keys().filter(|path| **path != kept) {
        std::fs::remove_file(path).unwrap();
    }
    let output = quorate(repository.path(), &["init", folder]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("failover/tests/scenarios.rs is there already, so nothing was written"), "{said}");
    assert_eq!(files(repository.path()), BTreeMap::from([(kept, "mine".to_owned())]));
}

#[test]
fn where_a_folder_cannot_be_made_nothing_is_left() {
    let repository = tempfile::tempdir().unwrap();
    std::fs::write(repository.path().join(".github"), "a file, not a folder").unwrap();
    let output = quorate(repository.path(), &["init"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be written, so nothing was"), "{said}");
    assert_eq!(files(repository.path()).len(), 1);
}
