//! The image that machines of the docker provider are started from: Debian with systemd, sshd and what a node needs,
//! Kubernetes' programs, and the container images of a cluster already unpacked.
//!
//! The scripts beside this file make it; here is only what decides whether they have to run.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::apt::{Apt, SUITE};
use super::error::ArtifactError;
use super::folders::{Folders, want_space};
use super::hex;
use super::script::{Script, as_root};
use super::tools;
use crate::process::{Command, ProcessError};
use crate::record::Span;

/// What a tree and its downloads take while it is made, with some room.
const TREE_SPACE: u64 = 3 << 29;
/// What an image takes in the cache while it is made, and again at the engine.
const IMAGE_SPACE: u64 = 1 << 30;
/// What a bundle takes while it is made: packages, images, and both again as an archive.
const BUNDLE_SPACE: u64 = 3 << 29;
/// What images are called at the docker engine.
pub(super) const REPOSITORY: &str = "quorate/node:";
/// How many hexadecimal digits of a key name a thing.
const KEY: usize = 16;

/// Files that a tree depends on, by name.
const TREE_FILES: &[(&str, &str)] = &[
    ("tree.sh", include_str!("tree.sh")),
    ("configure.sh", include_str!("configure.sh")),
    ("packages.txt", include_str!("packages.txt")),
    ("files.txt", include_str!("files.txt")),
    ("crictl", include_str!("files/crictl")),
    ("crictl.yaml", include_str!("files/crictl.yaml")),
    ("dpkg-quorate", include_str!("files/dpkg-quorate")),
    ("journald.conf", include_str!("files/journald.conf")),
    ("kubelet-kubeadm.conf", include_str!("files/kubelet-kubeadm.conf")),
    ("kubelet.service", include_str!("files/kubelet.service")),
    ("node-init", include_str!("files/node-init")),
    ("ssh-hostkey.conf", include_str!("files/ssh-hostkey.conf")),
    ("sshd.conf", include_str!("files/sshd.conf")),
    ("system.conf", include_str!("files/system.conf")),
];

/// Files that an image depends on beyond those of its tree.
const IMAGE_FILES: &[(&str, &str)] = &[
    ("image.sh", include_str!("image.sh")),
    ("images.sh", include_str!("images.sh")),
    ("containerd.toml", include_str!("files/containerd.toml")),
    ("pause.c", include_str!("pause.c")),
    ("sh-cgi-index", include_str!("files/sh-cgi-index")),
];

/// Files that a bundle depends on, beyond those that images are assembled with.
const BUNDLE_FILES: &[(&str, &str)] = &[
    ("bundle.sh", include_str!("bundle.sh")),
    ("install.sh", include_str!("install.sh")),
    ("vm-files.txt", include_str!("vm-files.txt")),
];

/// What the names of a tree and of an image are made from.
fn key<'a>(parts: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut digest = Sha256::new();
    for (name, content) in parts {
        // Lengths keep two lists of parts with the same concatenation apart.
        digest.update(format!("{} {} ", name.len(), content.len()));
        digest.update(name);
        digest.update(content);
    }
    hex(&digest.finalize())[..KEY].to_owned()
}

/// The names of what images and bundles are made with, whether it exists or not.
pub(super) fn made_with() -> [String; 2] {
    [tree_name(), tools_name()]
}

fn tree_name() -> String {
    format!("tree-{}", tree_key())
}

fn tools_name() -> String {
    format!("tools-{}", key(tools_files()))
}

fn tools_files() -> impl Iterator<Item = (&'static str, &'static str)> {
    TREE_FILES.iter().chain(IMAGE_FILES).chain(BUNDLE_FILES).copied()
}

fn tree_key() -> String {
    key(TREE_FILES.iter().copied().chain([("suite", SUITE), ("architecture", std::env::consts::ARCH)]))
}

/// The name of the image for a Kubernetes, whether it exists or not.
pub(super) fn reference(parts: &Parts) -> String {
    format!("{REPOSITORY}{}", key_with(&[], parts))
}

/// The name of the bundle for a Kubernetes, whether it exists or not.
pub(super) fn bundle_reference(parts: &Parts) -> String {
    format!("bundle-{}", key_with(BUNDLE_FILES, parts))
}

fn key_with(files: &[(&str, &str)], parts: &Parts) -> String {
    let tree = tree_key();
    let images = parts.kubernetes.images.join("\n");
    let sums = parts.kubernetes.sha256.iter().chain(&parts.etcd.sha256);
    let sums = sums.chain(parts.calico.iter().flat_map(|calico| &calico.sha256));
    let sums = sums.map(|(name, sum)| (name.as_str(), sum.as_str()));
    let files = IMAGE_FILES.iter().chain(files).copied();
    key(files.chain([("tree", tree.as_str()), ("images", images.as_str())]).chain(sums))
}

