//! The disk family: the file system of etcd's data full, or slow.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::scenario::{MachineName, Verb, format_size};

const FILL: &str = include_str!("fill-disk.sh");
const SLOW: &str = include_str!("slow-disk.sh");

/// Does what the verb says to the disk of a machine.
pub(super) async fn befall(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<Seen, FaultError> {
    let begun = Timestamp::now();
    let (detail, proof) = match verb {
        Verb::SlowDisk { rate } => {
            let proof = hand.script(machine, "slow-disk", SLOW, &["add", &rate.to_string()]).await?;
            (Some(format!("to {} a second", format_size(*rate))), proof)
        }
        Verb::FillDisk { leave } => {
            let proof = hand.script(machine, "fill-disk", FILL, &["fill", &leave.to_string()]).await?;
            ((*leave > 0).then(|| format!("but for {}", format_size(*leave))), proof)
        }
        _ => (None, String::new()),
    };
    Ok(Seen { begun, detail, proof })
}

/// Undoes a fault of this family, and returns what proves it.
pub(super) async fn restore(hand: &Hand<'_>, machine: &MachineName, verb: &Verb) -> Result<String, FaultError> {
    match verb {
        Verb::SlowDisk { .. } => hand.script(machine, "slow-disk", SLOW, &["remove"]).await,
        _ => hand.script(machine, "fill-disk", FILL, &["free"]).await,
    }
}
