//! Histories written by hand, and what is expected of their judgement.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::check::world::World;
use crate::check::{Judgement, judge, names};
use crate::event::{Event, What};
use crate::scenario::{Check, LoadOptions, MachineName, Placement, Topology, load_topology};

pub(super) const MASTERS: [&str; 3] = ["master1", "master2", "master3"];

pub(super) fn wall(at: f64) -> Timestamp {
    let start: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
    start + SignedDuration::from_millis((at * 1e3).round() as i64)
}

pub(super) fn topology() -> Topology {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/topologies/stacked-3.yaml");
    load_topology(&file, &LoadOptions::default()).unwrap().topology
}

pub(super) fn name(name: &str) -> MachineName {
    MachineName(name.to_owned())
}

/// A history in the making.
#[derive(Default, Clone)]
pub(super) struct Story(pub(super) World);

impl Story {
    /// A cluster that is well, seen at 10 s: all nodes Ready, leases renewed, one pod on every master, etcd agreed.
    pub(super) fn healthy() -> Self {
        let mut story = Self::default();
        for master in MASTERS {
            story = story
                .node(10.0, master, "True")
                .lease(10.0, master, 9.0)
                .pod(10.0, &format!("sh-cgi-{master}"), Some(master), 8.0)
                .etcd(10.0, master, Ok(("1", 3)));
        }
        story.daemon_set(10.0, true).listed(10.0).hashes(10.0, &[("master1", 7), ("master2", 7), ("master3", 7)])
    }

    pub(super) fn add(mut self, at: f64, what: What) -> Self {
        self.0.apply(&Event { at, wall: wall(at), what });
        self
    }

    pub(super) fn node(self, at: f64, node: &str, ready: &str) -> Self {
        let reason = if ready == "True" { "KubeletReady" } else { "NodeStatusUnknown" };
        self.add(
            at,
            What::Node { node: node.into(), ready: ready.into(), reason: reason.into(), roles: vec!["master".into()] },
        )
    }

    pub(super) fn lease(self, at: f64, node: &str, renewed: f64) -> Self {
        self.add(at, What::NodeLease { node: node.into(), renewed: wall(renewed) })
    }

    pub(super) fn daemon_set(self, at: f64, exists: bool) -> Self {
        self.add(at, What::DaemonSet { name: "sh-cgi".into(), exists, desired: 3, ready: 3 })
    }

    pub(super) fn pod(self, at: f64, pod: &str, node: Option<&str>, started: f64) -> Self {
        self.pod_as(at, pod, node, started, "Running", true, false)
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn pod_as(
        self,
        at: f64,
        pod: &str,
        node: Option<&str>,
        started: f64,
        phase: &str,
        ready: bool,
        terminating: bool,
    ) -> Self {
        let what = What::Pod {
            owner: "sh-cgi".into(),
            pod: pod.into(),
            node: node.map(str::to_owned),
            phase: phase.into(),
            ready,
            terminating,
            address: None,
            started: Some(wall(started)),
        };
        self.add(at, what)
    }

    /// A member with its leader and the number of members that it knows, or what is wrong with it.
    pub(super) fn owned_pod(self, owner: &str, at: f64, pod: &str, node: Option<&str>, started: f64) -> Self {
        self.pod_of(owner, at, pod, node, started, false)
    }

    pub(super) fn deleted_pod(self, owner: &str, at: f64, pod: &str, node: &str) -> Self {
        self.pod_of(owner, at, pod, Some(node), 8.0, true)
    }

    pub(super) fn pod_of(
        self,
        owner: &str,
        at: f64,
        pod: &str,
        node: Option<&str>,
        started: f64,
        terminating: bool,
    ) -> Self {
        let (owner, pod, node) = (owner.to_owned(), pod.to_owned(), node.map(str::to_owned));
        let (phase, ready, started) = ("Running".to_owned(), !terminating, Some(wall(started)));
        self.add(at, What::Pod { owner, pod, node, phase, ready, terminating, address: None, started })
    }

    pub(super) fn etcd(self, at: f64, machine: &str, is: Result<(&str, usize), &str>) -> Self {
        let (leader, members) = is.map_or((None, None), |(leader, members)| (Some(leader.to_owned()), Some(members)));
        let (machine, member, error) = (machine.to_owned(), None, is.err().map(str::to_owned));
        let (term, revision, alarms) = (None, None, Vec::new());
        self.add(
            at,
            What::Etcd { machine, healthy: is.is_ok(), member, leader, members, term, revision, alarms, error },
        )
    }

    /// Each member's hash at revision 100.
    pub(super) fn hashes(self, at: f64, hashes: &[(&str, u32)]) -> Self {
        let hashes = hashes.iter().map(|(machine, hash)| ((*machine).to_owned(), *hash)).collect();
        self.add(at, What::EtcdHash { revision: 100, hashes })
    }

    /// All watches have listed everything.
    pub(super) fn listed(self, at: f64) -> Self {
        let all = [names::NODES, names::LEASES, names::DAEMON_SETS, names::PODS, names::COMPONENT_LEASES];
        all.into_iter()
            .fold(self, |story, of| story.add(at, What::Watch { of: of.into(), connected: true, error: None }))
    }

    pub(super) fn cut(self, at: f64, of: &str, error: &str) -> Self {
        self.add(at, What::Watch { of: of.into(), connected: false, error: Some(error.into()) })
    }

    /// A fault that was begun at one time and seen to be so at another.
    pub(super) fn fault(self, begun: f64, at: f64, verb: &str, machine: &str) -> Self {
        let heals = verb.starts_with("start");
        let (verb, machine, proof) = (verb.to_owned(), machine.to_owned(), String::new());
        let what =
            What::Fault { step: None, verb, machine, service: None, heals, detail: None, begun: wall(begun), proof };
        self.add(at, what)
    }

    /// A request that was sent at one time and whose outcome was known at another.
    pub(super) fn sample(self, sent: f64, done: f64, ok: bool) -> Self {
        let error = (!ok).then(|| "connection refused".to_owned());
        let latency_ms = (done - sent) * 1000.0;
        self.add(done, What::ApiSample { ok, status: None, latency_ms, server: None, error })
    }

    pub(super) fn served(self, sent: f64, took: f64, server: &str, ok: bool) -> Self {
        let error = (!ok).then(|| "no answer within 4s".to_owned());
        let (latency_ms, server) = (took * 1000.0, Some(server.to_owned()));
        self.add(sent + took, What::ApiSample { ok, status: None, latency_ms, server, error })
    }

    pub(super) fn holds(&self, check: &Check, since: f64) {
        assert_eq!(judge(check, &topology(), &self.0, since), Judgement::Holds);
    }

    /// The check does not hold, and all of these words are in the reason.
    pub(super) fn misses(&self, check: &Check, since: f64, words: &[&str]) {
        match judge(check, &topology(), &self.0, since) {
            Judgement::Holds => panic!("it holds, but should not for {words:?}"),
            Judgement::NotYet(reason) | Judgement::Unknown(reason) => {
                for word in words {
                    assert!(reason.contains(word), "`{word}` is not in: {reason}");
                }
            }
        }
    }
}

pub(super) const PODS: fn() -> Check = || Check::DaemonSet { name: "sh-cgi".into(), pods: Placement::OnePerMaster };
