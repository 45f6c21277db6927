//! kubeadm's configuration files, in the version that the Kubernetes at hand wants.

use std::time::Duration;

use minijinja::{Value, context};

use super::context::Provisioner;
use crate::scenario::{Machine, Role};
use crate::template::render;

/// What kubeadm may not stumble over: there is no registry to pull from, and images are in the machines already. On cgroup v1,
/// which a container has where its host has it, kubeadm of 1.35 and later wants to be told so:
/// <https://git.k8s.io/enhancements/keps/sig-node/5573-remove-cgroup-v1>.
pub(super) fn ignored(provisioner: &Provisioner, driver: &str) -> &'static str {
    if minor(&provisioner.kubernetes.version) >= 35 && is_cgroup_v1(driver) {
        "ImagePull,SystemVerification"
    } else {
        "ImagePull"
    }
}

/// Whether machines whose kubelet manages cgroups like this have version 1 of them: systemd does so on version 2.
fn is_cgroup_v1(driver: &str) -> bool {
    driver == "cgroupfs"
}

/// How a joining master's kubelet comes to its credentials: from the balancer, or from 1.33 on from that master's own API
/// server, <https://github.com/kubernetes/enhancements/issues/4471>.
pub(super) fn bootstrap(provisioner: &Provisioner) -> &'static str {
    if minor(&provisioner.kubernetes.version) < 33 { "balancer" } else { "local" }
}

/// What kubeadm leaves out: Debian has no CoreDNS.
pub(super) const SKIPPED: &str = "addon/coredns";

/// The version of kubeadm's configuration for a version of Kubernetes: the newest that its kubeadm knows.
/// <https://kubernetes.io/docs/reference/config-api/> lists them: v1beta2 from 1.15, v1beta3 from 1.22, v1beta4 from 1.31.
fn api(version: &str) -> &'static str {
    match minor(version) {
        0..=21 => "v1beta2",
        22..=30 => "v1beta3",
        _ => "v1beta4",
    }
}

/// containerd's socket as kubeadm of a version wants it: as a URL from 1.24 on.
fn cri_socket(version: &str) -> &'static str {
    if minor(version) < 24 { "/run/containerd/containerd.sock" } else { "unix:///run/containerd/containerd.sock" }
}

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(u32::MAX)
}

/// The configuration of `kubeadm init`.
pub(super) fn init(provisioner: &Provisioner, machine: &Machine, driver: &str) -> Result<String, minijinja::Error> {
    let own = context! {
        pod_subnet => provisioner.topology.kubernetes.pod_subnet.to_string(),
        timeout => timeout(provisioner.fleet.patience(OWN)),
        etcd => provisioner.topology.of_role(Role::Etcd).map(|etcd| format!("https://{}:2379", etcd.ip)).collect::<Vec<_>>(),
        ..kubelet(provisioner, driver)
    };
    render(include_str!("kubeadm-init.yaml"), context! { ..own, ..common(provisioner, machine) })
}

/// The configuration of the phases of `kubeadm init` that make an etcd member on a machine of its own.
pub(super) fn etcd(provisioner: &Provisioner, machine: &Machine) -> Result<String, minijinja::Error> {
    let members = provisioner.topology.members().map(|member| format!("{}=https://{}:2380", member.name, member.ip));
    let own = context! { initial_cluster => members.collect::<Vec<_>>().join(",") };
    render(include_str!("kubeadm-etcd.yaml"), context! { ..own, ..common(provisioner, machine) })
}

/// The configuration of the kubelet that looks after such a member.
pub(super) fn etcd_kubelet(provisioner: &Provisioner, driver: &str) -> Result<String, minijinja::Error> {
    render(include_str!("etcd-kubelet.yaml"), kubelet(provisioner, driver))
}

/// What kubelet has to be told of its runtime where kubeadm does not do so.
pub(super) fn runtime_flags(provisioner: &Provisioner) -> &'static str {
    if minor(&provisioner.kubernetes.version) < 24 {
        "--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock"
    } else {
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock"
    }
}

/// How long kubeadm waits for a control plane of its own accord.
const OWN: Duration = Duration::from_secs(240);

/// The minutes for which kubeadm is to wait, where those of its own are too few.
fn timeout(patience: Duration) -> Option<u64> {
    (patience > OWN).then_some(patience.as_secs() / 60)
}

fn kubelet(provisioner: &Provisioner, driver: &str) -> Value {
    context! {
        cgroup_driver => driver,
        tolerate_cgroup_v1 => is_cgroup_v1(driver) && minor(&provisioner.kubernetes.version) >= 31,
        container => provisioner.fleet.provider().name() == "docker",
        kubelet_in_container => include_str!("kubelet-in-container.yaml").trim_end(),
    }
}

