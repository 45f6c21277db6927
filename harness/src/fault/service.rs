//! The service family: static pods by their manifests, units by systemd. Each script proves what it did.

use std::time::Duration;

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::scenario::{Keeper, MachineName, Service, Verb};

const DEADLINE: Duration = Duration::from_secs(150);

/// Does what the verb says to the service, in the machine.
pub(super) async fn befall(
    hand: &Hand<'_>,
    machine: &MachineName,
    service: Service,
    verb: &Verb,
) -> Result<Seen, FaultError> {
    let way = hand.fleet.ssh(machine)?;
    let script = match service.keeper() {
        Keeper::StaticPod => include_str!("static-pod.sh"),
        Keeper::Unit => include_str!("unit.sh"),
    };
    let (action, _) = verb.as_str().split_once('-').unwrap_or((verb.as_str(), ""));
    let command = way.script(script, &[action, service.as_str()]);
    let begun = Timestamp::now();
    let output = command.label(format!("{} {}", verb.as_str(), service.as_str()));
    let output = output.deadline(DEADLINE).run_async(hand.cancel).await;
    let output = output.map_err(|source| FaultError::Process { machine: machine.to_string(), source })?;
    Ok(Seen { begun, proof: output.stdout.trim().to_owned() })
}
