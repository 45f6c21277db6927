//! Calico for the clusters that ask for it: the manifest and the container images of one of its releases.
//!
//! A release is one archive, `release-v3.32.1.tgz`, with all images as `docker save` writes them and all manifests:
//! <https://github.com/projectcalico/calico/releases>. Only those images are kept that its `calico.yaml` names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use flate2::read::GzDecoder;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::download;
use super::error::ArtifactError;
use super::folders::{Folders, lock};
use super::kubernetes::{Kubernetes, checksums};
use super::source::{Context, Outcome, Sought, Source};
use super::version::Version;
use crate::scenario::{CALICO_SINCE, CalicoRelease};

const UPSTREAM: &str = "https://github.com/projectcalico/calico/releases/download";

/// The manifest in a release, as in what is kept of one.
const MANIFEST: &str = "manifests/calico.yaml";
/// The folder of images there.
const IMAGES: &str = "images";
/// The checksum of the archive that a folder of the cache was unpacked from.
const SUM: &str = "sha256";

/// What a release takes while it is unpacked, with some room.
const SPACE: u64 = 4 << 30;

/// A release of Calico.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calico {
    /// Its version, as `3.32.1`.
    pub version: String,
    /// Where it came from, in words.
    pub source: String,
    /// The folder of its parts.
    pub folder: PathBuf,
    /// The file of its manifest.
    pub manifest: PathBuf,
    /// The images that the manifest names.
    pub images: Vec<CalicoImage>,
    /// The lower-case hexadecimal SHA-256 sum of its archive, by name, or of all files of a folder of the user's.
    pub sha256: BTreeMap<String, String>,
}

/// A container image of Calico's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalicoImage {
    /// What the manifest calls it.
    pub named: String,
    /// What a container runtime calls it that has imported the archive.
    pub imported: String,
    /// The archive, as `docker save` writes it.
    pub archive: PathBuf,
}

/// One of the images in an archive of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    repo_tags: Option<Vec<String>>,
}

/// Refuses a Kubernetes that Calico's manifest cannot be applied to.
pub(super) fn fits(kubernetes: &Kubernetes) -> Result<(), ArtifactError> {
    if kubernetes.version.parse::<Version>().is_ok_and(|version| version.minor < CALICO_SINCE) {
        return Err(ArtifactError::Host {
            problem: format!(
                "Calico is applied by the API server, which Kubernetes does from 1.{CALICO_SINCE} on, and this is {}",
                kubernetes.version
            ),
            remedy: "ask for a newer one, as with `--kubernetes-version 1.36 --kubernetes-from upstream`, or take \
                     `network-plugin: bridge`"
                .into(),
        });
    }
    Ok(())
}

#[async_trait]
impl Sought for CalicoRelease {
    type Found = Calico;

    fn told(&self) -> (String, String) {
        let remedy = "name one that has it: `--calico-from upstream`, mirror:URL for a site that is laid out like Calico's \
                      releases, or folder:PATH for an unpacked one; or take `network-plugin: bridge`";
        (format!("Calico {}", self.version), remedy.to_owned())
    }

    async fn look(
        &self,
        source: &Source,
        folders: &Folders,
        cancel: &CancellationToken,
    ) -> Result<Outcome<Calico>, ArtifactError> {
        match source {
            Source::Debian => Ok(Outcome::No("Debian has no Calico".into())),
            Source::Folder(path) => in_folder(path, self, cancel).await,
            Source::Cache | Source::Mirror(_) | Source::Upstream => {
                match (cached(source.site(UPSTREAM), self, folders), source) {
                    (Some(calico), _) => Ok(Outcome::Here(calico)),
                    (None, Source::Cache) => Ok(Outcome::No(format!("has no {}", self.version))),
                    (None, _) => Ok(Outcome::Unknown),
                }
            }
        }
    }

    async fn work(&self, source: &Source, context: &Context) -> Result<Outcome<Calico>, ArtifactError> {
        match source.site(UPSTREAM) {
            Some(url) => from_site(url, self, context).await,
            None => Ok(Outcome::Unknown),
        }
    }
}

/// An unpacked release of the user's, used where it lies.
async fn in_folder(
    path: &Path,
    release: &CalicoRelease,
    cancel: &CancellationToken,
) -> Result<Outcome<Calico>, ArtifactError> {
    if release.sha256.is_some() {
        return Ok(Outcome::No(
            "is unpacked, so there is no archive to hold against the checksum that is asked for".into(),
        ));
    }
    let path = std::path::absolute(path).map_err(ArtifactError::file("find", path))?;
    match parts(&path, &release.version) {
        Ok((manifest, images)) => {
            let archives = images.iter().map(|image| image.archive.clone());
            let files: Vec<PathBuf> = [manifest.clone()].into_iter().chain(archives).collect();
            let sha256 = checksums(&files, cancel).await?;
            let (version, source, folder) = (release.version.clone(), format!("folder {}", path.display()), path);
            Ok(Outcome::Here(Calico { version, source, folder, manifest, images, sha256 }))
        }
        Err(said) => Ok(Outcome::No(said)),
    }
}

