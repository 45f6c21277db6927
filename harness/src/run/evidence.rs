//! Gathers what machines know of a run before they are removed: their journals, and the logs of their pods.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::salvage;
use crate::machine::provider::State;
use crate::machine::{Fleet, MachineError};
use crate::process::{Command, ProcessError};
use crate::record::Recorder;
use crate::scenario::{MachineName, Topology};

const DEADLINE: Duration = Duration::from_secs(30);
/// How long a machine that nobody has entered so far is waited for: whoever interrupts a run wants it to end.
const ENTRY: Duration = Duration::from_secs(15);

/// Gathers from all machines at once into `machines/` of the run's `folder`. What could not be had is returned, one
/// sentence each.
pub(super) async fn gather(fleet: &Fleet, topology: &Topology, folder: &Path, recorder: &Recorder) -> Vec<String> {
    let each = topology.machines.keys().map(|name| async move { (name, machine(fleet, name, folder, recorder).await) });
    let mut gaps = Vec::new();
    let mut absent: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, result) in futures::future::join_all(each).await {
        match result {
            Ok(()) => {}
            Err(Incomplete::Absent(proof)) => absent.entry(proof).or_default().push(name.as_str()),
            Err(error) => gaps.push(format!("the evidence of {name} is not complete: {error}")),
        }
    }
    gaps.extend(absent.iter().map(|(why, machines)| format!("there is no evidence of {}: {why}", machines.join(", "))));
    gaps
}

async fn machine(fleet: &Fleet, name: &MachineName, folder: &Path, recorder: &Recorder) -> Result<(), Incomplete> {
    let (own, deadline) = (format!("machines/{name}"), fleet.patience(DEADLINE));
    std::fs::create_dir_all(folder.join(&own))?;
    let tell = |file: &str, role: &str| recorder.log_file(format!("{own}/{file}"), role, Some(name.as_str()));
    let salvage = async || {
        let own = folder.join(&own);
        let (tar, journal) = (own.join("var-log.tar"), own.join("journal.txt"));
        fleet.salvage(name, "/var/log", &tar).await?;
        tell("var-log.tar", "pod-logs");
        match salvage::journal(&tar, &journal).await {
            Ok(true) => tell("journal.txt", "journal"),
            Ok(false) => {}
            // All that it says is in the archive.
            Err(error) => tracing::debug!(%error, "the journal of {name} is not made a text"),
        }
        Ok(())
    };
    let cancel = CancellationToken::new();
    let observed = fleet.state(name, &cancel).await?;
    match observed.state {
        State::Absent => Err(Incomplete::Absent(observed.proof)),
        State::Stopped | State::Paused => salvage().await,
        State::Running => {
            // One that a run which was cut short has started may take a while until it lets somebody in.
            let way = match tokio::time::timeout(ENTRY, fleet.enter_one(name, &cancel)).await {
                Ok(Ok(way)) => way,
                Ok(Err(why)) => return salvage().await.map_err(|_| Incomplete::Machine(why)),
                Err(_) => return salvage().await,
            };
            let save = async |command: Command, file: &str, role: &str| {
                let to = folder.join(&own).join(file);
                let command = command.label(format!("reading {file} of {name}")).stdout_to(&to).deadline(deadline);
                command.run_async(&cancel).await?;
                // Before a machine is a node it has no pods.
                if to.metadata()?.len() == 0 {
                    std::fs::remove_file(&to)?;
                } else {
                    tell(file, role);
                }
                Ok::<_, Incomplete>(())
            };
            let journal = save(way.script(include_str!("journal.sh"), &[]), "journal.txt", "journal");
            let pods = save(way.script(include_str!("pod-logs.sh"), &[]), "pod-logs.tar.gz", "pod-logs");
            futures::future::try_join(journal, pods).await?;
            Ok(())
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Incomplete {
    #[error("it is absent ({0})")]
    Absent(String),
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    File(#[from] std::io::Error),
}