/// The file of a bundle.
pub(super) fn bundle_file(folders: &Folders, reference: &str) -> PathBuf {
    folders.node().join(format!("{reference}.tar.gz"))
}

/// The SHA-256 sum of a bundle that is there.
pub(super) fn bundle_checksum(folders: &Folders, reference: &str) -> Option<String> {
    let file = bundle_file(folders, reference);
    let sum = std::fs::read_to_string(file.with_extension("gz.sha256")).ok().filter(|_| file.is_file())?;
    sum.split_whitespace().next().map(str::to_owned)
}

/// The id of the engine's image of this name, if it has one. Fails when there is no engine to ask.
pub(super) async fn image_id(reference: &str, cancel: &CancellationToken) -> Result<Option<String>, ArtifactError> {
    let ask = Command::new("docker").args(["image", "inspect", "--format", "{{.Id}}", reference]);
    match ask.deadline(Duration::from_secs(20)).run_async(cancel).await {
        Ok(output) => Ok(Some(output.stdout.trim().to_owned())),
        Err(error) if error.tail().iter().any(|line| line.contains("No such image")) => Ok(None),
        Err(ProcessError::Start { .. }) => Err(ArtifactError::Host {
            problem: "docker is not on the PATH".into(),
            remedy: "install it, as with `apt-get install --no-install-recommends docker.io`".into(),
        }),
        Err(error) => Err(ArtifactError::command("ask docker for the node image")(error)),
    }
}

/// What tools are wanted for.
const WHAT: &str = "to make the node image";

/// Makes the tree that images are made from, unless the cache has it.
pub(super) async fn tree(
    folders: &Folders,
    apt: &Apt,
    span: &Arc<Span>,
    cancel: &CancellationToken,
) -> Result<PathBuf, ArtifactError> {
    let name = tree_name();
    let (out, work) = (folders.node().join(&name), folders.node().join(format!("{name}.work")));
    if out.is_dir() {
        return Ok(out);
    }
    tools::want(WHAT, tools::TREE)?;
    folders.want_space("make the tree of the node image", TREE_SPACE)?;
    let tools = write_tools(folders)?;
    let command = as_root(&tools.join("tree.sh"), &apt.config, cancel).await?;
    let command = command.arg(&work).arg(&out).arg(SUITE).arg(&tools).arg(&apt.sources);
    let command =
        command.arg(apt.mirror.as_deref().unwrap_or_default()).arg(apt.keyring.as_deref().unwrap_or_default());
    let what = "make the tree of the node image";
    Script { what, name: "tree.sh", command, log: folders.log("tree") }.run(span, cancel).await?;
    Ok(out)
}

/// Makes the image `reference` from a tree and binaries.
pub(super) async fn image(
    reference: &str,
    tree: &Path,
    parts: &Parts,
    (folders, apt): (&Folders, &Apt),
    span: &Arc<Span>,
    cancel: &CancellationToken,
) -> Result<(), ArtifactError> {
    tools::want(WHAT, tools::IMAGE)?;
    let space = IMAGE_SPACE + taken_images(parts);
    folders.want_space("make the node image", space)?;
    if let Some(root) = engine_root(cancel).await? {
        want_space(&root, "store the node image at the docker engine", space)?;
    }
    let tools = write_tools(folders)?;
    let work = folders.node().join(format!("{}.work", reference.replace(['/', ':'], "-")));
    let command = as_root(&tools.join("image.sh"), &apt.config, cancel).await?;
    let command =
        command.arg(&work).arg(tree).args(folders_of(parts)).arg(&tools).arg(reference).args(images_of(parts));
    let (what, log) = ("make the node image", folders.log("node-image"));
    Script { what, name: "image.sh", command, log }.run(span, cancel).await
}

/// Makes the bundle `reference` from a tree and binaries.
pub(super) async fn bundle(
    reference: &str,
    tree: &Path,
    parts: &Parts,
    (folders, apt): (&Folders, &Apt),
    span: &Arc<Span>,
    cancel: &CancellationToken,
) -> Result<(), ArtifactError> {
    let what = "make the bundle of virtual machines";
    tools::want("to make the bundle of virtual machines", tools::BUNDLE)?;
    folders.want_space(what, BUNDLE_SPACE + 2 * taken_images(parts))?;
    let tools = write_tools(folders)?;
    let work = folders.node().join(format!("{reference}.work"));
    let command = as_root(&tools.join("bundle.sh"), &apt.config, cancel).await?;
    let command = command.arg(&work).arg(tree).args(folders_of(parts)).arg(&tools);
    let command = command.arg(bundle_file(folders, reference)).args(images_of(parts));
    Script { what, name: "bundle.sh", command, log: folders.log("bundle") }.run(span, cancel).await
}

