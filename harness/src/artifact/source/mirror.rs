//! A site laid out like the upstream download site: `URL/release/v1.31.2/bin/linux/amd64/kubeadm`, with `.sha256`
//! beside each file, and `URL/release/stable.txt` that names the newest version.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{Context, Outcome, cache};
use crate::artifact::download::{self, architecture, site_name};
use crate::artifact::error::ArtifactError;
use crate::artifact::folders::{Folders, lock};
use crate::artifact::kubernetes::{BINARIES, Kubernetes};
use crate::artifact::version::{Version, Wanted};
use crate::scenario::NEWEST;

/// What the binaries of a release take, with some room.
const SPACE: u64 = 1 << 30;

pub(super) async fn look(
    url: &str,
    wanted: &Wanted,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Outcome<Kubernetes>, ArtifactError> {
    if matches!(wanted, Wanted::Exact(_))
        && let Outcome::Here(kubernetes) = cache::look(&site_name(url), wanted, folders, cancel).await?
    {
        return Ok(Outcome::Here(kubernetes));
    }
    Ok(Outcome::Unknown)
}

pub(super) async fn work(url: &str, wanted: &Wanted, context: &Context) -> Result<Outcome<Kubernetes>, ArtifactError> {
    let version = match newest(url, wanted, context).await? {
        Ok(version) => version,
        Err(said) => return Ok(Outcome::No(said)),
    };
    let folder = context.folders.kubernetes();
    let out = folder.join(format!("{}-v{version}", site_name(url)));
    let part = folder.join(format!("{}-v{version}.part", site_name(url)));
    let _lock = lock(&folder.join(format!("{}.lock", site_name(url))), &context.span, &context.cancel).await?;
    if !out.is_dir() {
        context.folders.want_space(&format!("download Kubernetes {version}"), SPACE)?;
        std::fs::create_dir_all(&part).map_err(ArtifactError::file("make", &part))?;
        for name in BINARIES {
            let from = format!("{url}/release/v{version}/bin/linux/{}/{name}", architecture());
            if let Err(said) = fetch(&from, &part.join(name), context).await? {
                return Ok(Outcome::No(said));
            }
        }
        let origin = part.join("origin");
        std::fs::write(&origin, format!("release mirror {url}")).map_err(ArtifactError::file("write", &origin))?;
        std::fs::rename(&part, &out).map_err(ArtifactError::file("rename", &part))?;
    }
    Ok(Outcome::Here(cache::open(&out, &context.cancel).await?))
}

/// The exact version that a request means at this mirror, or what the mirror said. The newest one of all is the newest that a
/// cluster can be made of.
async fn newest(url: &str, wanted: &Wanted, context: &Context) -> Result<Result<Version, String>, ArtifactError> {
    let (major, minor) = match wanted {
        Wanted::Exact(version) => return Ok(Ok(version.clone())),
        Wanted::Minor(major, minor) => (*major, *minor),
        Wanted::Any => match named(url, "stable.txt", wanted, context).await? {
            Ok(version) if version.is_too_new() => {
                let (major, minor) = NEWEST;
                context.span.progress(format!("{version} is too new: taking the newest of {major}.{minor}"));
                NEWEST
            }
            answer => return Ok(answer),
        },
    };
    named(url, &format!("stable-{major}.{minor}.txt"), &Wanted::Minor(major, minor), context).await
}

/// The version in a file of the mirror if it is one that is wanted, or what the mirror said.
async fn named(
    url: &str,
    name: &str,
    wanted: &Wanted,
    context: &Context,
) -> Result<Result<Version, String>, ArtifactError> {
    let from = format!("{url}/release/{name}");
    let text = download::text(from.clone(), context).await?;
    Ok(text.and_then(|text| {
        let version = text.trim().parse::<Version>().map_err(|error| format!("{from}: {error}"))?;
        if wanted.accepts(&version) { Ok(version) } else { Err(format!("{from} names {version}")) }
    }))
}

/// Downloads a program and holds it against its published checksum, unless it is there already.
async fn fetch(from: &str, to: &Path, context: &Context) -> Result<Result<(), String>, ArtifactError> {
    if to.is_file() {
        return Ok(Ok(()));
    }
    let published = match download::text(format!("{from}.sha256"), context).await? {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase(),
        Err(said) => return Ok(Err(said)),
    };
    download::fetch(from, to, &published, 0o755, context).await
}

#[cfg(test)]
mod tests;
