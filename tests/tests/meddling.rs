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
