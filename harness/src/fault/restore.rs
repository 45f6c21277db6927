//! The one heal of the network, the disk and the clock. It finds out on the way whether each fault was still there.

use jiff::Timestamp;

use super::{FaultError, Hand, Seen, clock, disk, etcd, network};
use crate::scenario::{MachineName, Verb};

/// Undoes what lasts of these families on the machines, one machine after the other: etcd takes one member at a time.
pub(super) async fn restore(hand: &Hand<'_>, on: &[MachineName]) -> Result<(), FaultError> {
    if on.iter().all(|machine| hand.active.restorable(machine).is_empty()) {
        let machine = on.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ");
        let proof = "nothing of the network, the disk or the clock lasts there".to_owned();
        return Err(FaultError::Pointless { verb: Verb::Restore.as_str(), machine, proof });
    }
    let mut failed = None;
    for machine in on {
        let faults = hand.active.restorable(machine);
        if faults.is_empty() {
            continue;
        }
        hand.active.begin(machine, &Verb::Restore);
        for fault in faults {
            let begun = Timestamp::now();
            match undo(hand, machine, &fault).await {
                Ok(proof) => {
                    hand.active.forget(machine, &fault);
                    let detail = Some(format!("from {}", fault.as_str()));
                    hand.tell(machine, &Verb::Restore, Seen { begun, detail, proof });
                }
                // What else lasts is undone all the same, there and on the other machines.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // What could not be undone is tried again at the end of the run.
        if hand.active.restorable(machine).is_empty() {
            hand.active.end(machine, &Verb::Restore);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn undo(hand: &Hand<'_>, machine: &MachineName, fault: &Verb) -> Result<String, FaultError> {
    match fault {
        Verb::FillDisk { .. } | Verb::SlowDisk { .. } => disk::restore(hand, machine, fault).await,
        Verb::FillEtcd | Verb::Wipe => etcd::restore(hand, machine, fault).await,
        Verb::SkewClock { .. } => clock::restore(hand, machine).await,
        _ => network::restore(hand, machine, fault).await,
    }
}
