//! The folders of runs on disk: what each run made, written down before it is made, and how it is removed again.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::sysctl;
use crate::event::REMOVAL_LOG;
use crate::machine;
use crate::machine::provider::{self, Provider, ProviderError};
use crate::paths;

pub(super) const LEDGER: &str = "ledger.jsonl";
const LOCK: &str = "lock";

/// Something that a run makes outside of its folder. It is in the ledger before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Entry {
    /// Machines, and the network between them.
    Machines {
        /// The provider that makes them.
        provider: String,
        /// The address at which they are, where that is another host's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// A folder outside of the run's own.
    Folder {
        /// Its path.
        path: PathBuf,
    },
    /// The run's machines are meant to stay.
    Kept,
    /// The run's cluster is left to a later one.
    Left {
        /// Of what, and how, it was made.
        made: String,
        /// Its network.
        network: Ipv4Net,
    },
    /// A later run uses the cluster that was left.
    Taken,
    /// Everything before this was removed.
    Removed,
}

/// What is known of a run before its events are read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Card {
    /// The run's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// When it started.
    pub started: Timestamp,
}

/// Why a run's folder or its things cannot be handled.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the run cannot be read or written.
    #[error("{path}: {source}{}", paths::remedy(.source), path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the run does not say what it should.
    #[error("{path} is damaged: {source}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The machines cannot be removed.
    #[error("the machines of run {run} cannot be seen or removed: {source}")]
    Machines {
        /// The run.
        run: String,
        /// Why.
        source: ProviderError,
    },
    /// The machines are at another host than the one that is asked now.
    #[error("the machines of run {run} are made by {provider} at {at}, and it is asked at {now}\n  mend it: {mend}")]
    Elsewhere {
        /// The run.
        run: String,
        /// The provider.
        provider: String,
        /// Where they are.
        at: String,
        /// Where is asked.
        now: String,
        /// What to do about it.
        mend: String,
    },
    /// The run is still going on.
    #[error("run {run} is still going on; end it first, as with Ctrl-C where it runs")]
    Alive {
        /// The run.
        run: String,
    },
}

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    run: String,
}

/// Held while a run goes on. The kernel lets go of it however the run ends.
#[derive(Debug)]
pub struct Alive {
    _lock: File,
}

/// Whether anybody looks after the things of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The run goes on.
    Alive,
    /// The run has ended and was asked to leave its machines.
    Kept,
    /// The run has ended and has left its cluster to a later one.
    Left,
    /// The run has ended and could not remove its things.
    Orphaned,
    /// There is nothing left to look after.
    Nothing,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Alive => "alive",
            Self::Kept => "kept",
            Self::Left => "left",
            Self::Orphaned => "orphaned",
            Self::Nothing => "nothing left",
        })
    }
}

impl Folder {
    /// Makes the folder of a new run, which is alive from now on.
    pub fn create(scenario: &str) -> Result<(Self, Alive), StoreError> {
        let started = Timestamp::now();
        let mut bytes = [0_u8; 2];
        rand::fill(&mut bytes);
        let run = format!("{}-{:02x}{:02x}", started.strftime("%Y%m%d-%H%M%S"), bytes[0], bytes[1]);
        let folder = Self { path: runs().join(&run), run };
        for sub in ["", "vagrant", "ssh", "credentials", "logs", "rendered", "machines"] {
            folder.make(&folder.path.join(sub))?;
        }
        // Whoever looks at the folder right now holds the lock for a moment only.
        let alive = folder.lock(FlockOperation::LockExclusive)?;
        let alive = alive.ok_or_else(|| StoreError::Alive { run: folder.run.clone() })?;
        let card = Card { run: folder.run.clone(), scenario: scenario.to_owned(), started };
        let path = folder.path.join("run.json");
        let text =
            serde_json::to_vec_pretty(&card).map_err(|source| StoreError::Damaged { path: path.clone(), source })?;
        std::fs::write(&path, text).map_err(|source| StoreError::File { path, source })?;
        Ok((folder, alive))
    }

    /// All runs on this host, oldest first.
    pub fn all() -> Result<Vec<Self>, StoreError> {
        Self::all_in(&runs())
    }

