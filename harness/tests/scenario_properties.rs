//! What holds of every text that somebody may take for a scenario.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quorate::scenario::{Action, Check, LoadOptions, Rendering, Target, load, load_topology, validate};

fn shipped() -> Vec<PathBuf> {
    ["../scenarios", "../scenarios/topologies"]
        .iter()
        .flat_map(|folder| Path::new(folder).read_dir().unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect()
}

/// Reads bytes as a file, and shows what is wrong with them in both ways.
fn read(content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    fs::write(&path, content).unwrap();
    let problems = match validate(&path, &LoadOptions::default()) {
        Ok((_, warnings)) => warnings,
        Err(problems) => {
            assert!(problems.has_errors());
            problems
        }
    };
    for rendering in [Rendering::Plain, Rendering::Fancy] {
        let text = problems.render(rendering);
        assert!(problems.iter().all(|problem| problem.message().lines().count() == 1), "{text}");
        assert!(problems.iter().all(|problem| problem.help().is_some()), "{text}");
    }
}

#[test]
fn every_shipped_file_is_good_and_names_its_schema() {
    for path in shipped() {
        let (_, warnings) =
            validate(&path, &LoadOptions::default()).unwrap_or_else(|e| panic!("{}", e.render(Rendering::Plain)));
        assert!(warnings.is_empty(), "{}", warnings.render(Rendering::Plain));
        let text = fs::read_to_string(&path).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert!(path.parent().unwrap().join(schema).is_file(), "{}: {schema}", path.display());
    }
}

#[test]
fn a_network_that_is_asked_for_moves_every_machine() {
    let options = LoadOptions {
        network: Some("10.9.8.0/24".parse().unwrap()),
        kubernetes_version: Some("v1.30.2".into()),
        network_plugin: Some("calico:3.30.0".into()),
    };
    let topology = load(Path::new("../scenarios/kill-master2.yaml"), &options).unwrap().scenario.topology;
    let addresses: Vec<_> = topology.machines.values().map(|machine| machine.ip.to_string()).collect();
    assert_eq!(addresses, ["10.9.8.200", "10.9.8.10", "10.9.8.20", "10.9.8.30"]);
    assert_eq!(topology.kubernetes.version.as_deref(), Some("1.30.2"));
    assert_eq!(topology.kubernetes.network_plugin.to_string(), "calico:3.30.0");
    let wrong = LoadOptions {
        network: Some("10.9.0.0/16".parse().unwrap()),
        kubernetes_version: Some("new".into()),
        network_plugin: Some("calico:latest".into()),
    };
    let problems = load(Path::new("../scenarios/kill-master2.yaml"), &wrong).unwrap_err();
    insta::assert_snapshot!(problems.render(Rendering::Plain));
}

/// The machines that a topology's members are on, and the machines that etcd is meant on in a step.
fn members(etcd_machines: &str) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.yaml");
    let text = format!(
        "name: x\ntopology:\n  extends: stacked-3\n  machines: {{ {etcd_machines} }}\nsteps:\n  \
         - stop-service: {{ service: etcd, on: etcd }}\n  - expect: {{ etcd: healthy, within: 1m }}\n"
    );
    fs::write(&path, text).unwrap();
    let scenario = load(&path, &LoadOptions::default()).unwrap().scenario;
    let members: Vec<_> = scenario.topology.members().map(|machine| machine.name.to_string()).collect();
    let Action::Fault(fault) = &scenario.steps[0].action else { panic!("{:?}", scenario.steps[0]) };
    let Action::Expect { check: Check::EtcdHealthy { members: expected }, .. } = scenario.steps[1].action else {
        panic!("{:?}", scenario.steps[1])
    };
    assert_eq!(expected, members.len());
    let Target::Machines(on) = &fault.on else { panic!("{fault:?}") };
    (members, on.iter().map(ToString::to_string).collect())
}

#[test]
fn etcd_is_on_machines_of_its_own_if_there_are_any_and_on_masters_otherwise() {
    let names = |names: [&str; 3]| (names.map(str::to_owned).to_vec(), names.map(str::to_owned).to_vec());
    assert_eq!(members(""), names(["master1", "master2", "master3"]));
    let machine = |n: u8| format!("etcd{n}: {{ role: etcd, ip: 172.27.11.5{n}, memory: 1GiB, cpus: 1 }}");
    let machines = [1, 2, 3].map(machine).join(", ");
    assert_eq!(members(&machines), names(["etcd1", "etcd2", "etcd3"]));
}

#[test]
fn a_topology_says_only_what_differs_from_the_one_that_it_extends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wider.yaml");
    let text = "extends: stacked-3\nmachines:\n  master2: { memory: 4GiB }\n  \
                worker1: { role: worker, ip: 172.27.11.40, memory: 1GiB, cpus: 1 }\nload-balancer: { check: readyz }\n";
    fs::write(&path, text).unwrap();
    let topology = load_topology(&path, &LoadOptions::default()).unwrap().topology;
    let machines: Vec<_> =
        topology.machines.values().map(|m| format!("{} {} {}", m.name, m.ip, m.memory >> 20)).collect();
    assert_eq!(topology.name, "wider");
    assert_eq!(
        machines,
        [
            "balancer 172.27.11.200 256",
            "master1 172.27.11.10 2048",
            "master2 172.27.11.20 4096",
            "master3 172.27.11.30 2048",
            "worker1 172.27.11.40 1024",
        ]
    );
    insta::assert_debug_snapshot!(topology.load_balancer);
}

#[test]
fn every_step_is_read_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.yaml");
    fs::write(&path, include_str!("good/every-step.yaml")).unwrap();
    fs::write(folder.path().join("two-kinds.yaml"), include_str!("good/two-kinds.yaml")).unwrap();
    let loaded = load(&path, &LoadOptions::default()).unwrap_or_else(|e| panic!("{}", e.render(Rendering::Plain)));
    insta::assert_debug_snapshot!(loaded.scenario.steps);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&content);
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(content in "([a-z]{1,4}|: |- |\n|  |[\\[\\]{}&*!|>'\"#,?\t\r]|---|\u{e4}){0,80}") {
        read(content.as_bytes());
    }

    #[test]
    fn no_change_of_a_shipped_file_makes_it_panic(
        file in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..12, "\\PC{0,3}|[\n\t:{}\\[\\]&*-]"), 1..6),
    ) {
        let paths = shipped();
        let mut text: Vec<char> = fs::read_to_string(&paths[file.index(paths.len())]).unwrap().chars().collect();
        for (at, removed, inserted) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
        }
        read(text.into_iter().collect::<String>().as_bytes());
    }
}
