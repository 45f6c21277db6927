//! Calico, which has to be had from somewhere, as a Kubernetes that is new enough for it has: `cargo nextest run --profile
//! calico` with `QUORATE_KUBERNETES_VERSION=1.36`, and `QUORATE_KUBERNETES_FROM`, `QUORATE_ETCD_FROM` and
//! `QUORATE_CALICO_FROM` where the projects' own sites cannot be reached.

#![allow(clippy::unwrap_used)]

use quorate::event::Verdict;
use quorate_scenarios::{Bench, fixture, workspace};

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

#[test]
fn pods_that_calico_connects_reach_each_other_with_and_without_an_api() {
    let bench = Bench::new(QUORATE);
    let file = workspace().join("scenarios/pods-without-api.yaml");
    let run = bench.run(&file, &["--provider", "docker", "--network-plugin", "calico"]);
    run.assert(Verdict::Passed).left_nothing(&bench);
}

#[test]
fn pods_that_a_policy_keeps_apart_are_named() {
    let bench = Bench::new(QUORATE);
    let run = bench.run(&fixture("calico-denies.yaml"), &["--provider", "docker"]);
    run.assert(Verdict::Failed).because(&[
        "step 2",
        "the pods of sh-cgi connected",
        "the pod on master1 does not reach",
    ]);
    run.left_nothing(&bench);
}

#[test]
fn a_calico_that_is_not_well_is_found_before_anything_is_done_to_the_cluster() {
    let bench = Bench::new(QUORATE);
    let run = bench.run(&fixture("calico-unwell.yaml"), &["--provider", "docker"]);
    run.assert(Verdict::Broken).because(&["Calico is ready on every node", "calico-node is ready on", "of 3 nodes"]);
    run.left_nothing(&bench);
}
