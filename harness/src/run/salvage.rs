//! The journal of a machine that could not be entered, as text: from its files, which were salvaged from its disk.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{Command, ProcessError, is_on_path};

/// How long this host's journalctl may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Why there is no text of a journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
}

/// Writes the journal that is in a tar file of `/var/log` to the file `to`, in the form of `journal.sh`. Says whether that is
/// done: not where this host has no journalctl, or the machine had no journal.
pub(super) async fn journal(tar: &Path, to: &Path) -> Result<bool, Unreadable> {
    if !is_on_path("journalctl") {
        return Ok(false);
    }
    let files = tempfile::Builder::new().prefix("journal-").tempdir_in(to.parent().unwrap_or(Path::new(".")))?;
    if unpack(tar, files.path())? == 0 {
        return Ok(false);
    }
    let read = Command::new("journalctl").args(["--no-pager", "--output", "short-iso-precise", "--directory"]);
    // As the machines' clocks are.
    let read = read.arg(files.path()).env("TZ", "UTC").stdout_to(to).deadline(DEADLINE);
    read.run_async(&CancellationToken::new()).await?;
    Ok(true)
}

/// Unpacks the files of a journal, and says how many there are.
fn unpack(tar: &Path, to: &Path) -> std::io::Result<usize> {
    let mut archive = tar::Archive::new(File::open(tar)?);
    let mut files = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if path.extension() == Some(OsStr::new("journal"))
            && let Some(name) = path.file_name()
        {
            std::io::copy(&mut entry, &mut File::create(to.join(name))?)?;
            files += 1;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_no_journal_gives_none_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (tar, to) = (folder.path().join("var-log.tar"), folder.path().join("journal.txt"));
        let mut made = tar::Builder::new(File::create(&tar).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        made.append_data(&mut header, "log/dpkg.log", &b"abc"[..]).unwrap();
        made.finish().unwrap();
        assert!(!journal(&tar, &to).await.unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }
}
