//! `kubeadm join` on the machines that come after the first master.
//!
//! While etcd goes from one member to two, it has no quorum until the second has started, and nothing can be written.
//! The seed's balancer cuts a request that waits for longer than five seconds, and kubeadm does not try all of them
//! again. So whatever comes before the new member is done on all machines side by side while etcd stands still, and
//! then members enter one after the other.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner, StepError};
use super::init::Initialised;
use super::{controllers, kubeadm};
use crate::event::SpanId;
use crate::scenario::{Machine, Role};

const DEADLINE: Duration = Duration::from_secs(300);

/// Joins all nodes but the first. If masters brought etcd members, another controller manager takes over then: the first
/// one sees nothing new any more since etcd has had a second member.
pub(super) async fn join_all(
    provisioner: &Provisioner,
    first: &Machine,
    initialised: &Initialised,
) -> Result<Vec<SpanId>, ProvisionError> {
    let others: Vec<&Machine> = provisioner.topology.nodes().filter(|machine| machine.name != first.name).collect();
    let prepared = others.iter().map(|machine| prepare(provisioner, machine, initialised));
    let prepared = futures::future::try_join_all(prepared).await?;
    let mut masters = others.iter().filter(|machine| machine.role == Role::Master);
    let Some(second) = masters.next() else {
        return Ok([vec![initialised.span], prepared].concat());
    };
    let mut after = vec![enter(provisioner, second, initialised, &prepared).await?];
    for machine in masters {
        after.push(enter(provisioner, machine, initialised, &after).await?);
    }
    if provisioner.topology.external_etcd() {
        return Ok(after);
    }
    Ok(vec![controllers::hand_over(provisioner, first, &after).await?])
}

/// Does all of a join that leaves etcd as it is.
async fn prepare(
    provisioner: &Provisioner,
    machine: &Machine,
    initialised: &Initialised,
) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        let config = kubeadm::join(provisioner, machine, &initialised.ca_hash)?;
        provisioner.upload(machine, "/etc/kubernetes/kubeadm.yaml", "600", &config).await?;
        let part = if machine.role == Role::Master { "prepare" } else { "node" };
        run(provisioner, machine, initialised, part).await
    };
    let after = [initialised.span];
    let (span, ()) = provisioner.step("join the cluster", Some(machine), &after, DEADLINE, work).await?;
    Ok(span)
}

/// Lets a master's etcd member in, unless etcd has machines of its own, and starts the rest of its control plane.
async fn enter(
    provisioner: &Provisioner,
    machine: &Machine,
    initialised: &Initialised,
    after: &[SpanId],
) -> Result<SpanId, ProvisionError> {
    let external = provisioner.topology.external_etcd();
    let title = if external { "start its control plane" } else { "add its etcd member" };
    let work = |_| run(provisioner, machine, initialised, "enter");
    let (span, ()) = provisioner.step(title, Some(machine), after, DEADLINE, work).await?;
    Ok(span)
}

async fn run(
    provisioner: &Provisioner,
    machine: &Machine,
    initialised: &Initialised,
    part: &str,
) -> Result<(), StepError> {
    let args = [part, kubeadm::ignored(provisioner, &initialised.driver), kubeadm::bootstrap(provisioner)];
    let name = format!("join-{part}");
    provisioner.script(machine, &name, include_str!("join.sh"), &args, DEADLINE).await?;
    Ok(())
}
