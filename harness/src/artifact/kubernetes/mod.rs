//! A set of Kubernetes' binaries in a folder, and what can be learned about it from themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::error::ArtifactError;
use super::version::Version;
use crate::process::{Command, ProcessError};

/// The programs that machines and their container images are made from.
pub(super) const BINARIES: [&str; 7] =
    ["kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"];

/// How Debian's source package is built.
pub(super) const BUILD: &str = include_str!("build.sh");

/// The workload's image, which is assembled beside those that kubeadm wants.
const WORKLOAD_IMAGE: &str = "docker.io/hectorvido/sh-cgi:latest";

/// A function of kubelet that only one with dockershim has.
const DOCKERSHIM: &str = "pkg/kubelet/dockershim.NewDockerService";

/// A Kubernetes that machines can be made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// Its version, as `1.20.2`.
    pub version: String,
    /// Where it came from, in words.
    pub source: String,
    /// The folder with the binaries.
    pub folder: PathBuf,
    /// The lower-case hexadecimal SHA-256 sums of the binaries, by name.
    pub sha256: BTreeMap<String, String>,
    /// The names of the container images inside the node image: those that kubeadm asks for without CoreDNS, and
    /// the workload's.
    pub images: Vec<String>,
    /// Whether kubelet can use Docker as its runtime.
    pub has_dockershim: bool,
}

/// What is kept about a folder of binaries, so that it need not be looked at again.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    stamps: BTreeMap<String, (u64, u128)>,
    version: String,
    source: String,
    sha256: BTreeMap<String, String>,
    images: Vec<String>,
    has_dockershim: bool,
}

impl Kubernetes {
    /// Looks at a folder with binaries. `record` is a file that keeps what was found for as long as no binary changes.
    pub(super) async fn in_folder(
        folder: &Path,
        source: &str,
        record: &Path,
        cancel: &CancellationToken,
    ) -> Result<Self, ArtifactError> {
        let stamps = stamps(folder)?;
        if let Some(known) = recorded(record).filter(|known| known.stamps == stamps) {
            return Ok(known.into_kubernetes(folder));
        }
        let version = ask_version(folder, cancel).await?;
        let known = Record {
            sha256: checksums(&BINARIES.map(|name| folder.join(name)), cancel).await?,
            images: ask_images(folder, &version, cancel).await?,
            has_dockershim: contains(&folder.join("kubelet"), DOCKERSHIM, cancel).await?,
            version: version.to_string(),
            source: source.to_owned(),
            stamps,
        };
        let text =
            serde_json::to_vec_pretty(&known).map_err(|error| ArtifactError::file("write", record)(error.into()))?;
        let part = record.with_extension(format!("{}.part", std::process::id()));
        std::fs::write(&part, text).map_err(ArtifactError::file("write", &part))?;
        std::fs::rename(&part, record).map_err(ArtifactError::file("write", record))?;
        Ok(known.into_kubernetes(folder))
    }

    /// The names of binaries that a folder lacks.
    pub(super) fn missing(folder: &Path) -> Vec<&'static str> {
        BINARIES.into_iter().filter(|name| !folder.join(name).is_file()).collect()
    }
}

/// Where a complete folder in the cache came from.
pub(super) fn recorded_source(record: &Path) -> Option<String> {
    recorded(record).map(|known| known.source)
}

fn recorded(record: &Path) -> Option<Record> {
    serde_json::from_slice(&std::fs::read(record).ok()?).ok()
}

impl Record {
    fn into_kubernetes(self, folder: &Path) -> Kubernetes {
        let Self { version, source, sha256, images, has_dockershim, .. } = self;
        Kubernetes { version, source, folder: folder.to_owned(), sha256, images, has_dockershim }
    }
}

/// Size and time of change of each binary.
fn stamps(folder: &Path) -> Result<BTreeMap<String, (u64, u128)>, ArtifactError> {
    let stamp = |name: &&str| {
        let path = folder.join(name);
        let file = std::fs::metadata(&path).map_err(ArtifactError::file("look at", &path))?;
        let changed = file.modified().map_err(ArtifactError::file("look at", &path))?;
        Ok(((*name).to_owned(), (file.len(), changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos())))
    };
    BINARIES.iter().map(stamp).collect()
}

async fn ask_version(folder: &Path, cancel: &CancellationToken) -> Result<Version, ArtifactError> {
    let kubeadm = folder.join("kubeadm");
    let ask = Command::new(&kubeadm).args(["version", "--output", "short"]);
    let answer = ask.run_async(cancel).await.map_err(ArtifactError::command("ask kubeadm for its version"))?;
    let version: Version =
        answer.stdout.trim().parse().map_err(|error: super::version::NotAVersion| ArtifactError::Host {
            problem: format!("{} tells no version: {error}", kubeadm.display()),
            remedy: "take binaries of a release of Kubernetes".into(),
        })?;
    let kubelet = Command::new(folder.join("kubelet")).arg("--version").run_async(cancel).await;
    let kubelet = kubelet.map_err(ArtifactError::command("ask kubelet for its version"))?.stdout;
    if kubelet.trim().strip_prefix("Kubernetes v") != Some(&version.to_string()) {
        return Err(ArtifactError::Host {
            problem: format!(
                "the binaries in {} do not belong together: kubeadm is {version}, kubelet says `{}`",
                folder.display(),
                kubelet.trim()
            ),
            remedy: "take all of them from the same release".into(),
        });
    }
    Ok(version)
}

