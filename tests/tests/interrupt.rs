//! Runs that somebody ends: by Ctrl-C and SIGTERM in each phase, and by SIGKILL, which no process can see.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use quorate::event::{Verdict, What};
use quorate::report::history;
use quorate_scenarios::host::{self, Foreign};
use quorate_scenarios::{Bench, Running, fixture, network};
use rustix::process::Signal;

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");
/// Longer than a shared connection of ssh needs to see that its machine is gone.
const CONNECTION: Duration = Duration::from_secs(75);

fn ends_in_order(signal: Signal, reach: impl FnOnce(&mut Running<'_>)) {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("hold.yaml"), &["--provider", "docker"]);
    reach(&mut run);
    run.signal(signal);
    let run = run.finish();
    run.assert(Verdict::Interrupted).because(&["by Ctrl-C or another signal"]).left_nothing(&bench);
    assert!(run.folder().join("vagrant/Vagrantfile").is_file(), "there is no evidence{}", run.story());
}

/// Waits until so many of the run's containers are there while its machines come up.
fn machines_come_up(run: &mut Running<'_>, containers: usize) {
    run.until_started("bring the machines up");
    let label = run.label();
    run.wait_for("machines are there", || (host::containers(&label).len() >= containers).then_some(()));
}

#[test]
fn an_interrupt_while_machines_come_up_leaves_nothing() {
    ends_in_order(Signal::INT, |run| machines_come_up(run, 1));
}

#[test]
fn a_request_to_end_while_kubeadm_runs_leaves_nothing() {
    ends_in_order(Signal::TERM, |run| run.until_started("initialise the cluster"));
}

#[test]
fn an_interrupt_during_a_step_leaves_nothing() {
    ends_in_order(Signal::INT, |run| run.until_started("hold for"));
}

#[test]
fn an_interrupt_while_a_machine_starts_tells_that_it_runs_and_what_it_said() {
    let bench = Bench::new(QUORATE);
    let mut run = bench.start(&fixture("started-again.yaml"), &["--provider", "docker"]);
    run.until_started("start master1");
    let name = format!("{}-master1", run.label());
    let running = || host::output("docker", &["inspect", "--format", "{{.State.Running}}", &name]).trim() == "true";
    run.wait_for("the container of master1 runs", || running().then_some(()));
    run.signal(Signal::INT);
    let run = run.finish();
    run.assert(Verdict::Interrupted).because(&["by Ctrl-C or another signal"]).left_nothing(&bench);

    let history = history::read(&run.folder().join("events.jsonl")).unwrap();
    let last = history.events.iter().rev().find_map(|event| match &event.what {
        What::Machine { machine, state, .. } if machine == "master1" => Some(state.as_str()),
        _ => None,
    });
    assert_eq!(last, Some("running"), "{}", run.story());
    assert_eq!(history.summary().caveats, Vec::<String>::new(), "what lasted was undone{}", run.story());
    assert!(run.folder().join("machines/master1/journal.txt").is_file(), "nobody asked the machine{}", run.story());
    // Requests that nobody had answered yet are none that there were not.
    let api = history.summary().api.unwrap();
    assert!(api.failed > 0 && api.longest_outage >= 1.0, "{api:?}{}", run.story());
}

#[test]
fn what_a_killed_run_leaves_is_listed_and_cleaned_and_nothing_else() {
    let bench = Bench::new(QUORATE);

    // A run that stays alive: one machine of it is up, and then Vagrant stands still.
    let path = host::path_with(bench.folder(), "vagrant", "vagrant-stands-still.sh");
    let stands_still =
        [("PATH".into(), path), ("QUORATE_TEST_VAGRANT".into(), host::which("vagrant").into_os_string())];
    let file = fixture("hold.yaml");
    let mut living = bench.start_with(&file, &["--provider", "docker"], &stands_still, network(1));
    machines_come_up(&mut living, 1);

    let mut killed = bench.start(&file, &["--provider", "docker"]);
    killed.until_started("initialise the cluster");
    let (label, folder) = (killed.label(), killed.folder());
    killed.signal(Signal::KILL);
    let killed = killed.finish();
    assert_eq!(killed.killed_by(), Some(Signal::KILL.as_raw()), "{}", killed.story());

    let vagrantfile = std::fs::read_to_string(folder.join("vagrant/Vagrantfile")).unwrap();
    let image = vagrantfile.lines().find_map(|line| line.trim().strip_prefix("p.image = '")?.strip_suffix('\''));
    let theirs = Foreign::container(image.unwrap());

    let listed = bench.ls();
    let id = folder.file_name().unwrap().to_string_lossy();
    let (line, things) = listed.split_once(id.as_ref()).unwrap().1.split_once('\n').unwrap();
    assert!(line.contains("orphaned"), "{listed}");
    for machine in ["balancer", "master1", "master2", "master3"] {
        assert!(things.contains(&format!("container {label}-{machine}")), "{machine} is not listed:\n{listed}");
    }
    assert!(things.contains(&format!("network {label}")), "{listed}");
    assert_eq!(listed.matches("alive").count(), 1, "{listed}");

    let cleaned = bench.quorate(&["clean"]);
    assert!(cleaned.status.success(), "{cleaned:?}");
    assert_eq!(host::labelled(&label), Vec::<String>::new());
    assert!(theirs.exists(), "the container of somebody else is gone");
    assert_eq!(host::containers(&living.label()).len(), 1, "the machine of a run that is alive is gone");
    assert!(folder.join("events.jsonl").is_file(), "the evidence is gone");

    living.signal(Signal::INT);
    let living = living.finish();
    living.assert(Verdict::Interrupted);
    host::eventually("ssh and vagrant end", CONNECTION, || host::processes_with_state(bench.state()).is_empty());
    living.left_nothing(&bench);
}
