//! Surroundings in which no run can work: each ends as broken, says what to do about it, and leaves nothing.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use quorate::event::{Verdict, What};
use quorate_scenarios::host::{self, Foreign, SmallDisk};
use quorate_scenarios::{Bench, fixture, label, network};

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

fn breaks(bench: &Bench, because: &[&str]) {
    let run = bench.run(&fixture("hold.yaml"), &["--provider", "docker"]);
    run.assert(Verdict::Broken).because(because).left_nothing(bench);
    assert!(run.said.contains(because[0]), "a person is told the reason{}", run.story());
}

#[test]
fn without_a_docker_daemon_one_is_told_to_start_it() {
    let bench = Bench::new(QUORATE);
    let nowhere = format!("unix://{}", bench.folder().join("nowhere.sock").display());
    breaks(&bench.env("DOCKER_HOST", nowhere), &["the docker daemon does not answer", "mend it: start it"]);
}

#[test]
fn without_vagrant_one_is_told_to_install_it() {
    let bench = Bench::new(QUORATE);
    let path = host::path_without(bench.folder(), "vagrant");
    breaks(&bench.env("PATH", path), &["vagrant is not on the PATH", "mend it: install it"]);
}

#[test]
fn what_haproxy_does_not_understand_in_a_template_is_told_as_it_says_it() {
    let bench = Bench::new(QUORATE);
    let run = bench.run(&fixture("haproxy-refuses.yaml"), &["--provider", "docker"]);
    let because = ["start the load balancer on balancer", "haproxy.cfg:6", "unknown keyword 'balanced'"];
    run.assert(Verdict::Broken).because(&because).left_nothing(&bench);
}

#[test]
fn an_unknown_provider_is_answered_with_those_there_are() {
    let bench = Bench::new(QUORATE);
    let run = bench.run(&fixture("hold.yaml"), &["--provider", "dokcer"]);
    run.assert(Verdict::Broken).because(&["no provider `dokcer`", "mend it", "docker"]).left_nothing(&bench);
}

#[test]
fn a_subnet_that_somebody_else_has_is_named_and_left_to_them() {
    let bench = Bench::new(QUORATE);
    let theirs = Foreign::network(&network(0).to_string());
    breaks(&bench, &["is taken", "mend it", "--network"]);
    assert!(theirs.exists(), "the network of somebody else is gone");
}

#[test]
fn half_of_the_machines_are_removed_when_vagrant_fails_on_the_way() {
    let bench = Bench::new(QUORATE);
    let path = host::path_with(bench.folder(), "vagrant", "vagrant-name-taken.sh");
    let bench = bench.env("PATH", path).env("QUORATE_TEST_VAGRANT", host::which("vagrant"));
    let mut run = bench.start(&fixture("hold.yaml"), &["--provider", "docker"]);
    let run_label = run.label();
    let theirs = Foreign::made_elsewhere(format!("{run_label}-master2"));
    let mut seen = 0;
    run.wait_for("another machine is there", || {
        seen = host::containers(&run_label).len();
        (seen > 0).then_some(())
    });
    let run = run.finish();
    run.assert(Verdict::Broken).because(&["`vagrant up` failed", "already in use", "vagrant.log"]).left_nothing(&bench);
    assert!(theirs.exists(), "the container of somebody else is gone");
    for (file, told) in [
        ("events.jsonl", "there is no evidence of master2: Vagrant has not made it"),
        ("report.html", "There is none of master2: it was absent (Vagrant has not made it)."),
        ("logs/removal.log", "Deleting the container"),
    ] {
        let text = std::fs::read_to_string(run.folder().join(file)).unwrap();
        assert!(text.contains(told), "{file} does not say `{told}`{}", run.story());
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_not_the_cleaning_up() {
    let bench = Bench::new(QUORATE);
    let disk = SmallDisk::mount(8);
    let bench = bench.state_in(disk.folder());
    let mut run = bench.start(&fixture("hold.yaml"), &["--provider", "docker"]);
    let label = label(&run.folder());
    run.until("a machine lets one in", |what| matches!(what, What::Machine { .. }));
    let filling = disk.fill();
    let run = run.finish();
    assert_eq!(run.exit_code(), Some(2), "{}", run.story());
    for words in ["broken", "No space left on device", "mend it"] {
        assert!(run.said.contains(words), "`{words}` is not said{}", run.story());
    }
    assert_eq!(host::labelled(&label), Vec::<String>::new(), "left behind{}", run.story());
    std::fs::remove_file(filling).unwrap();
    // The ledger could not be told that all is removed, so the run counts as orphaned until it is looked after.
    assert!(bench.quorate(&["clean"]).status.success());
    host::eventually("its processes end", Duration::from_secs(10), || {
        host::processes_with_state(bench.state()).is_empty()
    });
    assert!(bench.ls().starts_with("nothing"), "{}", bench.ls());
}
