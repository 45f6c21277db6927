//! A provisioner whose files can be rendered without machines, for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::context::{Part, Provisioner, Secrets};
use crate::artifact::Kubernetes;
use crate::cluster::Access;
use crate::machine::Fleet;
use crate::machine::provider::{self, DEFAULT_BOX, Site};
use crate::record::Recorder;
use crate::scenario::{LoadOptions, Topology, load_topology};

/// A topology that ships.
pub(super) fn topology(name: &str) -> Topology {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../scenarios/topologies/{name}.yaml"));
    load_topology(&file, &LoadOptions::default()).expect("the shipped topology is good").topology
}

/// A provisioner for containers with this topology and version of Kubernetes, whose secrets are known.
pub(super) fn provisioner(name: &str, version: &str) -> Provisioner {
    let (topology, recorder) = (topology(name), Recorder::unwritten());
    let site = Site {
        run: "20260102-030405-abcd".into(),
        folder: "/the-run".into(),
        log: "/the-run/logs/vagrant.log".into(),
        network: topology.network,
        vm_box: DEFAULT_BOX.into(),
    };
    let docker = provider::by_name("docker").expect("docker is a provider");
    let fleet = Fleet::new(docker, site, &topology, "/the-sockets".into(), recorder.clone());
    let kubernetes = Kubernetes {
        version: version.to_owned(),
        source: "a test".into(),
        folder: "/nowhere".into(),
        sha256: BTreeMap::new(),
        images: Vec::new(),
        has_dockershim: false,
    };
    let mut provisioner = Provisioner::new(Part {
        topology,
        fleet: Arc::new(fleet),
        kubernetes,
        access: Access::new("/the-run/credentials".into()),
        recorder,
        etcd_disk: false,
        bundle: None,
        calico: None,
        cancel: CancellationToken::new(),
        folder: "/the-run".into(),
    });
    provisioner.secrets =
        Secrets { token: "abcdef.0123456789abcdef".into(), certificate_key: "0123456789abcdef".repeat(4) };
    provisioner
}
