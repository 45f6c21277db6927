//! A cluster that one run leaves to the next, which takes it over once it is seen to be clean and healthy.
//!
//! Virtual machines are saved, all at one moment, when their cluster has just been proven, and put back into that before the next
//! run; containers go on as they are.
//!
//! Only a run that passed and whose faults were all undone leaves its cluster, unless its machines are saved, and only a run
//! whose own would be made alike takes it. The gate that every new cluster passes is before the first step here as well. What one command leaves
//! to a later one is in the ledger of the run that made it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::DeleteParams;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use sha2::{Digest, Sha256};

use super::engine::Engine;
use super::failure::{Failure, broken};
use super::gate::insist;
use super::store::{Alive, Entry, Folder, StoreError};
use crate::artifact::NodeImage;
use crate::cluster::Access;
use crate::event::{Phase, SpanId, Verdict};
use crate::machine::provider::Provider;
use crate::probe::NAMESPACE;
use crate::record::SpanOptions;
use crate::scenario::Scenario;

/// How long it may take until what the run before has written is gone.
const CLEARED: Duration = Duration::from_secs(60);
/// How long it may take to save all machines, or to put them back.
const SAVED: Duration = Duration::from_secs(300);
/// What they are saved as.
const PROVEN: &str = "quorate-proven";

/// A cluster that a run has left. While it lives, the run that made it counts as alive.
#[derive(Debug)]
pub struct Cluster {
    pub(super) folder: Folder,
    pub(super) made: String,
    pub(super) network: Ipv4Net,
    pub(super) _alive: Alive,
}

/// How often and how long somebody else's look at a folder is waited for.
const GLANCES: u32 = 20;
const GLANCE: Duration = Duration::from_millis(100);

impl Cluster {
    /// The cluster on a network that an earlier command has left, if there is one.
    pub async fn find(network: Ipv4Net) -> Result<Option<Self>, StoreError> {
        Self::among(Folder::all()?, network).await
    }

    async fn among(folders: Vec<Folder>, network: Ipv4Net) -> Result<Option<Self>, StoreError> {
        let is_left = |folder: &Folder| match folder.ledger()?.pop() {
            Some(Entry::Left { made, network: its }) if its == network => Ok(Some(made)),
            _ => Ok::<_, StoreError>(None),
        };
        for folder in folders {
            if is_left(&folder)?.is_none() {
                continue;
            }
            for _ in 0..GLANCES {
                let Some(alive) = folder.hold()? else {
                    // Who lists or tidies holds it for a moment; who takes it says so in the ledger.
                    tokio::time::sleep(GLANCE).await;
                    continue;
                };
                let Some(made) = is_left(&folder)? else { break };
                folder.enter(&Entry::Taken)?;
                return Ok(Some(Self { folder, made, network, _alive: alive }));
            }
        }
        Ok(None)
    }