/// The configuration of `kubeadm join`.
pub(super) fn join(provisioner: &Provisioner, machine: &Machine, ca_hash: &str) -> Result<String, minijinja::Error> {
    let own = context! { ca_hash, timeout => timeout(provisioner.fleet.patience(OWN)), control_plane => machine.role == Role::Master };
    render(include_str!("kubeadm-join.yaml"), context! { ..own, ..common(provisioner, machine) })
}

fn common(provisioner: &Provisioner, machine: &Machine) -> Value {
    let version = provisioner.kubernetes.version.as_str();
    context! {
        api => api(version),
        version,
        cri_socket => cri_socket(version),
        node => machine.name.as_str(),
        address => machine.ip.to_string(),
        balancer => provisioner.topology.balancer().ip.to_string(),
        token => provisioner.secrets.token.as_str(),
        certificate_key => provisioner.secrets.certificate_key.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubeadms_configuration_follows_its_version() {
        let cases = [
            ("1.20.2", "v1beta2"),
            ("1.21.14", "v1beta2"),
            ("1.22.0", "v1beta3"),
            ("1.30.9", "v1beta3"),
            ("1.31.0", "v1beta4"),
        ];
        for (version, expected) in cases {
            assert_eq!(api(version), expected, "{version}");
        }
    }

    #[test]
    fn joining_and_cgroups_follow_the_version_and_the_machine() {
        let at = |version| super::super::support::provisioner("stacked-3", version);
        for (version, from) in [("1.32.9", "balancer"), ("1.33.0", "local"), ("1.37.1", "local")] {
            assert_eq!(bootstrap(&at(version)), from, "{version}");
        }
        for (version, driver, names) in [
            ("1.34.0", "cgroupfs", "ImagePull"),
            ("1.35.0", "cgroupfs", "ImagePull,SystemVerification"),
            ("1.35.0", "systemd", "ImagePull"),
        ] {
            assert_eq!(ignored(&at(version), driver), names, "{version} {driver}");
        }
        for (version, driver, tolerated) in
            [("1.30.9", "cgroupfs", false), ("1.31.0", "cgroupfs", true), ("1.36.2", "systemd", false)]
        {
            let provisioner = at(version);
            let master = provisioner.topology.masters().next().unwrap();
            let config = init(&provisioner, master, driver).unwrap();
            assert_eq!(config.contains("failCgroupV1: false"), tolerated, "{version} {driver}");
        }
    }

    #[test]
    fn the_runtime_is_named_by_url_since_1_24() {
        assert!(!cri_socket("1.23.17").contains("://"));
        assert!(cri_socket("1.24.0").starts_with("unix://"));
    }

    #[test]
    fn the_files_of_etcd_on_machines_of_its_own_stay_as_they_are() {
        for version in ["1.20.2", "1.24.0", "1.31.0", "1.36.2"] {
            let provisioner = super::super::support::provisioner("external-etcd", version);
            let master = provisioner.topology.masters().next().unwrap();
            let member = provisioner.topology.members().next().unwrap();
            let parts = [
                etcd(&provisioner, member).unwrap(),
                etcd_kubelet(&provisioner, "cgroupfs").unwrap(),
                runtime_flags(&provisioner).to_owned(),
                init(&provisioner, master, "cgroupfs").unwrap(),
            ];
            insta::assert_snapshot!(format!("external-etcd-{version}"), parts.join("======\n"));
        }
    }

    #[test]
    fn the_files_for_emulated_machines_wait_for_longer() {
        for (version, api) in [("1.20.2", "v1beta2"), ("1.31.0", "v1beta4")] {
            let values =
                context! { api, version, timeout => timeout(OWN * 8), node => "master1", control_plane => true };
            let files = [include_str!("kubeadm-init.yaml"), include_str!("kubeadm-join.yaml")];
            let mut environment = minijinja::Environment::new();
            environment.set_undefined_behavior(minijinja::UndefinedBehavior::Lenient);
            let rendered = files.map(|file| environment.render_str(file, values.clone()).unwrap());
            insta::assert_snapshot!(format!("emulated-{version}"), rendered.join("\n======\n"));
        }
        assert_eq!(timeout(OWN), None);
    }

    #[test]
    fn kubeadms_files_stay_as_they_are() {
        for version in ["1.20.2", "1.24.0", "1.31.0", "1.36.2"] {
            let provisioner = super::super::support::provisioner("stacked-3", version);
            let masters: Vec<_> = provisioner.topology.masters().collect();
            insta::assert_snapshot!(format!("init-{version}"), init(&provisioner, masters[0], "cgroupfs").unwrap());
            let hash = "sha256:0123456789abcdef";
            insta::assert_snapshot!(format!("join-{version}"), join(&provisioner, masters[1], hash).unwrap());
        }
    }
}
