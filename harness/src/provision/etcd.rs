//! etcd on machines of its own, the way kubeadm documents it: static pods of kubelets that belong to no cluster.
//!
//! <https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/setup-ha-etcd-with-kubeadm/>. The certificate
//! authority is made on the first machine and lent to the others until each has certificates of its own.

use std::time::Duration;

use futures::future::try_join_all;
use minijinja::context;

use super::context::{ProvisionError, Provisioner, StepError};
use super::init::fetch_credentials;
use super::kubeadm;
use super::node::Prepared;
use crate::event::SpanId;
use crate::scenario::{Machine, Role};
use crate::template::render;

const DEADLINE: Duration = Duration::from_secs(120);
const PKI: &str = "/etc/kubernetes/pki";
/// What a member needs to make its certificates.
const AUTHORITY: [&str; 2] = ["etcd/ca.crt", "etcd/ca.key"];
/// What an API server needs to be a client of etcd. kubeadm takes them to the other masters.
const CLIENT: [&str; 3] = ["etcd/ca.crt", "apiserver-etcd-client.crt", "apiserver-etcd-client.key"];

/// Files by their paths below [`PKI`].
type Files = Vec<(&'static str, String)>;

/// Starts all members side by side and sees that they serve. Returns the spans that ended last: none where masters have
/// the members.
pub(super) async fn start(
    provisioner: &Provisioner,
    prepared: &[Prepared],
    disks: &[SpanId],
) -> Result<Vec<SpanId>, ProvisionError> {
    let machines: Vec<&Machine> = provisioner.topology.of_role(Role::Etcd).collect();
    let (Some(first), Some(node)) = (machines.first(), prepared.first()) else { return Ok(Vec::new()) };
    let after: Vec<SpanId> = prepared.iter().map(|node| node.span).chain(disks.iter().copied()).collect();
    let work = |_| certify(provisioner, first);
    let made = provisioner.step("make the certificates of etcd", Some(first), &after, DEADLINE, work).await?;
    try_join_all(machines.iter().map(|machine| member(provisioner, machine, &node.driver, &made))).await
}

/// Makes the certificate authority, and gives the clients of etcd what they need: this host and the first master.
async fn certify(provisioner: &Provisioner, machine: &Machine) -> Result<Files, StepError> {
    configure(provisioner, machine).await?;
    provisioner.script(machine, "etcd-ca", include_str!("etcd-ca.sh"), &[], DEADLINE).await?;
    fetch_credentials(provisioner, machine).await?;
    let client = read(provisioner, machine, &CLIENT).await?;
    if let Some(master) = provisioner.topology.masters().next() {
        hand(provisioner, master, &client).await?;
    }
    read(provisioner, machine, &AUTHORITY).await
}

/// Starts the member of a machine.
async fn member(
    provisioner: &Provisioner,
    machine: &Machine,
    driver: &str,
    (made, authority): &(SpanId, Files),
) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        configure(provisioner, machine).await?;
        hand(provisioner, machine, authority).await?;
        let kubelet = kubeadm::etcd_kubelet(provisioner, driver)?;
        provisioner.upload(machine, "/var/lib/kubelet/etcd.yaml", "644", &kubelet).await?;
        let unit =
            render(include_str!("etcd-kubelet.conf"), context! { flags => kubeadm::runtime_flags(provisioner) })?;
        provisioner.upload(machine, "/etc/systemd/system/kubelet.service.d/20-etcd.conf", "644", &unit).await?;
        let address = machine.ip.to_string();
        provisioner.script(machine, "etcd", include_str!("etcd.sh"), &[&address], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("start its etcd member", Some(machine), &[*made], DEADLINE, work).await?;
    Ok(span)
}

async fn configure(provisioner: &Provisioner, machine: &Machine) -> Result<(), StepError> {
    let config = kubeadm::etcd(provisioner, machine)?;
    provisioner.upload(machine, "/etc/kubernetes/kubeadm.yaml", "600", &config).await
}

async fn read(provisioner: &Provisioner, machine: &Machine, paths: &[&'static str]) -> Result<Files, StepError> {
    let contents = paths.iter().map(|path| async move {
        let content = provisioner.output(machine, &["cat", &format!("{PKI}/{path}")]).await?;
        Ok((*path, content))
    });
    try_join_all(contents).await
}

async fn hand(provisioner: &Provisioner, machine: &Machine, files: &Files) -> Result<(), StepError> {
    for (path, content) in files {
        provisioner.write(machine, &format!("{PKI}/{path}"), "600", content).await?;
    }
    Ok(())
}