async fn ask_images(
    folder: &Path,
    version: &Version,
    cancel: &CancellationToken,
) -> Result<Vec<String>, ArtifactError> {
    let version = format!("v{version}");
    let ask = Command::new(folder.join("kubeadm")).args(["config", "images", "list", "--kubernetes-version", &version]);
    let answer =
        ask.run_async(cancel).await.map_err(ArtifactError::command("ask kubeadm for the images that it wants"))?;
    let names = answer.stdout.lines().map(str::trim).filter(|name| !name.is_empty() && !name.contains("/coredns"));
    Ok(names.chain([WORKLOAD_IMAGE]).map(str::to_owned).collect())
}

/// SHA-256 sums in lower-case hexadecimal, by file name.
pub(super) async fn checksums(
    files: &[PathBuf],
    cancel: &CancellationToken,
) -> Result<BTreeMap<String, String>, ArtifactError> {
    let answer = Command::new("sha256sum").arg("--").args(files).run_async(cancel).await;
    let answer = answer.map_err(ArtifactError::command("compute checksums"))?;
    let sum = |line: &str| {
        let (sum, path) = line.split_once("  ")?;
        Some((Path::new(path).file_name()?.to_str()?.to_owned(), sum.to_owned()))
    };
    Ok(answer.stdout.lines().filter_map(sum).collect())
}

/// Whether a file has this text somewhere.
async fn contains(path: &Path, text: &str, cancel: &CancellationToken) -> Result<bool, ArtifactError> {
    let grep =
        Command::new("grep").args(["--quiet", "--text", "--fixed-strings", "--", text]).arg(path).env("LC_ALL", "C");
    match grep.run_async(cancel).await {
        Ok(_) => Ok(true),
        Err(ProcessError::Status { status, .. }) if status.code() == Some(1) => Ok(false),
        Err(error) => Err(ArtifactError::command("look into kubelet")(error)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Stand-ins for the binaries that answer what is asked of real ones.
    pub(in crate::artifact) fn fake_binaries(folder: &Path, version: &str) {
        let staged = tempfile::tempdir().unwrap();
        for name in BINARIES {
            std::fs::write(staged.path().join(name), fake_binary(name, version)).unwrap();
        }
        // Another program puts them there: a file that this process had open for writing may be busy when it is run.
        let files = BINARIES.map(|name| staged.path().join(name));
        let install = Command::new("install").args(["-D", "-m", "755", "-t"]).arg(folder).args(files);
        install.run(&CancellationToken::new()).unwrap();
    }

    pub(in crate::artifact) fn fake_binary(name: &str, version: &str) -> String {
        let answer = match name {
            "kubeadm" => format!(
                "case $1 in version) echo v{version} ;; *) echo r.k8s.io/pause:3.2; echo r.k8s.io/coredns:1.7.0 ;; esac"
            ),
            "kubelet" => format!("echo Kubernetes v{version}"),
            other => format!("echo {other} {version}"),
        };
        format!("#!/bin/sh\n{answer}\n")
    }

    #[tokio::test]
    async fn a_folder_is_looked_at_once_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (bin, record) = (folder.path().join("bin"), folder.path().join("kubernetes.json"));
        fake_binaries(&bin, "1.20.2");
        let cancel = CancellationToken::new();
        let first = Kubernetes::in_folder(&bin, "test", &record, &cancel).await.unwrap();
        assert_eq!(first.version, "1.20.2");
        assert_eq!(first.images, ["r.k8s.io/pause:3.2", WORKLOAD_IMAGE]);
        assert_eq!(first.sha256.len(), BINARIES.len());
        assert!(!first.has_dockershim);
        assert_eq!(Kubernetes::in_folder(&bin, "test", &record, &cancel).await.unwrap(), first);
        fake_binaries(&bin, "1.20.15");
        assert_eq!(Kubernetes::in_folder(&bin, "test", &record, &cancel).await.unwrap().version, "1.20.15");
    }

    #[tokio::test]
    async fn binaries_of_two_releases_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        fake_binaries(folder.path(), "1.20.2");
        fake_binaries(other.path(), "1.21.0");
        std::fs::rename(other.path().join("kubelet"), folder.path().join("kubelet")).unwrap();
        let record = folder.path().join("kubernetes.json");
        let error = Kubernetes::in_folder(folder.path(), "test", &record, &CancellationToken::new()).await.unwrap_err();
        assert!(error.to_string().contains("do not belong together"), "{error}");
    }
}
