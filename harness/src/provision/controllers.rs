//! Makes another controller manager take over once the second master has joined.
//!
//! When etcd goes from one member to two, it has no leader for a moment, the API server ends all watches, and the
//! controller manager that leads then never sees new Services again: docs/findings.md has the numbers.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::Machine;

const DEADLINE: Duration = Duration::from_secs(60);

/// Makes another controller manager than that of the first master take over.
pub(super) async fn hand_over(
    provisioner: &Provisioner,
    first: &Machine,
    after: &[SpanId],
) -> Result<SpanId, ProvisionError> {
    let work = |_| async {
        provisioner.script(first, "hand-over", include_str!("hand-over.sh"), &[], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("hand the controllers over", Some(first), after, DEADLINE, work).await?;
    Ok(span)
}
