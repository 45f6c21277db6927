//! A run as others see it: opened, run to its end, its machines removed, kept or left to the next.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::body::{Body, Left, Used};
use super::failure::Failure;
use super::handover::Cluster;
use super::store::{Alive, Folder, StoreError};
use super::{Options, settings};
use crate::event::{FORMAT, Phase, REMOVAL_LOG, REMOVE, Verdict, What};
use crate::plan::Plan;
use crate::record::{Recorder, SpanOptions};
use crate::scenario::Scenario;

/// A run that has a folder and a log, and nothing else yet.
#[derive(Debug)]
pub struct Session {
    scenario: Scenario,
    plan: Plan,
    folder: Folder,
    recorder: Recorder,
    alive: Alive,
}

impl Session {
    /// Opens a run's folder and log.
    pub fn open(scenario: Scenario, plan: Plan) -> Result<Self, StoreError> {
        let (folder, alive) = Folder::create(&scenario.name)?;
        let log = folder.path().join("events.jsonl");
        let recorder = Recorder::create(&log).map_err(|source| StoreError::File { path: log, source })?;
        Ok(Self { scenario, plan, folder, recorder, alive })
    }

    /// The run's log.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs to the end. Cancelling leads to the end by the shortest way: evidence is gathered and machines are removed.
    ///
    /// A cluster that an earlier run has left is used if it is made alike and well, and removed otherwise; nothing is done
    /// to it if the run ends before that. The cluster that is left for the next run is returned.
    pub async fn run(self, options: Options, left: Option<Cluster>, cancel: CancellationToken) -> Option<Cluster> {
        let seed = options.seed.unwrap_or_else(|| rand::random_range(0..1_000_000));
        self.announce(seed);
        let (keep, leave, cancelled) = (options.keep, options.leave, cancel.clone());
        let (left, used): (Left, _) = (Arc::new(Mutex::new(left)), Arc::new(Mutex::new(Used::default())));
        let network = self.scenario.topology.network;
        let body = Body {
            scenario: self.scenario,
            plan: self.plan,
            folder: self.folder.clone(),
            recorder: self.recorder.clone(),
            cancel,
            seed,
            left: Arc::clone(&left),
            used: Arc::clone(&used),
        };
        let ended = tokio::spawn(body.run(options)).await;
        let ended = ended.unwrap_or_else(|panic| Err(Failure::Broken(format!("this is a bug of Quorate: {panic}"))));
        let used = std::mem::take(&mut *used.lock().unwrap_or_else(PoisonError::into_inner));
        let left = left.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whatever became of the one that was left, there is one cluster at most by now.
        let untouched = left.is_some() && used.made.is_empty();
        let own = self.folder.path().to_owned();
        let mut cluster =
            left.unwrap_or_else(|| Cluster { folder: self.folder, made: String::new(), network, _alive: self.alive });
        let ended = recorded(&self.recorder, ended);
        let fit = used.saved || used.well && ended.is_ok();
        let leave = untouched || leave && fit && !cancelled.is_cancelled();
        let ended = if leave { ended } else { finish(&cluster.folder, &own, &self.recorder, keep, ended).await };
        let ended = recorded(&self.recorder, ended);
        let (verdict, reason) = match ended {
            Ok(()) => (Verdict::Passed, "everything that was expected held".to_owned()),
            Err(failure) => (failure.verdict(), failure.reason()),
        };
        self.recorder.record(What::RunEnded { verdict, reason });
        if !untouched {
            cluster.made = used.made;
        }
        leave.then_some(cluster)
    }

    fn announce(&self, seed: u64) {
        self.recorder.record(What::RunStarted {
            format: FORMAT,
            run: self.folder.run().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: self.scenario.name.clone(),
            path: self.scenario.path.display().to_string(),
            text: self.scenario.text.clone(),
            seed,
        });
        self.recorder.record(What::Settings { settings: settings::of(&self.scenario) });
        for (step, planned) in self.plan.steps.iter().enumerate() {
            self.recorder.record(What::StepPlanned {
                step,
                title: planned.title.clone(),
                line: planned.line,
                deadline: Some(planned.deadline.as_secs_f64()),
            });
        }
        for always in &self.scenario.always {
            self.recorder.record(What::InvariantPlanned { invariant: always.invariant.to_string(), line: always.line });
        }
        for note in &self.plan.notes {
            self.recorder.notice(note);
        }
    }
}

/// How the run ended, unless its log could not be written.
fn recorded(recorder: &Recorder, ended: Result<(), Failure>) -> Result<(), Failure> {
    let Some(error) = recorder.failure() else { return ended };
    let remedy = crate::paths::remedy(&error);
    Err(Failure::Broken(format!("the log of events could not be written: {error}{remedy}")))
}

/// Removes the cluster of the run with this `folder`, unless it is to be kept, and says how that went, in the folder of `own`.
async fn finish(
    folder: &Folder,
    own: &Path,
    recorder: &Recorder,
    keep: bool,
    ended: Result<(), Failure>,
) -> Result<(), Failure> {
    let span = recorder.span(Phase::CleanUp, if keep { "leave the machines" } else { REMOVE }, SpanOptions::default());
    let log = own.join(REMOVAL_LOG);
    let removed = if keep { folder.keep() } else { folder.remove(Some(&log)).await };
    if log.exists() {
        recorder.log_file(REMOVAL_LOG, "log", None);
    }
    match removed {
        Ok(()) => {
            span.end(Verdict::Passed, None);
            if keep {
                let run = folder.run();
                recorder.notice(format!(
                    "the machines stay: `quorate ssh MACHINE` enters one, `quorate clean {run}` removes all"
                ));
            }
            ended
        }
        Err(error) => {
            let message = format!("{error}; `quorate clean` tries again");
            span.end(Verdict::Broken, Some(message.clone()));
            ended.and(Err(Failure::Broken(message)))
        }
    }
}
