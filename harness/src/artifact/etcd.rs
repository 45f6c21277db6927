//! The etcd of clusters: Debian's, which every tree has, or another one where Kubernetes wants a newer one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use flate2::read::GzDecoder;
use tokio_util::sync::CancellationToken;

use super::apt::SUITE;
use super::download::{self, architecture};
use super::error::ArtifactError;
use super::folders::{Folders, lock};
use super::kubernetes::{Kubernetes, checksums};
use super::source::{Context, Outcome, Sought, Source};
use super::version::Version;
use crate::process::Command;

/// The programs of a member's container image.
const BINARIES: [&str; 2] = ["etcd", "etcdctl"];

/// What [`SUITE`] has, which gets no newer one.
const DEBIAN: &str = "3.4.23";

/// <https://etcd.io/docs/v3.6/install/#install-pre-built-binaries>
const UPSTREAM: &str = "https://github.com/etcd-io/etcd/releases/download";

/// What a release takes while it is unpacked, with some room.
const SPACE: u64 = 1 << 28;

/// From which minor version of Kubernetes on a member must be this new, the newest first.
const LEAST: [(u32, &str); 2] = [
    // `--feature-gates` and `--watch-progress-notify-interval`: <https://github.com/kubernetes/kubernetes/pull/135701>
    (36, "3.6.0"),
    // Probes of `/livez` and `/readyz`: <https://github.com/kubernetes/kubernetes/pull/124465>
    (31, "3.5.11"),
];

/// The etcd of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etcd {
    /// Its version, as `3.6.8`.
    pub version: String,
    /// Where it came from, in words.
    pub source: String,
    /// The folder with its programs; none for Debian's, which is in the machines' tree.
    pub folder: Option<PathBuf>,
    /// The lower-case hexadecimal SHA-256 sums of its programs, by name; none for Debian's.
    pub sha256: BTreeMap<String, String>,
}

/// What a Kubernetes wants of its etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Which Kubernetes it is.
    of: String,
    /// The version whose image kubeadm asks for.
    named: Option<Version>,
    /// The oldest one that kubeadm's way to start and probe it works with.
    least: Option<Version>,
}

impl Need {
    pub(super) fn of(kubernetes: &Kubernetes) -> Self {
        let minor = kubernetes.version.parse::<Version>().map_or(0, |version| version.minor);
        let least = LEAST.into_iter().find(|(from, _)| minor >= *from).and_then(|(_, version)| version.parse().ok());
        let tag = kubernetes.images.iter().find_map(|image| Some(image.rsplit_once("/etcd:")?.1));
        // What follows is the number of the image's build, as in `3.6.8-0`.
        let named = tag.and_then(|tag| tag.split('-').next()?.parse().ok());
        Self { of: kubernetes.version.clone(), named, least }
    }

    fn is_met_by(&self, version: &Version) -> bool {
        self.least.as_ref().is_none_or(|least| version >= least)
    }

    fn wanted(&self) -> String {
        let least = self.least.as_ref().map(|least| format!(", which wants {least} or newer")).unwrap_or_default();
        format!("etcd for Kubernetes {}{least}", self.of)
    }
}

#[async_trait]
impl Sought for Need {
    type Found = Etcd;

    fn told(&self) -> (String, String) {
        let remedy = "name one that has it: `--etcd-from upstream`, mirror:URL for a site that is laid out like etcd's releases, \
                      or folder:PATH";
        (self.wanted(), remedy.to_owned())
    }

    async fn look(
        &self,
        source: &Source,
        folders: &Folders,
        cancel: &CancellationToken,
    ) -> Result<Outcome<Etcd>, ArtifactError> {
        match (source, &self.named) {
            (Source::Debian, _) => Ok(debian(self)),
            (Source::Folder(path), _) => in_folder(path, self, cancel).await,
            (Source::Cache | Source::Mirror(_) | Source::Upstream, None) => {
                Ok(Outcome::No("kubeadm names no version of etcd".into()))
            }
            (other, Some(named)) => match (cached(other.site(UPSTREAM), named, folders, cancel).await?, other) {
                (Some(etcd), _) => Ok(Outcome::Here(etcd)),
                (None, Source::Cache) => Ok(Outcome::No(format!("has no {named}"))),
                (None, _) => Ok(Outcome::Unknown),
            },
        }
    }

    async fn work(&self, source: &Source, context: &Context) -> Result<Outcome<Etcd>, ArtifactError> {
        match (source.site(UPSTREAM), &self.named) {
            (Some(url), Some(named)) => from_site(url, named, context).await,
            _ => Ok(Outcome::Unknown),
        }
    }
}

fn debian(need: &Need) -> Outcome<Etcd> {
    if !DEBIAN.parse().is_ok_and(|version| need.is_met_by(&version)) {
        return Outcome::No(format!("{SUITE} has {DEBIAN}"));
    }
    let source = "Debian's package etcd-server".to_owned();
    Outcome::Here(Etcd { version: DEBIAN.into(), source, folder: None, sha256: BTreeMap::new() })
}

/// The programs that a folder lacks.
fn missing(folder: &Path) -> Vec<&'static str> {
    BINARIES.into_iter().filter(|name| !folder.join(name).is_file()).collect()
}

