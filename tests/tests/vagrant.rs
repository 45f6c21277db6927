//! The rendered Vagrantfile of every topology that ships, on every provider: the real Vagrant takes it.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use minijinja::context;
use quorate::machine::provider::{self, DEFAULT_BOX, Provider, Site};
use quorate::machine::vagrant::{self, Vagrant};
use quorate::scenario::{self, LoadOptions, Rendering, Topology};
use quorate_scenarios::{host, workspace};
use tokio_util::sync::CancellationToken;

/// Every topology with every provider.
fn combinations() -> Vec<(Topology, Box<dyn Provider>)> {
    let folder = workspace().join("scenarios/topologies");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let topology = |file: &PathBuf| {
        let loaded = scenario::load_topology(file, &LoadOptions::default());
        loaded.unwrap_or_else(|problems| panic!("{}", problems.render(Rendering::Plain))).topology
    };
    let each = |topology: Topology| provider::all().into_iter().map(move |provider| (topology.clone(), provider));
    let all: Vec<_> = files.iter().map(topology).flat_map(each).collect();
    assert!(!all.is_empty());
    all
}

fn site(topology: &Topology, folder: &Path) -> Site {
    Site {
        run: "20260102-030405-abcd".into(),
        folder: folder.to_owned(),
        log: folder.join("vagrant.log"),
        network: topology.network,
        vm_box: DEFAULT_BOX.into(),
    }
}

fn rendered(topology: &Topology, provider: &dyn Provider, folder: &Path) -> String {
    let site = site(topology, folder);
    vagrant::render(topology, &site, provider.name(), provider.rendering(topology, &site, None)).unwrap()
}

/// The same for the machines of another host's libvirt.
fn rendered_elsewhere(topology: &Topology, provider: &dyn Provider, folder: &Path) -> String {
    let site = site(topology, folder);
    let mut rendering = provider.rendering(topology, &site, None);
    rendering.values.retain(|(name, _)| *name != "elsewhere");
    rendering.values.push(("elsewhere", context! { emulated => true }));
    vagrant::render(topology, &site, provider.name(), rendering).unwrap()
}

/// The real Vagrant takes it.
async fn is_taken(
    topology: &Topology,
    provider: &dyn Provider,
    render: impl Fn(&Topology, &dyn Provider, &Path) -> String,
) {
    let run = tempfile::tempdir().unwrap();
    for folder in ["vagrant", "ssh"] {
        std::fs::create_dir(run.path().join(folder)).unwrap();
    }
    // Vagrant looks whether the key is there.
    std::fs::write(run.path().join("ssh/id_ed25519"), "").unwrap();
    let text = render(topology, provider, run.path());
    std::fs::write(run.path().join("vagrant/Vagrantfile"), &text).unwrap();
    let vagrant = Vagrant::new(run.path().join("vagrant"), provider.name(), run.path().join("vagrant.log"));
    if let Err(error) = vagrant.validate(&CancellationToken::new()).await {
        panic!("{} on {}: {error}\n{text}", topology.name, provider.name());
    }
}

#[tokio::test]
async fn vagrant_takes_every_vagrantfile() {
    host::which("vagrant");
    for (topology, provider) in combinations() {
        is_taken(&topology, provider.as_ref(), rendered).await;
    }
}

#[tokio::test]
async fn vagrant_takes_the_vagrantfile_of_another_hosts_machines() {
    let libvirt = |(_, provider): &(_, Box<dyn Provider>)| provider.name() == "libvirt";
    let (topology, provider) = combinations().into_iter().find(libvirt).unwrap();
    is_taken(&topology, provider.as_ref(), rendered_elsewhere).await;
    let text = rendered_elsewhere(&topology, provider.as_ref(), Path::new("/the-run"));
    assert!(text.contains("\nemulated = true\n") && text.contains("libvirt__forward_mode: 'route'"), "{text}");
}

#[test]
fn vagrantfiles_stay_as_they_are() {
    for (topology, provider) in combinations() {
        let name = format!("{}-{}", topology.name, provider.name());
        insta::assert_snapshot!(name, rendered(&topology, provider.as_ref(), Path::new("/the-run")));
    }
}
