//! Whether another machine has taken over a component of the control plane.

use super::nodes::COMPONENT_LEASES;
use super::world::World;
use super::{Judgement, unlisted};
use crate::scenario::Service;

/// Whether the lease of a component is held by another machine than before the latest fault.
pub(super) fn moved(component: Service, world: &World, since: f64) -> Judgement {
    if let Some(unknown) = unlisted(COMPONENT_LEASES, world, since) {
        return unknown;
    }
    let name = component.as_str();
    let Some(befallen) = &world.befallen else {
        return Judgement::Unknown(format!("nothing has befallen the cluster that the lease of {name} could move for"));
    };
    let verb = &befallen.verb;
    match (befallen.leaders.get(name), world.leaders.get(name)) {
        (None, _) => Judgement::Unknown(format!("it is not known who held the lease of {name} before `{verb}`")),
        (_, None) => Judgement::NotYet(format!("nobody holds the lease of {name}")),
        (Some(before), Some(now)) if before == now => {
            Judgement::NotYet(format!("{now} holds the lease of {name}, as before `{verb}`"))
        }
        _ => Judgement::Holds,
    }
}