/// What was downloaded before, from one site or from any.
fn cached(site: Option<&str>, release: &CalicoRelease, folders: &Folders) -> Option<Calico> {
    let (prefix, end) = (site.map(download::site_name).unwrap_or_default(), format!("-v{}", release.version));
    let entries = std::fs::read_dir(folders.calico()).into_iter().flatten().flatten().map(|entry| entry.path());
    let fits = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(&end));
    let mut found: Vec<PathBuf> = entries.filter(|path| path.file_name().is_some_and(fits)).collect();
    found.sort();
    for folder in found {
        let Ok(sum) = std::fs::read_to_string(folder.join(SUM)) else { continue };
        if release.sha256.as_ref().is_some_and(|wanted| *wanted != sum) {
            continue;
        }
        let Ok((manifest, images)) = parts(&folder, &release.version) else { continue };
        let source = std::fs::read_to_string(folder.join("origin")).unwrap_or_else(|_| "a release site".into());
        let (version, sha256) = (release.version.clone(), [(archive_name(&release.version), sum)].into());
        return Some(Calico { version, source, folder, manifest, images, sha256 });
    }
    None
}

fn archive_name(version: &str) -> String {
    format!("release-v{version}.tgz")
}

/// The manifest and the images that it names, in an unpacked release, or what that lacks.
fn parts(folder: &Path, version: &str) -> Result<(PathBuf, Vec<CalicoImage>), String> {
    let manifest = folder.join(MANIFEST);
    let Ok(text) = std::fs::read_to_string(&manifest) else { return Err(format!("lacks {MANIFEST}")) };
    let named = images_of(&text);
    if let Some(other) = named.iter().find(|name| !name.ends_with(&format!(":v{version}"))) {
        return Err(format!("has a {MANIFEST} with {other}, and v{version} is asked for"));
    }
    let saved = saved(&folder.join(IMAGES));
    let mut images = Vec::new();
    for name in named {
        let Some((tag, archive)) = saved.iter().find(|(tag, _)| short(tag) == short(&name)) else {
            return Err(format!("lacks an archive of {name} in {IMAGES}/"));
        };
        images.push(CalicoImage { named: name, imported: normal(tag), archive: archive.clone() });
    }
    if images.is_empty() { Err(format!("has a {MANIFEST} without an image")) } else { Ok((manifest, images)) }
}

/// The images that a manifest names.
fn images_of(manifest: &str) -> Vec<String> {
    let names = manifest.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("image: "));
    let bare = |name: &str| name.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']).to_owned();
    let mut names: Vec<String> = names.map(bare).collect();
    names.sort();
    names.dedup();
    names
}

/// The name and the tag of an image without its registry and folder.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The full name of an image: without a registry it means Docker's.
/// <https://github.com/distribution/reference/blob/v0.6.0/normalize.go>
fn normal(name: &str) -> String {
    match name.split_once('/') {
        None => format!("docker.io/library/{name}"),
        Some((first, _)) if first == "localhost" || first.contains(['.', ':']) => name.to_owned(),
        Some(_) => format!("docker.io/{name}"),
    }
}

/// The names of all images in a folder of archives.
fn saved(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut archives: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    archives.retain(|path| path.extension().is_some_and(|extension| extension == "tar"));
    archives.sort();
    // One that cannot be read has no image that anybody could take.
    let each = archives.into_iter().map(|archive| (names_in(&archive).unwrap_or_default(), archive));
    each.flat_map(|(names, archive)| names.into_iter().map(move |name| (name, archive.clone()))).collect()
}

fn names_in(archive: &Path) -> std::io::Result<Vec<String>> {
    for entry in tar::Archive::new(File::open(archive)?).entries_with_seek()? {
        let entry = entry?;
        if entry.path()?.as_os_str() == "manifest.json" {
            let saved: Vec<Saved> = serde_json::from_reader(entry)?;
            return Ok(saved.into_iter().flat_map(|image| image.repo_tags.unwrap_or_default()).collect());
        }
    }
    Ok(Vec::new())
}

