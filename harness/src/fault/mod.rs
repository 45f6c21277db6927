//! What befalls machines: each fault is injected, or healed, and then seen to have happened.

mod power;
mod service;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::machine::{Fleet, MachineError};
use crate::process::ProcessError;
use crate::record::Recorder;
use crate::scenario::{Fault, MachineName, Verb};

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
}

/// A fault that was seen to have happened to one machine.
struct Seen {
    begun: Timestamp,
    proof: String,
}

impl Hand<'_> {
    /// Does a fault to all machines that it befalls, at once.
    pub async fn inject(&self, fault: &Fault) -> Result<(), FaultError> {
        let each = fault.on.iter().map(|machine| async move {
            let seen = match fault.verb.service() {
                Some(service) => service::befall(self, machine, service, fault.verb).await?,
                None => power::befall(self, machine, fault.verb).await?,
            };
            self.tell(machine, fault.verb, seen);
            Ok(())
        });
        futures::future::try_join_all(each).await.map(drop)
    }

    fn tell(&self, machine: &MachineName, verb: Verb, seen: Seen) {
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
