//! Follows a run's events, keeps what is known of the cluster, and lets steps wait for it to become as expected.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::check::world::World;
use crate::check::{self, Judgement};
use crate::event::What;
use crate::record::{Recorder, Span};
use crate::scenario::{Check, Invariant, Topology};

/// A reason why a check does not hold, and since when it has been this one, in seconds of the run.
#[derive(Debug, Default)]
struct Missing {
    reason: String,
    since: f64,
}

impl Missing {
    fn said(self) -> String {
        let Self { reason, since } = self;
        format!("{reason} (seen so since {since:.1} s)")
    }
}

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
    guarded: watch::Receiver<Guarded>,
    armed: Arc<OnceLock<f64>>,
    task: JoinHandle<()>,
}

/// What the invariants have come to.
#[derive(Debug, Default, Clone)]
struct Guarded {
    violation: Option<String>,
    /// The invariants that could not be judged a single time.
    unjudged: Vec<Invariant>,
}

impl Monitor {
    /// Starts to follow. Invariants are watched once [`Monitor::arm`] was called.
    pub(super) fn start(recorder: &Recorder, invariants: Vec<Invariant>, topology: Topology) -> Self {
        let (world, known) = watch::channel(World::default());
        let (guard, guarded) = watch::channel(Guarded { violation: None, unjudged: invariants.clone() });
        let armed = Arc::new(OnceLock::new());
        let (mut events, arm, recorder) = (recorder.follow(), Arc::clone(&armed), recorder.clone());
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                world.send_modify(|world| world.apply(&event));
                let Some(since) = arm.get().filter(|_| is_seen(&event.what)) else { continue };
                // A borrow locks, and must be over before what was borrowed is changed.
                let violated = guard.borrow().violation.is_some();
                if violated {
                    continue;
                }
                let found = guard_all(&invariants, &topology, &world.borrow(), *since, &guard);
                if let Some((invariant, message)) = found {
                    recorder.record(broken(invariant, &message, &world.borrow(), *since));
                    guard.send_modify(|guarded| guarded.violation = Some(message));
                }
            }
        });
        Self { world: known, guarded, armed, task }
    }

    /// Watches the invariants from now on, which is so many seconds into the run. Only the first time counts, and is
    /// answered with true.
    pub(super) fn arm(&self, now: f64) -> bool {
        self.armed.set(now).is_ok()
    }

    /// What is known now.
    pub(super) fn world(&self) -> World {
        self.world.borrow().clone()
    }

    /// Waits until something is found in what is known.
    pub(super) async fn find<T>(&self, find: impl Fn(&World) -> Option<T>) -> T {
        let mut world = self.world.clone();
        loop {
            if let Some(found) = find(&world.borrow_and_update()) {
                return found;
            }
            if world.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
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
        let (mut world, mut guarded) = (self.world.clone(), self.guarded.clone());
        let deadline = tokio::time::sleep(within);
        tokio::pin!(deadline);
        let mut missing = Missing::default();
        loop {
            let (judgement, now) = {
                let world = world.borrow_and_update();
                (check::judge(check, topology, &world, since), world.now.max(since))
            };
            match judgement {
                Judgement::Holds => return Ok(()),
                Judgement::NotYet(reason) | Judgement::Unknown(reason) if reason != missing.reason => {
                    span.progress(&reason);
                    missing = Missing { reason, since: now };
                }
                Judgement::NotYet(_) | Judgement::Unknown(_) => {}
            }
            tokio::select! {
                changed = world.changed() => if changed.is_err() { return Err(Unmet::Deadline("the log of events ended".into())) },
                message = violated(&mut guarded) => return Err(Unmet::Violated(message)),
                () = &mut deadline => return Err(Unmet::Deadline(self.explained(&missing.said(), Some(check), since))),
                () = cancel.cancelled() => return Err(Unmet::Cancelled),
            }
        }
    }

    /// Lets time pass while the invariants are watched, and a check if there is one. It was seen to hold before; whether
    /// it is still looked at is for who calls this to find out.
    pub(super) async fn hold(
        &self,
        check: Option<&Check>,
        topology: &Topology,
        since: f64,
        time: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Unmet> {
        let (mut world, mut guarded) = (self.world.clone(), self.guarded.clone());
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            let judgement = check.map(|check| check::judge(check, topology, &world.borrow_and_update(), since));
            if let Some(Judgement::NotYet(reason)) = judgement {
                return Err(Unmet::Deadline(self.explained(&reason, check, since)));
            }
            tokio::select! {
                () = &mut over => return Ok(()),
                changed = world.changed(), if check.is_some() => if changed.is_err() { return Err(Unmet::Deadline("the log of events ended".into())) },
                message = violated(&mut guarded) => return Err(Unmet::Violated(message)),
                () = cancel.cancelled() => return Err(Unmet::Cancelled),
            }
        }
    }

    fn explained(&self, missing: &str, check: Option<&Check>, since: f64) -> String {
        let more = check.and_then(|check| check::particulars(check, &self.world.borrow(), since));
        more.map_or(missing.to_owned(), |more| format!("{missing}; {more}"))
    }

    /// Waits until every invariant was looked at, and returns what keeps them from having held all along. Figures over
    /// the whole time are judged now, and their violation is recorded.
    pub(super) async fn verdict(
        &self,
        invariants: &[Invariant],
        topology: &Topology,
        recorder: &Recorder,
        patience: Duration,
    ) -> Option<String> {
        let (mut world, mut guarded) = (self.world.clone(), self.guarded.clone());
        let latest = recorder.latest();
        let known = async {
            let _ = world.wait_for(|world| world.now >= latest).await;
            let _ = guarded.wait_for(|guarded| guarded.violation.is_some() || guarded.unjudged.is_empty()).await;
        };
        // If the time is up, or nobody follows any more, what is known then counts.
        let _ = tokio::time::timeout(patience, known).await;
        let Guarded { violation, mut unjudged } = self.guarded.borrow().clone();
        if violation.is_some() {
            return violation;
        }
        // That all was read back once says nothing of what was written since.
        let read_back = |since| check::is_judged(&Invariant::WritesNoneLost, topology, &self.world.borrow(), since);
        if invariants.contains(&Invariant::WritesNoneLost)
            && !unjudged.contains(&Invariant::WritesNoneLost)
            && !self.armed.get().copied().is_some_and(read_back)
        {
            unjudged.push(Invariant::WritesNoneLost);
        }
        let last = |invariant| {
            let since = self.armed.get().copied()?;
            Some((invariant, check::final_violation(invariant, topology, &self.world.borrow(), since)?))
        };
        if let Some((invariant, message)) = invariants.iter().find_map(last) {
            let since = self.armed.get().copied().unwrap_or_default();
            recorder.record(broken(invariant, &message, &self.world.borrow(), since));
            return Some(message);
        }
        let unjudged = unjudged.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        (!unjudged.is_empty()).then(|| format!("it could never be seen whether this holds: {unjudged}"))
    }
}