/// The folders with the programs of Kubernetes and of etcd; an empty name for an etcd that the tree has.
fn folders_of(parts: &Parts) -> [&Path; 2] {
    [&parts.kubernetes.folder, parts.etcd.folder.as_deref().unwrap_or(Path::new(""))]
}

/// What `images.sh` is to make or to take: names of images, and archives of those that are made already.
fn images_of(parts: &Parts) -> impl Iterator<Item = &OsStr> {
    let archives = parts.calico.iter().flat_map(|calico| &calico.images).map(|image| image.archive.as_os_str());
    parts.kubernetes.images.iter().map(OsStr::new).chain(archives)
}

/// The bytes of images that are made already.
fn taken_images(parts: &Parts) -> u64 {
    let archives = parts.calico.iter().flat_map(|calico| &calico.images);
    archives.filter_map(|image| Some(std::fs::metadata(&image.archive).ok()?.len())).sum()
}

/// Where the engine keeps its images, if that is on this host.
async fn engine_root(cancel: &CancellationToken) -> Result<Option<PathBuf>, ArtifactError> {
    let ask = Command::new("docker").args(["info", "--format", "{{.DockerRootDir}}"]).deadline(Duration::from_secs(20));
    let answer = ask.run_async(cancel).await.map_err(ArtifactError::command("ask docker where it keeps images"))?;
    Ok(Some(PathBuf::from(answer.stdout.trim())).filter(|root| root.is_dir()))
}

/// Puts the scripts where a shell can run them. A folder of their own key, so that nobody changes a script that runs.
fn write_tools(folders: &Folders) -> Result<PathBuf, ArtifactError> {
    let folder = folders.node().join(tools_name());
    if folder.is_dir() {
        return Ok(folder);
    }
    let part = tempfile::Builder::new().prefix("tools-").suffix(".part").tempdir_in(folders.node());
    let part = part.map_err(ArtifactError::file("make a folder in", &folders.node()))?;
    for (name, content) in tools_files() {
        let path = part.path().join(name);
        std::fs::write(&path, content).map_err(ArtifactError::file("write", &path))?;
    }
    let readable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(part.path(), readable).map_err(ArtifactError::file("open up", part.path()))?;
    match std::fs::rename(part.path(), &folder) {
        Ok(()) => Ok(folder),
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(ArtifactError::file("rename", part.path())(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::artifact::{Etcd, Kubernetes};

    fn parts(change: impl FnOnce(&mut Parts)) -> Parts {
        let kubernetes = Kubernetes {
            version: "1.20.2".into(),
            source: "test".into(),
            folder: "/k".into(),
            sha256: [("kubelet".to_owned(), "aa".to_owned())].into(),
            images: vec!["r/pause:3.2".into()],
            has_dockershim: false,
        };
        let etcd = Etcd { version: "3.4.23".into(), source: "test".into(), folder: None, sha256: BTreeMap::new() };
        let mut parts = Parts { kubernetes, etcd, calico: None };
        change(&mut parts);
        parts
    }

    #[test]
    fn an_image_is_named_by_its_content_and_by_nothing_else() {
        let name = reference(&parts(|_| {}));
        assert!(name.starts_with("quorate/node:") && name.len() == "quorate/node:".len() + KEY, "{name}");
        let elsewhere = parts(|it| {
            (it.kubernetes.folder, it.kubernetes.source) = ("/other".into(), "elsewhere".into());
            it.etcd.folder = Some("/e".into());
        });
        assert_eq!(reference(&elsewhere), name);
        let others = [
            parts(|it| it.kubernetes.sha256 = [("kubelet".to_owned(), "ab".to_owned())].into()),
            parts(|it| it.kubernetes.images = vec!["r/pause:3.6".into()]),
            parts(|it| it.etcd.sha256 = [("etcd".to_owned(), "ac".to_owned())].into()),
        ];
        assert!(others.iter().all(|other| reference(other) != name));
    }

    #[test]
    fn parts_that_read_the_same_in_a_row_have_different_keys() {
        assert_ne!(key([("a", "bc")]), key([("ab", "c")]));
        assert_ne!(key([("a", "b"), ("c", "d")]), key([("a", "bc"), ("", "d")]));
    }

    #[test]
    fn every_file_that_the_tree_installs_is_embedded() {
        let text = |name: &str| TREE_FILES.iter().find(|(file, _)| *file == name).map(|(_, text)| *text).unwrap();
        for line in text("files.txt").lines() {
            let [mode, from, to] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert!(TREE_FILES.iter().any(|(name, _)| *name == from), "{from} is not embedded");
            assert!(matches!(mode, "644" | "755") && to.starts_with('/'), "{line}");
        }
    }
}
