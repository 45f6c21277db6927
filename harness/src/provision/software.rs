//! The programs of a machine that starts as a bare Debian, from an archive that needs no network.

use std::path::Path;
use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::{Machine, Role};

const DEADLINE: Duration = Duration::from_secs(300);
/// Where the archive is unpacked.
const FOLDER: &str = "/var/lib/quorate/bundle";

/// Installs what a machine needs for its role.
pub(super) async fn install(
    provisioner: &Provisioner,
    machine: &Machine,
    bundle: &Path,
    up: SpanId,
) -> Result<SpanId, ProvisionError> {
    let what = if machine.role == Role::Balancer { "haproxy" } else { "node" };
    let work = |_| async {
        let script = format!("mkdir -p {FOLDER} && tar -xz -C {FOLDER} && bash {FOLDER}/install.sh {what}");
        let command = provisioner.fleet.ssh(&machine.name)?.command(["bash", "-c", &script]).stdin_file(bundle);
        provisioner.logged(machine, "install", command, DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("install the machine's programs", Some(machine), &[up], DEADLINE, work).await?;
    Ok(span)
}
