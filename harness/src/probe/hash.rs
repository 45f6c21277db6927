//! Compares the data of etcd's members: each is asked for a hash of everything at one revision that they should all have.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use quorate_doors::Door;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Nudge;
use super::etcd::revision_of;
use super::grpc::{self, Hashed};
use crate::event::What;
use crate::record::Recorder;

/// The time between two comparisons. A member reads all of its data for one.
const EVERY: Duration = Duration::from_secs(10);
/// How long members may take to tell their revision, and then how long to reach it.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a member that has not reached it is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// A member of etcd, and two ways to it.
pub(super) struct Member {
    pub(super) machine: String,
    /// For calls in JSON.
    pub(super) json: Door,
    /// For the one that there is in gRPC alone.
    pub(super) grpc: Door,
}

/// Compares until cancelled, now and then and after each nudge.
pub(super) async fn compare(
    members: Vec<Member>,
    recorder: Recorder,
    mut nudge: Nudge,
    slowness: u32,
    cancel: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY * slowness);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = false;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            _ = nudge.changed() => due = true,
            _ = ticks.tick(), if !due => due = true,
            compared = once(&members, PATIENCE * slowness), if due => {
                due = false;
                if let Some((revision, hashes)) = compared {
                    recorder.record(What::EtcdHash { revision, hashes });
                }
            }
        }
    }
}

/// The hashes at the newest revision that a member tells of; nothing if none does.
async fn once(members: &[Member], patience: Duration) -> Option<(u64, BTreeMap<String, u32>)> {
    let deadline = Instant::now() + patience;
    let told = join_all(members.iter().map(|member| timeout_at(deadline, revision_of(&member.json)))).await;
    let revision = told.into_iter().filter_map(|told| told.ok()?.ok()).max()?;
    let deadline = Instant::now() + patience;
    loop {
        let hashes = join_all(members.iter().map(async |member| {
            let hashed = timeout_at(deadline, hash(&member.grpc, revision)).await.ok()?;
            Some((member.machine.clone(), hashed))
        }));
        let hashes: BTreeMap<String, Hashed> = hashes.await.into_iter().flatten().collect();
        // A member that compacts meanwhile hashes less than the others, and is asked again.
        let compacted = hashes.values().map(|hashed| hashed.compacted).max();
        let even = hashes.values().all(|hashed| Some(hashed.compacted) == compacted);
        if even || Instant::now() + PAUSE >= deadline {
            let comparable = hashes.into_iter().filter(|(_, hashed)| Some(hashed.compacted) == compacted);
            return Some((revision, comparable.map(|(machine, hashed)| (machine, hashed.hash)).collect()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The hash, as soon as the member has reached the revision.
async fn hash(door: &Door, revision: u64) -> Hashed {
    loop {
        match grpc::hash(door, revision).await {
            Ok(hashed) => return hashed,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
