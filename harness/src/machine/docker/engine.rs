//! What keeps Docker from making machines on a host, found before one is made: client, daemon, control groups, memory;
//! and what containers cannot do there that virtual machines could.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::kernel;
use crate::artifact::tools;
use crate::machine::finding::{Finding, Needs, Standing};
use crate::machine::host::{Host, Release};
use crate::machine::memory::{self, Taken};
use crate::scenario::Verb;

/// How many inotify instances a user may have: on one host all machines are the same user's, and each takes a dozen
/// (systemd five, kubelet five). Where there are none left, kubelet does not start, and the kernel's default is 128.
pub(crate) const INSTANCES: &str = "fs.inotify.max_user_instances";
/// Enough for some eighty machines.
pub(crate) const ROOM: u64 = 1024;

/// The first engine that gives a container a control group namespace of its own (`--cgroupns`).
const OLDEST: Release = Release(20, 10, 0);
/// The controllers that kubelet does not start without.
const CONTROLLERS: &[&str] = &["cpu", "cpuset", "memory", "pids"];

/// All that is to be said about Docker on a host.
pub(super) async fn look(host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
    let mut findings = vec![daemon(host, cancel).await];
    if !host.has("docker") {
        return findings;
    }
    findings.extend(control_groups(host));
    findings.extend(needs.and_then(|needs| memory::look(host, needs, Taken::AsUsed)));
    findings
}

async fn daemon(host: &Host, cancel: &CancellationToken) -> Finding {
    let part = "docker";
    if !host.has("docker") {
        let mend =
            "install it, as with `apt-get install --no-install-recommends docker.io`, or let `./quickstart` do so";
        return Finding::new(part, Standing::Missing, "docker is not on the PATH", mend);
    }
    let said = match host.ask("docker", &["info", "--format", "{{.ServerVersion}}"], cancel).await {
        Ok(output) => output.stdout.trim().to_owned(),
        Err(error) if error.tail().iter().any(|line| line.contains("permission denied")) => {
            let mend = "join its group and log in again: `sudo usermod --append --groups docker $USER` (its members can become root)";
            return Finding::new(part, Standing::Unusable, "you may not use the docker daemon's socket", mend);
        }
        Err(_) => String::new(),
    };
    match Release::parse(&said) {
        Some(release) if release < OLDEST => {
            let found = format!("the docker daemon is {said}, and machines need 20.10 for `--cgroupns`");
            Finding::new(part, Standing::TooOld, found, "install Docker 20.10 or newer")
        }
        Some(_) => Finding::here(part, format!("the daemon answers, version {said}")),
        None if !said.is_empty() => Finding::here(part, format!("the daemon answers, its version is `{said}`")),
        None => {
            let found = "the docker daemon does not answer (a docker client alone is not enough)";
            let mend = "start it, as with `systemctl start docker` or `dockerd`; `./quickstart` does so. \
                        If it runs, see that you may use its socket (group docker)";
            Finding::new(part, Standing::Unusable, found, mend)
        }
    }
}

/// The controllers of both versions together. Hosts where neither can be read are left to Docker's own judgement.
fn control_groups(host: &Host) -> Option<Finding> {
    let first = host.read("/proc/cgroups");
    let second = host.read("/sys/fs/cgroup/cgroup.controllers");
    if first.is_none() && second.is_none() {
        return None;
    }
    let (first, second) = (first.unwrap_or_default(), second.unwrap_or_default());
    // Columns: name, hierarchy, number of groups, whether it is enabled.
    let enabled = first.lines().filter(|line| line.split_whitespace().nth(3) == Some("1"));
    let names: Vec<&str> =
        enabled.filter_map(|line| line.split_whitespace().next()).chain(second.split_whitespace()).collect();
    let missing: Vec<&str> = CONTROLLERS.iter().copied().filter(|name| !names.contains(name)).collect();
    let part = "control groups";
    if missing.is_empty() {
        return Some(Finding::here(part, format!("{} are there", CONTROLLERS.join(", "))));
    }
    let found =
        format!("this kernel has no control groups of {}, and kubelet does not start without", missing.join(", "));
    let mend = format!(
        "start the kernel with `cgroup_enable={}`, or one that is built with them",
        missing.join(" cgroup_enable=")
    );
    Some(Finding::new(part, Standing::Missing, found, mend))
}

/// The faults that containers on this host cannot do, and what else could be better. None of it hinders a run that does
/// not need it.
pub(super) async fn limits(host: &Host, cancel: &CancellationToken) -> Vec<Finding> {
    let second = Duration::from_secs(1);
    let verbs = [
        ("slow by delay, loss", Verb::Slow { rate: None, delay: Some(second), loss: None }),
        ("slow by rate", Verb::Slow { rate: Some(1_000_000), delay: None, loss: None }),
        ("fill-disk", Verb::FillDisk { leave: 1 << 20 }),
        ("slow-disk", Verb::SlowDisk { rate: 1 << 20 }),
        ("skew-clock", Verb::SkewClock { by: jiff::SignedDuration::from_mins(1) }),
    ];
    let mut findings = Vec::from_iter(inotify(host));
    findings.push(building(host));
    for (part, verb) in verbs {
        let impossible = kernel::impossible(&verb, host, cancel).await;
        findings.push(match impossible {
            None => Finding::here(part, "this host can do it"),
            Some(impossible) => Finding::new(part, Standing::Limited, impossible.reason, impossible.alternative),
        });
    }
    findings
}

fn inotify(host: &Host) -> Option<Finding> {
    let now: u64 = host.read(&format!("/proc/sys/{}", INSTANCES.replace('.', "/")))?.trim().parse().ok()?;
    if now >= ROOM {
        return Some(Finding::here("inotify", format!("{now} instances for a user")));
    }
    let found = format!(
        "{now} inotify instances for a user, of which each machine takes a dozen; a run raises them where it may"
    );
    Some(Finding::new("inotify", Standing::Limited, found, format!("`sudo sysctl -w {INSTANCES}={ROOM}`")))
}

/// What the first run builds: the cache may have it all, and then none of these tools is needed.
fn building(host: &Host) -> Finding {
    let part = "building";
    let Some((missing, install)) =
        tools::all_missing(|tool| host.has(tool) || host.has_file(&format!("/usr/sbin/{tool}")))
    else {
        return Finding::here(part, "the tools that the node image and Kubernetes are made with are there");
    };
    let found = format!("without {missing}, the node image and Kubernetes have to be in the cache already");
    Finding::new(part, Standing::Limited, found, install)
}
