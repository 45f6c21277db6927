//! Carries a plan out on machines that run: the scenario's steps, one after the other.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::failure::{Failure, broken};
use super::monitor::{Monitor, Unmet};
use super::{choice, demand};
use crate::event::{JUDGE, Phase, SpanId, Verdict};
use crate::fault::Hand;
use crate::fault::active::Active;
use crate::machine::Fleet;
use crate::plan::Plan;
use crate::probe::Observers;
use crate::record::{Recorder, Span, SpanOptions};
use crate::scenario::{Action, Check, Fault, Scenario, format_duration};

/// How long all faults that last may take to be undone at the end of a run.
const UNDO: Duration = Duration::from_secs(120);
/// How long it may take at the end until all that was written was delivered and read back.
const SETTLE: Duration = Duration::from_secs(45);
/// How long it may take until something that is to be held can be looked at and is seen to be so.
const LOOK: Duration = Duration::from_secs(10);

/// What the steps of a run share.
pub(super) struct Engine {
    pub(super) scenario: Scenario,
    pub(super) plan: Plan,
    pub(super) fleet: Arc<Fleet>,
    pub(super) recorder: Recorder,
    pub(super) monitor: Monitor,
    pub(super) cancel: CancellationToken,
    pub(super) active: Arc<Active>,
    pub(super) seed: u64,
    /// Whether the machines are saved once the cluster is proven, for the runs that come after.
    pub(super) saves: bool,
    /// Whether that was done, by this run or by the one before.
    pub(super) saved: AtomicBool,
}

impl Engine {
    /// Runs the scenario's steps in order, up to the first that does not pass.
    pub(super) async fn steps(&self, observers: &Observers, after: Vec<SpanId>) -> Result<(), Failure> {
        let invariants = self.scenario.invariants();
        let invariants = demand::checks(&invariants);
        let last = tokio::select! {
            last = self.each_step(observers, after) => last?,
            never = demand::attend(self, observers, &invariants) => match never {},
        };
        self.settle(observers, &last).await
    }

    async fn each_step(&self, observers: &Observers, mut after: Vec<SpanId>) -> Result<Vec<SpanId>, Failure> {
        for index in 0..self.plan.steps.len() {
            let planned = &self.plan.steps[index];
            let deadline = match self.scenario.steps[index].action {
                Action::Hold { .. } => planned.deadline,
                _ => self.fleet.patience(planned.deadline),
            };
            let deadline = Some(deadline);
            let options = SpanOptions { step: Some(index), after: &after, deadline, machine: None };
            let span = self.recorder.span(Phase::Scenario, &planned.title, options);
            let ended = self.step(index, &span, observers).await;
            self.end(&span, &ended);
            ended.map_err(|failure| failure.in_step(index, planned))?;
            after = vec![span.id()];
        }
        Ok(after)
    }

    /// Ends what wrote all along, reads back what it wrote, and judges what is judged at the end.
    async fn settle(&self, observers: &Observers, after: &[SpanId]) -> Result<(), Failure> {
        let deadline = self.fleet.patience(SETTLE);
        let options = SpanOptions { after, deadline: Some(deadline), ..SpanOptions::default() };
        let span = self.recorder.span(Phase::Scenario, JUDGE, options);
        observers.refresh();
        let settled = tokio::time::timeout(deadline, async {
            observers.settle().await.map_err(|panic| Failure::Broken(format!("an observer ended: {panic}")))?;
            observers.audit(|why| span.progress(format!("the writes cannot be read back: {why}"))).await;
            Ok(())
        });
        let settled = tokio::select! {
            settled = settled => settled,
            () = self.cancel.cancelled() => return Err(Failure::Interrupted),
        };
        let ended = match settled {
            Ok(Err(broken)) => Err(broken),
            Ok(Ok(())) | Err(_) => {
                let invariants = self.scenario.invariants();
                let verdict = self
                    .monitor
                    .verdict(&invariants, &self.scenario.topology, &self.recorder, self.fleet.patience(LOOK))
                    .await;
                verdict.map_or(Ok(()), |message| Err(Failure::Failed(message)))
            }
        };
        self.end(&span, &ended);
        ended
    }

    async fn step(&self, index: usize, span: &Span, observers: &Observers) -> Result<(), Failure> {
        match &self.scenario.steps[index].action {
            Action::Expect { check, within } => {
                self.wait(check, *within, span, observers).await?;
                if self.monitor.arm(self.recorder.now()) {
                    // What is listed from now on counts for the invariants.
                    observers.refresh();
                }
                Ok(())
            }
            Action::Hold { check, time } => self.hold(check.as_ref(), *time, span, observers).await,
            Action::Fault(Fault { verb, on }) => {
                let deadline = self.fleet.patience(self.plan.steps[index].deadline);
                let injected = tokio::time::timeout(deadline, async {
                    let on = choice::machines(self, index, on, span, observers).await?;
                    self.hand(Some(index), &self.cancel).inject(verb, &on).await.map_err(broken)
                });
                match injected.await {
                    Ok(Ok(())) => Ok(()),
                    _ if self.cancel.is_cancelled() => Err(Failure::Interrupted),
                    Ok(failed) => failed,
                    Err(_) => Err(Failure::Broken(span.late(deadline))),
                }
            }
        }
    }

