//! Histories written by hand, for tests and for looking at what a report makes of them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::comparison::{Comparison, Difference, Finding, Judgement, Shift, Side, Spread, Unit};
use crate::event::{Event, FORMAT, Phase, SpanId, Verdict, What};

/// A log in the making. Events may be added in any order of time.
pub(crate) struct Log {
    events: Vec<Event>,
    spans: u32,
}

/// A span of work with its whole life.
pub(crate) struct Work<'a> {
    pub(crate) phase: Phase,
    pub(crate) title: &'a str,
    pub(crate) from: f64,
    pub(crate) to: Option<f64>,
    pub(crate) machine: Option<&'a str>,
    pub(crate) step: Option<usize>,
    pub(crate) after: &'a [SpanId],
    pub(crate) deadline: Option<f64>,
    pub(crate) verdict: Verdict,
    pub(crate) message: Option<&'a str>,
    pub(crate) progress: &'a [(f64, &'a str)],
}

/// Work that passes.
pub(crate) fn work(phase: Phase, title: &str, from: f64, to: f64) -> Work<'_> {
    let (machine, step, deadline, message) = (None, None, None, None);
    let verdict = Verdict::Passed;
    Work { phase, title, from, to: Some(to), machine, step, after: &[], deadline, verdict, message, progress: &[] }
}

fn wall(at: f64) -> Timestamp {
    let start: Timestamp = "2026-11-23T06:01:34Z".parse().expect("a time");
    start + SignedDuration::from_millis((at * 1e3).round() as i64)
}

impl Log {
    pub(crate) fn new(scenario: &str) -> Self {
        let mut log = Self { events: Vec::new(), spans: 0 };
        log.add(
            0.0,
            What::RunStarted {
                format: FORMAT,
                run: "20261123-0601-k3x9".to_owned(),
                version: "0.1.0".to_owned(),
                scenario: scenario.to_owned(),
                path: format!("scenarios/{scenario}.yaml"),
                text: format!("name: {scenario}\n"),
                seed: 7,
            },
        );
        log
    }

    pub(crate) fn add(&mut self, at: f64, what: What) {
        let at = (at * 1e4).round() / 1e4;
        self.events.push(Event { at, wall: wall(at), what });
    }

    pub(crate) fn work(&mut self, work: &Work<'_>) -> SpanId {
        self.spans += 1;
        let span = SpanId(self.spans);
        self.add(
            work.from,
            What::SpanStarted {
                span,
                phase: work.phase,
                title: work.title.to_owned(),
                machine: work.machine.map(str::to_owned),
                step: work.step,
                after: work.after.to_vec(),
                deadline: work.deadline,
            },
        );
        for (at, message) in work.progress {
            let message = (*message).to_owned();
            self.add(*at, What::Progress { span, message, done: None, total: None, unit: None });
        }
        if let Some(to) = work.to {
            let (verdict, took) = (work.verdict, ((to - work.from) * 1e4).round() / 1e4);
            self.add(to, What::SpanEnded { span, verdict, took, message: work.message.map(str::to_owned) });
        }
        span
    }

    pub(crate) fn advance(&mut self, at: f64, span: SpanId, done: u64, total: u64, unit: &str) {
        let (message, unit) = ("downloading".to_owned(), Some(unit.to_owned()));
        self.add(at, What::Progress { span, message, done: Some(done), total: Some(total), unit });
    }

    pub(crate) fn sample(&mut self, at: f64, ok: bool, latency_ms: f64) {
        let error = (!ok).then(|| "connection reset by peer".to_owned());
        self.add(at, What::ApiSample { ok, status: ok.then_some(200), latency_ms, server: None, error });
    }

    pub(crate) fn write(&mut self, at: f64, acknowledged: bool) {
        let (seq, object, revision, error) = (1, "w-1".to_owned(), None, None);
        self.add(at, What::Write { seq, object, acknowledged, revision, latency_ms: 4.0, error });
    }

    pub(crate) fn stream(&mut self, at: f64, state: &str, gap: f64) {
        let (state, error) = (state.to_owned(), (state == "cut").then(|| "its server ended it".to_owned()));
        let (revision, delivered, missed, repeated, relisted) = (7, 7, 0, 0, 0);
        self.add(at, What::Stream { state, gap, revision, delivered, missed, repeated, relisted, error });
    }

