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
/// What is asked for: an object that always exists, which the API server must read from etcd with a quorum.
const PATH: &str = "/api/v1/namespaces/default";

/// What all requests share.
struct Sampler {
    door: Door,
    faces: Faces,
    recorder: Recorder,
    patience: Duration,
}

/// Samples until cancelled. Requests overlap, so a slow one delays no other.
pub(super) async fn sample(door: Door, faces: Faces, recorder: Recorder, slowness: u32, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY * slowness);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut requests = JoinSet::new();
    let sampler = Arc::new(Sampler { door, faces, recorder, patience: PATIENCE * slowness });
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = ticks.tick() => { requests.spawn(Arc::clone(&sampler).one()); }
            Some(_) = requests.join_next() => {}
        }
    }
}

impl Sampler {
    async fn one(self: Arc<Self>) {
        let started = Instant::now();
        let mut server = None;
        let outcome = tokio::time::timeout(self.patience, self.ask(&mut server)).await;
        let latency_ms = (started.elapsed().as_secs_f64() * 1e4).round() / 10.0;
        let (status, error) = match outcome {
            Ok(Ok(status)) if (200..300).contains(&status) => (Some(status), None),
            Ok(Ok(status)) => (Some(status), Some(format!("HTTP status {status}"))),
            Ok(Err(error)) => (None, Some(super::watch::chain(&error))),
            Err(_) => (None, Some(format!("no answer within {:?}", self.patience))),
        };
        self.recorder.record(What::ApiSample { ok: error.is_none(), status, latency_ms, server, error });
    }

    async fn ask(&self, server: &mut Option<String>) -> Result<u16, Unanswered> {
        let mut line = self.door.open().await?;
        *server = self.faces.of(&line);
        Ok(line.get(PATH).await?.0.as_u16())
    }
}