fn broken(invariant: &Invariant, message: &str, world: &World, since: f64) -> What {
    let since = check::began(invariant, world, since).map(|began| began.max(since));
    What::Violation { invariant: invariant.to_string(), message: message.to_owned(), since }
}

/// Whether an event tells of the cluster, and not of the run itself.
fn is_seen(what: &What) -> bool {
    !matches!(what, What::Progress { .. } | What::SpanStarted { .. } | What::SpanEnded { .. } | What::Notice { .. })
}

/// Judges all invariants, remembers which could be judged, and returns the first that is violated.
fn guard_all<'a>(
    invariants: &'a [Invariant],
    topology: &Topology,
    world: &World,
    since: f64,
    guard: &watch::Sender<Guarded>,
) -> Option<(&'a Invariant, String)> {
    let unjudged = |invariant: &Invariant| !check::is_judged(invariant, topology, world, since);
    guard.send_if_modified(|guarded| {
        let before = guarded.unjudged.len();
        guarded.unjudged.retain(unjudged);
        guarded.unjudged.len() < before
    });
    invariants.iter().find_map(|invariant| Some((invariant, check::violation(invariant, topology, world, since)?)))
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn violated(guarded: &mut watch::Receiver<Guarded>) -> String {
    loop {
        if let Some(message) = guarded.borrow_and_update().violation.clone() {
            return message;
        }
        if guarded.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