    pub(crate) fn vote(&mut self, at: f64, term: u64, leads: bool) {
        let what = etcd("master1".to_owned(), leads.then_some("8e9e05c52164694d"), None);
        let What::Etcd { machine, healthy, member, leader, members, revision, alarms, error, .. } = what else {
            return;
        };
        let term = Some(term);
        self.add(at, What::Etcd { machine, healthy, member, leader, members, term, revision, alarms, error });
    }

    pub(crate) fn file(&mut self, at: f64, path: &str, role: &str, machine: Option<&str>, text: Option<&str>) {
        let (path, role) = (path.to_owned(), role.to_owned());
        self.add(at, What::File { path, role, machine: machine.map(str::to_owned), text: text.map(str::to_owned) });
    }

    pub(crate) fn node(&mut self, at: f64, node: &str, ready: &str) {
        let reason = if ready == "True" { "KubeletReady" } else { "NodeStatusUnknown" }.to_owned();
        let roles = vec!["control-plane".to_owned()];
        self.add(at, What::Node { node: node.to_owned(), ready: ready.to_owned(), reason, roles });
    }

    /// A watch is cut by an error, or back.
    pub(crate) fn watch(&mut self, at: f64, of: &str, error: Option<&str>) {
        let (of, connected, error) = (of.to_owned(), error.is_none(), error.map(str::to_owned));
        self.add(at, What::Watch { of, connected, error });
    }

    pub(crate) fn lease(&mut self, at: f64, node: &str, renewed: f64) {
        self.add(at, What::NodeLease { node: node.to_owned(), renewed: wall(renewed) });
    }

    pub(crate) fn etcd(&mut self, at: f64, machine: &str, member: &str, leader: &str) {
        let (machine, member, leader) = (machine.to_owned(), Some(member.to_owned()), Some(leader.to_owned()));
        let (term, revision, alarms) = (Some(2), Some(1), Vec::new());
        let (healthy, members, error) = (true, Some(3), None);
        self.add(at, What::Etcd { machine, healthy, member, leader, members, term, revision, alarms, error });
    }

    pub(crate) fn befall(&mut self, at: f64, verb: &str, machine: &str, heals: bool) {
        let (step, service, detail) = (None, None, (verb == "restore").then(|| "from isolate".to_owned()));
        let (verb, machine, proof) = (verb.to_owned(), machine.to_owned(), "seen".to_owned());
        self.add(at, What::Fault { step, verb, machine, service, detail, heals, begun: wall(at), proof });
    }

    pub(crate) fn partition(&mut self, at: f64, machine: &str, detail: &str) {
        self.network(at, "partition", machine, detail, false);
    }

    pub(crate) fn heal(&mut self, at: f64, machine: &str, detail: &str) {
        self.network(at, "restore", machine, detail, true);
    }

    fn network(&mut self, at: f64, verb: &str, machine: &str, detail: &str, heals: bool) {
        let (step, service, detail) = (None, None, Some(detail.to_owned()));
        let (verb, machine, proof) = (verb.to_owned(), machine.to_owned(), "seen".to_owned());
        self.add(at, What::Fault { step, verb, machine, service, detail, heals, begun: wall(at), proof });
    }

    fn fault(&mut self, begun: f64, at: f64, step: usize, verb: &str, heals: bool, proof: &str) {
        let (verb, machine, proof) = (verb.to_owned(), "master2".to_owned(), proof.to_owned());
        self.add(
            at,
            What::Fault {
                step: Some(step),
                verb,
                machine,
                service: None,
                heals,
                detail: None,
                begun: wall(begun),
                proof,
            },
        );
    }

    pub(crate) fn end(&mut self, at: f64, verdict: Verdict, reason: &str) {
        self.add(at, What::RunEnded { verdict, reason: reason.to_owned() });
    }

    pub(crate) fn finish(mut self) -> Vec<Event> {
        self.events.sort_by(|one, other| one.at.total_cmp(&other.at));
        self.events
    }

    pub(crate) fn plan(&mut self) {
        let steps = [
            ("all nodes are Ready", 11, Some(300.0)),
            ("one sh-cgi pod on each master", 12, Some(120.0)),
            ("kill master2", 14, Some(30.0)),
            ("master2 is NotReady", 15, Some(90.0)),
            ("start master2", 18, Some(60.0)),
            ("all nodes are Ready", 19, Some(180.0)),
        ];
        for (step, (title, line, deadline)) in steps.into_iter().enumerate() {
            self.add(0.1, What::StepPlanned { step, title: title.to_owned(), line, deadline });
        }
        for (invariant, line) in [("api: outage-below 15s", 5), ("writes: none-lost", 6)] {
            self.add(0.1, What::InvariantPlanned { invariant: invariant.to_owned(), line });
        }
        let (name, reason) = ("docker".to_owned(), "no hypervisor here, and a Docker daemon answers".to_owned());
        self.add(0.1, What::Provider { name, reason });
    }