    /// Leaves it to a later command. If that cannot be written down, it is removed.
    pub async fn leave(self) -> Result<(), StoreError> {
        let left = Entry::Left { made: self.made, network: self.network };
        if let Err(error) = self.folder.enter(&left) {
            self.folder.remove(None).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Removes it.
    pub async fn remove(self) -> Result<(), StoreError> {
        self.folder.remove(None).await
    }

    /// The run in whose folder its credentials are.
    pub fn run(&self) -> &str {
        self.folder.run()
    }
}

/// Of what, and how, the cluster of a scenario is made: clusters of which this is the same can stand for each other.
pub(super) fn made(scenario: &Scenario, provider: &dyn Provider, image: &NodeImage, vm_box: &str) -> String {
    let (reference, fills_disk, at) = (&image.reference, scenario.fills_disk(), provider.elsewhere());
    let of = format!("{} {at:?} {reference} {vm_box} {fills_disk} {:?}", maker(), scenario.topology);
    format!("{} {:x}", provider.name(), Sha256::digest(of))
}

/// What tells this very build of Quorate from others: each may make clusters in its own way.
fn maker() -> String {
    let built =
        std::env::current_exe().and_then(|path| path.metadata()).and_then(|file| Ok((file.len(), file.modified()?)));
    built.map_or_else(|error| error.to_string(), |(size, time)| format!("{size} {time:?}"))
}

/// Whether the clusters of two scenarios may be made alike, as far as that is known before a run.
pub fn alike(one: &Scenario, other: &Scenario) -> bool {
    let of = |scenario: &Scenario| (scenario.fills_disk(), format!("{:?}", scenario.topology));
    of(one) == of(other)
}

/// Saves the machines of a cluster that is proven. It is no failure if that cannot be done: the next run finds nothing then.
pub(super) async fn save(engine: &Engine, after: &[SpanId]) -> Result<SpanId, Failure> {
    let options = SpanOptions { after, ..SpanOptions::default() };
    let span = engine.recorder.span(Phase::BringUp, "save the machines", options);
    // Each command of it has a deadline of its own: one that is given up halfway would leave machines frozen.
    let saved = engine.fleet.save(PROVEN, &engine.cancel).await;
    if engine.cancel.is_cancelled() {
        return Err(Failure::Interrupted);
    }
    engine.saved.store(saved.is_ok(), Ordering::Relaxed);
    let trouble = saved.err().map(|error| error.to_string());
    if let Some(trouble) = &trouble {
        engine.recorder.notice(format!("the machines could not be saved for later runs: {trouble}"));
    }
    span.end(Verdict::Passed, trouble);
    Ok(span.id())
}

/// Enters the machines of a cluster that is there, and clears what the run before has written.
pub(super) async fn take_over(engine: &Engine, access: &Access) -> Result<Vec<SpanId>, Failure> {
    let saved = engine.fleet.provider().unsaveable().is_none();
    let deadline = engine.fleet.patience(if saved { SAVED } else { CLEARED });
    let options = SpanOptions { deadline: Some(deadline), ..SpanOptions::default() };
    let span = engine.recorder.span(Phase::BringUp, "take over the cluster", options);
    let taken = async {
        if saved {
            engine.fleet.restore(PROVEN, &engine.cancel).await.map_err(broken)?;
            engine.saved.store(true, Ordering::Relaxed);
        } else {
            engine.fleet.enter(&engine.cancel).await.map_err(broken)?;
        }
        let client = access.through_balancer().await.map_err(broken)?;
        insist(&span, || async {
            clear(client.clone()).await.map_err(|error| format!("what was written cannot be cleared: {error}"))
        })
        .await;
        Ok(())
    };
    let taken = tokio::select! {
        taken = tokio::time::timeout(deadline, taken) => {
            taken.unwrap_or_else(|_| Err(Failure::Broken(format!("it could not be taken over within {deadline:?}"))))
        }
        () = engine.cancel.cancelled() => Err(Failure::Interrupted),
    };
    match &taken {
        Ok(()) => span.end(Verdict::Passed, None),
        Err(failure) => span.end(failure.verdict(), Some(failure.reason())),
    }
    taken.map(|()| vec![span.id()])
}

/// Removes the namespace that is written to, and waits until it is gone.
async fn clear(client: Client) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let namespaces: Api<Namespace> = Api::all(client);
    let Some(there) = namespaces.get_opt(NAMESPACE).await? else { return Ok(()) };
    if there.metadata.deletion_timestamp.is_none() {
        namespaces.delete(NAMESPACE, &DeleteParams::default()).await?;
    }
    let uid = there.uid().unwrap_or_default();
    await_condition(namespaces, NAMESPACE, conditions::is_deleted(&uid)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::store::Owner;

    fn network(third: u8) -> Ipv4Net {
        format!("172.27.{third}.0/24").parse().unwrap()
    }

    /// The folders of runs that have left a cluster, each on the network of its number.
    fn left(at: &std::path::Path, numbers: &[u8]) -> Vec<Folder> {
        for third in numbers {
            std::fs::create_dir(at.join(third.to_string())).unwrap();
        }
        let folders = Folder::all_in(at).unwrap();
        for folder in &folders {
            folder.enter(&Entry::Machines { provider: "docker".into(), at: None }).unwrap();
            let network = network(folder.run().parse().unwrap());
            folder.enter(&Entry::Left { made: format!("as {}", folder.run()), network }).unwrap();
        }
        folders
    }

    #[tokio::test]
    async fn the_cluster_on_a_network_is_taken_once_and_can_be_left_again() {
        let temp = tempfile::tempdir().unwrap();
        let folders = left(temp.path(), &[11, 12]);
        let find = |third| Cluster::among(folders.clone(), network(third));
        assert!(find(13).await.unwrap().is_none());
        let taken = find(12).await.unwrap().unwrap();
        assert_eq!((taken.run(), taken.made.as_str()), ("12", "as 12"));
        assert!(find(12).await.unwrap().is_none(), "it was taken twice");
        taken.leave().await.unwrap();
        assert_eq!(folders[1].owner().unwrap(), Owner::Left);
        // Whoever ends without leaving it leaves an orphan.
        drop(find(12).await.unwrap().unwrap());
        assert_eq!(folders[1].owner().unwrap(), Owner::Orphaned);
        assert!(find(12).await.unwrap().is_none());
        assert_eq!(folders[0].owner().unwrap(), Owner::Left);
    }

    #[tokio::test]
    async fn somebody_who_looks_at_it_for_a_moment_is_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let folders = left(temp.path(), &[11]);
        let looks = folders[0].hold().unwrap();
        let find = tokio::spawn(Cluster::among(folders, network(11)));
        tokio::task::yield_now().await;
        drop(looks);
        assert!(find.await.unwrap().unwrap().is_some());
    }
}