/// A folder of the user's, used where it lies.
async fn in_folder(path: &Path, need: &Need, cancel: &CancellationToken) -> Result<Outcome<Etcd>, ArtifactError> {
    if !path.is_dir() {
        return Ok(Outcome::No("is not a folder".into()));
    }
    let missing = missing(path);
    if !missing.is_empty() {
        return Ok(Outcome::No(format!("lacks {}", missing.join(", "))));
    }
    // Whatever is not static fails: `not a dynamic executable`.
    let libraries = Command::new("ldd").args(BINARIES.map(|name| path.join(name))).run_async(cancel).await;
    if libraries.is_ok() {
        return Ok(Outcome::No(
            "has programs that need libraries, which the image of etcd lacks; releases do not".into(),
        ));
    }
    let path = std::path::absolute(path).map_err(ArtifactError::file("find", path))?;
    let etcd = open(&path, format!("folder {}", path.display()), cancel).await?;
    match etcd.version.parse() {
        Ok(version) if need.is_met_by(&version) => Ok(Outcome::Here(etcd)),
        _ => Ok(Outcome::No(format!("has {}", etcd.version))),
    }
}

async fn open(folder: &Path, source: String, cancel: &CancellationToken) -> Result<Etcd, ArtifactError> {
    let program = folder.join("etcd");
    let ask = Command::new(&program).arg("--version");
    let answer = ask.run_async(cancel).await.map_err(ArtifactError::command("ask etcd for its version"))?.stdout;
    let version = answer.lines().find_map(|line| line.strip_prefix("etcd Version: ")?.trim().parse::<Version>().ok());
    let Some(version) = version else {
        return Err(ArtifactError::Host {
            problem: format!("{} tells no version: it says `{}`", program.display(), answer.trim()),
            remedy: "take the programs of a release of etcd".into(),
        });
    };
    let sha256 = checksums(&BINARIES.map(|name| folder.join(name)), cancel).await?;
    Ok(Etcd { version: version.to_string(), source, folder: Some(folder.to_owned()), sha256 })
}

/// What was downloaded before, from one site or from any.
async fn cached(
    site: Option<&str>,
    version: &Version,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Option<Etcd>, ArtifactError> {
    let (prefix, end) = (site.map(download::site_name).unwrap_or_default(), format!("-v{version}"));
    let entries = std::fs::read_dir(folders.etcd()).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut complete: Vec<PathBuf> = entries.filter(|path| missing(path).is_empty()).collect();
    complete.sort();
    let fits = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(&end));
    let Some(folder) = complete.into_iter().find(|path| path.file_name().is_some_and(fits)) else {
        return Ok(None);
    };
    let origin = std::fs::read_to_string(folder.join("origin")).unwrap_or_else(|_| "a release site".into());
    open(&folder, origin, cancel).await.map(Some)
}

/// Downloads a release from a site that is laid out like etcd's own:
/// `URL/v3.6.8/etcd-v3.6.8-linux-amd64.tar.gz`, with `SHA256SUMS` beside it.
async fn from_site(url: &str, version: &Version, context: &Context) -> Result<Outcome<Etcd>, ArtifactError> {
    let name = format!("{}-v{version}", download::site_name(url));
    let folder = context.folders.etcd();
    let _lock =
        lock(&folder.join(format!("{}.lock", download::site_name(url))), &context.span, &context.cancel).await?;
    let (out, part) = (folder.join(&name), folder.join(format!("{name}.part")));
    if !out.is_dir() {
        context.folders.want_space(&format!("download etcd {version}"), SPACE)?;
        std::fs::create_dir_all(&part).map_err(ArtifactError::file("make", &part))?;
        let release = format!("etcd-v{version}-linux-{}", architecture());
        let archive = part.join(format!("{release}.tar.gz"));
        if let Err(said) = archived(&format!("{url}/v{version}"), &archive, context).await? {
            return Ok(Outcome::No(said));
        }
        let to = part.clone();
        let lacks = download::blocking(&context.cancel, move || unpack(&archive, &to)).await?;
        if !lacks.is_empty() {
            return Ok(Outcome::No(format!("{url}/v{version}/{release}.tar.gz lacks {}", lacks.join(", "))));
        }
        let origin = part.join("origin");
        std::fs::write(&origin, format!("release site {url}")).map_err(ArtifactError::file("write", &origin))?;
        std::fs::rename(&part, &out).map_err(ArtifactError::file("rename", &part))?;
    }
    Ok(Outcome::Here(open(&out, format!("release site {url}"), &context.cancel).await?))
}

async fn archived(url: &str, archive: &Path, context: &Context) -> Result<Result<(), String>, ArtifactError> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let published = match download::published(url, &name, context).await? {
        Ok(sum) => sum,
        Err(said) => return Ok(Err(said)),
    };
    download::fetch(&format!("{url}/{name}"), archive, &published, 0o644, context).await
}

/// Takes the programs out of a release's archive, which is not needed then. Returns those that it lacks.
fn unpack(archive: &Path, to: &Path) -> Result<Vec<&'static str>, ArtifactError> {
    let failed = ArtifactError::file("unpack", archive);
    let take = || {
        let mut missing = BINARIES.to_vec();
        for entry in tar::Archive::new(GzDecoder::new(File::open(archive)?)).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
            if let Some(index) = missing.iter().position(|known| *known == name) {
                entry.unpack(to.join(missing.swap_remove(index)))?;
            }
        }
        std::fs::remove_file(archive)?;
        Ok(missing)
    };
    take().map_err(failed)
}

#[cfg(test)]
pub(super) mod tests;
