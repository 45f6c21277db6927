//! What watches the cluster in the background all along, and feeds the checks by way of events.

mod api;
mod door;
mod etcd;
mod readyz;
mod watch;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use door::{Door, Faces};

use crate::cluster::{Access, AccessError};
use crate::record::Recorder;
use crate::scenario::Topology;

/// Counts how often all observers were asked to look anew.
type Nudge = tokio::sync::watch::Receiver<u64>;

/// The observers of a cluster, until they are stopped or dropped.
#[derive(Debug)]
pub struct Observers {
    tasks: JoinSet<()>,
    nudge: tokio::sync::watch::Sender<u64>,
    cancel: CancellationToken,
}

impl Observers {
    /// Starts all observers.
    pub async fn start(access: &Access, topology: &Topology, recorder: &Recorder) -> Result<Self, AccessError> {
        let (nudge, nudged) = tokio::sync::watch::channel(0);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let client = access.through_balancer().await?;
        watch::start(&mut tasks, &client, recorder, &nudged, &cancel);
        let faces = Faces::default();
        let (uri, tls) = access.tls_through_balancer().await?;
        tasks.spawn(api::sample(Door::new(&uri, tls)?, faces.clone(), recorder.clone(), cancel.clone()));
        for machine in topology.masters() {
            let (name, nudged) = (machine.name.to_string(), nudged.clone());
            let (uri, tls) = access.tls_directly(machine.ip).await?;
            let door = Door::new(&uri, tls)?;
            tasks.spawn(readyz::look(door, name, faces.clone(), recorder.clone(), nudged, cancel.clone()));
        }
        for machine in topology.masters() {
            let client = access.etcd_member(machine.ip).await?;
            let look = etcd::look(client, machine.name.to_string(), recorder.clone(), nudged.clone(), cancel.clone());
            tasks.spawn(look);
        }
        Ok(Self { tasks, nudge, cancel })
    }

    /// Makes every observer look at everything anew, so that what it tells from now on is not what it remembers.
    pub fn refresh(&self) {
        self.nudge.send_modify(|count| *count += 1);
    }

    /// Stops all observers and waits for their end. The error is that of an observer that panicked.
    pub async fn stop(mut self) -> Result<(), tokio::task::JoinError> {
        self.cancel.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}
