//! The script that makes a machine's clock wrong, with a clock and a systemd of the test's own. No machine of the embedded
//! provider has a clock of its own, so this is all that is seen of it there.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(bench.file("clock"), "0\n").unwrap();
        std::fs::write(bench.file("units"), "chrony\n").unwrap();
        bench
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn clock(&self, args: &[&str]) -> Output {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = format!("{}:{}", here.join("tests/clock").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg(here.join("src/fault/clock.sh")).args(args).env("PATH", path);
        command.env("CLOCK", self.file("clock")).env("UNITS", self.file("units"));
        command.env("RUNTIME_DIRECTORY", self.file("run")).output().unwrap()
    }

    fn off_by(&self) -> i64 {
        std::fs::read_to_string(self.file("clock")).unwrap().trim().parse().unwrap()
    }

    fn keepers(&self) -> String {
        std::fs::read_to_string(self.file("units")).unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_clock_goes_wrong_by_what_was_asked_for_and_right_again() {
    for by in [300_000_i64, -90_000] {
        let bench = Bench::new();
        let skewed = bench.clock(&["skew", &by.to_string()]);
        assert!(skewed.status.success() && said(&skewed).contains("stopped: chrony"), "{}", said(&skewed));
        assert!((bench.off_by() - by).abs() < 1000, "off by {}", bench.off_by());
        assert_eq!(bench.keepers(), "");
        let right = bench.clock(&["right"]);
        assert!(right.status.success() && said(&right).contains("started: chrony"), "{}", said(&right));
        assert!(bench.off_by().abs() < 1000, "off by {}", bench.off_by());
        assert_eq!(bench.keepers(), "chrony\n");
    }
}

#[test]
fn a_clock_that_somebody_put_right_meanwhile_is_told() {
    let bench = Bench::new();
    assert!(bench.clock(&["skew", "300000"]).status.success());
    std::fs::write(bench.file("clock"), "0\n").unwrap();
    let right = bench.clock(&["right"]);
    assert!(!right.status.success() && said(&right).contains("the fault did not last"), "{}", said(&right));
    assert!(bench.off_by().abs() < 1000, "off by {}", bench.off_by());
    assert_eq!(bench.keepers(), "chrony\n");
}
