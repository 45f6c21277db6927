//! What runs on the cluster: a DaemonSet on all masters, whose taint is removed for it.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::{Machine, Workload};

const DEADLINE: Duration = Duration::from_secs(90);
const MANIFEST: &str = "/etc/kubernetes/workload.yaml";

/// Applies the workload.
pub(super) async fn apply(
    provisioner: &Provisioner,
    first: &Machine,
    after: &[SpanId],
) -> Result<SpanId, ProvisionError> {
    let manifest = match &provisioner.topology.workload {
        Workload::ShCgi => include_str!("sh-cgi.yaml"),
        Workload::Manifest { text, .. } => text,
    };
    let work = |_| async {
        provisioner.upload(first, MANIFEST, "644", manifest).await?;
        provisioner.script(first, "workload", include_str!("workload.sh"), &[MANIFEST], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("apply the workload", Some(first), after, DEADLINE, work).await?;
    Ok(span)
}
