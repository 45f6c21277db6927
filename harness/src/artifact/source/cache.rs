//! What was downloaded or built before. Each complete set lies in a folder named by its origin and version.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::artifact::error::ArtifactError;
use crate::artifact::folders::Folders;
use crate::artifact::kubernetes::{Kubernetes, recorded_source};
use crate::artifact::version::{Version, Wanted};

/// The file beside the binaries that says what they are.
const RECORD: &str = "kubernetes.json";

/// The newest set that fits, among those whose folder's name starts with `prefix`.
pub(super) async fn look(
    prefix: &str,
    wanted: &Wanted,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Outcome<Kubernetes>, ArtifactError> {
    let mut sets = sets(&folders.kubernetes(), prefix);
    sets.sort();
    match sets.iter().rev().find(|(version, _)| wanted.accepts(version)) {
        Some((_, folder)) => Ok(Outcome::Here(open(folder, cancel).await?)),
        None if sets.is_empty() => Ok(Outcome::No("has none".into())),
        None => {
            let versions: Vec<String> = sets.iter().map(|(version, _)| version.to_string()).collect();
            Ok(Outcome::No(format!("has {}", versions.join(", "))))
        }
    }
}

/// A complete set in the cache.
pub(super) async fn open(folder: &Path, cancel: &CancellationToken) -> Result<Kubernetes, ArtifactError> {
    let record = folder.join(RECORD);
    let source = recorded_source(&record).unwrap_or_else(|| origin(folder));
    Kubernetes::in_folder(folder, &source, &record, cancel).await
}

fn origin(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match name.split('-').next() {
        Some("debian") => "Debian's source package kubernetes, built with Debian's Go".to_owned(),
        Some("mirror") => {
            std::fs::read_to_string(folder.join("origin")).unwrap_or_else(|_| "a release mirror".to_owned())
        }
        _ => name,
    }
}

fn sets(kubernetes: &Path, prefix: &str) -> Vec<(Version, PathBuf)> {
    let entries = std::fs::read_dir(kubernetes).into_iter().flatten().flatten();
    let set = |path: PathBuf| {
        let (origin, version) = path.file_name()?.to_str()?.split_once("-v")?;
        let version: Version = version.parse().ok()?;
        (origin.starts_with(prefix) && Kubernetes::missing(&path).is_empty()).then(|| (version, path.clone()))
    };
    entries.filter_map(|entry| set(entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::kubernetes::tests::fake_binaries;

    async fn found(prefix: &str, wanted: Option<&str>, folders: &Folders) -> Result<String, String> {
        let wanted = Wanted::parse(wanted).unwrap();
        match look(prefix, &wanted, folders, &CancellationToken::new()).await.unwrap() {
            Outcome::Here(kubernetes) => Ok(kubernetes.version),
            Outcome::No(said) => Err(said),
            Outcome::Unknown => Err("unknown".into()),
        }
    }

    #[tokio::test]
    async fn only_complete_sets_count_and_the_newest_wins() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().to_owned()).unwrap();
        assert_eq!(found("", None, &folders).await, Err("has none".into()));
        for (name, version) in
            [("debian-a-v1.20.2", "1.20.2"), ("mirror-b-v1.31.9", "1.31.9"), ("mirror-b-v1.31.10", "1.31.10")]
        {
            fake_binaries(&folders.kubernetes().join(name), version);
        }
        fake_binaries(&folders.kubernetes().join("mirror-b-v1.32.0.part"), "1.32.0");
        fake_binaries(&folders.kubernetes().join("mirror-b-v1.33.0"), "1.33.0");
        std::fs::remove_file(folders.kubernetes().join("mirror-b-v1.33.0/kubelet")).unwrap();
        assert_eq!(found("", None, &folders).await, Ok("1.31.10".into()));
        assert_eq!(found("debian-a", None, &folders).await, Ok("1.20.2".into()));
        assert_eq!(found("mirror-b", Some("1.31.9"), &folders).await, Ok("1.31.9".into()));
        assert_eq!(found("", Some("1.32"), &folders).await, Err("has 1.20.2, 1.31.9, 1.31.10".into()));
    }
}
