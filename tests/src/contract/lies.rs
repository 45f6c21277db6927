//! Providers that break the contract, and whether that is found. A contract that nothing breaks proves nothing.
//!
//! The machines are real; what is between their provider and the contract lies about one thing. Containers are lied about in
//! all that they offer, virtual machines in what they alone offer: they take minutes where containers take seconds.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use quorate::artifact::{Form, NodeImage};
use quorate::machine::finding::{Finding, Needs};
use quorate::machine::host::Host;
use quorate::machine::libvirt;
use quorate::machine::provider::{Impossible, Link, Observed, Provider, ProviderError, Site, State};
use quorate::machine::ssh::Endpoint;
use quorate::machine::vagrant::{Rendering, Vagrant};
use quorate::process::Command;
use quorate::scenario::{Machine, Topology, Verb};
use tokio_util::sync::CancellationToken;

use super::findings::{self, Findings, Point};
use super::rig::{Rig, lock, words};
use super::{cable, end, freeze, named, power, snapshot, up};

/// The provider of containers.
const CONTAINERS: &str = "docker";
/// How late a late kill is.
const LATE: Duration = Duration::from_secs(4);

/// What is not as the contract says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    PausesNothing,
    ResumesNothing,
    TellsNoChange,
    CableStays,
    CableAlwaysUp,
    EntersByCable,
    KillsNothing,
    KillsLate,
    KillsInOrder,
    AlwaysRuns,
    SalvagesNothing,
    LosesWhatWasSynced,
    StartsTellNothing,
    SweepsNothing,
    SeesNothing,
    RestoresNothing,
    RestoresDiskAlone,
}

impl Lie {
    /// Those that are told of containers which run. Such as stand together break different points, each by itself.
    const OF_CONTAINERS: [&[Self]; 8] = [
        &[Self::PausesNothing, Self::TellsNoChange],
        &[Self::ResumesNothing],
        &[Self::CableStays],
        &[Self::EntersByCable, Self::CableAlwaysUp],
        &[Self::KillsNothing],
        &[Self::KillsLate],
        &[Self::KillsInOrder, Self::SalvagesNothing, Self::StartsTellNothing],
        &[Self::AlwaysRuns, Self::LosesWhatWasSynced],
    ];
    /// Those that are told of virtual machines which run.
    const OF_VIRTUAL_MACHINES: [&[Self]; 2] = [&[Self::RestoresNothing], &[Self::RestoresDiskAlone]];

    /// The point that does not hold then.
    fn breaks(self) -> Point {
        match self {
            Self::PausesNothing => Point::PauseFreezes,
            Self::ResumesNothing => Point::ResumeGoesOn,
            Self::TellsNoChange => Point::Changes,
            Self::CableStays => Point::CableCuts,
            Self::CableAlwaysUp => Point::CableTold,
            Self::EntersByCable => Point::CableSpares,
            Self::KillsNothing | Self::KillsLate => Point::KillAtOnce,
            Self::KillsInOrder => Point::KillInDisorder,
            Self::AlwaysRuns => Point::KillTold,
            Self::SalvagesNothing => Point::Salvage,
            Self::LosesWhatWasSynced => Point::DiskSurvives,
            Self::StartsTellNothing => Point::StartAnew,
            Self::SweepsNothing => Point::DestroyLeavesNothing,
            Self::SeesNothing => Point::HalfMadeFound,
            Self::RestoresNothing => Point::SnapshotDisk,
            Self::RestoresDiskAlone => Point::SnapshotMemory,
        }
    }

    /// Holds the machines to the part of the contract that it is about.
    async fn judge(self, rig: &Rig, found: &mut Findings) {
        match self {
            Self::PausesNothing | Self::ResumesNothing | Self::TellsNoChange => {
                freeze::judge(rig, found).await;
                rig.changes().judge(found);
            }
            Self::CableStays | Self::CableAlwaysUp | Self::EntersByCable => cable::judge(rig, found).await,
            Self::SweepsNothing | Self::SeesNothing => end::judge_destroy(rig, found).await,
            Self::RestoresNothing | Self::RestoresDiskAlone => snapshot::judge(rig, found).await,
            _ => power::judge_kill(rig, found).await,
        }
    }
}

type Told = Arc<Mutex<Vec<Lie>>>;

