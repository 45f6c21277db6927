//! Follows a run's events, keeps what is known of the cluster, and lets steps wait for it to become as expected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::check::world::World;
use crate::check::{self, Judgement};
use crate::event::What;
use crate::record::{Recorder, Span};
use crate::scenario::{Check, Invariant, Topology};

/// Why waiting ended before what was expected came true.
#[derive(Debug)]
pub(super) enum Unmet {
    /// The time was up; what was missing last.
    Deadline(String),
    /// An invariant was violated meanwhile.
    Violated(String),
    /// The run was interrupted.
    Cancelled,
}

/// What is known of the cluster, kept up with the events until it is dropped.
#[derive(Debug)]
pub(super) struct Monitor {
    world: watch::Receiver<World>,
    violation: watch::Receiver<Option<String>>,
    armed: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Monitor {
    /// Starts to follow. Invariants are watched once [`Monitor::arm`] was called.
    pub(super) fn start(recorder: &Recorder, invariants: Vec<Invariant>) -> Self {
        let (world, known) = watch::channel(World::default());
        let (violated, violation) = watch::channel(None);
        let armed = Arc::new(AtomicBool::new(false));
        let (mut events, arm, recorder) = (recorder.follow(), Arc::clone(&armed), recorder.clone());
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                world.send_modify(|world| world.apply(&event));
                if arm.load(Ordering::Relaxed)
                    && matches!(event.what, What::ApiSample { .. })
                    && violated.borrow().is_none()
                {
                    let found = invariants
                        .iter()
                        .find_map(|invariant| Some((invariant, check::violation(invariant, &world.borrow())?)));
                    if let Some((invariant, message)) = found {
                        recorder.record(What::Violation { invariant: invariant.to_string(), message: message.clone() });
                        violated.send_replace(Some(message));
                    }
                }
            }
        });
        Self { world: known, violation, armed, task }
    }

    /// Watches the invariants from now on.
    pub(super) fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Waits until a check holds. What is still missing is told to the span whenever it changes.
    pub(super) async fn until(
        &self,
        check: &Check,
        topology: &Topology,
        since: f64,
        within: Duration,
        span: &Span,
        cancel: &CancellationToken,
    ) -> Result<(), Unmet> {
        let (mut world, mut violation) = (self.world.clone(), self.violation.clone());
        let deadline = tokio::time::sleep(within);
        tokio::pin!(deadline);
        let mut missing = String::new();
        loop {
            let judgement = check::judge(check, topology, &world.borrow_and_update(), since);
            match judgement {
                Judgement::Holds => return Ok(()),
                Judgement::NotYet(reason) if reason != missing => {
                    span.progress(&reason);
                    missing = reason;
                }
                Judgement::NotYet(_) => {}
            }
            tokio::select! {
                changed = world.changed() => if changed.is_err() { return Err(Unmet::Deadline("the log of events ended".into())) },
                message = violated(&mut violation) => return Err(Unmet::Violated(message)),
                () = &mut deadline => return Err(Unmet::Deadline(missing)),
                () = cancel.cancelled() => return Err(Unmet::Cancelled),
            }
        }
    }

    /// Lets time pass while the invariants are watched.
    pub(super) async fn hold(&self, time: Duration, cancel: &CancellationToken) -> Result<(), Unmet> {
        let mut violation = self.violation.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            message = violated(&mut violation) => Err(Unmet::Violated(message)),
            () = cancel.cancelled() => Err(Unmet::Cancelled),
        }
    }

    /// The violation of an invariant, if there was one.
    pub(super) fn violation(&self) -> Option<String> {
        self.violation.borrow().clone()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn violated(violation: &mut watch::Receiver<Option<String>>) -> String {
    loop {
        if let Some(message) = violation.borrow_and_update().clone() {
            return message;
        }
        if violation.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