/// Downloads a release from a site that is laid out like Calico's own: `URL/v3.32.1/release-v3.32.1.tgz`, with `SHA256SUMS`
/// beside it.
async fn from_site(url: &str, release: &CalicoRelease, context: &Context) -> Result<Outcome<Calico>, ArtifactError> {
    let (version, site) = (&release.version, url);
    let name = format!("{}-v{version}", download::site_name(site));
    let folder = context.folders.calico();
    let lock =
        lock(&folder.join(format!("{}.lock", download::site_name(site))), &context.span, &context.cancel).await?;
    // Another quorate may have got it meanwhile.
    if let Some(calico) = cached(Some(site), release, &context.folders) {
        return Ok(Outcome::Here(calico));
    }
    let (out, part, archive_name) = (folder.join(&name), folder.join(format!("{name}.part")), archive_name(version));
    let url = format!("{site}/v{version}/{archive_name}");
    let published = match download::published(&format!("{site}/v{version}"), &archive_name, context).await? {
        Ok(sum) => sum,
        Err(said) => return Ok(Outcome::No(said)),
    };
    if let Some(wanted) = release.sha256.as_ref().filter(|wanted| **wanted != published) {
        return Err(ArtifactError::Host {
            problem: format!("{url} is published with the SHA-256 {published}, and {wanted} was asked for"),
            remedy: "find out which of the two is right, and write that one behind `@sha256:` of the network plugin"
                .into(),
        });
    }
    context.folders.want_space(&format!("download Calico {version}"), SPACE)?;
    std::fs::create_dir_all(&part).map_err(ArtifactError::file("make", &part))?;
    let archive = part.join(&archive_name);
    if let Err(said) = download::fetch(&url, &archive, &published, 0o644, context).await? {
        return Ok(Outcome::No(said));
    }
    context.span.progress(format!("unpacking Calico {version}"));
    // Who is interrupted goes on to unpack until the next file, and keeps others out until then.
    let (held, cancel) = (Arc::new(lock), context.cancel.clone());
    let (of, to, keep) = (version.clone(), part.clone(), Arc::clone(&held));
    let unpacked = move || {
        let _keep = keep;
        unpack(&archive, &to, &of, &cancel)
    };
    if let Err(said) = download::blocking(&context.cancel, unpacked).await? {
        return Ok(Outcome::No(format!("{url} {said}")));
    }
    for (name, text) in [(SUM, &published), ("origin", &format!("release site {site}"))] {
        std::fs::write(part.join(name), text).map_err(ArtifactError::file("write", &part.join(name)))?;
    }
    // What is there is damaged, or another one under the same name.
    if out.exists() {
        std::fs::remove_dir_all(&out).map_err(ArtifactError::file("remove", &out))?;
    }
    std::fs::rename(&part, &out).map_err(ArtifactError::file("rename", &part))?;
    drop(held);
    Ok(match cached(Some(site), release, &context.folders) {
        Some(calico) => Outcome::Here(calico),
        None => Outcome::No(format!("{} is gone again", out.display())),
    })
}

/// Takes the manifest and its images out of a release's archive, which is not needed then. Returns what it lacks, if so.
fn unpack(
    archive: &Path,
    to: &Path,
    version: &str,
    cancel: &CancellationToken,
) -> Result<Result<(), String>, ArtifactError> {
    let failed = ArtifactError::file("unpack", archive);
    let images = to.join(IMAGES);
    let take = || {
        std::fs::create_dir_all(&images)?;
        std::fs::create_dir_all(to.join(MANIFEST).parent().unwrap_or(to))?;
        for entry in tar::Archive::new(GzDecoder::new(File::open(archive)?)).entries()? {
            if cancel.is_cancelled() {
                break;
            }
            let mut entry = entry?;
            // All of it lies in a folder `release-vVERSION`.
            let inner: PathBuf = entry.path()?.components().skip(1).collect();
            let is_image = inner.parent() == Some(Path::new(IMAGES)) && inner.extension() == Some(OsStr::new("tar"));
            if entry.header().entry_type().is_file() && (is_image || inner == Path::new(MANIFEST)) {
                entry.unpack(to.join(&inner))?;
            }
        }
        Ok(())
    };
    take().map_err(failed)?;
    if cancel.is_cancelled() {
        return Err(ArtifactError::Cancelled);
    }
    let needed = match parts(to, version) {
        Ok((_, needed)) => needed,
        Err(said) => return Ok(Err(said)),
    };
    let clear = || {
        for entry in std::fs::read_dir(&images)? {
            let path = entry?.path();
            if !needed.iter().any(|image| image.archive == path) {
                std::fs::remove_file(path)?;
            }
        }
        std::fs::remove_file(archive)
    };
    clear().map_err(ArtifactError::file("clear", &images))?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests;
