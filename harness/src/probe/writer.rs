//! Writes objects through the balancer, one after the other, and remembers what was acknowledged.
//!
//! A write that was not acknowledged may have happened all the same, so nothing is concluded from it. One that was must
//! be there for ever: [`super::audit`] looks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::record::Recorder;

/// The time between two writes.
const EVERY: Duration = Duration::from_millis(250);
/// How long an acknowledgement may take: less than the seed's balancer waits for a server.
const PATIENCE: Duration = Duration::from_secs(4);
/// The namespace of all that is written.
pub(crate) const NAMESPACE: &str = "quorate-writes";
/// The object that is written again and again; all others are written once.
pub(super) const REGISTER: &str = "register";
/// The key of the register that holds the number of the write.
pub(super) const KEY: &str = "write";

/// An acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// Its number; odd ones make an object, even ones change the register.
    pub(super) seq: u64,
    /// The revision that etcd gave it.
    pub(super) revision: u64,
    /// When it was acknowledged.
    pub(super) at: Instant,
}

/// All acknowledged writes, in the order in which they were acknowledged.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Vec<Acknowledged>>>);

impl Ledger {
    /// The writes that were acknowledged.
    pub(super) fn read(&self) -> MutexGuard<'_, Vec<Acknowledged>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The object of a write.
pub(super) fn object(seq: u64) -> String {
    if seq.is_multiple_of(2) { REGISTER.to_owned() } else { format!("w-{seq}") }
}

/// What writes.
pub(super) struct Writer {
    client: Client,
    ledger: Ledger,
    recorder: Recorder,
    slowness: u32,
    /// The register's revision as far as it is known for certain.
    register: Option<String>,
}

impl Writer {
    pub(super) fn new(client: Client, ledger: Ledger, recorder: Recorder, slowness: u32) -> Self {
        Self { client, ledger, recorder, slowness, register: None }
    }

    /// Writes until cancelled. A write waits for the one before it, so their order is known.
    pub(super) async fn run(mut self, cancel: CancellationToken) {
        let patience = PATIENCE * self.slowness;
        let mut ticks = tokio::time::interval(EVERY * self.slowness);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut ready = false;
        for seq in 1_u64.. {
            loop {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                // The namespace and the register have to be there before something can be written.
                ready = ready || matches!(tokio::time::timeout(patience, self.prepare()).await, Ok(Ok(())));
                if ready {
                    break;
                }
            }
            self.one(seq, patience).await;
        }
    }

    async fn one(&mut self, seq: u64, patience: Duration) {
        let started = Instant::now();
        let outcome = tokio::time::timeout(patience, self.write(seq)).await;
        let latency_ms = (started.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        let (revision, error) = match outcome {
            Ok(Ok(revision)) => (Some(revision), None),
            Ok(Err(error)) => (None, Some(super::watch::chain(&error))),
            Err(_) => (None, Some(format!("no acknowledgement within {patience:?}"))),
        };
        if let Some(revision) = revision {
            self.ledger.read().push(Acknowledged { seq, revision, at: Instant::now() });
        } else {
            self.register = None;
        }
        let (acknowledged, object) = (revision.is_some(), object(seq));
        self.recorder.record(What::Write { seq, object, acknowledged, revision, latency_ms, error });
    }

    /// Writes, and returns the revision of what was written.
    async fn write(&mut self, seq: u64) -> Result<u64, kube::Error> {
        let objects = self.objects();
        let name = object(seq);
        let mut new = ConfigMap {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(KEY.to_owned(), seq.to_string())])),
            ..ConfigMap::default()
        };
        let written = if name == REGISTER {
            // With the revision that it replaces, so that a write that was given up cannot undo a later one.
            new.metadata.resource_version = match self.register.take() {
                known @ Some(_) => known,
                None => objects.get(REGISTER).await?.resource_version(),
            };
            let written = objects.replace(REGISTER, &PostParams::default(), &new).await?;
            self.register = written.resource_version();
            written
        } else {
            objects.create(&PostParams::default(), &new).await?
        };
        Ok(revision(&written).unwrap_or_default())
    }

    /// Makes the namespace and the register, if they are not there.
    async fn prepare(&self) -> Result<(), kube::Error> {
        let metadata = |name: &str| ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata: metadata(NAMESPACE), ..Namespace::default() };
        exists(Api::<Namespace>::all(self.client.clone()).create(&PostParams::default(), &namespace).await)?;
        let register = ConfigMap { metadata: metadata(REGISTER), ..ConfigMap::default() };
        exists(self.objects().create(&PostParams::default(), &register).await)
    }

    fn objects(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

fn exists<T>(created: Result<T, kube::Error>) -> Result<(), kube::Error> {
    match created {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop),
    }
}

/// The revision of an object, which the API server passes on from etcd.
pub(super) fn revision(object: &impl ResourceExt) -> Option<u64> {
    object.resource_version()?.parse().ok()
}
