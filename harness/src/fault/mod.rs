//! What befalls machines: each fault is injected, or healed, and then seen to have happened.

pub mod active;
mod clock;
mod disk;
mod etcd;
mod network;
mod power;
mod restore;
mod service;

use std::time::Duration;

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
    /// Another fault would be undone by this one, or makes it pointless.
    #[error("`{verb}` of {machine} would do nothing, not work, or undo `{other}` unseen, which lasts there")]
    InTheWay {
        /// The verb of the fault.
        verb: &'static str,
        /// The machine.
        machine: String,
        /// The verb of the fault that lasts.
        other: &'static str,
    },
    /// The fault was not there any more when it was to be undone, so what was seen meanwhile proves little.
    #[error("`{verb}` of {machine} did not last: {proof}")]
    Vanished {
        /// The verb of the fault.
        verb: &'static str,
        /// The machine.
        machine: String,
        /// The state that it is in.
        proof: String,
    },
    /// No other machine can help to undo it.
    #[error("`{verb}` of {machine} cannot be undone: a fault lasts on every other machine with an etcd member")]
    Helpless {
        /// The verb of the fault.
        verb: &'static str,
        /// The machine.
        machine: String,
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
    /// The fault's particulars, for people.
    detail: Option<String>,
    proof: String,
}

/// How long a script of a fault may run. A kubelet that asks its own API server in vain for what depends on etcd may take two
/// minutes and more before it starts that etcd.
const SCRIPT: Duration = Duration::from_secs(330);

impl Hand<'_> {
    /// Does a fault to machines, to all at once.
    pub async fn inject(&self, verb: &Verb, on: &[MachineName]) -> Result<(), FaultError> {
        if *verb == Verb::Restore {
            return restore::restore(self, on).await;
        }
        for machine in on {
            if let Some(other) = self.active.in_the_way(machine, verb) {
                let (verb, other) = (verb.as_str(), other.as_str());
                return Err(FaultError::InTheWay { verb, machine: machine.to_string(), other });
            }
        }
        let each = on.iter().map(|machine| async move {
            // Before it is done: what fails halfway may have happened.
            self.active.begin(machine, verb);
            let seen = self.befall(verb, machine, on).await?;
            self.active.end(machine, verb);
            self.tell(machine, verb, seen);
            Ok(())
        });
        futures::future::try_join_all(each).await.map(drop)
    }

    async fn befall(&self, verb: &Verb, machine: &MachineName, on: &[MachineName]) -> Result<Seen, FaultError> {
        match verb {
            Verb::Isolate | Verb::Partition { .. } | Verb::Block { .. } | Verb::Slow { .. } => {
                network::befall(self, machine, verb, on).await
            }
            Verb::FillDisk { .. } | Verb::SlowDisk { .. } => disk::befall(self, machine, verb).await,
            Verb::FillEtcd | Verb::Wipe => etcd::befall(self, machine, verb).await,
            Verb::SkewClock { by } => clock::skew(self, machine, *by).await,
            _ => match verb.service() {
                Some(service) => service::befall(self, machine, service, verb).await,
                None => power::befall(self, machine, verb).await,
            },
        }
    }

    /// Runs a script in a machine, and returns what it printed, which is the proof.
    async fn script(
        &self,
        machine: &MachineName,
        name: &str,
        script: &str,
        args: &[&str],
    ) -> Result<String, FaultError> {
        let label = [&[name], args].concat().join(" ");
        let command = self.fleet.ssh(machine)?.script(script, args).label(label).deadline(self.fleet.patience(SCRIPT));
        let output = command.run_async(self.cancel).await;
        let output = output.map_err(|source| FaultError::Process { machine: machine.to_string(), source })?;
        Ok(output.stdout.trim().to_owned())
    }

    /// A machine's address on the private network.
    fn address(&self, machine: &MachineName) -> String {
        let found = self.fleet.machines().find(|other| other.name == *machine);
        found.map_or(String::new(), |machine| machine.ip.to_string())
    }

    /// Undoes all that lasts, the latest first. What could not be undone is returned, one sentence each.
    pub async fn undo_all(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for (machine, verb) in self.active.undoings() {
            // What was undone before may have undone it as well.
            if !self.active.awaits(&machine, &verb) {
                continue;
            }
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
            detail: seen.detail,
            begun: seen.begun,
            proof: seen.proof,
        });
    }
}