    /// Preparation and bring-up of three masters, done at 62 s.
    fn bring_up(&mut self) {
        let host = self.work(&work(Phase::Prepare, "look at the host", 0.1, 0.4));
        let kubernetes = Work { after: &[host], deadline: Some(900.0), ..work(Phase::Prepare, "Kubernetes", 0.4, 4.0) };
        let kubernetes = self.work(&kubernetes);
        for tenth in 1..=10_u32 {
            self.advance(
                0.4 + f64::from(tenth) * 0.35,
                kubernetes,
                u64::from(tenth) * 34_000_000,
                340_000_000,
                "bytes",
            );
        }
        let sha256 = BTreeMap::from([("kubelet".to_owned(), "9f86d081884c7d65".to_owned())]);
        let (name, version, source) = ("kubernetes".to_owned(), "1.20.2".to_owned(), "cache".to_owned());
        self.add(4.0, What::Artifact { name, version, source, sha256 });
        let image =
            Work { after: &[host], message: Some("from the cache"), ..work(Phase::Prepare, "node image", 0.4, 1.2) };
        let image = self.work(&image);

        let up = Work { after: &[kubernetes, image], ..work(Phase::BringUp, "vagrant up", 4.1, 14.0) };
        let up = self.work(&Work { progress: &[(5.0, "creating 4 machines")], deadline: Some(300.0), ..up });
        let mut ready = Vec::new();
        for (machine, end) in [("master1", 17.0), ("master2", 17.5), ("master3", 16.8)] {
            let runtime = work(Phase::BringUp, "container runtime", 14.1, end);
            ready.push(self.work(&Work { after: &[up], machine: Some(machine), deadline: Some(60.0), ..runtime }));
        }
        let init = work(Phase::BringUp, "kubeadm init", 17.1, 34.0);
        let progress = [(18.0, "waiting for the API server"), (29.0, "uploading certificates")];
        let init = Work { after: &ready[..1], machine: Some("master1"), progress: &progress, ..init };
        let init = self.work(&Work { deadline: Some(180.0), ..init });
        let join = |machine| Work { machine: Some(machine), ..work(Phase::BringUp, "join as a master", 34.1, 47.0) };
        let second = self.work(&Work { after: &[init, ready[1]], ..join("master2") });
        let third = Work { after: &[second, ready[2]], from: 47.1, to: Some(58.0), ..join("master3") };
        let third = self.work(&third);
        let gate = Work { after: &[third], ..work(Phase::BringUp, "prove that controllers work", 58.1, 62.0) };
        self.work(&gate);
        for (at, node) in [(40.0, "master1"), (52.0, "master2"), (60.0, "master3")] {
            self.node(at - 5.0, node, "False");
            self.node(at, node, "True");
        }
    }

    /// The steps until master2 is dead, at 70.4 s.
    fn kill(&mut self) {
        let step = |step, title, from, to| Work { step: Some(step), ..work(Phase::Scenario, title, from, to) };
        self.work(&Work { deadline: Some(300.0), ..step(0, "all nodes are Ready", 62.2, 63.0) });
        let pods = [(64.0, "2 of 3 pods are Ready: master3 has none")];
        let pods =
            Work { progress: &pods, deadline: Some(120.0), ..step(1, "one sh-cgi pod on each master", 63.0, 70.0) };
        self.work(&pods);
        self.work(&Work { deadline: Some(30.0), ..step(2, "kill master2", 70.0, 70.5) });
        self.fault(70.1, 70.4, 2, "kill", false, "the container exited with 137");
        let (machine, state) = ("master2".to_owned(), "stopped".to_owned());
        self.add(
            70.4,
            What::Machine { machine, state, proof: "docker inspect: exited".to_owned(), since: Some(wall(70.2)) },
        );
        for tenth in 0..10_u32 {
            self.sample(63.0 + f64::from(tenth) * 0.7, true, 4.0 + f64::from(tenth));
        }
        for quarter in 0..3_u32 {
            self.sample(70.61 + f64::from(quarter) * 0.25, false, 10.0);
        }
        self.sample(71.36, true, 12.0);
    }

