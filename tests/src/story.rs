//! Runs that nobody ran, told as events, to see what a page makes of them.

use jiff::{SignedDuration, Timestamp};
use quorate::event::{Event, FORMAT, Phase, SpanId, Verdict, What};

/// A run in the making. Events may be told in any order of time.
#[derive(Debug)]
pub struct Story {
    events: Vec<Event>,
    spans: u32,
}

/// The wall clock of the host at a moment of a story.
pub fn wall(at: f64) -> Timestamp {
    let start: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
    start + SignedDuration::from_micros((at * 1e6).round() as i64)
}

impl Story {
    /// The run of a scenario.
    pub fn of(scenario: &str, text: &str) -> Self {
        let mut story = Self { events: Vec::new(), spans: 0 };
        let (scenario, path, text) = (scenario.to_owned(), "scenarios/story.yaml".to_owned(), text.to_owned());
        let (run, version) = ("20261123-060000-stor".to_owned(), "0.1.0".to_owned());
        story.tell(0.0, What::RunStarted { format: FORMAT, run, version, scenario, path, text, seed: 1 });
        story
    }

    /// Something happened.
    pub fn tell(&mut self, at: f64, what: What) {
        self.events.push(Event { at, wall: wall(at), what });
    }

    /// A step of the scenario at a line of its text, carried out from a moment to another.
    pub fn step(&mut self, line: u32, title: &str, times: (f64, f64), deadline: f64, verdict: Verdict) {
        let (step, title, deadline) = (self.spans as usize, title.to_owned(), Some(deadline));
        self.spans += 1;
        let (span, phase, after) = (SpanId(self.spans), Phase::Scenario, Vec::new());
        self.tell(0.0, What::StepPlanned { step, title: title.clone(), line, deadline });
        let step = Some(step);
        self.tell(times.0, What::SpanStarted { span, phase, title, machine: None, step, after, deadline });
        let message = (verdict != Verdict::Passed).then(|| "master2 is Ready still".to_owned());
        self.tell(times.1, What::SpanEnded { span, verdict, took: times.1 - times.0, message });
    }

    /// A fault, begun half a second before it is seen.
    pub fn fault(&mut self, at: f64, verb: &str, machine: &str, heals: bool) {
        let (verb, machine, proof) = (verb.to_owned(), machine.to_owned(), "seen".to_owned());
        let (step, service, detail, begun) = (None, None, None, wall(at - 0.5));
        self.tell(at, What::Fault { step, verb, machine, service, detail, heals, begun, proof });
    }

    /// A machine is now in a state.
    pub fn machine(&mut self, at: f64, machine: &str, state: &str) {
        let (machine, state) = (machine.to_owned(), state.to_owned());
        self.tell(at, What::Machine { machine, state, proof: "seen".to_owned(), since: None });
    }

    /// A node is Ready, or no longer.
    pub fn node(&mut self, at: f64, node: &str, ready: bool) {
        let (ready, reason) = if ready { ("True", "KubeletReady") } else { ("Unknown", "NodeStatusUnknown") };
        let (node, ready, reason) = (node.to_owned(), ready.to_owned(), reason.to_owned());
        self.tell(at, What::Node { node, ready, reason, roles: Vec::new() });
    }

    /// A request to the API was answered, or failed, after so many milliseconds.
    pub fn request(&mut self, at: f64, ok: bool, latency_ms: f64) {
        let error = (!ok).then(|| "connection refused".to_owned());
        self.tell(at, What::ApiSample { ok, status: ok.then_some(200), latency_ms, server: None, error });
    }

    /// A log was written or gathered.
    pub fn log(&mut self, at: f64, path: &str, role: &str, machine: &str) {
        let (path, role, machine) = (path.to_owned(), role.to_owned(), Some(machine.to_owned()));
        self.tell(at, What::File { path, role, machine, text: None });
    }

    /// The run ended.
    pub fn end(&mut self, at: f64, verdict: Verdict, reason: &str) {
        self.tell(at, What::RunEnded { verdict, reason: reason.to_owned() });
    }

