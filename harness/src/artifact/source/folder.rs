//! A folder of the user's with binaries, used where it lies.

use std::path::Path;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use crate::artifact::error::ArtifactError;
use crate::artifact::folders::Folders;
use crate::artifact::hex;
use crate::artifact::kubernetes::Kubernetes;
use crate::artifact::version::{Version, Wanted};

pub(super) async fn look(
    path: &Path,
    wanted: &Wanted,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Outcome<Kubernetes>, ArtifactError> {
    if !path.is_dir() {
        return Ok(Outcome::No("is not a folder".into()));
    }
    let missing = Kubernetes::missing(path);
    if !missing.is_empty() {
        return Ok(Outcome::No(format!("lacks {}", missing.join(", "))));
    }
    let path = std::path::absolute(path).map_err(ArtifactError::file("find", path))?;
    let name = hex(&Sha256::digest(path.display().to_string()));
    let record = folders.kubernetes().join(format!("folder-{}.json", &name[..16]));
    let kubernetes = Kubernetes::in_folder(&path, &format!("folder {}", path.display()), &record, cancel).await?;
    match kubernetes.version.parse::<Version>() {
        Ok(version) if wanted.accepts(&version) => Ok(Outcome::Here(kubernetes)),
        _ => Ok(Outcome::No(format!("has {}", kubernetes.version))),
    }
}
