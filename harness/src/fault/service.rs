//! The service family: static pods by their manifests, units by systemd. Each script proves what it did.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::scenario::{Keeper, MachineName, Service, Verb};

/// Does what the verb says to the service, in the machine.
pub(super) async fn befall(
    hand: &Hand<'_>,
    machine: &MachineName,
    service: Service,
    verb: &Verb,
) -> Result<Seen, FaultError> {
    let script = match service.keeper() {
        Keeper::StaticPod => include_str!("static-pod.sh"),
        Keeper::Unit => include_str!("unit.sh"),
    };
    let (action, _) = verb.as_str().split_once('-').unwrap_or((verb.as_str(), ""));
    let begun = Timestamp::now();
    let name = format!("{} {}", verb.as_str(), service.as_str());
    let proof = hand.script(machine, &name, script, &[action, service.as_str()]).await?;
    Ok(Seen { begun, detail: None, proof })
}