/// Tells every lie, each to machines that are well. Returns for each how it was found, or `Err` if one was not.
pub async fn caught(provider: &str, cancel: &CancellationToken) -> Result<String, String> {
    let told: Told = Arc::default();
    let mut story = Story::default();
    let mut rig = Rig::make(provider, Some(Arc::clone(&told)), cancel).await?;
    let up = rig.fleet.up(cancel).await.map_err(words);
    let ended = match up {
        Ok(()) if provider == CONTAINERS => of_containers(&mut rig, &told, &mut story).await,
        Ok(()) => of_running(&mut rig, &Lie::OF_VIRTUAL_MACHINES, &told, &mut story).await,
        Err(reason) => Err(reason),
    };
    rig.remove().await;
    ended?;
    if provider == CONTAINERS {
        of_half_made(&told, &mut story, cancel).await?;
    }
    story.end()
}

async fn of_containers(rig: &mut Rig, told: &Told, story: &mut Story) -> Result<(), String> {
    of_running(rig, &Lie::OF_CONTAINERS, told, story).await?;
    *lock(told) = vec![Lie::SweepsNothing];
    let mut found = Findings::of(rig.truth.name());
    Lie::SweepsNothing.judge(rig, &mut found).await;
    story.tell(Lie::SweepsNothing, Point::DestroyLeavesNothing, &found);
    Ok(())
}

async fn of_half_made(told: &Told, story: &mut Story, cancel: &CancellationToken) -> Result<(), String> {
    let rig = Rig::make(CONTAINERS, Some(Arc::clone(told)), cancel).await?;
    let mut found = Findings::of(CONTAINERS);
    *lock(told) = vec![Lie::SeesNothing, Lie::SweepsNothing];
    end::judge_half_made(&rig, &mut found).await;
    rig.remove().await;
    story.tell(Lie::SeesNothing, Point::HalfMadeFound, &found);
    story.tell(Lie::SweepsNothing, Point::HalfMadeRemoved, &found);
    Ok(())
}

async fn of_running(rig: &mut Rig, all: &[&[Lie]], told: &Told, story: &mut Story) -> Result<(), String> {
    for lies in all {
        *lock(told) = lies.to_vec();
        if lies.contains(&Lie::TellsNoChange) {
            rig.watch_anew();
        }
        let enters = lies.contains(&Lie::EntersByCable);
        if enters {
            rig.fleet.start(rig.subject(), &rig.cancel).await.map_err(words)?;
        }
        let mut found = Findings::of(rig.truth.name());
        lies[0].judge(rig, &mut found).await;
        lies.iter().for_each(|lie| story.tell(*lie, lie.breaks(), &found));
        lock(told).clear();
        if lies.contains(&Lie::TellsNoChange) {
            rig.watch_anew();
        }
        mend(rig, enters).await.map_err(|reason| format!("after {lies:?}: {reason}"))?;
    }
    Ok(())
}

