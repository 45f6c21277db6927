//! What the host's kernel lets containers do to themselves: they share its clock, and it may lack a queue or a control group.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::machine::host::Host;
use crate::machine::provider::Impossible;
use crate::scenario::Verb;

/// Why a fault cannot be done to a container, if so.
pub(super) async fn impossible(verb: &Verb, host: &Host, cancel: &CancellationToken) -> Option<Impossible> {
    match verb {
        Verb::SkewClock { .. } => Some(Impossible {
            reason: "containers share the host's clock".into(),
            alternative: "take virtual machines, as with `--provider libvirt`".into(),
        }),
        Verb::Slow { delay, loss, .. } if delay.is_some() || loss.is_some() => {
            let missing = try_queue(host, &["netem", "delay", "1ms"], cancel).await?;
            Some(Impossible {
                reason: format!("containers share the host's kernel, which delays and loses nothing: {missing}"),
                alternative: "slow the network with `rate` alone, load the kernel's module sch_netem, or take virtual \
                              machines"
                    .into(),
            })
        }
        Verb::Slow { .. } => {
            let missing =
                try_queue(host, &["tbf", "rate", "1mbit", "burst", "16kb", "latency", "400ms"], cancel).await?;
            Some(Impossible {
                reason: format!("containers share the host's kernel, which keeps no rate: {missing}"),
                alternative: "load the kernel's module sch_tbf, or take virtual machines".into(),
            })
        }
        Verb::FillDisk { .. } if !host.has_file("/dev/loop-control") => Some(Impossible {
            reason: "containers share the host's kernel, which has no loop devices for a disk of etcd's own".into(),
            alternative: "load the kernel's module loop, or take virtual machines".into(),
        }),
        Verb::SlowDisk { .. } if !throttles(&host.file("/sys/fs/cgroup")) => Some(Impossible {
            reason: "containers share the host's kernel, whose control groups limit no writes".into(),
            alternative: "start the host with the controller `io` (or `blkio`) of control groups, or take virtual \
                          machines"
                .into(),
        }),
        _ => None,
    }
}

/// Tries a queue on the loopback interface of a network namespace that ends with the try. Returns why it failed, if so.
async fn try_queue(host: &Host, queue: &[&str], cancel: &CancellationToken) -> Option<String> {
    // A user namespace gives those who are not root the right to it.
    let add = ["--user", "--map-root-user", "--net", "tc", "qdisc", "add", "dev", "lo", "root"];
    let add = if rustix::process::geteuid().is_root() { &add[2..] } else { &add[..] };
    let tried = host.ask("unshare", &[add, queue].concat(), cancel).await.err()?;
    let why = tried.tail().first().cloned().unwrap_or_else(|| tried.to_string());
    Some(format!("`tc qdisc add … {}` says: {why}", queue[0]))
}

/// Whether control groups can limit writes: the controller of the second version, or that of the first.
fn throttles(mounted: &Path) -> bool {
    let unified = std::fs::read_to_string(mounted.join("cgroup.controllers")).unwrap_or_default();
    let first: PathBuf = mounted.join("blkio/blkio.throttle.write_bps_device");
    unified.split_whitespace().any(|controller| controller == "io") || first.exists() || has_throttle(mounted)
}

/// The root group of the first version may have no limits of its own where its children do.
fn has_throttle(mounted: &Path) -> bool {
    let groups = std::fs::read_dir(mounted.join("blkio")).into_iter().flatten().flatten();
    groups.map(|group| group.path().join("blkio.throttle.write_bps_device")).any(|file| file.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_limited_where_control_groups_have_the_controller() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert!(!throttles(at));
        std::fs::write(at.join("cgroup.controllers"), "cpu memory\n").unwrap();
        assert!(!throttles(at));
        std::fs::write(at.join("cgroup.controllers"), "cpu io memory\n").unwrap();
        assert!(throttles(at));
        std::fs::write(at.join("cgroup.controllers"), "hugetlb\n").unwrap();
        std::fs::create_dir_all(at.join("blkio/child")).unwrap();
        std::fs::write(at.join("blkio/child/blkio.throttle.write_bps_device"), "").unwrap();
        assert!(throttles(at));
    }

    #[tokio::test]
    async fn the_clock_of_containers_is_refused_with_an_alternative() {
        let verb = Verb::SkewClock { by: jiff::SignedDuration::from_mins(5) };
        let refused = impossible(&verb, &Host::here(), &CancellationToken::new()).await.unwrap();
        assert!(refused.reason.contains("clock") && refused.alternative.contains("virtual machines"), "{refused:?}");
        assert_eq!(impossible(&Verb::Isolate, &Host::here(), &CancellationToken::new()).await, None);
    }
}
