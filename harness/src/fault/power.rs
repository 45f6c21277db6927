//! The power family: machines switched off and on, rebooted, frozen and thawed, by their provider.

use jiff::Timestamp;

use tokio_util::sync::CancellationToken;

use super::{FaultError, Hand, Seen};
use crate::machine::provider::{Observed, State};
use crate::scenario::{MachineName, Verb};

/// Does what the verb says, and sees the machine in the state that it should be in then.
pub(super) async fn befall(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<Seen, FaultError> {
    let (from, to) = match verb {
        Verb::Start => (State::Stopped, State::Running),
        Verb::Resume => (State::Paused, State::Running),
        Verb::Pause => (State::Running, State::Paused),
        Verb::Reboot => (State::Running, State::Running),
        _ => (State::Running, State::Stopped),
    };
    let before = hand.fleet.state(machine, hand.cancel).await?;
    // At the end of a run, a step that was cut short may have undone it.
    let undone = hand.step.is_none() && before.state == to;
    if before.state != from && !undone {
        return Err(FaultError::Pointless { verb: verb.as_str(), machine: machine.to_string(), proof: before.proof });
    }
    let begun = Timestamp::now();
    let acted = if undone && *verb != Verb::Start { Ok(()) } else { act(hand, machine, verb).await };
    // What failed, or was cut short, may have happened halfway.
    let unhurried = CancellationToken::new();
    let cancel = if acted.is_ok() { hand.cancel } else { &unhurried };
    let observed = hand.fleet.state(machine, cancel).await;
    if let Some(observed) = observed.as_ref().ok().filter(|observed| observed.proof != before.proof) {
        hand.fleet.tell(machine, observed.clone());
    }
    acted?;
    let Observed { state, proof, .. } = observed?;
    // Each boot has a time of its own in the proof, so a reboot that left it as it was did not happen.
    if state != to || (proof == before.proof && !undone) {
        return Err(FaultError::Unseen { verb: verb.as_str(), machine: machine.to_string(), proof });
    }
    Ok(Seen { begun, detail: None, proof })
}

async fn act(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<(), FaultError> {
    let (fleet, cancel) = (hand.fleet, hand.cancel);
    match verb {
        Verb::Kill => fleet.kill(machine, cancel).await?,
        Verb::Stop => fleet.halt(machine, cancel).await?,
        Verb::Start => fleet.start(machine, cancel).await?,
        Verb::Reboot => {
            fleet.halt(machine, cancel).await?;
            fleet.start(machine, cancel).await?;
        }
        Verb::Pause => fleet.pause(machine, cancel).await?,
        Verb::Resume => fleet.resume(machine, cancel).await?,
        // All others have files of their own.
        _ => {}
    }
    Ok(())
}
