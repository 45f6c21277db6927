//! Whether pods reach each other across machines.

use super::world::World;
use super::{Judgement, unless};

/// Whether all pods of a DaemonSet reached each other since the step began.
pub(super) fn connected(of: &str, port: u16, world: &World, since: f64) -> Judgement {
    let Some(reach) = world.reach.get(&(of.to_owned(), port)).filter(|reach| reach.at >= since) else {
        return Judgement::Unknown(format!("the pods of {of} were not asked since the step began"));
    };
    if let [] | [_] = reach.machines.as_slice() {
        let count = reach.machines.len();
        return Judgement::NotYet(format!(
            "{of} has running pods with an address on {count} machines, and two are needed"
        ));
    }
    unless(&reach.failed)
}
