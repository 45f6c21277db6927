//! What befalls machines: each fault is injected, or healed, and then seen to have happened.

mod power;
mod service;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::machine::{Fleet, MachineError};
use crate::process::ProcessError;
use crate::record::Recorder;
use crate::scenario::{Fault, MachineName, Service};

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
    verb: &'static str,
    service: Option<Service>,
    heals: bool,
    begun: Timestamp,
    proof: String,
}

impl Hand<'_> {
    /// Does a fault to all machines that it befalls, at once.
    pub async fn inject(&self, fault: &Fault) -> Result<(), FaultError> {
        let machines = fault.machines();
        let each = machines.iter().map(|machine| async move {
            let seen = match fault {
                Fault::Kill(_) => power::kill(self, machine).await?,
                Fault::Start(_) => power::start(self, machine).await?,
                Fault::StopService(fault) => service::stop(self, machine, fault.service).await?,
                Fault::StartService(fault) => service::start(self, machine, fault.service).await?,
            };
            self.tell(machine, seen);
            Ok(())
        });
        futures::future::try_join_all(each).await.map(drop)
    }

    fn tell(&self, machine: &MachineName, seen: Seen) {
        self.recorder.record(What::Fault {
            step: self.step,
            verb: seen.verb.to_owned(),
            machine: machine.to_string(),
            service: seen.service.map(|service| service.as_str().to_owned()),
            heals: seen.heals,
            begun: seen.begun,
            proof: seen.proof,
        });
    }
}