    /// The events in the order of their times.
    pub fn events(mut self) -> Vec<Event> {
        self.events.sort_by(|one, other| one.at.total_cmp(&other.at));
        self.events
    }
}

/// The events as they lie on disk.
pub fn jsonl(events: &[Event]) -> Vec<u8> {
    let lines = events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n");
    lines.collect::<String>().into_bytes()
}

/// master2 is killed at 20 s and started at 60 s, of 100 s; the API is away from 21 s to 24 s.
pub fn short(verdict: Verdict) -> Story {
    let text = "name: story\ntopology: stacked-3\nsteps:\n  - kill: master2\n  - expect: { node: master2, is: not-ready, within: 30s }\n";
    let mut story = Story::of("story", text);
    for machine in ["balancer", "master1", "master2", "master3"] {
        story.machine(5.0, machine, "running");
    }
    for node in ["master1", "master2", "master3"] {
        story.node(10.0, node, true);
    }
    story.step(4, "kill master2", (19.0, 20.0), 180.0, Verdict::Passed);
    story.fault(20.0, "kill", "master2", false);
    story.machine(20.0, "master2", "stopped");
    story.step(5, "expect master2 NotReady within 30s", (20.0, 50.0), 30.0, verdict);
    story.node(55.0, "master2", false);
    story.machine(60.0, "master2", "running");
    story.fault(60.0, "start", "master2", true);
    story.node(70.0, "master2", true);
    for quarter in 48..400_u32 {
        let at = f64::from(quarter) / 4.0;
        story.request(at, !(21.0..24.0).contains(&at), if at < 30.0 { 8.0 } else { 20.0 });
    }
    story.log(98.0, "machines/master2/journal.txt", "journal", "master2");
    let reason = if verdict == Verdict::Passed { "everything held" } else { "step 2 (line 5): master2 is Ready still" };
    story.end(100.0, verdict, reason);
    story
}

/// An hour with 100,000 events: requests, renewals of leases, progress, and changes of the cluster, many of them.
pub fn hour() -> Vec<Event> {
    let mut story = short(Verdict::Failed);
    story.events.retain(|event| !matches!(event.what, What::RunEnded { .. } | What::ApiSample { .. }));
    for n in 0..50_000_u32 {
        let (at, spread) = (12.0 + f64::from(n) * 0.0714, f64::from(n * 7919 % 97));
        story.request(at, n % 400 > 3, if n % 1000 == 7 { 2500.0 } else { 3.0 + spread });
    }
    for n in 0..10_000_u32 {
        let (at, node) = (12.0 + f64::from(n) * 0.357, format!("master{}", n % 3 + 1));
        story.tell(at, What::NodeLease { node, renewed: wall(at) });
    }
    for n in 0..6_000_u32 {
        let (at, machine) = (13.0 + f64::from(n) * 0.59, format!("master{}", n % 3 + 1));
        story.node(at, &machine, n / 3 % 2 == 0);
        let (member, leader) = (Some(machine.clone()), Some(format!("master{}", n / 50 % 3 + 1)));
        let (healthy, members) = (n % 7 != 0, Some(3));
        let (term, revision, alarms, error) = (Some(2), Some(u64::from(n)), Vec::new(), None);
        story.tell(at, What::Etcd { machine, healthy, member, leader, members, term, revision, alarms, error });
    }
    for n in 0..100_u32 {
        let (at, machine) = (100.0 + f64::from(n) * 34.0, format!("master{}", n % 3 + 1));
        story.fault(at, "kill", &machine, false);
        story.machine(at, &machine, "stopped");
        story.fault(at + 20.0, "start", &machine, true);
        story.machine(at + 20.0, &machine, "running");
    }
    let missing = 100_000 - 1 - u32::try_from(story.events.len()).unwrap();
    for n in 0..missing {
        let (span, message) = (SpanId(2), format!("master2 is Ready still, {n}"));
        let at = 20.0 + f64::from(n) * 0.0001;
        story.tell(at, What::Progress { span, message, done: None, total: None, unit: None });
    }
    story.end(3600.0, Verdict::Failed, "step 2 (line 5): master2 is Ready still");
    story.events()
}