    /// All runs in a folder of runs, oldest first.
    pub(super) fn all_in(path: &Path) -> Result<Vec<Self>, StoreError> {
        let path = path.to_owned();
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::File { path, source }),
        };
        let mut folders = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| StoreError::File { path: path.clone(), source })?;
            folders.push(Self { run: entry.file_name().to_string_lossy().into_owned(), path: entry.path() });
        }
        folders.sort_by(|one, other| one.run.cmp(&other.run));
        Ok(folders)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// What the run says of itself, if it got so far as to say it.
    pub fn card(&self) -> Option<Card> {
        serde_json::from_slice(&std::fs::read(self.path.join("run.json")).ok()?).ok()
    }

    /// Writes to the ledger, and to the disk before this returns.
    pub fn enter(&self, entry: &Entry) -> Result<(), StoreError> {
        let path = self.path.join(LEDGER);
        let write = || {
            let mut file = File::options().create(true).read(true).append(true).open(&path)?;
            drop_cut_line(&mut file)?;
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            file.write_all(&line)?;
            file.sync_all()
        };
        write().map_err(|source| StoreError::File { path: path.clone(), source })
    }

    /// Leaves what the run made to whoever looks at it later.
    pub fn keep(&self) -> Result<(), StoreError> {
        if self.ledger()?.is_empty() { Ok(()) } else { self.enter(&Entry::Kept) }
    }

    /// What the ledger says is still to be removed. A last line that was cut off was never acted on.
    pub fn ledger(&self) -> Result<Vec<Entry>, StoreError> {
        let path = self.path.join(LEDGER);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::File { path, source }),
        };
        let mut entries = Vec::new();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            match serde_json::from_str(line).map_err(|source| StoreError::Damaged { path: path.clone(), source })? {
                Entry::Removed => entries.clear(),
                entry => entries.push(entry),
            }
        }
        Ok(entries)
    }

    /// Whether anybody looks after the run's things.
    pub fn owner(&self) -> Result<Owner, StoreError> {
        if self.lock(FlockOperation::NonBlockingLockExclusive)?.is_none() {
            return Ok(Owner::Alive);
        }
        Ok(match self.ledger()?.last() {
            None => Owner::Nothing,
            Some(Entry::Kept) => Owner::Kept,
            Some(Entry::Left { .. }) => Owner::Left,
            Some(_) => Owner::Orphaned,
        })
    }

    /// What of the ledger exists on the host right now.
    pub async fn remains(&self) -> Result<Vec<String>, StoreError> {
        let mut remains = Vec::new();
        for entry in self.ledger()? {
            match entry {
                Entry::Machines { provider, at } => {
                    if let Some(provider) = self.provider(&provider, at.as_deref())? {
                        let found = provider.remains(&provider::prefix(&self.run)).await;
                        remains.extend(found.map_err(|source| self.machines(source))?);
                    }
                }
                Entry::Folder { path } if path.exists() => remains.push(format!("folder {}", path.display())),
                Entry::Folder { .. } | Entry::Kept | Entry::Left { .. } | Entry::Taken | Entry::Removed => {}
            }
        }
        Ok(remains)
    }

    /// Removes all that the ledger names, newest first. The evidence stays. Only for who holds the run, or nobody does.
    /// What Vagrant prints goes into the run's own log of that, or into `log`.
    pub async fn remove(&self, log: Option<&Path>) -> Result<(), StoreError> {
        let own = self.path.join(REMOVAL_LOG);
        let log = log.unwrap_or(&own);
        let ledger = self.ledger()?;
        if ledger.is_empty() {
            return Ok(());
        }
        for entry in ledger.iter().rev() {
            match entry {
                Entry::Machines { provider, at } => {
                    if let Some(provider) = self.provider(provider, at.as_deref())? {
                        let removed = machine::remove(provider.as_ref(), &self.run, &self.path, log).await;
                        removed.map_err(|source| self.machines(source))?;
                    }
                }
                Entry::Folder { path } => remove_folder(path)?,
                Entry::Kept | Entry::Left { .. } | Entry::Taken | Entry::Removed => {}
            }
        }
        self.enter(&Entry::Removed)?;
        sysctl::restore_if_last(self).await.map_err(|source| StoreError::File { path: sysctl::path(), source })
    }

    /// Removes the things of a run that nobody looks after.
    pub async fn remove_orphan(&self) -> Result<(), StoreError> {
        let _alive = self
            .lock(FlockOperation::NonBlockingLockExclusive)?
            .ok_or_else(|| StoreError::Alive { run: self.run.clone() })?;
        self.remove(None).await
    }

    /// The provider of machines that are `at` another host, or at this one. One that is not known has made none.
    fn provider(&self, name: &str, at: Option<&str>) -> Result<Option<Box<dyn Provider>>, StoreError> {
        let Some(provider) = provider::by_name(name) else { return Ok(None) };
        let now = provider.elsewhere();
        if now.as_deref() == at {
            return Ok(Some(provider));
        }
        let said = |at: Option<&str>| at.unwrap_or("this host").to_owned();
        let mend = match at {
            Some(at) => format!("set LIBVIRT_DEFAULT_URI='{at}', and do it again"),
            None => "unset LIBVIRT_DEFAULT_URI, and do it again".to_owned(),
        };
        let (run, provider, at, now) = (self.run.clone(), name.to_owned(), said(at), said(now.as_deref()));
        Err(StoreError::Elsewhere { run, provider, at, now, mend })
    }

    fn machines(&self, source: ProviderError) -> StoreError {
        StoreError::Machines { run: self.run.clone(), source }
    }

    /// Holds the run for as long as the result lives, unless it goes on.
    pub(super) fn hold(&self) -> Result<Option<Alive>, StoreError> {
        self.lock(FlockOperation::NonBlockingLockExclusive)
    }

    /// Removes the evidence of a run that has ended and left nothing on the host; says whether it did.
    pub(super) fn forget(&self) -> Result<bool, StoreError> {
        let Some(_held) = self.hold()? else { return Ok(false) };
        if !self.ledger()?.is_empty() {
            return Ok(false);
        }
        remove_folder(&self.path).map(|()| true)
    }

    fn lock(&self, operation: FlockOperation) -> Result<Option<Alive>, StoreError> {
        let path = self.path.join(LOCK);
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|source| StoreError::File { path: path.clone(), source })?;
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Alive { _lock: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StoreError::File { path, source: error.into() }),
        }
    }

    fn make(&self, path: &Path) -> Result<(), StoreError> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| StoreError::File { path: path.to_owned(), source })
    }
}

