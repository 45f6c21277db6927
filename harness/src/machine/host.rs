//! The host that machines are to be made on, as far as providers look at it: its files, and the tools on its PATH.
//!
//! Everything that says whether a provider can be used goes through here, so that a test can put another host in its place.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{Command, Output, ProcessError};

/// How long a tool may take to say its version or what it has. Vagrant takes a second, on a busy host several.
const ANSWER: Duration = Duration::from_secs(20);

/// A host: the root of its file system, and where its tools are looked up.
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    path: Option<OsString>,
}

impl Host {
    /// The host that this runs on.
    pub fn here() -> Self {
        Self { root: "/".into(), path: None }
    }

    /// A host whose files are below `root`, and whose tools are in the folders of `path`, as in the variable PATH.
    pub fn at(root: impl Into<PathBuf>, path: impl Into<OsString>) -> Self {
        Self { root: root.into(), path: Some(path.into()) }
    }

    /// Where a file of the host is, that is named as on the host itself.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Whether there is such a file or folder.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.file(path).exists()
    }

    /// The text of a file, if there is one that can be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.file(path)).ok()
    }

    /// Whether a tool is there.
    pub fn has(&self, tool: &str) -> bool {
        self.find(tool).is_some()
    }

    fn find(&self, tool: &str) -> Option<PathBuf> {
        let path = self.path.clone().or_else(|| std::env::var_os("PATH"))?;
        std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file())
    }

    /// Asks a tool something, in the language that its answers are read in.
    pub(super) async fn ask(
        &self,
        tool: &str,
        args: &[&str],
        cancel: &CancellationToken,
    ) -> Result<Output, ProcessError> {
        let missing = || ProcessError::Start { program: tool.to_owned(), source: std::io::ErrorKind::NotFound.into() };
        let program = self.find(tool).ok_or_else(missing)?;
        let label = std::iter::once(&tool).chain(args).copied().collect::<Vec<_>>().join(" ");
        let command = Command::new(program).args(args).label(label).deadline(ANSWER);
        command.env("LC_ALL", "C").env("VAGRANT_CHECKPOINT_DISABLE", "1").run_async(cancel).await
    }

    /// The release of the kernel.
    pub(super) fn kernel(&self) -> Option<Release> {
        Release::parse(self.read("/proc/sys/kernel/osrelease")?.trim())
    }
}

/// The numbers that the version of a tool begins with, whatever a distribution has put after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Release(pub(super) u32, pub(super) u32, pub(super) u32);

impl Release {
    /// Reads texts such as `7.0.20r163906`, `6.18.44-fc-v669` or `20.10.24+dfsg1`; what is left out is 0.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').map(|number| number.parse::<u32>().ok());
        let first = numbers.next()??;
        let mut next = || numbers.next().flatten().unwrap_or(0);
        Some(Self(first, next(), next()))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_what_a_version_begins_with() {
        for (text, expected) in [
            ("7.0.20r163906", Some(Release(7, 0, 20))),
            ("7.0.16_Ubuntur162802", Some(Release(7, 0, 16))),
            ("2.4.2.dev", Some(Release(2, 4, 2))),
            ("6.18.44-fc-v669", Some(Release(6, 18, 44))),
            ("20.10.24+dfsg1", Some(Release(20, 10, 24))),
            ("6.12", Some(Release(6, 12, 0))),
            ("WARNING: The", None),
            ("", None),
        ] {
            assert_eq!(Release::parse(text), expected, "{text}");
        }
        assert!(Release(6, 9, 0) < Release(6, 12, 0) && Release(6, 1, 50) < Release(7, 0, 0));
    }

    #[tokio::test]
    async fn only_the_tools_of_the_host_are_asked() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::at(folder.path(), folder.path());
        assert!(!host.has("sh"));
        assert!(host.ask("no-such-tool", &[], &CancellationToken::new()).await.is_err());
        assert!(Host::here().has("sh"));
    }
}
