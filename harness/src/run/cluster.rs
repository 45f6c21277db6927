//! What happens on the machines of a run: they become a cluster, that is proven, the scenario is carried out, and the evidence
//! is gathered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::failure::{Failure, broken};
use super::watchdog::Watchdog;
use super::{evidence, gate, handover};
use crate::artifact::NodeImage;
use crate::cluster::Access;
use crate::event::{Phase, SpanId, Verdict};
use crate::probe::Observers;
use crate::provision::{Part, Provisioner};
use crate::record::SpanOptions;

/// Where a cluster comes from.
pub(super) enum Origin {
    /// It is made.
    New(Box<NodeImage>),
    /// An earlier run has left it.
    Left,
}

/// Gets the cluster and runs the scenario on it. `begun` tells that the first step was reached.
pub(super) async fn on_machines(
    engine: &Engine,
    origin: Origin,
    access: &Access,
    folder: &Path,
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let provisioned = match origin {
        Origin::New(image) => provision(engine, *image, access, folder).await?,
        Origin::Left => handover::take_over(engine, access).await?,
    };
    let slowness = engine.fleet.provider().slowness();
    let observers = Observers::start(access, &engine.scenario.topology, &engine.recorder, slowness).await;
    let observers = observers.map_err(broken)?;
    // Nobody watches yet for machines that are paused unasked.
    let provisioned =
        if engine.saves { saved(engine, &observers, access, &provisioned).await } else { Ok(provisioned) };
    let ended = match provisioned {
        Ok(provisioned) => watched(engine, &observers, access, &provisioned, begun).await,
        Err(failure) => Err(failure),
    };
    let stopped = observers.stop().await.map_err(|panic| Failure::Broken(format!("an observer ended: {panic}")));
    ended.and(stopped)
}

/// Proves the cluster, and saves its machines as they are then.
async fn saved(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let proven = proven(engine, observers, access, provisioned).await?;
    Ok(vec![handover::save(engine, &proven).await?])
}

/// Lets the cluster pass its gate.
async fn proven(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    after: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let client = access.through_balancer().await.map_err(broken)?;
    gate::pass(engine, observers, client, after).await
}

/// Judges the cluster while somebody watches for what nobody asked for.
async fn watched(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let watchdog = Watchdog::start(&engine.fleet, &engine.scenario.topology, &engine.recorder, &engine.active);
    let ended = tokio::select! {
        ended = judged(engine, observers, access, provisioned, begun) => ended,
        intrusion = watchdog.intrusion() => Err(Failure::Broken(intrusion)),
    };
    watchdog.stop().await;
    ended
}

/// Brings the machines up and makes a cluster of them.
async fn provision(engine: &Engine, image: NodeImage, access: &Access, folder: &Path) -> Result<Vec<SpanId>, Failure> {
    let up = bring_up(engine).await?;
    let part = Part {
        topology: engine.scenario.topology.clone(),
        fleet: Arc::clone(&engine.fleet),
        kubernetes: image.kubernetes,
        access: access.clone(),
        recorder: engine.recorder.clone(),
        etcd_disk: engine.scenario.fills_disk(),
        bundle: image.bundle,
        calico: image.calico,
        cancel: engine.cancel.clone(),
        folder: folder.to_owned(),
    };
    let provisioned = Provisioner::new(part).run(up).await;
    provisioned.map_err(|error| if engine.cancel.is_cancelled() { Failure::Interrupted } else { broken(error) })
}

async fn judged(
    engine: &Engine,
    observers: &Observers,
    access: &Access,
    provisioned: &[SpanId],
    begun: &AtomicBool,
) -> Result<(), Failure> {
    let proven = proven(engine, observers, access, provisioned).await?;
    begun.store(true, Ordering::Relaxed);
    engine.steps(observers, proven).await
}

async fn bring_up(engine: &Engine) -> Result<SpanId, Failure> {
    let span = engine.recorder.span(Phase::BringUp, "bring the machines up", SpanOptions::default());
    let up = engine.fleet.up(&engine.cancel).await;
    if up.is_err() {
        // What became of each machine tells whoever reads why.
        engine.fleet.look(&CancellationToken::new()).await;
    }
    match up {
        Ok(()) => {
            span.end(Verdict::Passed, None);
            Ok(span.id())
        }
        Err(_) if engine.cancel.is_cancelled() => Err(Failure::Interrupted),
        Err(error) => {
            span.end(Verdict::Broken, Some(error.to_string()));
            Err(broken(error))
        }
    }
}

/// Gathers the evidence of all machines; what is missing is told and is no failure.
pub(super) async fn gather(engine: &Engine, folder: &Path) {
    let span = engine.recorder.span(Phase::CleanUp, "gather the evidence", SpanOptions::default());
    let gaps = evidence::gather(&engine.fleet, &engine.scenario.topology, folder, &engine.recorder).await;
    span.end(Verdict::Passed, (!gaps.is_empty()).then(|| gaps.join("; ")));
    for gap in gaps {
        engine.recorder.notice(gap);
    }
}
