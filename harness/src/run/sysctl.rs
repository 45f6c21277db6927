//! Settings of the host's kernel that kubelet in a container changes, remembered before and restored after.
//!
//! They are not namespaced, and kubelet insists on its own values (`protectKernelDefaults` is off):
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>. The first run on a host remembers
//! them, the last one restores them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::store::{Folder, Owner};
use crate::paths;
use crate::process::Command;

const CHANGED: &[&str] = &[
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
];

type Settings = BTreeMap<String, String>;

/// The file that remembers them. It is the host's and this boot's where it may be: runs with other state folders then
/// do not take for the host's own what kubelet has set.
pub(super) fn path() -> PathBuf {
    let folder = if rustix::process::geteuid().is_root() { PathBuf::from("/run") } else { paths::state() };
    folder.join("quorate-host-sysctls.json")
}

/// Remembers the settings, unless an earlier run that is not over did.
pub(super) fn remember() -> std::io::Result<()> {
    if path().exists() {
        return Ok(());
    }
    let values: Settings = CHANGED.iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))).collect();
    if let Some(folder) = path().parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path(), serde_json::to_vec(&values)?)
}

/// Restores the settings if no other run has anything left. What may not be written stays on [`pending`]'s list.
pub(super) async fn restore_if_last(ended: &Folder) -> std::io::Result<()> {
    let others = Folder::all().map_err(std::io::Error::other)?;
    let busy = |other: &Folder| other.run() != ended.run() && !matches!(other.owner(), Ok(Owner::Nothing));
    if others.iter().any(busy) {
        return Ok(());
    }
    for (name, value) in changed()? {
        let write = Command::new("sysctl").args(["-qw", &format!("{name}={value}")]);
        let sudo = Command::new("sudo").args(["-n", "sysctl", "-qw", &format!("{name}={value}")]);
        let cancel = CancellationToken::new();
        if write.run_async(&cancel).await.is_err() && sudo.run_async(&cancel).await.is_err() {
            tracing::debug!(name, "this setting of the host may not be written");
        }
    }
    if !changed()?.is_empty() {
        return Ok(());
    }
    match std::fs::remove_file(path()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The settings that are not as they were before the first run, each as `name=value` with the value that it had.
pub fn pending() -> std::io::Result<Vec<String>> {
    Ok(changed()?.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn changed() -> std::io::Result<Settings> {
    let text = match std::fs::read(path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::new()),
        other => other?,
    };
    let mut settings: Settings = serde_json::from_slice(&text)?;
    settings.retain(|name, before| value(name).is_some_and(|now| now != *before));
    Ok(settings)
}

fn value(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(PathBuf::from("/proc/sys").join(name.replace('.', "/"))).ok()?;
    Some(text.trim().to_owned())
}