/// Takes away a last line that was cut off, as by a full disk, so that the next one is not lost in it.
fn drop_cut_line(file: &mut File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() { file.set_len(whole as u64) } else { Ok(()) }
}

/// The folder that has the folders of all runs.
pub fn runs() -> PathBuf {
    paths::state().join("runs")
}

fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::File { path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder { path: temp.path().to_owned(), run: "20260102-030405-abcd".into() };
        (temp, folder)
    }

    fn machines() -> Entry {
        Entry::Machines { provider: "docker".into(), at: None }
    }

    fn append(folder: &Folder, text: &str) {
        let mut file = File::options().create(true).append(true).open(folder.path().join(LEDGER)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_ledger_is_read_as_it_was_written_up_to_what_was_removed() {
        let (_temp, folder) = folder();
        assert_eq!(folder.ledger().unwrap(), []);
        let sockets = Entry::Folder { path: "/tmp/x".into() };
        for entry in [&sockets, &machines()] {
            folder.enter(entry).unwrap();
        }
        assert_eq!(folder.ledger().unwrap(), [sockets, machines()]);
        folder.enter(&Entry::Removed).unwrap();
        assert_eq!(folder.ledger().unwrap(), []);
        folder.enter(&machines()).unwrap();
        assert_eq!(folder.ledger().unwrap(), [machines()]);
    }

    #[test]
    fn a_line_that_was_cut_off_was_never_acted_on() {
        let (_temp, folder) = folder();
        folder.enter(&machines()).unwrap();
        append(&folder, r#"{"kind":"rem"#);
        assert_eq!(folder.ledger().unwrap(), [machines()]);
        // What is written next is not lost in it, as when the disk was full and is not any more.
        folder.enter(&Entry::Removed).unwrap();
        assert_eq!(folder.ledger().unwrap(), []);
    }

    #[test]
    fn a_whole_line_that_makes_no_sense_is_an_error_that_names_the_file() {
        let (_temp, folder) = folder();
        append(&folder, "{\"kind\":\"spaceship\"}\n");
        let error = folder.ledger().unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }));
        assert!(error.to_string().contains(LEDGER), "{error}");
    }

    #[test]
    fn a_run_is_alive_while_somebody_holds_it() {
        let (_temp, folder) = folder();
        folder.enter(&machines()).unwrap();
        let alive = folder.lock(FlockOperation::NonBlockingLockExclusive).unwrap().unwrap();
        assert_eq!(folder.owner().unwrap(), Owner::Alive);
        drop(alive);
        assert_eq!(folder.owner().unwrap(), Owner::Orphaned);
    }

    #[test]
    fn a_run_that_has_ended_is_told_by_its_ledger() {
        let (_temp, folder) = folder();
        let states = [
            (None, Owner::Nothing),
            (Some(machines()), Owner::Orphaned),
            (Some(Entry::Kept), Owner::Kept),
            (Some(Entry::Left { made: "docker".into(), network: "172.27.11.0/24".parse().unwrap() }), Owner::Left),
            (Some(Entry::Taken), Owner::Orphaned),
            (Some(Entry::Removed), Owner::Nothing),
        ];
        for (entry, expected) in states {
            entry.iter().for_each(|entry| folder.enter(entry).unwrap());
            assert_eq!(folder.owner().unwrap(), expected, "after {entry:?}");
        }
    }

    #[tokio::test]
    async fn machines_at_another_host_are_not_looked_for_here_and_not_forgotten() {
        let (temp, folder) = folder();
        let at = Some("qemu+ssh://root@vm-host.example/system".to_owned());
        let there = Entry::Machines { provider: "libvirt".into(), at };
        folder.enter(&there).unwrap();
        for error in [folder.remains().await.unwrap_err(), folder.remove(None).await.unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains("set LIBVIRT_DEFAULT_URI='qemu+ssh://root@vm-host.example/system'"), "{text}");
        }
        assert_eq!(folder.ledger().unwrap(), [there]);
        assert!(!temp.path().join(REMOVAL_LOG).exists());
    }

    #[tokio::test]
    async fn what_is_alive_is_not_removed_as_an_orphan() {
        let (temp, folder) = folder();
        let sockets = temp.path().join("sockets");
        std::fs::create_dir(&sockets).unwrap();
        folder.enter(&Entry::Folder { path: sockets.clone() }).unwrap();
        let alive = folder.lock(FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(matches!(folder.remove_orphan().await, Err(StoreError::Alive { .. })));
        assert!(sockets.exists());
        assert_eq!(folder.remains().await.unwrap(), [format!("folder {}", sockets.display())]);
        drop(alive);
    }
}
