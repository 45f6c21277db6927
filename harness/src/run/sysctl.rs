//! Settings of the host's kernel that kubelet in a container changes, remembered before and restored after.
//!
//! They are not namespaced, and kubelet insists on its own values (`protectKernelDefaults` is off):
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>. The first run on a host remembers
//! them, the last one restores them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::store::{Folder, Owner};
use crate::paths;

const CHANGED: &[&str] = &[
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
];

/// The file that remembers them.
pub(super) fn path() -> PathBuf {
    paths::state().join("host-sysctls.json")
}

/// Remembers the settings, unless an earlier run that is not over did.
pub(super) fn remember() -> std::io::Result<()> {
    if path().exists() {
        return Ok(());
    }
    let values: BTreeMap<&str, String> = CHANGED
        .iter()
        .filter_map(|name| Some((*name, std::fs::read_to_string(file(name)).ok()?.trim().to_owned())))
        .collect();
    std::fs::create_dir_all(paths::state())?;
    std::fs::write(path(), serde_json::to_vec(&values)?)
}

/// Restores the settings if no other run has anything left.
pub(super) fn restore_if_last(ended: &Folder) -> std::io::Result<()> {
    let others = Folder::all().map_err(std::io::Error::other)?;
    let busy = |other: &Folder| other.run() != ended.run() && !matches!(other.owner(), Ok(Owner::Nothing));
    if !path().exists() || others.iter().any(busy) {
        return Ok(());
    }
    let values: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(path())?)?;
    for (name, value) in values {
        if std::fs::read_to_string(file(&name)).is_ok_and(|now| now.trim() != value) {
            std::fs::write(file(&name), value)?;
        }
    }
    std::fs::remove_file(path())
}

fn file(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name)
}