    pub(crate) fn step(&mut self, step: usize, title: &str, times: (f64, f64), verdict: Verdict, message: &str) {
        let message = (verdict != Verdict::Passed).then_some(message);
        let work = work(Phase::Scenario, title, times.0, times.1);
        self.work(&Work { step: Some(step), verdict, message, ..work });
    }

    pub(crate) fn unexplained(&mut self, at: f64, machine: &str, message: &str) {
        self.add(at, What::Unexplained { machine: machine.to_owned(), message: message.to_owned() });
    }

    /// Cleaning up for three seconds, the first of which goes by in vain.
    pub(crate) fn clean_up_broken(&mut self, from: f64, message: &str) {
        let undo = work(Phase::CleanUp, "undo what lasts", from, from + 1.0);
        self.work(&Work { verdict: Verdict::Broken, message: Some(message), ..undo });
        self.work(&work(Phase::CleanUp, "remove the machines", from + 1.1, from + 3.0));
    }

    fn clean_up(&mut self, from: f64) {
        let evidence = self.work(&work(Phase::CleanUp, "gather evidence", from, from + 2.0));
        let destroy = work(Phase::CleanUp, "destroy the machines", from + 2.1, from + 8.9);
        self.work(&Work { after: &[evidence], ..destroy });
    }
}

/// The waiting for master2 to be NotReady, told as it is waited for.
const LEASE: [(f64, &str); 4] = [
    (75.0, "master2 is Ready: kubelet's lease is 5 s old, limit 40 s"),
    (85.0, "master2 is Ready: kubelet's lease is 15 s old, limit 40 s"),
    (86.0, "master2 is Ready: kubelet's lease is 16 s old, limit 40 s"),
    (96.0, "master2 is Ready: kubelet's lease is 26 s old, limit 40 s"),
];

/// A run of `kill-master2` that passed after 156 s.
pub(crate) fn passed() -> Vec<Event> {
    let mut log = Log::new("kill-master2");
    log.plan();
    log.bring_up();
    log.kill();
    let step = |step, title, from, to| Work { step: Some(step), ..work(Phase::Scenario, title, from, to) };
    let wait = step(3, "master2 is NotReady", 70.5, 116.0);
    log.work(&Work { progress: &LEASE, deadline: Some(90.0), message: Some("after 45.9 s"), ..wait });
    log.node(116.0, "master2", "Unknown");
    log.work(&Work { deadline: Some(60.0), ..step(4, "start master2", 116.1, 120.2) });
    log.fault(116.2, 120.1, 4, "start", true, "boot id changed");
    let (machine, state) = ("master2".to_owned(), "running".to_owned());
    let proof = "docker inspect: running".to_owned();
    log.add(120.1, What::Machine { machine, state, proof, since: Some(wall(116.9)) });
    let wait = step(5, "all nodes are Ready", 120.2, 134.2);
    log.work(&Work { progress: &[(121.0, "master2 is NotReady: NodeStatusUnknown")], deadline: Some(180.0), ..wait });
    log.node(134.1, "master2", "True");
    let of = "nodes".to_owned();
    log.add(80.0, What::Watch { of, connected: false, error: Some("the balancer closed it".to_owned()) });
    log.add(62.1, What::Notice { message: "an even split cannot happen with 3 masters".to_owned() });
    log.clean_up(134.3);
    log.end(143.3, Verdict::Passed, "all 6 steps held");
    log.finish()
}

/// The same scenario with a deadline that the cluster misses, and an invariant violated on the way.
pub(crate) fn failed() -> Vec<Event> {
    let mut log = Log::new("kill-master2");
    log.plan();
    log.bring_up();
    log.kill();
    let message = "master2 was still Ready after 90 s: kubelet's lease was renewed 0.4 s ago";
    let wait = Work { step: Some(3), progress: &LEASE, ..work(Phase::Scenario, "master2 is NotReady", 70.5, 160.5) };
    log.work(&Work { deadline: Some(90.0), verdict: Verdict::Failed, message: Some(message), ..wait });
    let (invariant, seen) = ("api: outage-below 15s".to_owned(), "no good answer for 15.1 s".to_owned());
    log.add(158.0, What::Violation { invariant, message: seen, since: None });
    let (machine, error) = ("master2".to_owned(), Some("connection refused".to_owned()));
    log.add(72.0, etcd(machine, None, error));
    log.clean_up(160.6);
    log.end(169.5, Verdict::Failed, &format!("step 4 (line 15): {message}"));
    log.finish()
}

