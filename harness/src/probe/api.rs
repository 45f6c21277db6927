//! Asks the API through the balancer four times a second, each time over a new connection, as a new client would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quorate_doors::{Door, Unanswered};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::faces::Faces;
use crate::event::What;
use crate::record::Recorder;

/// The time between two requests.
const EVERY: Duration = Duration::from_millis(250);
/// How long an answer may take: less than the seed's balancer waits for a server.
const PATIENCE: Duration = Duration::from_secs(4);
/// A request that has waited for so long when the sampling ends is not one that is about to be answered.
const OVERDUE: Duration = Duration::from_secs(1);
/// What is asked for: an object that always exists, which the API server must read from etcd with a quorum.
const PATH: &str = "/api/v1/namespaces/default";

/// What all requests share.
struct Sampler {
    door: Door,
    faces: Faces,
    recorder: Recorder,
    patience: Duration,
    overdue: Duration,
    cancel: CancellationToken,
}

/// Samples until cancelled. Requests overlap, so a slow one delays no other.
pub(super) async fn sample(door: Door, faces: Faces, recorder: Recorder, slowness: u32, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY * slowness);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut requests = JoinSet::new();
    let (patience, overdue) = (PATIENCE * slowness, OVERDUE * slowness);
    let sampler = Arc::new(Sampler { door, faces, recorder, patience, overdue, cancel: cancel.clone() });
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = ticks.tick() => { requests.spawn(Arc::clone(&sampler).one()); }
            Some(_) = requests.join_next() => {}
        }
    }
    while requests.join_next().await.is_some() {}
}

impl Sampler {
    async fn one(self: Arc<Self>) {
        let started = Instant::now();
        let mut server = None;
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(self.patience, self.ask(&mut server)) => Some(outcome),
            () = self.cancel.cancelled() => None,
        };
        let latency_ms = (started.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        let (status, error) = match outcome {
            Some(Ok(Ok(status))) if (200..300).contains(&status) => (Some(status), None),
            Some(Ok(Ok(status))) => (Some(status), Some(format!("HTTP status {status}"))),
            Some(Ok(Err(error))) => (None, Some(super::watch::chain(&error))),
            Some(Err(_)) => (None, Some(format!("no answer within {:?}", self.patience))),
            None if started.elapsed() < self.overdue => return,
            None => (None, Some("no answer so far, and nobody waits for it any more".to_owned())),
        };
        self.recorder.record(What::ApiSample { ok: error.is_none(), status, latency_ms, server, error });
    }

    async fn ask(&self, server: &mut Option<String>) -> Result<u16, Unanswered> {
        let mut line = self.door.open().await?;
        *server = self.faces.of(&line);
        Ok(line.get(PATH).await?.0.as_u16())
    }
}
