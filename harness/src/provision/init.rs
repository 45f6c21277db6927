//! `kubeadm init` on the first master, whose etcd is the seed of the others' unless etcd has machines of its own.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::context::{ProvisionError, Provisioner, StepError};
use super::kubeadm;
use crate::event::{LOOK, SpanId};
use crate::scenario::Machine;

const DEADLINE: Duration = Duration::from_secs(300);
const PKI: &str = "/etc/kubernetes/pki/etcd";

/// A cluster of one master.
pub(super) struct Initialised {
    /// The span that made it.
    pub(super) span: SpanId,
    /// The hash of the cluster's certificate authority, by which others know it.
    pub(super) ca_hash: String,
    /// Who manages cgroups on its nodes.
    pub(super) driver: String,
}

/// Initialises the cluster and fetches an administrator's credentials, and etcd's if the master has a member.
pub(super) async fn init(
    provisioner: &Provisioner,
    machine: &Machine,
    driver: &str,
    after: &[SpanId],
) -> Result<Initialised, ProvisionError> {
    let work = |_| async {
        let config = kubeadm::init(provisioner, machine, driver)?;
        provisioner.upload(machine, "/etc/kubernetes/kubeadm.yaml", "600", &config).await?;
        let args = [kubeadm::ignored(provisioner, driver), kubeadm::SKIPPED];
        provisioner.script(machine, "init", include_str!("init.sh"), &args, DEADLINE).await?;
        provisioner.script(machine, "credentials", include_str!("credentials.sh"), &[], DEADLINE).await?;
        fetch(provisioner, machine, "/etc/kubernetes/quorate.conf", &provisioner.access.kubeconfig()).await?;
        if !provisioner.topology.external_etcd() {
            fetch_credentials(provisioner, machine).await?;
        }
        let hash = provisioner.script(machine, "ca-hash", include_str!("ca-hash.sh"), &[], DEADLINE).await?;
        Ok(hash.stdout.trim().to_owned())
    };
    let (span, ca_hash) = provisioner.step("initialise the cluster", Some(machine), after, DEADLINE, work).await?;
    let kubeconfig = provisioner.access.kubeconfig();
    provisioner.recorder.notice(format!("{LOOK}kubectl --kubeconfig {} get nodes", kubeconfig.display()));
    Ok(Initialised { span, ca_hash, driver: driver.to_owned() })
}

/// Fetches a client's credentials of etcd from a machine with a member.
pub(super) async fn fetch_credentials(provisioner: &Provisioner, machine: &Machine) -> Result<(), StepError> {
    for (theirs, ours) in
        [("ca.crt", "ca.crt"), ("healthcheck-client.crt", "client.crt"), ("healthcheck-client.key", "client.key")]
    {
        fetch(provisioner, machine, &format!("{PKI}/{theirs}"), &provisioner.access.etcd(ours)).await?;
    }
    Ok(())
}

async fn fetch(provisioner: &Provisioner, machine: &Machine, from: &str, to: &Path) -> Result<(), StepError> {
    let content = provisioner.output(machine, &["cat", from]).await?;
    let write = || {
        std::fs::create_dir_all(to.parent().unwrap_or(to))?;
        let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?;
        std::io::Write::write_all(&mut file, content.as_bytes())
    };
    write().map_err(|source| StepError::File { path: to.to_owned(), source })
}
