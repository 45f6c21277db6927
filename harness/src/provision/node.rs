//! What every machine with a kubelet needs before kubeadm: legacy iptables, no swap, a container runtime, kubelet's own
//! address, and no way out for what is for pods.

use std::time::Duration;

use minijinja::context;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::{Machine, Role};
use crate::template::render;

const DEADLINE: Duration = Duration::from_secs(90);

/// A machine that is prepared.
pub(super) struct Prepared {
    /// The span that prepared it.
    pub(super) span: SpanId,
    /// Who manages cgroups on it.
    pub(super) driver: String,
}

/// Prepares a machine to become a node, or to run a kubelet for etcd alone.
pub(super) async fn prepare(
    provisioner: &Provisioner,
    machine: &Machine,
    up: SpanId,
) -> Result<Prepared, ProvisionError> {
    let title = if machine.role == Role::Etcd { "prepare the machine" } else { "prepare the node" };
    let work = |_| async {
        let pod_subnet = provisioner.topology.kubernetes.pod_subnet.to_string();
        let unit = render(include_str!("pod-traffic.service"), context! { pod_subnet })?;
        provisioner.upload(machine, "/etc/systemd/system/pod-traffic.service", "644", &unit).await?;
        let address = machine.ip.to_string();
        let output = provisioner.script(machine, "node", include_str!("node.sh"), &[&address], DEADLINE).await?;
        Ok(output.stdout.lines().last().unwrap_or_default().to_owned())
    };
    let (span, driver) = provisioner.step(title, Some(machine), &[up], DEADLINE, work).await?;
    Ok(Prepared { span, driver })
}

/// The cgroup driver of the cluster, which is one for all nodes, and the spans that came to it.
pub(super) fn agree(prepared: &[Prepared]) -> (String, Vec<SpanId>) {
    let driver = prepared.first().map(|node| node.driver.clone()).unwrap_or_default();
    (driver, prepared.iter().map(|node| node.span).collect())
}
