//! What befalls machines: each fault is injected, or healed, and then seen to have happened.

pub mod active;
mod power;
mod service;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::machine::{Fleet, MachineError};
use crate::process::ProcessError;
use crate::record::Recorder;
use crate::scenario::{MachineName, Verb};
use active::Active;

/// A fault that did not happen as it should.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The machine or its provider refused.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A command in the machine failed.
    #[error("{machine}: {source}")]
    Process {
        /// The machine.
        machine: String,
        /// How it failed.
        source: ProcessError,
    },
    /// The machine was not in the state that the fault starts from.
    #[error("`{verb}` of {machine} would do nothing: {proof}")]
    Pointless {
        /// The verb of the fault.
        verb: &'static str,
        /// The machine.
        machine: String,
        /// The state that it is in.
        proof: String,
    },
    /// The fault was injected, and nothing of it can be seen.
    #[error("`{verb}` of {machine} did not happen: {proof}")]
    Unseen {
        /// The verb of the fault.
        verb: &'static str,
        /// The machine.
        machine: String,
        /// The state that it is in.
        proof: String,
    },
}

/// What a fault needs to be done.
#[derive(Debug)]
pub struct Hand<'a> {
    /// The machines.
    pub fleet: &'a Fleet,
    /// The run's log.
    pub recorder: &'a Recorder,
    /// Ends whatever is under way.
    pub cancel: &'a CancellationToken,
    /// The scenario's step.
    pub step: Option<usize>,
    /// What has befallen machines so far and lasts.
    pub active: &'a Active,
}

/// A fault that was seen to have happened to one machine.
struct Seen {
    begun: Timestamp,
    proof: String,
}

impl Hand<'_> {
    /// Does a fault to machines, to all at once.
    pub async fn inject(&self, verb: &Verb, on: &[MachineName]) -> Result<(), FaultError> {
        let each = on.iter().map(|machine| async move {
            // Before it is done: what fails halfway may have happened.
            self.active.begin(machine, verb);
            let seen = match verb.service() {
                Some(service) => service::befall(self, machine, service, verb).await?,
                None => power::befall(self, machine, verb).await?,
            };
            self.active.end(machine, verb);
            self.tell(machine, verb, seen);
            Ok(())
        });
        futures::future::try_join_all(each).await.map(drop)
    }

    /// Undoes all that lasts, the latest first. What could not be undone is returned, one sentence each.
    pub async fn undo_all(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for (machine, verb) in self.active.undoings() {
            if let Err(error) = self.inject(&verb, std::slice::from_ref(&machine)).await {
                failed.push(format!("`{}` of {machine} at the end of the run: {error}", verb.as_str()));
            }
        }
        failed
    }

    fn tell(&self, machine: &MachineName, verb: &Verb, seen: Seen) {
        self.recorder.record(What::Fault {
            step: self.step,
            verb: verb.as_str().to_owned(),
            machine: machine.to_string(),
            service: verb.service().map(|service| service.as_str().to_owned()),
            heals: verb.heals(),
            begun: seen.begun,
            proof: seen.proof,
        });
    }
}
