//! What every provider of machines must do, held against real machines: two of them, without Kubernetes.
//!
//! A [`Point`] is one promise of the contract. Points that need the same machine in the same plight are judged together,
//! by one of the functions here; each has a finding of its own. What a provider says of itself is never its own proof:
//! machines are seen from each other, and what is left of them with the hypervisor's or engine's own tool.

mod cable;
mod clock;
mod end;
mod findings;
mod freeze;
mod lies;
mod power;
mod rig;
mod snapshot;
mod up;

use futures::FutureExt;
use quorate::machine::provider::Provider;
use std::panic::AssertUnwindSafe;
use tokio_util::sync::CancellationToken;

pub use findings::{Finding, Findings, Point};
pub use lies::caught;
use rig::Rig;

/// Holds a provider to its contract. The machines are removed whatever is found.
pub async fn hold(provider: &str, cancel: &CancellationToken) -> Findings {
    let mut found = Findings::of(provider);
    let rig = match Rig::make(provider, None, cancel).await {
        Ok(rig) => rig,
        Err(reason) => {
            found.fail(Point::ComesUp, reason);
            return found;
        }
    };
    let whole = AssertUnwindSafe(all(&rig, &mut found)).catch_unwind().await;
    rig.remove().await;
    if whole.is_ok() && !cancel.is_cancelled() {
        half_made(provider, &mut found, cancel).await;
    }
    found
}

async fn all(rig: &Rig, found: &mut Findings) {
    if !up::judge(rig, found).await {
        return;
    }
    freeze::judge(rig, found).await;
    snapshot::judge(rig, found).await;
    clock::judge(rig, found).await;
    cable::judge(rig, found).await;
    power::judge_halt(rig, found).await;
    power::judge_kill(rig, found).await;
    rig.changes().judge(found);
    end::judge_destroy(rig, found).await;
}

async fn half_made(provider: &str, found: &mut Findings, cancel: &CancellationToken) {
    match Rig::make(provider, None, cancel).await {
        Ok(rig) => {
            let _ = AssertUnwindSafe(end::judge_half_made(&rig, found)).catch_unwind().await;
            rig.remove().await;
        }
        Err(reason) => found.fail(Point::HalfMadeFound, reason),
    }
}

/// The provider of this name. The tests only name such as are known.
fn named(provider: &str) -> Box<dyn Provider> {
    quorate::machine::provider::by_name(provider).unwrap()
}
