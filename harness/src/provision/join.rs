//! `kubeadm join` on the machines that come after the first master.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use super::init::Initialised;
use super::kubeadm;
use crate::event::SpanId;
use crate::scenario::Machine;

const DEADLINE: Duration = Duration::from_secs(300);

/// Joins all nodes but the first, one after the other: etcd takes one new member at a time.
pub(super) async fn join_all(
    provisioner: &Provisioner,
    nodes: &[&Machine],
    initialised: &Initialised,
) -> Result<Vec<SpanId>, ProvisionError> {
    let mut after = vec![initialised.span];
    for machine in &nodes[1..] {
        let span = join(provisioner, machine, &initialised.ca_hash, &after).await?;
        after.push(span);
    }
    Ok(after)
}

async fn join(provisioner: &Provisioner, machine: &Machine, ca_hash: &str, after: &[SpanId]) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        let config = kubeadm::join(provisioner, machine, ca_hash)?;
        provisioner.upload(machine, "/etc/kubernetes/kubeadm.yaml", "600", &config).await?;
        provisioner.script(machine, "join", include_str!("join.sh"), &[kubeadm::IGNORED], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("join the cluster", Some(machine), after, DEADLINE, work).await?;
    Ok(span)
}
