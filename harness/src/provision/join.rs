//! `kubeadm join` on the machines that come after the first master.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use super::init::Initialised;
use super::{controllers, kubeadm};
use crate::event::SpanId;
use crate::scenario::Machine;

const DEADLINE: Duration = Duration::from_secs(300);

/// Joins all nodes but the first at once. etcd takes one new member at a time, for which kubeadm waits; all that comes
/// before goes on side by side. Then another controller manager takes over: the first one sees nothing new any more.
pub(super) async fn join_all(
    provisioner: &Provisioner,
    nodes: &[&Machine],
    initialised: &Initialised,
) -> Result<Vec<SpanId>, ProvisionError> {
    let after = [initialised.span];
    let joins = nodes[1..].iter().map(|machine| join(provisioner, machine, &initialised.ca_hash, &after));
    let joined = futures::future::try_join_all(joins).await?;
    if provisioner.topology.masters().count() == 1 {
        return Ok([after.to_vec(), joined].concat());
    }
    Ok(vec![controllers::hand_over(provisioner, nodes[0], &joined).await?])
}

async fn join(
    provisioner: &Provisioner,
    machine: &Machine,
    ca_hash: &str,
    after: &[SpanId],
) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        let config = kubeadm::join(provisioner, machine, ca_hash)?;
        provisioner.upload(machine, "/etc/kubernetes/kubeadm.yaml", "600", &config).await?;
        provisioner.script(machine, "join", include_str!("join.sh"), &[kubeadm::IGNORED], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("join the cluster", Some(machine), after, DEADLINE, work).await?;
    Ok(span)
}
