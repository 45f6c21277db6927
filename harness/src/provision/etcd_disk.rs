//! A file system of its own for etcd's data, where the scenario fills it: what it would fill otherwise may be the host's.
//!
//! It lies in a file of the machine's disk, and comes back with the machine: docs/decisions/0011 says why.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::{ETCD_DISK, Machine};

const DEADLINE: Duration = Duration::from_secs(60);

/// Gives a master's etcd its file system, which has to be there before kubeadm runs.
pub(super) async fn mount(provisioner: &Provisioner, machine: &Machine, up: SpanId) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        let (unit, script) = (include_str!("etcd-disk.service"), include_str!("etcd-disk-mount.sh"));
        provisioner.upload(machine, "/etc/systemd/system/quorate-etcd-disk.service", "644", unit).await?;
        provisioner.upload(machine, "/usr/local/sbin/quorate-etcd-disk", "755", script).await?;
        let size = ETCD_DISK.to_string();
        provisioner.script(machine, "etcd-disk", include_str!("etcd-disk.sh"), &[&size], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("give etcd a disk of its own", Some(machine), &[up], DEADLINE, work).await?;
    Ok(span)
}
