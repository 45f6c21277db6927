//! Scenarios that must fail, and say why. A harness that cannot fail proves nothing.

#![allow(clippy::unwrap_used)]

use quorate::event::Verdict;
use quorate_scenarios::{Bench, Finished, fixture};

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

/// What a check catches does not depend on what machines are made of.
const DOCKER: [&str; 2] = ["--provider", "docker"];

fn fails(file: &str, because: &[&str]) -> Finished {
    fails_on(&Bench::new(QUORATE), file, because)
}

/// The same, with what the run leaves there for as long as the bench is.
fn fails_on(bench: &Bench, file: &str, because: &[&str]) -> Finished {
    let run = bench.run(&fixture(file), &DOCKER);
    run.assert(Verdict::Failed).because(because).left_nothing(bench);
    run
}

#[test]
fn the_master_that_a_daemonset_leaves_out_is_named() {
    let run = fails("daemonset-leaves-one-out.yaml", &["step 2", "master3 has no pod of it"]);
    assert!(!run.reason().contains("master1") && !run.reason().contains("master2"), "{}", run.story());
}

#[test]
fn a_stopped_balancer_is_told_as_an_api_that_does_not_answer_through_it() {
    fails("balancer-stopped.yaml", &["step 3", "the API does not answer through the balancer", "efused"]);
}

#[test]
fn a_write_that_is_acknowledged_when_none_should_be_is_named() {
    let run = fails("writes-not-stopped.yaml", &["step 3", "no write through the balancer acknowledged", "write "]);
    run.because(&["was acknowledged, which was sent at"]);
}

#[test]
fn the_machine_whose_lease_nobody_takes_over_is_named() {
    let run = fails("lease-not-moved.yaml", &["step 7", "the lease of kube-scheduler moved within 25s"]);
    run.because(&["holds the lease of kube-scheduler, as before `stop-service`", "seen so since"]);
}

#[test]
fn the_share_of_requests_that_failed_is_told() {
    fails(
        "too-many-errors.yaml",
        &["% of the requests to the API through the balancer failed", "less than 10 % is allowed"],
    );
}

#[test]
fn how_long_a_watch_was_cut_is_told() {
    fails(
        "watch-cut-for-long.yaml",
        &["the watch through the balancer did not deliver for", "less than 5s is allowed"],
    );
}

#[test]
fn why_writes_are_not_acknowledged_is_told() {
    fails("writes-without-etcd.yaml", &["step 3", "writes through the balancer are not acknowledged"]);
}

#[test]
fn an_api_server_without_etcd_is_named() {
    fails("server-without-etcd.yaml", &["step 3", "the API server on master1"]);
}

#[test]
fn a_leader_that_should_not_be_is_named() {
    fails("leader-in-spite-of-all.yaml", &["step 1", "the member on master1 leads"]);
}

#[test]
fn a_silent_node_that_nobody_notices_is_named() {
    fails("nobody-notices.yaml", &["step 4", "master1 is Ready still"]);
}

/// What the core of the tests leaves out: `--profile full` has it.
mod full {
    use super::{Bench, QUORATE, fails, fails_on};

    #[test]
    fn a_killed_master_that_is_still_expected_is_named() {
        let bench = Bench::new(QUORATE);
        let because = ["step 3", "expected all nodes Ready within 1m", "master2"];
        let run = fails_on(&bench, "killed-master-still-expected.yaml", &because);
        assert!(!run.reason().contains("master1") && !run.reason().contains("master3"), "{}", run.story());
        // What a machine said before it was off is at hand like that of the others, and the page leads to it.
        let journal = std::fs::read_to_string(run.folder().join("machines/master2/journal.txt")).unwrap();
        assert!(journal.contains("containerd["), "{journal}");
        let page = std::fs::read_to_string(run.folder().join("report.html")).unwrap();
        assert!(page.contains("machines&#x2f;master2&#x2f;journal.txt#:~:text="), "{}", run.story());
        assert!(page.contains("the plan says that line 8 expects health while master2 is down"), "{}", run.story());
    }

    #[test]
    fn an_etcd_member_that_hears_no_other_is_named() {
        let run = fails("partitioned-member-still-expected.yaml", &["step 4", "the member on master3 is not healthy"]);
        assert!(!run.reason().contains("member on master1 is not healthy"), "{}", run.story());
    }

    #[test]
    fn the_outage_after_two_masters_were_killed_is_named() {
        fails(
            "two-masters-killed.yaml",
            &["no good answer of the API through the balancer for", "less than 5s is allowed"],
        );
    }

    #[test]
    fn a_master_whose_cable_is_pulled_is_named() {
        let run =
            fails("isolated-master-still-expected.yaml", &["step 3", "expected all nodes Ready within 1m", "master2"]);
        assert!(!run.reason().contains("master1") && !run.reason().contains("master3"), "{}", run.story());
    }

    #[test]
    fn an_etcd_machine_that_stays_off_is_named() {
        let run = fails("etcd-machine-killed.yaml", &["step 3", "expected etcd healthy with 3 members", "etcd2"]);
        assert!(!run.reason().contains("on etcd1") && !run.reason().contains("on etcd3"), "{}", run.story());
    }

    #[test]
    fn pods_that_are_still_on_a_lost_worker_are_named() {
        let run = fails("pods-stay-on-a-lost-worker.yaml", &["step 3", "is on worker1, where none should be"]);
        assert!(!run.reason().contains("is on worker2"), "{}", run.story());
    }

    #[test]
    fn requests_that_a_tcp_check_sends_to_a_master_without_etcd_are_told() {
        fails("tcp-check-without-etcd.yaml", &["step 4", "the API does not answer through the balancer"]);
    }

    #[test]
    fn the_pods_that_do_not_reach_each_other_are_named() {
        let run = fails(
            "pods-not-connected.yaml",
            &["step 3", "the pods of sh-cgi connected", "the pod on master2 does not reach"],
        );
        let reason = run.reason();
        for pair in [
            "the pod on master1 does not reach the pod on master3",
            "the pod on master3 does not reach the pod on master1",
        ] {
            assert!(!reason.contains(pair), "{}", run.story());
        }
    }

    #[test]
    fn how_slow_answers_were_is_told() {
        fails("answers-too-slow.yaml", &["one of a hundred good answers of the API", "less than 200ms is allowed"]);
    }

    #[test]
    fn an_alarm_that_is_not_raised_is_missed() {
        fails("no-alarm.yaml", &["step 2", "no etcd member has raised an alarm"]);
    }

    #[test]
    fn the_master_that_a_balancer_leaves_out_is_named() {
        let run =
            fails("balancer-with-two-masters.yaml", &["step 2", "master3 answered no request through the balancer"]);
        assert!(
            !run.reason().contains("master1 answered") && !run.reason().contains("master2 answered"),
            "{}",
            run.story()
        );
    }
}
