//! Carries a plan out on machines that run: the scenario's steps, one after the other.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Failure;
use super::monitor::{Monitor, Unmet};
use crate::event::{Phase, SpanId, Verdict};
use crate::fault::Hand;
use crate::machine::Fleet;
use crate::plan::Plan;
use crate::probe::Observers;
use crate::record::{Recorder, Span, SpanOptions};
use crate::scenario::{Action, Check, Scenario, format_duration};

/// What the steps of a run share.
pub(super) struct Engine {
    pub(super) scenario: Scenario,
    pub(super) plan: Plan,
    pub(super) fleet: Arc<Fleet>,
    pub(super) recorder: Recorder,
    pub(super) monitor: Monitor,
    pub(super) cancel: CancellationToken,
}

impl Engine {
    /// Runs the scenario's steps in order, up to the first that does not pass.
    pub(super) async fn steps(&self, observers: &Observers, mut after: Vec<SpanId>) -> Result<(), Failure> {
        for index in 0..self.plan.steps.len() {
            let planned = &self.plan.steps[index];
            let options =
                SpanOptions { step: Some(index), after: &after, deadline: Some(planned.deadline), machine: None };
            let span = self.recorder.span(Phase::Scenario, &planned.title, options);
            let ended = self.step(index, &span, observers).await;
            self.end(&span, &ended);
            ended.map_err(|failure| failure.in_step(index, planned))?;
            after = vec![span.id()];
        }
        self.monitor.violation().map_or(Ok(()), |message| Err(Failure::Failed(message)))
    }

    async fn step(&self, index: usize, span: &Span, observers: &Observers) -> Result<(), Failure> {
        match &self.scenario.steps[index].action {
            Action::Expect { check, within } => {
                self.wait(check, *within, span, observers).await?;
                self.monitor.arm();
                Ok(())
            }
            Action::Hold(time) => {
                self.monitor.hold(*time, &self.cancel).await.map_err(|unmet| unmet_failure(unmet, ""))
            }
            Action::Fault(fault) => {
                let hand =
                    Hand { fleet: &self.fleet, recorder: &self.recorder, cancel: &self.cancel, step: Some(index) };
                let injected = tokio::time::timeout(self.plan.steps[index].deadline, hand.inject(fault)).await;
                match injected {
                    Ok(Ok(())) => Ok(()),
                    _ if self.cancel.is_cancelled() => Err(Failure::Interrupted),
                    Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
                    Err(_) => Err(Failure::Broken(format!("not done within {:?}", self.plan.steps[index].deadline))),
                }
            }
        }
    }

    async fn wait(&self, check: &Check, within: Duration, span: &Span, observers: &Observers) -> Result<(), Failure> {
        let since = self.recorder.now();
        observers.refresh();
        let waited = self.monitor.until(check, &self.scenario.topology, since, within, span, &self.cancel).await;
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
        let options = SpanOptions { after, deadline: Some(within), ..SpanOptions::default() };
        let span = self.recorder.span(Phase::BringUp, title, options);
        let ended = match self.wait(check, within, &span, observers).await {
            Err(Failure::Failed(reason)) => Err(Failure::Broken(format!("the new cluster does not work: {reason}"))),
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
        let options = SpanOptions { after, deadline: Some(within), ..SpanOptions::default() };
        let span = self.recorder.span(Phase::BringUp, title, options);
        let ended = tokio::select! {
            ended = tokio::time::timeout(within, work(&span)) => {
                ended.map_err(|_| Failure::Broken(format!("the new cluster does not work: {title}: not within {within:?}")))
            }
            () = self.cancel.cancelled() => Err(Failure::Interrupted),
        };
        self.end(&span, &ended);
        ended.map(|()| span.id())
    }

    fn end(&self, span: &Span, ended: &Result<(), Failure>) {
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
