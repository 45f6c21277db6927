//! Scenarios that share a cluster, one after the other.

#![allow(clippy::unwrap_used)]

use quorate::event::{Event, Verdict, What};
use quorate_scenarios::{Bench, Running, fixture, host};
use rustix::process::Signal;

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

/// Runs a scenario twice, and returns the log of the second run; both pass and leave nothing.
fn twice(meddle: impl FnOnce(&mut Running<'_>)) -> Vec<Event> {
    let bench = Bench::new(QUORATE);
    let file = fixture("no-write-is-lost.yaml");
    let mut run = bench.start(&file, &[file.to_str().unwrap(), "--provider", "docker"]);
    meddle(&mut run);
    let first = run.finish();
    first.assert(Verdict::Passed).left_nothing(&bench);
    let folders = bench.runs();
    assert_eq!(folders.len(), 2, "{}", first.story());
    let second = first.next(&folders[1]);
    second.assert(Verdict::Passed).left_nothing(&bench);
    second.events
}

fn has_span(events: &[Event], wanted: &str) -> bool {
    events.iter().any(|event| matches!(&event.what, What::SpanStarted { title, .. } if title == wanted))
}

#[test]
fn a_cluster_that_is_not_well_is_replaced_by_a_new_one() {
    let second = twice(|run| {
        run.until_started("hold for");
        host::output("docker", &["exec", &format!("{}-balancer", run.label()), "systemctl", "stop", "haproxy"]);
    });
    assert!(has_span(&second, "take over the cluster") && has_span(&second, "bring the machines up"));
    let told = |event: &Event| matches!(&event.what, What::Notice { message } if message.contains("is not well"));
    assert!(second.iter().any(told), "nobody says why the cluster was not taken over");
}

#[test]
fn a_cluster_that_a_command_has_left_is_taken_by_the_next_and_is_an_orphan_if_that_is_killed() {
    let bench = Bench::new(QUORATE);
    let file = fixture("no-write-is-lost.yaml");
    let args = ["--provider", "docker", "--reuse"];
    let first = bench.run(&file, &args);
    first.assert(Verdict::Passed);
    let is = |owner: &str| {
        let line = format!("{}  {owner} ", first.folder().file_name().unwrap().to_string_lossy());
        assert!(bench.ls().contains(&line), "not {owner}: {}{}", bench.ls(), first.story());
    };
    is("left");

    let second = bench.run(&file, &args);
    second.assert(Verdict::Passed);
    let events = &second.events;
    assert!(has_span(events, "take over the cluster") && !has_span(events, "bring the machines up"));
    // It is there on purpose.
    bench.quorate(&["clean"]);
    is("left");

    let mut third = bench.start(&file, &args);
    third.until_started("hold for");
    third.signal(Signal::KILL);
    let third = third.finish();
    assert!(has_span(&third.events, "take over the cluster"), "{}", third.story());
    is("orphaned");
    bench.quorate(&["clean"]);
    for run in [&first, &second, &third] {
        run.left_nothing(&bench);
    }
}

/// What the core of the tests leaves out, since its scenarios take clusters over as well: `--profile full` has it.
mod full {
    use super::{has_span, twice};

    #[test]
    fn a_cluster_that_is_well_is_taken_over_by_the_next_scenario() {
        let second = twice(|_| {});
        assert!(has_span(&second, "take over the cluster") && !has_span(&second, "bring the machines up"));
    }
}
