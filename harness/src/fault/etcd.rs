//! Faults of an etcd member's data: deleted, or grown up to its quota. They are healed as an operator would.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::scenario::{MachineName, Role, Service, Verb};

const STATIC_POD: &str = include_str!("static-pod.sh");
const FILL: &str = include_str!("fill-etcd.sh");

/// Does what the verb says to the member of a machine.
pub(super) async fn befall(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<Seen, FaultError> {
    let begun = Timestamp::now();
    let proof = match verb {
        Verb::Wipe => {
            let stopped = hand.script(machine, "stop etcd", STATIC_POD, &["stop", "etcd"]).await?;
            let wiped = hand.script(machine, "wipe", include_str!("wipe.sh"), &[]).await?;
            format!("{stopped}; {wiped}")
        }
        _ => hand.script(machine, "fill-etcd", FILL, &["fill"]).await?,
    };
    Ok(Seen { begun, detail: None, proof })
}

/// Undoes a fault of this family, and returns what proves it.
pub(super) async fn restore(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<String, FaultError> {
    match verb {
        Verb::Wipe => rejoin(hand, machine).await,
        _ => hand.script(machine, "fill-etcd", FILL, &["free"]).await,
    }
}

/// Takes the dead member out of the cluster and brings a new one in. The others keep their quorum: there are fewer of them
/// to agree from the moment that the dead one is out.
async fn rejoin(hand: &Hand<'_>, machine: &MachineName) -> Result<String, FaultError> {
    let external = hand.fleet.machines().any(|machine| machine.role == Role::Etcd);
    let roles = Service::Etcd.roles(external);
    let members = hand.fleet.machines().filter(|other| roles.contains(&other.role));
    let mut able = members.map(|other| &other.name).filter(|other| *other != machine && !hand.active.lacks_etcd(other));
    let helper = able.next().ok_or_else(|| {
        let verb = Verb::Wipe.as_str();
        FaultError::Helpless { verb, machine: machine.to_string() }
    })?;
    let args = [machine.as_str(), &hand.address(machine)];
    let cluster = hand.script(helper, "member", include_str!("member.sh"), &args).await?;
    let joined = hand.script(machine, "rejoin", include_str!("rejoin.sh"), &[&cluster]).await?;
    Ok(format!("the dead member was removed by way of {helper}; {joined}"))
}
