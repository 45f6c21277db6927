//! What of the cache nobody has used for long, and its removal.
//!
//! Each use leaves a mark: a file with the thing's name whose time of change is that of the use. Work marks what it uses when it
//! begins, so what has an old mark is in nobody's hands. The docker engine may serve more caches than this one: images are
//! found by the marks of this one alone.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::error::ArtifactError;
use super::folders::Folders;
use super::node;
use crate::process::Command;

/// What is put aside to be removed, so that nobody takes a half of it for the whole.
const ASIDE: &str = "removed";
/// How long the removal of a thing may take.
const REMOVAL: Duration = Duration::from_secs(600);

/// What became of something that nobody had used.
#[derive(Debug)]
pub struct Unused {
    /// What it was called: an image, or a path.
    pub name: String,
    /// How long nobody had used it.
    pub idle: Duration,
    /// Whether it is gone.
    pub removed: Result<(), ArtifactError>,
}

/// A thing of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Thing {
    /// An image of the docker engine, by its reference.
    Image(String),
    /// A file or folder, with whatever belongs to it.
    Files(Vec<PathBuf>),
}

/// Remembers that things are used now, by their references or by the names of their files.
pub(super) fn mark(folders: &Folders, names: &[String]) -> Result<(), ArtifactError> {
    for name in names {
        let path = folders.used().join(name.replace(['/', ':'], "-"));
        std::fs::write(&path, name).map_err(ArtifactError::file("write", &path))?;
    }
    Ok(())
}

/// Removes from the user's cache, and from the docker engine, what nobody has used for so long, which has to be longer than any
/// work takes that uses it. What cannot be removed does not keep the rest.
pub async fn remove_unused(idle: Duration, cancel: &CancellationToken) -> Result<Vec<Unused>, ArtifactError> {
    remove(&Folders::of_user()?, idle, SystemTime::now(), cancel).await
}

async fn remove(
    folders: &Folders,
    least: Duration,
    now: SystemTime,
    cancel: &CancellationToken,
) -> Result<Vec<Unused>, ArtifactError> {
    let mut unused = Vec::new();
    for (name, thing) in things(folders)? {
        let mark = folders.used().join(&name);
        let used = changed(&mark).or_else(|| match &thing {
            Thing::Files(paths) => paths.iter().filter_map(|path| changed(path)).max(),
            Thing::Image(_) => None,
        });
        let idle = used.and_then(|used| now.duration_since(used).ok()).unwrap_or_default();
        if idle < least {
            continue;
        }
        let (name, removed) = match thing {
            Thing::Image(reference) => {
                let removed = remove_image(&reference, cancel).await;
                (reference, removed)
            }
            Thing::Files(paths) => {
                let name = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
                (name, remove_files(&paths, cancel).await)
            }
        };
        // A mark that stays is looked at again the next time.
        if removed.is_ok() && mark.exists() {
            std::fs::remove_file(&mark).map_err(ArtifactError::file("remove", &mark))?;
        }
        unused.push(Unused { name, idle, removed });
    }
    Ok(unused)
}

/// All things that there are, by the names of their marks.
fn things(folders: &Folders) -> Result<BTreeMap<String, Thing>, ArtifactError> {
    let mut things = BTreeMap::new();
    for (name, mark) in entries(&folders.used())? {
        let reference = std::fs::read_to_string(&mark).map_err(ArtifactError::file("read", &mark))?;
        if reference.starts_with(node::REPOSITORY) {
            things.insert(name, Thing::Image(reference));
        }
    }
    for folder in [folders.kubernetes(), folders.etcd(), folders.calico(), folders.node()] {
        for (file, path) in entries(&folder)? {
            // A lock is nobody's to remove: who waits for it holds the file.
            if file.ends_with(".lock") {
                continue;
            }
            let name = file.split(".tar.gz").next().unwrap_or(&file).to_owned();
            match things.entry(name).or_insert_with(|| Thing::Files(Vec::new())) {
                Thing::Files(paths) => paths.push(path),
                Thing::Image(_) => {}
            }
        }
    }
    Ok(things)
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, ArtifactError> {
    let entries = std::fs::read_dir(folder).map_err(ArtifactError::file("read", folder))?.flatten();
    let mut named: Vec<_> =
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path())).collect();
    named.sort();
    Ok(named)
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::symlink_metadata(path).ok()?.modified().ok()
}

