//! What of the cache nobody has used for long, and its removal.
//!
//! Each use leaves a mark: an empty file of the thing's name whose time of change is that of the use. Images of the docker
//! engine belong to whoever has marked them, since the engine may serve more caches than this one.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::error::ArtifactError;
use super::folders::Folders;
use super::node;
use crate::process::Command;

/// Something that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unused {
    /// What it was called: an image, or a path.
    pub name: String,
    /// How long nobody had used it.
    pub idle: Duration,
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

/// Removes from the user's cache, and from the docker engine, what nobody has used for so long. No Quorate may make anything
/// of the kind meanwhile.
pub async fn remove_unused(idle: Duration, cancel: &CancellationToken) -> Result<Vec<Unused>, ArtifactError> {
    remove(&Folders::of_user()?, idle, SystemTime::now(), cancel).await
}

async fn remove(
    folders: &Folders,
    least: Duration,
    now: SystemTime,
    cancel: &CancellationToken,
) -> Result<Vec<Unused>, ArtifactError> {
    let mut removed = Vec::new();
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
        let name = match thing {
            Thing::Image(reference) => remove_image(&reference, cancel).await?.then_some(reference),
            Thing::Files(paths) => {
                for path in &paths {
                    remove_files(path, cancel).await?;
                }
                paths.first().map(|path| path.display().to_string())
            }
        };
        if mark.exists() {
            std::fs::remove_file(&mark).map_err(ArtifactError::file("remove", &mark))?;
        }
        removed.extend(name.map(|name| Unused { name, idle }));
    }
    Ok(removed)
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
    for folder in [folders.kubernetes(), folders.etcd(), folders.node()] {
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

/// Whether there was such an image. The engine refuses to remove one that a container was made from.
async fn remove_image(reference: &str, cancel: &CancellationToken) -> Result<bool, ArtifactError> {
    if node::image_id(reference, cancel).await?.is_none() {
        return Ok(false);
    }
    let remove = Command::new("docker").args(["image", "rm", reference]).deadline(Duration::from_secs(120));
    remove.run_async(cancel).await.map_err(ArtifactError::command("remove an image that nobody uses"))?;
    Ok(true)
}

async fn remove_files(path: &Path, cancel: &CancellationToken) -> Result<(), ArtifactError> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Ok(()) => return Ok(()),
        // Trees belong to root.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
        Err(error) => return Err(ArtifactError::file("remove", path)(error)),
    }
    let remove = Command::as_root("rm").args(["-r", "--one-file-system", "--"]).arg(path);
    remove.run_async(cancel).await.map_err(ArtifactError::command("remove what nobody uses"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[tokio::test]
    async fn what_nobody_has_used_for_long_goes_and_all_else_stays() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().to_owned()).unwrap();
        let old = SystemTime::now() - 40 * DAY;
        let make = |path: PathBuf, changed: SystemTime| {
            std::fs::write(&path, "").unwrap();
            std::fs::File::open(&path).unwrap().set_modified(changed).unwrap();
        };
        for name in ["bundle-a.tar.gz", "bundle-a.tar.gz.sha256", "bundle-b.tar.gz", "bundle-b.tar.gz.sha256", "t.lock"]
        {
            make(folders.node().join(name), old);
        }
        std::fs::create_dir_all(folders.kubernetes().join("debian-x-v1.20.2/sub")).unwrap();
        make(folders.etcd().join("mirror-x-v3.6.8.part"), old);
        mark(&folders, &["bundle-b", "quorate/node:none-of-this-name"].map(str::to_owned)).unwrap();

        let removed = remove(&folders, 30 * DAY, SystemTime::now(), &CancellationToken::new()).await.unwrap();
        let removed: Vec<String> = removed.into_iter().map(|it| it.name).collect();
        let path = |path: PathBuf| path.display().to_string();
        assert_eq!(
            removed,
            [path(folders.node().join("bundle-a.tar.gz")), path(folders.etcd().join("mirror-x-v3.6.8.part"))]
        );
        let left = |folder: &Path| entries(folder).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(left(&folders.node()), ["bundle-b.tar.gz", "bundle-b.tar.gz.sha256", "t.lock"]);
        assert_eq!(left(&folders.kubernetes()), ["debian-x-v1.20.2"]);
        assert_eq!(left(&folders.used()), ["bundle-b", "quorate-node-none-of-this-name"]);
    }
}
