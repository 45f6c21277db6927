//! What watches the cluster in the background all along, and feeds the checks by way of events.

mod api;
mod audit;
mod etcd;
mod faces;
mod grpc;
mod hash;
mod reach;
mod readyz;
mod stream;
mod watch;
mod writer;

use std::time::Duration;

use kube::Client;
use quorate_doors::Door;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::cluster::{Access, AccessError};
use crate::record::Recorder;
use crate::scenario::Topology;
use faces::Faces;
use hash::Member;
pub(crate) use reach::{Asked, reach};
use stream::Stream;
use writer::{Ledger, Writer};

pub(crate) use writer::NAMESPACE;

/// Counts how often all observers were asked to look anew.
type Nudge = tokio::sync::watch::Receiver<u64>;

/// The protocol of API servers, and that of etcd's members for calls that their JSON gateway does not have.
const HTTP: &str = "http/1.1";
const GRPC: &str = "h2";
/// How long one API server may take to read all writes back.
const READ: Duration = Duration::from_secs(10);
/// How long to wait before they are asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// The observers of a cluster, until they are stopped or dropped.
pub struct Observers {
    tasks: JoinSet<()>,
    writing: Mutex<Option<Writing>>,
    ledger: Ledger,
    /// Each master with a client of its API server.
    servers: Vec<(String, Client)>,
    recorder: Recorder,
    nudge: tokio::sync::watch::Sender<u64>,
    cancel: CancellationToken,
}

/// What writes, and what watches what is written.
#[derive(Debug)]
struct Writing {
    writer: JoinHandle<()>,
    enough: CancellationToken,
    stream: JoinHandle<()>,
    closing: CancellationToken,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.writer.abort();
        self.stream.abort();
    }
}

impl Observers {
    /// Starts all observers. They ask as many times less often as the machines are slower than usual, and wait longer for
    /// answers: what is too slow for its own work must not be kept from it by those who watch.
    pub async fn start(
        access: &Access,
        topology: &Topology,
        recorder: &Recorder,
        slowness: u32,
    ) -> Result<Self, AccessError> {
        let (nudge, nudged) = tokio::sync::watch::channel(0);
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        watch::start(&mut tasks, &access.through_balancer().await?, recorder, &nudged, &cancel);
        let faces = Faces::default();
        let (uri, tls) = access.tls_through_balancer().await?;
        tasks.spawn(api::sample(
            Door::new(&uri, tls, HTTP)?,
            faces.clone(),
            recorder.clone(),
            slowness,
            cancel.clone(),
        ));
        let (mut servers, mut members) = (Vec::new(), Vec::new());
        for machine in topology.masters() {
            let (name, nudged) = (machine.name.to_string(), nudged.clone());
            servers.push((name.clone(), access.directly(machine.ip).await?));
            let (uri, tls) = access.tls_directly(machine.ip).await?;
            let door = Door::new(&uri, tls, HTTP)?;
            tasks.spawn(readyz::look(door, name, faces.clone(), recorder.clone(), nudged, slowness, cancel.clone()));
        }
        for machine in topology.members() {
            let (machine, ip) = (machine.name.to_string(), machine.ip);
            let (uri, tls) = access.tls_etcd_member(ip).await?;
            let (json, grpc) = (Door::new(&uri, tls.clone(), HTTP)?, Door::new(&uri, tls, GRPC)?);
            tasks.spawn(etcd::look(
                json.clone(),
                machine.clone(),
                recorder.clone(),
                nudged.clone(),
                slowness,
                cancel.clone(),
            ));
            members.push(Member { machine, json, grpc });
        }
        tasks.spawn(hash::compare(members, recorder.clone(), nudged, slowness, cancel.clone()));
        let ledger = Ledger::default();
        let writing = Writing::start(access, &ledger, recorder, slowness, &cancel).await?;
        let writing = Mutex::new(Some(writing));
        Ok(Self { tasks, writing, ledger, servers, recorder: recorder.clone(), nudge, cancel })
    }

    /// Makes every observer look at everything anew, so that what it tells from now on is not what it remembers.
    pub fn refresh(&self) {
        self.nudge.send_modify(|count| *count += 1);
    }

    /// Ends the writing, and waits until what was written is delivered by the watch of it, or is late.
    pub async fn settle(&self) -> Result<(), JoinError> {
        let Some(mut writing) = self.writing.lock().await.take() else { return Ok(()) };
        writing.enough.cancel();
        (&mut writing.writer).await?;
        writing.closing.cancel();
        (&mut writing.stream).await
    }

    /// Reads back all that was written, from whichever master answers, until one does. What keeps each from answering
    /// is told.
    pub async fn audit(&self, mut told: impl FnMut(String)) {
        loop {
            for (name, client) in &self.servers {
                let writes = self.ledger.read().clone();
                let read = tokio::time::timeout(READ, audit::read(client.clone(), name, writes)).await;
                match read {
                    Ok(Ok(audit)) => return self.recorder.record(audit),
                    Ok(Err(error)) => told(format!("{name}: {}", watch::chain(&error))),
                    Err(_) => told(format!("{name}: no answer within {READ:?}")),
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Stops all observers and waits for their end. The error is that of an observer that panicked.
    pub async fn stop(mut self) -> Result<(), JoinError> {
        self.cancel.cancel();
        drop(self.writing.get_mut().take());
        while let Some(ended) = self.tasks.join_next().await {
            ended?;
        }
        Ok(())
    }
}

impl Writing {
    async fn start(
        access: &Access,
        ledger: &Ledger,
        recorder: &Recorder,
        slowness: u32,
        cancel: &CancellationToken,
    ) -> Result<Self, AccessError> {
        let (enough, closing) = (cancel.child_token(), cancel.child_token());
        let writer = Writer::new(access.through_balancer().await?, ledger.clone(), recorder.clone(), slowness);
        let stream = Stream::new(access.through_balancer().await?, ledger.clone(), recorder.clone(), slowness);
        let writer = tokio::spawn(writer.run(enough.clone()));
        let stream = tokio::spawn(stream.run(closing.clone(), cancel.clone()));
        Ok(Self { writer, enough, stream, closing })
    }
}