    /// What does faults for a step of the scenario, or for the run itself.
    pub(super) fn hand<'a>(&'a self, step: Option<usize>, cancel: &'a CancellationToken) -> Hand<'a> {
        Hand { fleet: &self.fleet, recorder: &self.recorder, cancel, step, active: &self.active }
    }

    /// Undoes all faults that last. What could not be undone is returned, one sentence each.
    pub(super) async fn undo(&self) -> Vec<String> {
        let span = self.recorder.span(Phase::CleanUp, "undo what lasts", SpanOptions::default());
        let cancel = CancellationToken::new();
        let deadline = self.fleet.patience(UNDO);
        let failed = tokio::time::timeout(deadline, self.hand(None, &cancel).undo_all()).await;
        let failed = failed.unwrap_or_else(|_| vec![format!("not all faults were undone within {deadline:?}")]);
        match failed.is_empty() {
            true => span.end(Verdict::Passed, None),
            false => span.end(Verdict::Broken, Some(failed.join("; "))),
        }
        failed
    }

    async fn hold(
        &self,
        check: Option<&Check>,
        time: Duration,
        span: &Span,
        observers: &Observers,
    ) -> Result<(), Failure> {
        let since = self.recorder.now();
        if let Some(check) = check {
            self.wait(check, LOOK, span, observers).await?;
        }
        let held = tokio::select! {
            held = self.monitor.hold(check, &self.scenario.topology, since, time, &self.cancel) => held,
            never = demand::attend(self, observers, check.as_slice()) => match never {},
        };
        held.map_err(|unmet| {
            let said = check.map(|check| format!("expected {check} for {}, but: ", format_duration(time)));
            unmet_failure(unmet, &said.unwrap_or_default())
        })?;
        // What was seen at the beginning says nothing of the end.
        match check {
            Some(check) => self.wait(check, LOOK, span, observers).await,
            None => Ok(()),
        }
    }

    async fn wait(&self, check: &Check, within: Duration, span: &Span, observers: &Observers) -> Result<(), Failure> {
        let within = self.fleet.patience(within);
        let since = self.recorder.now();
        observers.refresh();
        let checks = [check];
        let waited = tokio::select! {
            waited = self.monitor.until(check, &self.scenario.topology, since, within, span, &self.cancel) => waited,
            never = demand::attend(self, observers, &checks) => match never {},
        };
        waited.map_err(|unmet| {
            unmet_failure(unmet, &format!("expected {check} within {}, but after that time: ", format_duration(within)))
        })
    }

    /// Waits for a check while the cluster is being made, where not to see it come true means that the run is broken.
    pub(super) async fn wait_in_bring_up(
        &self,
        title: &str,
        check: &Check,
        within: Duration,
        observers: &Observers,
        after: &[SpanId],
    ) -> Result<SpanId, Failure> {
        let deadline = Some(self.fleet.patience(within));
        let options = SpanOptions { after, deadline, ..SpanOptions::default() };
        let span = self.recorder.span(Phase::BringUp, title, options);
        let ended = match self.wait(check, within, &span, observers).await {
            Err(Failure::Failed(reason)) => Err(Failure::Broken(format!("the cluster does not work: {reason}"))),
            other => other,
        };
        self.end(&span, &ended);
        ended.map(|()| span.id())
    }

    /// Does a piece of work while the cluster is being made.
    pub(super) async fn bring_up(
        &self,
        title: &str,
        after: &[SpanId],
        within: Duration,
        work: impl AsyncFnOnce(&Span),
    ) -> Result<SpanId, Failure> {
        let within = self.fleet.patience(within);
        let options = SpanOptions { after, deadline: Some(within), ..SpanOptions::default() };
        let span = self.recorder.span(Phase::BringUp, title, options);
        let ended = tokio::select! {
            ended = tokio::time::timeout(within, work(&span)) => {
                ended.map_err(|_| Failure::Broken(format!("the cluster does not work: {title}: {}", span.late(within))))
            }
            () = self.cancel.cancelled() => Err(Failure::Interrupted),
        };
        self.end(&span, &ended);
        ended.map(|()| span.id())
    }

    /// Ends a span as its work has ended.
    pub(super) fn end(&self, span: &Span, ended: &Result<(), Failure>) {
        match ended {
            Ok(()) => span.end(Verdict::Passed, None),
            Err(failure) => span.end(failure.verdict(), Some(failure.reason())),
        }
    }
}

fn unmet_failure(unmet: Unmet, expected: &str) -> Failure {
    match unmet {
        Unmet::Deadline(missing) => Failure::Failed(format!("{expected}{missing}")),
        Unmet::Violated(message) => Failure::Failed(message),
        Unmet::Cancelled => Failure::Interrupted,
    }
}
