//! The power family: machines switched off at once, and on again.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::event::What;
use crate::machine::provider::{Observed, State};
use crate::scenario::MachineName;

/// Switches a machine off as a power failure does.
pub(super) async fn kill(hand: &Hand<'_>, machine: &MachineName) -> Result<Seen, FaultError> {
    expect(hand, "kill", machine, State::Running).await?;
    let begun = Timestamp::now();
    hand.fleet.kill(machine, hand.cancel).await?;
    let after = see(hand, "kill", machine, State::Stopped).await?;
    Ok(Seen { verb: "kill", service: None, heals: false, begun, proof: after.proof })
}

/// Switches a machine on.
pub(super) async fn start(hand: &Hand<'_>, machine: &MachineName) -> Result<Seen, FaultError> {
    expect(hand, "start", machine, State::Stopped).await?;
    let begun = Timestamp::now();
    hand.fleet.start(machine, hand.cancel).await?;
    let after = see(hand, "start", machine, State::Running).await?;
    Ok(Seen { verb: "start", service: None, heals: true, begun, proof: after.proof })
}

async fn expect(hand: &Hand<'_>, verb: &'static str, machine: &MachineName, state: State) -> Result<(), FaultError> {
    let before = hand.fleet.state(machine, hand.cancel).await?;
    if before.state == state {
        return Ok(());
    }
    Err(FaultError::Pointless { verb, machine: machine.to_string(), proof: before.proof })
}

async fn see(hand: &Hand<'_>, verb: &'static str, machine: &MachineName, state: State) -> Result<Observed, FaultError> {
    let after = hand.fleet.state(machine, hand.cancel).await?;
    let event =
        What::Machine { machine: machine.to_string(), state: after.state.to_string(), proof: after.proof.clone() };
    hand.recorder.record(event);
    if after.state == state {
        return Ok(after);
    }
    Err(FaultError::Unseen { verb, machine: machine.to_string(), proof: after.proof })
}