/// The engine refuses to remove one that a container was made from.
async fn remove_image(reference: &str, cancel: &CancellationToken) -> Result<(), ArtifactError> {
    if node::image_id(reference, cancel).await?.is_none() {
        return Ok(());
    }
    let remove = Command::new("docker").args(["image", "rm", reference]).deadline(REMOVAL);
    remove.run_async(cancel).await.map_err(ArtifactError::command("remove an image that nobody has used"))?;
    Ok(())
}

async fn remove_files(paths: &[PathBuf], cancel: &CancellationToken) -> Result<(), ArtifactError> {
    for path in paths {
        let aside = match path.extension() {
            Some(extension) if extension == ASIDE => path.clone(),
            _ => {
                let mut aside = path.clone().into_os_string();
                aside.push(OsStr::new("."));
                aside.push(ASIDE);
                std::fs::rename(path, &aside).map_err(ArtifactError::file("put aside", path))?;
                PathBuf::from(aside)
            }
        };
        let removed = if aside.is_dir() { std::fs::remove_dir_all(&aside) } else { std::fs::remove_file(&aside) };
        match removed {
            Ok(()) => {}
            // Trees belong to root.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let remove = Command::as_root("rm").args(["-r", "--one-file-system", "--"]).arg(&aside);
                let removed = remove.deadline(REMOVAL).run_async(cancel).await;
                removed.map_err(ArtifactError::command("remove what nobody has used and belongs to root"))?;
            }
            Err(error) => return Err(ArtifactError::file("remove", &aside)(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn old(path: &Path) {
        std::fs::write(path, "").unwrap();
        std::fs::File::open(path).unwrap().set_modified(SystemTime::now() - 40 * DAY).unwrap();
    }

    async fn names(folders: &Folders) -> Vec<String> {
        let unused = remove(folders, 30 * DAY, SystemTime::now(), &CancellationToken::new()).await.unwrap();
        assert!(unused.iter().all(|it| it.removed.is_ok()), "{unused:?}");
        unused.into_iter().map(|it| it.name.rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn left(folder: &Path) -> Vec<String> {
        entries(folder).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[tokio::test]
    async fn what_nobody_has_used_for_long_goes_and_all_else_stays() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().to_owned()).unwrap();
        for name in ["bundle-a.tar.gz", "bundle-a.tar.gz.sha256", "bundle-b.tar.gz", "bundle-b.tar.gz.sha256", "t.lock"]
        {
            old(&folders.node().join(name));
        }
        std::fs::create_dir_all(folders.kubernetes().join("debian-x-v1.20.2/sub")).unwrap();
        old(&folders.etcd().join("mirror-x-v3.6.8.part"));
        mark(&folders, &["bundle-b", "quorate/node:fresh"].map(str::to_owned)).unwrap();
        assert_eq!(names(&folders).await, ["bundle-a.tar.gz", "mirror-x-v3.6.8.part"]);
        assert_eq!(left(&folders.node()), ["bundle-b.tar.gz", "bundle-b.tar.gz.sha256", "t.lock"]);
        assert_eq!(left(&folders.kubernetes()), ["debian-x-v1.20.2"]);
        assert_eq!(left(&folders.used()), ["bundle-b", "quorate-node-fresh"]);
    }

    #[tokio::test]
    async fn what_an_interrupted_removal_has_left_goes_the_next_time_and_is_never_taken_for_whole() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().to_owned()).unwrap();
        old(&folders.etcd().join("mirror-x-v3.6.8.removed"));
        assert_eq!(names(&folders).await, ["mirror-x-v3.6.8.removed"]);
        assert_eq!(left(&folders.etcd()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_told_and_does_not_keep_the_rest() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().to_owned()).unwrap();
        // Where this is to be put aside there is a folder, which nobody renames a file over.
        old(&folders.etcd().join("a-v1"));
        std::fs::create_dir_all(folders.etcd().join("a-v1.removed/sub")).unwrap();
        old(&folders.etcd().join("b-v1"));
        let unused = remove(&folders, 30 * DAY, SystemTime::now(), &CancellationToken::new()).await.unwrap();
        let ended: Vec<bool> = unused.iter().map(|it| it.removed.is_ok()).collect();
        assert_eq!(ended, [false, true]);
        assert!(folders.etcd().join("a-v1").exists());
    }
}
