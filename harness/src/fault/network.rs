//! The network family: cables pulled by the provider, packets lost and slowed by the kernel, in the machine.
//!
//! All of it is on the private network. The harness reaches machines over another interface.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::scenario::{Direction, MachineName, Peers, Role, Verb, format_duration, format_rate};

const NETWORK: &str = include_str!("network.sh");
const SLOW: &str = include_str!("slow.sh");

/// Does what the verb says to one of the machines that it befalls.
pub(super) async fn befall(
    hand: &Hand<'_>,
    machine: &MachineName,
    verb: &Verb,
    on: &[MachineName],
) -> Result<Seen, FaultError> {
    let begun = Timestamp::now();
    let (detail, proof) = match verb {
        Verb::Partition { from, direction } => partition(hand, machine, on, from, *direction).await?,
        Verb::Block { ports, direction } => block(hand, machine, ports, *direction).await?,
        Verb::Slow { .. } => slow(hand, machine, verb).await?,
        _ => (None, isolate(hand, machine).await?),
    };
    Ok(Seen { begun, detail, proof })
}

type Told = (Option<String>, String);

async fn isolate(hand: &Hand<'_>, machine: &MachineName) -> Result<String, FaultError> {
    move_cable(hand, machine, Verb::Isolate.as_str(), false).await
}

async fn move_cable(
    hand: &Hand<'_>,
    machine: &MachineName,
    verb: &'static str,
    up: bool,
) -> Result<String, FaultError> {
    let before = hand.fleet.link(machine, hand.cancel).await?;
    if before.up == up {
        let (machine, proof) = (machine.to_string(), before.proof);
        return Err(match up {
            true => FaultError::Vanished { verb, machine, proof },
            false => FaultError::Pointless { verb, machine, proof },
        });
    }
    hand.fleet.set_link(machine, up, hand.cancel).await?;
    let link = hand.fleet.link(machine, hand.cancel).await?;
    if link.up != up {
        return Err(FaultError::Unseen { verb, machine: machine.to_string(), proof: link.proof });
    }
    let wanted = if up { "1" } else { "0" };
    let carrier =
        hand.script(machine, "carrier", include_str!("carrier.sh"), &[&hand.address(machine), wanted]).await?;
    Ok(format!("{}; in the machine {carrier}", link.proof))
}

async fn partition(
    hand: &Hand<'_>,
    machine: &MachineName,
    on: &[MachineName],
    from: &Peers,
    direction: Direction,
) -> Result<Told, FaultError> {
    let peers = peers(hand, on, from);
    let names = peers.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ");
    let addresses: Vec<String> = peers.iter().map(|peer| hand.address(peer)).collect();
    let own = hand.address(machine);
    let args = ["partition", &own, direction.as_str()];
    let args: Vec<&str> = args.into_iter().chain(addresses.iter().map(String::as_str)).collect();
    let proof = hand.script(machine, "network", NETWORK, &args).await?;
    Ok((Some(format!("from {names}, {}", ways(direction))), proof))
}

/// The machines that others are cut off from, as far as they are not themselves among these.
fn peers(hand: &Hand<'_>, on: &[MachineName], from: &Peers) -> Vec<MachineName> {
    let meant = hand.fleet.machines().filter(|machine| match from {
        Peers::Others => true,
        Peers::OtherMasters => machine.role == Role::Master,
        Peers::Machines(machines) => machines.contains(&machine.name),
    });
    meant.map(|machine| machine.name.clone()).filter(|name| !on.contains(name)).collect()
}

/// A direction in words.
pub(crate) fn ways(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "both directions",
        Direction::In => "what comes in",
        Direction::Out => "what goes out",
    }
}

async fn block(
    hand: &Hand<'_>,
    machine: &MachineName,
    ports: &[u16],
    direction: Direction,
) -> Result<Told, FaultError> {
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let own = hand.address(machine);
    let args = ["block", &own, direction.as_str()];
    let args: Vec<&str> = args.into_iter().chain(ports.iter().map(String::as_str)).collect();
    let proof = hand.script(machine, "network", NETWORK, &args).await?;
    Ok((Some(format!("ports {}, {}", ports.join(", "), ways(direction))), proof))
}

async fn slow(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<Told, FaultError> {
    let Verb::Slow { rate, delay, loss } = verb else { return Ok((None, String::new())) };
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let args = [
        "add".to_owned(),
        hand.address(machine),
        or_none(rate.map(|rate| rate.to_string())),
        or_none(delay.map(|delay| delay.as_millis().to_string())),
        or_none(loss.map(|loss| loss.to_string())),
    ];
    let others = hand.fleet.machines().filter(|other| other.name != *machine).map(|other| other.ip.to_string());
    let args: Vec<String> = args.into_iter().chain(others).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let proof = hand.script(machine, "slow", SLOW, &args).await?;
    let told = [
        rate.map(|rate| format!("to {}", format_rate(rate))),
        delay.map(|delay| format!("by {}", format_duration(delay))),
        loss.map(|loss| format!("losing {loss}%")),
    ];
    Ok((Some(told.into_iter().flatten().collect::<Vec<_>>().join(", ")), proof))
}

/// Undoes a fault of this family, and returns what proves it.
pub(super) async fn restore(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<String, FaultError> {
    let own = hand.address(machine);
    match verb {
        Verb::Isolate => move_cable(hand, machine, verb.as_str(), true).await,
        Verb::Slow { .. } => hand.script(machine, "slow", SLOW, &["remove", &own]).await,
        _ => {
            let others = match verb {
                Verb::Partition { from, .. } => peers(hand, std::slice::from_ref(machine), from),
                _ => Vec::new(),
            };
            let others: Vec<String> = others.iter().map(|other| hand.address(other)).collect();
            let args = ["restore", &own, verb.as_str()];
            let args: Vec<&str> = args.into_iter().chain(others.iter().map(String::as_str)).collect();
            hand.script(machine, "network", NETWORK, &args).await
        }
    }
}