/// The same scenario, ended by the violation of an invariant.
pub(crate) fn violated() -> Vec<Event> {
    let mut log = Log::new("kill-master2");
    log.plan();
    log.bring_up();
    log.kill();
    let (invariant, message) = ("api: outage-below 15s".to_owned(), "no good answer for 15.1 s");
    log.add(158.0, What::Violation { invariant, message: message.to_owned(), since: Some(142.9) });
    log.step(3, "master2 is NotReady", (70.5, 158.0), Verdict::Failed, message);
    log.clean_up(158.1);
    log.end(167.0, Verdict::Failed, &format!("step 4 (line 15, master2 is NotReady): {message}"));
    log.finish()
}

fn etcd(machine: String, leader: Option<&str>, error: Option<String>) -> What {
    let (member, leader, healthy) = (None, leader.map(str::to_owned), error.is_none());
    let (members, term, revision, alarms) = (None, None, None, Vec::new());
    What::Etcd { machine, healthy, member, leader, members, term, revision, alarms, error }
}

/// A run whose host lacks what it needs.
pub(crate) fn broken() -> Vec<Event> {
    let mut log = Log::new("kill-master2");
    log.plan();
    let host = work(Phase::Prepare, "look at the host", 0.1, 0.4);
    let message = "no Docker daemon answers at /var/run/docker.sock: start it with `dockerd`, or as its unit";
    log.work(&Work { verdict: Verdict::Broken, message: Some(message), ..host });
    log.end(0.5, Verdict::Broken, message);
    log.finish()
}

/// A run that somebody ended while the first master came up.
pub(crate) fn interrupted() -> Vec<Event> {
    let mut log = Log::new("kill-master2");
    log.plan();
    let up = log.work(&work(Phase::BringUp, "vagrant up", 0.5, 10.0));
    let (machine, state) = ("master1".to_owned(), "running".to_owned());
    log.add(11.0, What::Machine { machine, state, proof: "docker inspect: running".to_owned(), since: None });
    let init = Work { machine: Some("master1"), after: &[up], ..work(Phase::BringUp, "kubeadm init", 10.1, 20.0) };
    let init = Work { progress: &[(12.0, "waiting for the API server")], ..init };
    log.work(&Work { verdict: Verdict::Interrupted, message: Some("was abandoned"), ..init });
    log.clean_up(20.1);
    log.end(29.0, Verdict::Interrupted, "somebody pressed Ctrl-C");
    log.finish()
}

/// Events as they lie on disk.
pub(crate) fn jsonl(events: &[Event]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| {
            let mut line = serde_json::to_vec(event).expect("an event");
            line.push(b'\n');
            line
        })
        .collect()
}

/// The run that passed, held against a baseline that it does not live up to.
pub(crate) fn regressed() -> Vec<Event> {
    let mut events = passed();
    let side = |runs: &[&str]| Side { file: None, runs: runs.iter().map(|run| (*run).to_owned()).collect() };
    let spread = |count, median: f64| Some(Spread { count, min: median - 1.0, median, max: median + 1.0 });
    let finding = Finding {
        figure: "bring-up".to_owned(),
        unit: Unit::Seconds,
        before: spread(5, 40.0),
        after: spread(3, 60.0),
        shift: Some(Shift { estimate: 20.0, interval: Some((18.5, 21.0)) }),
        allowed: 10.0,
        p: Some(0.0179),
        judgement: Judgement::Regressed,
    };
    let comparison = Comparison {
        scenario: "kill-master2".to_owned(),
        before: Side { file: Some("baselines/kill-master2.yaml".to_owned()), ..side(&["a", "b", "c", "d", "e"]) },
        after: side(&["20261123-0601-k3x9", "x", "y"]),
        differences: vec![Difference {
            setting: "load-balancer.fall".to_owned(),
            before: Some("3".to_owned()),
            after: Some("10".to_owned()),
        }],
        alpha: 0.02,
        needed: None,
        findings: vec![finding],
    };
    let at = events.last().map_or(0.0, |event| event.at) + 300.0;
    events.push(Event { at, wall: wall(at), what: What::Compared { comparison } });
    events
}
