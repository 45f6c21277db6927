//! Settings of the host's kernel that containers as machines change or need, remembered before and restored after.
//!
//! They are not namespaced, and kubelet insists on its own values (`protectKernelDefaults` is off):
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/>. The first run on a host remembers
//! them, the last one restores them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use tokio_util::sync::CancellationToken;

use super::store::Folder;
use crate::machine::docker::engine::{INSTANCES, ROOM};
use crate::paths;
use crate::process::Command;

const CHANGED: &[&str] = &[
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    INSTANCES,
];

type Settings = BTreeMap<String, String>;

/// The file that remembers them. It is the host's and this boot's where it may be: runs with other state folders then
/// do not take for the host's own what kubelet has set.
pub(super) fn path() -> PathBuf {
    let own =
        || std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()).map_or_else(paths::state, PathBuf::from);
    let folder = if rustix::process::geteuid().is_root() { PathBuf::from("/run") } else { own() };
    folder.join("quorate-host-sysctls.json")
}

/// Held by each process with machines, so that no run with another state folder takes back what these need.
static USE: Mutex<Option<File>> = Mutex::new(None);

fn lock(operation: FlockOperation) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).append(true).open(path().with_extension("lock"))?;
    match flock(&file, operation) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn hold(file: Option<File>) {
    *USE.lock().unwrap_or_else(PoisonError::into_inner) = file;
}

/// Remembers the settings, unless an earlier run that is not over did.
pub(super) fn remember() -> std::io::Result<()> {
    let mut values = remembered()?;
    for name in CHANGED.iter().filter(|name| !values.contains_key(**name)).collect::<Vec<_>>() {
        values.extend(value(name).map(|value| ((*name).to_owned(), value)));
    }
    if let Some(folder) = path().parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Who restores them right now holds the lock for a moment only.
    hold(lock(FlockOperation::LockShared)?);
    // Who is ended in between leaves the file as it was.
    let new = path().with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, serde_json::to_vec(&values)?)?;
    std::fs::rename(new, path())
}

/// Restores the settings if no other run has anything left. What may not be written stays on [`pending`]'s list.
pub(super) async fn restore_if_last(ended: &Folder) -> std::io::Result<()> {
    hold(None);
    let others = Folder::all().map_err(std::io::Error::other)?;
    let busy = |other: &Folder| other.run() != ended.run() && !matches!(other.ledger().as_deref(), Ok([]));
    if others.iter().any(busy) {
        return Ok(());
    }
    let Some(_alone) = lock(FlockOperation::NonBlockingLockExclusive)? else { return Ok(()) };
    for (name, value) in changed()? {
        if !write(&name, &value).await {
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

/// Raises what machines on one host share and is too low for many of them. What could not be raised is said.
pub(super) async fn make_room() -> Option<String> {
    let now: u64 = value(INSTANCES)?.parse().ok()?;
    if now >= ROOM || write(INSTANCES, &ROOM.to_string()).await {
        return None;
    }
    Some(format!(
        "this host allows {now} inotify instances, which all machines share and each takes a dozen of, and it could not be \
         raised: if kubelet does not start, `sysctl -w {INSTANCES}={ROOM}`"
    ))
}

async fn write(name: &str, value: &str) -> bool {
    let setting = format!("{name}={value}");
    Command::as_root("sysctl").args(["-qw", &setting]).run_async(&CancellationToken::new()).await.is_ok()
}

/// The settings that are not as they were before the first run, each as `name=value` with the value that it had; none
/// while a run with machines goes on.
pub fn pending() -> std::io::Result<Vec<String>> {
    if !path().exists() || lock(FlockOperation::NonBlockingLockExclusive)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(changed()?.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn remembered() -> std::io::Result<Settings> {
    match std::fs::read(path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Settings::new()),
        text => Ok(serde_json::from_slice(&text?)?),
    }
}

fn changed() -> std::io::Result<Settings> {
    let mut settings = remembered()?;
    settings.retain(|name, before| value(name).is_some_and(|now| now != *before));
    Ok(settings)
}

fn value(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(PathBuf::from("/proc/sys").join(name.replace('.', "/"))).ok()?;
    Some(text.trim().to_owned())
}
