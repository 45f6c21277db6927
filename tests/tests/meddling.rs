//! What somebody does behind the back of a run: it is noticed, said, and not taken for the scenario's doing.

#![allow(clippy::unwrap_used)]

use quorate::event::{Verdict, What};
use quorate_scenarios::{Bench, fixture, host};

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

#[test]
fn a_member_that_is_killed_by_hand_is_told_and_a_machine_that_is_killed_by_hand_breaks_the_run() {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("hold.yaml"), &["--provider", "docker"]);
    run.until_started("hold for");
    let label = run.label();
    host::output("docker", &["exec", &format!("{label}-master1"), "pkill", "-KILL", "-x", "etcd"]);
    run.until(
        "the member is missed",
        |what| matches!(what, What::Unexplained { machine, message } if machine == "master1" && message.contains("etcd member")),
    );
    host::output("docker", &["kill", &format!("{label}-master2")]);
    let run = run.finish();
    run.assert(Verdict::Broken)
        .because(&["master2 is stopped, and no step of this scenario did that"])
        .left_nothing(&bench);
    assert!(run.said.contains("unexplained: the etcd member on master1 went away"), "{}", run.story());
}

#[test]
fn a_fault_that_cannot_be_made_and_one_that_does_not_last_break_the_run() {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("faults-that-do-not-last.yaml"), &["--provider", "docker"]);
    run.until_started("hold for");
    let label = run.label();
    let exec = |machine: &str, command: &[&str]| {
        let container = format!("{label}-{machine}");
        host::output("docker", &[["exec", &container].as_slice(), command].concat());
    };
    exec("master1", &["iptables-legacy", "--table", "mangle", "--flush", "quorate-partition-in"]);
    exec("master2", &["cp", "/bin/false", "/usr/local/sbin/iptables-legacy"]);
    let run = run.finish();
    run.assert(Verdict::Broken).because(&["step 4", "partition master2", "ended with status 1"]).left_nothing(&bench);
    let lasted = run.events.iter().any(|event| {
        matches!(&event.what, What::SpanEnded { verdict: Verdict::Broken, message: Some(message), .. }
            if message.contains("`restore` of master1") && message.contains("the fault did not last"))
    });
    assert!(lasted, "nobody says that the first fault did not last{}", run.story());
}

#[test]
fn an_acknowledged_write_that_is_gone_fails_the_run() {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("no-write-is-lost.yaml"), &["--provider", "docker"]);
    run.until_started("hold for");
    let machine = format!("{}-master1", run.label());
    let script = std::fs::read_to_string(fixture("lose-a-write.sh")).unwrap();
    let key = "/registry/configmaps/quorate-writes/w-1";
    let deleted = host::output("docker", &["exec", &machine, "bash", "-c", &script, "lose-a-write.sh", key]);
    assert_eq!(deleted.trim(), "1");
    let run = run.finish();
    run.assert(Verdict::Failed).because(&["lost: 1 (write 1)"]).left_nothing(&bench);
}

#[test]
fn a_member_that_is_removed_by_hand_fails_the_run() {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("etcd-stays-whole.yaml"), &["--provider", "docker"]);
    run.until_started("hold for");
    let machine = format!("{}-master1", run.label());
    let script = std::fs::read_to_string(fixture("remove-member.sh")).unwrap();
    let left = host::output("docker", &["exec", &machine, "bash", "-c", &script, "remove-member.sh", "master3"]);
    assert_eq!(left.trim(), "2");
    let run = run.finish();
    run.assert(Verdict::Failed).because(&["etcd healthy with 3 members should stay true"]).left_nothing(&bench);
}
