//! Asks the API through the balancer four times a second, each time over a new connection, as a new client would.

use std::time::{Duration, Instant};

use http::Request;
use http::header::CONNECTION;
use kube::Client;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::record::Recorder;

/// The time between two requests.
const EVERY: Duration = Duration::from_millis(250);
/// How long an answer may take: less than the seed's balancer waits for a server.
const PATIENCE: Duration = Duration::from_secs(4);
/// What is asked for: an object that always exists, which the API server must read from etcd with a quorum.
const PATH: &str = "/api/v1/namespaces/default";

/// Samples until cancelled. Requests overlap, so a slow one delays no other.
pub(super) async fn sample(client: Client, recorder: Recorder, cancel: CancellationToken) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut requests = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = ticks.tick() => { requests.spawn(one(client.clone(), recorder.clone())); }
            Some(_) = requests.join_next() => {}
        }
    }
}

async fn one(client: Client, recorder: Recorder) {
    let started = Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, ask(client)).await;
    let latency_ms = (started.elapsed().as_secs_f64() * 1e4).round() / 10.0;
    let (status, error) = match outcome {
        Ok(Ok(status)) if (200..300).contains(&status) => (Some(status), None),
        Ok(Ok(status)) => (Some(status), Some(format!("HTTP status {status}"))),
        Ok(Err(error)) => (None, Some(super::watch::chain(&error))),
        Err(_) => (None, Some(format!("no answer within {PATIENCE:?}"))),
    };
    recorder.record(What::ApiSample { ok: error.is_none(), status, latency_ms, error });
}

async fn ask(client: Client) -> Result<u16, kube::Error> {
    // A connection that is closed after its answer is never used again.
    let request = Request::get(PATH)
        .header(CONNECTION, "close")
        .body(kube::client::Body::empty())
        .map_err(kube::Error::HttpError)?;
    let response = client.send(request).await?;
    let status = response.status().as_u16();
    response.into_body().collect_bytes().await?;
    Ok(status)
}
