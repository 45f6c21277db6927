//! Where the parts of machines lie in the cache, and how Quorates that share it keep out of each other's way.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::error::ArtifactError;
use crate::paths;
use crate::record::Span;

/// How often a lock that somebody else holds is tried again.
const LOCK_RETRY: Duration = Duration::from_millis(200);

/// With less than this free, a failure is taken for one of the disk: a program that met the end of it may have removed
/// what it could not finish.
const FULL: u64 = 64 << 20;

/// The folders of the cache. All of it may be deleted when no Quorate runs.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    root: PathBuf,
}

impl Folders {
    /// The user's cache, made if it is not there.
    pub(super) fn of_user() -> Result<Self, ArtifactError> {
        let root = paths::cache();
        let root = std::path::absolute(&root).map_err(ArtifactError::file("find", &root))?;
        Self::at(root)
    }

    pub(super) fn at(root: PathBuf) -> Result<Self, ArtifactError> {
        let folders = Self { root };
        let log = folders.root.join("log");
        let parts = [folders.kubernetes(), folders.etcd(), folders.calico(), folders.node()];
        for folder in parts.into_iter().chain([folders.used(), log]) {
            std::fs::create_dir_all(&folder).map_err(ArtifactError::file("make", &folder))?;
        }
        Ok(folders)
    }

    /// One folder for each set of binaries; `*.part` and `*.work` are under way.
    pub(super) fn kubernetes(&self) -> PathBuf {
        self.root.join("kubernetes")
    }

    /// One folder for each release of etcd; `*.part` are under way.
    pub(super) fn etcd(&self) -> PathBuf {
        self.root.join("etcd")
    }

    /// One folder for each release of Calico; `*.part` are under way.
    pub(super) fn calico(&self) -> PathBuf {
        self.root.join("calico")
    }

    /// Trees and scripts of node images.
    pub(super) fn node(&self) -> PathBuf {
        self.root.join("node")
    }

    /// The name of a set of binaries or a release that the cache has; none for a folder of somebody else's.
    pub(super) fn name_of(&self, folder: &Path) -> Option<String> {
        let known = [self.kubernetes(), self.etcd(), self.calico()];
        let name = known.iter().find_map(|known| folder.strip_prefix(known).ok())?;
        Some(name.to_str()?.to_owned())
    }

    /// When each of these was used last.
    pub(super) fn used(&self) -> PathBuf {
        self.root.join("used")
    }

    /// The private configuration and lists of apt.
    pub(super) fn apt(&self) -> PathBuf {
        self.root.join("apt")
    }

    /// The file that a script's output goes to. It holds the last attempts, not all there ever were.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        let path = self.root.join("log").join(format!("{name}.log"));
        if std::fs::metadata(&path).is_ok_and(|file| file.len() > 4 << 20) {
            // A log that cannot be removed only grows.
            let _ = std::fs::remove_file(&path);
        }
        path
    }

    /// Fails unless so many bytes are free for the cache.
    pub(super) fn want_space(&self, what: &str, need: u64) -> Result<(), ArtifactError> {
        want_space(&self.root, what, need)
    }
}

/// Fails unless so many bytes are free under a folder.
pub(super) fn want_space(folder: &Path, what: &str, need: u64) -> Result<(), ArtifactError> {
    let free = free(folder).map_err(ArtifactError::file("look at the space under", folder))?;
    if free < need {
        return Err(ArtifactError::Space { what: what.to_owned(), folder: folder.to_owned(), need, free });
    }
    Ok(())
}

/// Whether the disk that a file is on has next to nothing left.
pub(super) fn is_full(file: &Path) -> bool {
    file.parent().is_some_and(|folder| free(folder).is_ok_and(|free| free < FULL))
}

fn free(folder: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(folder)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Takes the lock of a file, and says so when another Quorate has it. It is given back when the file is dropped, and
/// by the kernel when Quorate dies.
pub(super) async fn lock(path: &Path, span: &Span, cancel: &CancellationToken) -> Result<File, ArtifactError> {
    let file = File::options().create(true).append(true).open(path).map_err(ArtifactError::file("open", path))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(ArtifactError::file("lock", path)(error)),
            Err(TryLockError::WouldBlock) => {}
        }
        if !std::mem::replace(&mut said, true) {
            span.progress("waiting for another quorate that gets the same");
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(ArtifactError::Cancelled),
            () = tokio::time::sleep(LOCK_RETRY) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;
    use crate::record::{Recorder, SpanOptions};

    #[test]
    fn too_little_space_is_refused_with_numbers() {
        let folder = tempfile::tempdir().unwrap();
        want_space(folder.path(), "test", 1).unwrap();
        let error = want_space(folder.path(), "test", u64::MAX).unwrap_err().to_string();
        assert!(error.starts_with("to test, ") && error.contains("QUORATE_CACHE"), "{error}");
    }

    #[tokio::test]
    async fn a_second_quorate_waits_for_the_first_and_can_be_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let span = Recorder::unwritten().span(Phase::Prepare, "lock", SpanOptions::default());
        let cancel = CancellationToken::new();
        let held = lock(&path, &span, &cancel).await.unwrap();
        let second = tokio::time::timeout(Duration::from_millis(500), lock(&path, &span, &cancel));
        assert!(second.await.is_err(), "the lock was given twice");
        let interrupted = {
            cancel.cancel();
            lock(&path, &span, &cancel).await
        };
        assert!(interrupted.is_err_and(|error| error.is_cancelled()));
        drop(held);
        lock(&path, &span, &CancellationToken::new()).await.unwrap();
    }
}
