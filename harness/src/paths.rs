//! Where Quorate keeps things on the host: the cache, which can be lost, and the state, which can not.

use std::path::PathBuf;

/// The folder of what can be made again: binaries, images. `QUORATE_CACHE` or the user's cache directory.
pub fn cache() -> PathBuf {
    folder("QUORATE_CACHE", dirs::cache_dir(), ".cache")
}

/// The folder of runs with their ledgers and evidence. `QUORATE_STATE` or the user's state directory.
pub fn state() -> PathBuf {
    folder("QUORATE_STATE", dirs::state_dir(), ".local/state")
}

fn folder(variable: &str, base: Option<PathBuf>, fallback: &str) -> PathBuf {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .unwrap_or_else(|| base.unwrap_or_else(|| PathBuf::from(fallback)).join("quorate"))
}

/// What to do about an error of a file that this host's disk has no room for, to be said after it; nothing for others.
pub(crate) fn remedy(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::StorageFull {
        "\n  mend it: make room on that disk, or keep runs on another one with QUORATE_STATE"
    } else {
        ""
    }
}
