//! From bare machines to a cluster: the seed's recipe as a list of small steps, each of which may be run again.
//!
//! [`Provisioner::run`] reads as that list. A step's scripts and templates lie beside its file.

mod balancer;
mod calico;
mod context;
mod controllers;
mod etcd;
mod etcd_disk;
mod init;
mod join;
mod kubeadm;
mod network;
mod node;
mod software;
#[cfg(test)]
mod support;
mod workload;

use futures::TryStreamExt;
use futures::future::try_join_all;
use futures::stream::FuturesUnordered;

use crate::cluster::Access;
use crate::event::SpanId;
use crate::scenario::{Machine, Role};
pub use context::{Part, ProvisionError, Provisioner, StepError};

impl Provisioner {
    /// Makes a cluster of machines that run. Returns the spans that ended last, for what comes after them.
    pub async fn run(&self, up: SpanId) -> Result<Vec<SpanId>, ProvisionError> {
        let masters: Vec<_> = self.topology.masters().collect();
        let up = self.software(up).await?;
        let kubelets = self.topology.nodes().chain(self.topology.of_role(Role::Etcd));
        let prepared = try_join_all(kubelets.map(|machine| node::prepare(self, machine, up)));
        let members = self.topology.members().filter(|_| self.etcd_disk);
        let disks = try_join_all(members.map(|machine| etcd_disk::mount(self, machine, up)));
        let (balancer, prepared, disks) =
            futures::future::try_join3(balancer::start(self, up), prepared, disks).await?;
        let (driver, mut after) = node::agree(&prepared);
        after.push(balancer);
        after.extend(&disks);
        after.extend(etcd::start(self, &prepared, &disks).await?);

        let first = masters[0];
        let initialised = init::init(self, first, &driver, &after).await?;
        let connected = self.connect(first, initialised.span);
        let joined = join::join_all(self, first, &initialised);
        let (connected, joined) = futures::future::try_join(connected, joined).await?;

        let applied = workload::apply(self, first, &joined).await?;
        Ok(vec![connected, applied])
    }

    /// Connects the pods of all nodes.
    async fn connect(&self, first: &Machine, initialised: SpanId) -> Result<SpanId, ProvisionError> {
        match &self.calico {
            Some(calico) => calico::apply(self, first, calico, initialised).await,
            None => network::connect(self, initialised).await,
        }
    }

    /// Installs the machines' programs, where they do not come with them. Returns the span that ended last.
    async fn software(&self, up: SpanId) -> Result<SpanId, ProvisionError> {
        let Some(bundle) = &self.bundle else { return Ok(up) };
        let machines = self.topology.machines.values();
        let mut installing: FuturesUnordered<_> =
            machines.map(|machine| software::install(self, machine, bundle, up)).collect();
        let mut last = up;
        while let Some(span) = installing.try_next().await? {
            last = span;
        }
        Ok(last)
    }

    /// The credentials of the cluster, which exist once it is initialised.
    pub fn access(&self) -> &Access {
        &self.access
    }
}