/// Makes the machine well, whatever a lie has done to it; with a new way in, if need be.
async fn mend(rig: &Rig, anew: bool) -> Result<(), String> {
    let (id, cancel) = (rig.id()?, &rig.cancel);
    if rig.truth.state(&id, cancel).await.map_err(words)?.state == State::Paused {
        rig.truth.resume(&id, cancel).await.map_err(words)?;
    }
    if anew || rig.say(rig.subject(), &["true"]).await.is_err() {
        rig.fleet.start(rig.subject(), cancel).await.map_err(words)?;
    }
    rig.truth.set_link(&id, &rig.site, true, cancel).await.map_err(words)?;
    let mut found = Findings::of(rig.truth.name());
    found.judge(Point::Address, up::address(rig, rig.subject()).await);
    match found.about(Point::Address) {
        Some(findings::Finding::Holds(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// How the lies were found.
#[derive(Debug, Default)]
struct Story {
    lines: Vec<String>,
    missed: bool,
}

impl Story {
    fn tell(&mut self, lie: Lie, point: Point, found: &Findings) {
        let line = match found.about(point) {
            Some(findings::Finding::Broken(seen)) if !seen.starts_with("not reached") => {
                format!("  {lie:?}: not so that {}: {seen}", point.as_str())
            }
            other => {
                self.missed = true;
                format!("  {lie:?} WAS NOT FOUND: {}: {other:?}\n{found}", point.as_str())
            }
        };
        self.lines.push(line);
    }

    fn end(self) -> Result<String, String> {
        let story = self.lines.join("\n");
        if self.missed { Err(story) } else { Ok(story) }
    }
}

/// A provider that tells lies at times.
#[derive(Debug)]
pub(super) struct Liar {
    honest: Box<dyn Provider>,
    told: Told,
}

impl Liar {
    pub(super) fn new(honest: Box<dyn Provider>, told: Told) -> Self {
        Self { honest, told }
    }

    fn tells(&self, lie: Lie) -> bool {
        lock(&self.told).contains(&lie)
    }
}

async fn docker(args: &[&str]) -> Result<(), ProviderError> {
    Command::new("docker").args(args).run_async(&CancellationToken::new()).await?;
    Ok(())
}

/// Switches a virtual machine on, by the tool of its hypervisor.
fn boot(provider: &str, id: &str) -> Command {
    match provider {
        "libvirt" => Command::new("virsh").args(["--connect", &libvirt::uri(), "start", id]),
        _ => Command::new("VBoxManage").args(["startvm", id, "--type", "headless"]),
    }
}

#[async_trait]
impl Provider for Liar {
    fn name(&self) -> &'static str {
        self.honest.name()
    }

    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
        self.honest.findings(host, needs, cancel).await
    }

    fn refusal(&self, topology: &Topology) -> Option<String> {
        self.honest.refusal(topology)
    }

    fn form(&self) -> Form {
        self.honest.form()
    }

    fn rendering(&self, topology: &Topology, site: &Site, image: Option<&NodeImage>) -> Rendering {
        self.honest.rendering(topology, site, image)
    }

    async fn prepare(&self, site: &Site, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.honest.prepare(site, cancel).await
    }

    async fn kill(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.tells(Lie::KillsNothing) {
            return Ok(());
        }
        if self.tells(Lie::KillsLate) {
            let (honest, id) = (named(self.name()), id.to_owned());
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                honest.kill(&id, &CancellationToken::new()).await
            });
            return Ok(());
        }
        if self.tells(Lie::KillsInOrder) {
            return docker(&["stop", "--time", "30", id]).await;
        }
        if self.tells(Lie::LosesWhatWasSynced) {
            docker(&["exec", id, "rm", "--recursive", "/var/lib/quorate-contract"]).await?;
        }
        self.honest.kill(id, cancel).await
    }

    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.tells(Lie::PausesNothing) { Ok(()) } else { self.honest.pause(id, cancel).await }
    }

    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.tells(Lie::ResumesNothing) || self.tells(Lie::PausesNothing) {
            return Ok(());
        }
        self.honest.resume(id, cancel).await
    }

    async fn set_link(&self, id: &str, site: &Site, up: bool, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.tells(Lie::CableStays) { Ok(()) } else { self.honest.set_link(id, site, up, cancel).await }
    }

    async fn link(&self, id: &str, site: &Site, cancel: &CancellationToken) -> Result<Link, ProviderError> {
        let link = self.honest.link(id, site, cancel).await?;
        Ok(if self.tells(Lie::CableAlwaysUp) { Link { up: true, ..link } } else { link })
    }

    async fn impossible(&self, verb: &Verb, cancel: &CancellationToken) -> Option<Impossible> {
        self.honest.impossible(verb, cancel).await
    }

    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError> {
        let observed = self.honest.state(id, cancel).await?;
        Ok(if self.tells(Lie::AlwaysRuns) {
            Observed { state: State::Running, since: None, ..observed }
        } else if self.tells(Lie::StartsTellNothing) {
            Observed { proof: format!("container is {}", observed.state), ..observed }
        } else {
            observed
        })
    }

    fn unsaveable(&self) -> Option<Impossible> {
        self.honest.unsaveable()
    }

    async fn save(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.honest.save(id, name, cancel).await
    }

    async fn restore(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.tells(Lie::RestoresNothing) {
            return Ok(());
        }
        self.honest.restore(id, name, cancel).await?;
        if self.tells(Lie::RestoresDiskAlone) {
            self.honest.kill(id, cancel).await?;
            boot(self.name(), id).run_async(cancel).await?;
        }
        Ok(())
    }

    fn slowness(&self) -> u32 {
        self.honest.slowness()
    }

    fn changes(&self, prefix: &str) -> Option<Command> {
        if self.tells(Lie::TellsNoChange) {
            return Some(Command::new("sleep").arg("infinity").deadline(Duration::MAX));
        }
        self.honest.changes(prefix)
    }

    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError> {
        let endpoint = self.honest.endpoint(vagrant, site, machine, cancel).await?;
        let host = if self.tells(Lie::EntersByCable) { machine.ip.to_string() } else { endpoint.host.clone() };
        Ok(Endpoint { host, ..endpoint })
    }

    fn salvages(&self) -> bool {
        self.honest.salvages()
    }

    async fn salvage(&self, id: &str, folder: &str, to: &Path) -> Result<(), ProviderError> {
        if self.tells(Lie::SalvagesNothing) {
            return self.honest.salvage(id, "/srv", to).await;
        }
        self.honest.salvage(id, folder, to).await
    }

    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        if self.tells(Lie::SeesNothing) { Ok(Vec::new()) } else { self.honest.remains(prefix).await }
    }

    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError> {
        if self.tells(Lie::SweepsNothing) { Ok(()) } else { self.honest.sweep(prefix).await }
    }
}
