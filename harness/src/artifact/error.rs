//! Why the parts of a machine could not be had, and what to do about it.

use std::path::{Path, PathBuf};

use crate::process::ProcessError;
use crate::scenario::NEWEST;

/// Why there is no Kubernetes or no node image.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The work was interrupted; what was done so far is kept, and it goes on from there next time.
    #[error("getting the machines' parts was interrupted; it goes on from there when started again")]
    Cancelled,
    /// No source has the version that was asked for.
    #[error("no source has {wanted}:{}\n  mend it: {remedy}", answers_of(.answers))]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// What each source said, in the order in which they were asked.
        answers: Vec<Answer>,
        /// What to do about it.
        remedy: String,
    },
    /// It is newer than what a cluster can be made of here.
    #[error(
        "Kubernetes {wanted} is too new to be made a cluster of\n  \
         mend it: take {}.{} or older (`--kubernetes-version`, or `kubernetes: version:` of the topology); docs/node-image.md \
         says why, and which versions were tried",
        NEWEST.0, NEWEST.1
    )]
    TooNew {
        /// What was asked for, or what a source has.
        wanted: String,
    },
    /// A file is not the one that its publisher describes.
    #[error(
        "{url} has the wrong checksum: its SHA-256 is {found}, but {expected} is published for it\n  \
         mend it: the download was removed, so try again; if it happens again, the mirror is broken or tampered with"
    )]
    Checksum {
        /// Where it came from.
        url: String,
        /// The published SHA-256 in lower-case hexadecimal.
        expected: String,
        /// That of what was received.
        found: String,
    },
    /// A program failed.
    #[error("failed to {what}: {source}{}", mend(.remedy.as_deref()))]
    Command {
        /// What it was to do.
        what: String,
        /// How it failed.
        source: Box<ProcessError>,
        /// What to do about it, where that can be told from its output.
        remedy: Option<String>,
    },
    /// Something on the host is in the way.
    #[error("{problem}\n  mend it: {remedy}")]
    Host {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// There is too little space on a disk.
    #[error(
        "to {what}, {need} GiB must be free under {folder}, and there are {free} GiB\n  mend it: make room there, \
         or put the cache elsewhere with QUORATE_CACHE; `docker system df` shows what old images take",
        need = gib(*.need), free = gib(*.free), folder = .folder.display()
    )]
    Space {
        /// What needs the space.
        what: String,
        /// Where.
        folder: PathBuf,
        /// How many bytes it takes.
        need: u64,
        /// How many there are.
        free: u64,
    },
    /// A file or folder could not be used.
    #[error("failed to {what} {}: {source}{}", path.display(), mend(full(source)))]
    File {
        /// What was to be done, as `read`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What a source said when it was asked for a version that it does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The source.
    pub source: String,
    /// What it said, as a fragment that follows "source: ".
    pub said: String,
}

impl ArtifactError {
    /// Whether it is no error but an interruption.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Command { source, .. } => source.is_cancelled(),
            _ => false,
        }
    }

    /// For `map_err`: a failure to do something with a file.
    pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    /// For `map_err`: a program's failure to do something.
    pub(super) fn command(what: &str) -> impl FnOnce(ProcessError) -> Self {
        let what = what.to_owned();
        move |source| match source {
            ProcessError::Cancelled { .. } => Self::Cancelled,
            source => {
                let remedy = source.tail().iter().find_map(|line| remedy_for(line)).map(str::to_owned);
                Self::Command { what, source: Box::new(source), remedy }
            }
        }
    }
}

/// What helps against an error that a program printed, if the line is one that is known.
pub(super) fn remedy_for(line: &str) -> Option<&'static str> {
    let has = |patterns: &[&str]| patterns.iter().any(|pattern| line.contains(pattern));
    if has(&["No space left on device", "no space left on device"]) {
        Some(DISK_FULL)
    } else if has(&["Cannot connect to the Docker daemon", "permission denied while trying to connect"]) {
        Some("start the docker daemon, and see that you may use its socket (group docker)")
    } else if has(&[
        "Temporary failure resolving",
        "Could not resolve",
        "Unable to connect",
        "Could not connect",
        "Failed to fetch",
        "unable to download",
        "Couldn't download",
        "Failed getting release file",
        "connection timed out",
    ]) {
        Some(
            "no Debian mirror of the host's apt can be reached, and nothing is cached: see that `apt-get update` \
             works here, or bring the cache folder of a host where it does",
        )
    } else if has(&["a password is required", "a terminal is required"]) {
        Some(NEEDS_ROOT)
    } else {
        None
    }
}

pub(super) const DISK_FULL: &str = "the disk is full: make room, or put the cache elsewhere with QUORATE_CACHE; what \
                                    was done so far is kept and used next time";

pub(super) const NEEDS_ROOT: &str = "the tree that machines are made from belongs to root, and making it takes chroot and \
                                     mounts: run this as root, or allow sudo without a password, or do `sudo -v` just before";

fn answers_of(answers: &[Answer]) -> String {
    answers.iter().map(|Answer { source, said }| format!("\n    {source}: {said}")).collect()
}

fn mend(remedy: Option<&str>) -> String {
    remedy.map(|remedy| format!("\n  mend it: {remedy}")).unwrap_or_default()
}

fn full(error: &std::io::Error) -> Option<&'static str> {
    (error.kind() == std::io::ErrorKind::StorageFull).then_some(DISK_FULL)
}

fn gib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_how_to_mend_it() {
        let answer = |source: &str, said: &str| Answer { source: source.into(), said: said.into() };
        let errors = [
            ArtifactError::Cancelled,
            ArtifactError::NotFound {
                wanted: "Kubernetes 1.31.2".into(),
                answers: vec![answer("cache", "has 1.20.2"), answer("debian", "has 1.20.2")],
                remedy: "add a source".into(),
            },
            ArtifactError::Checksum { url: "http://m/kubelet".into(), expected: "aa".into(), found: "bb".into() },
            ArtifactError::Space { what: "build Kubernetes".into(), folder: "/c".into(), need: 6 << 30, free: 3 << 29 },
            ArtifactError::file("write", Path::new("/c/k"))(std::io::ErrorKind::StorageFull.into()),
            ArtifactError::file("read", Path::new("/c/k"))(std::io::ErrorKind::NotFound.into()),
            ArtifactError::Host { problem: "no sudo".into(), remedy: NEEDS_ROOT.into() },
        ];
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n\n"));
    }

    #[test]
    fn known_lines_of_output_have_a_remedy_and_others_none() {
        for (line, part) in [
            ("tar: x: Cannot write: No space left on device", Some("disk is full")),
            ("Error processing tar file: write /x: no space left on device", Some("disk is full")),
            ("Err:1 http://m bookworm InRelease  Temporary failure resolving 'm'", Some("mirror")),
            ("E: Failed getting release file http://m/dists/bookworm/Release", Some("mirror")),
            ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", Some("docker daemon")),
            ("sudo: a password is required", Some("root")),
            ("cmd/kubelet/app/server.go:1:1: expected 'package'", None),
        ] {
            let remedy = remedy_for(line);
            assert_eq!(remedy.is_some(), part.is_some(), "{line}");
            assert!(part.is_none_or(|part| remedy.is_some_and(|remedy| remedy.contains(part))), "{line}");
        }
    }
}
