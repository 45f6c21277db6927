//! What a run does and sees, as data.
//!
//! Everything that a person or a check learns about a run is computed from a sequence of [`Event`]s. This module
//! only says what an event is; [`crate::record`] writes them, and [`crate::report`] and [`crate::check`] fold them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;

/// The version of the format of `events.jsonl`. It grows when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// The reason of a run that somebody ended.
pub const INTERRUPTED: &str = "the run was interrupted";

/// How the notice begins that says how to look at a cluster, which holds until its machines are removed.
pub(crate) const LOOK: &str = "the cluster can be looked at: ";

/// What Vagrant printed while it removed machines, within the folder of the run that did so.
pub const REMOVAL_LOG: &str = "logs/removal.log";

/// The title of the work that judges what can be judged at the end alone.
pub(crate) const JUDGE: &str = "judge the whole run";

/// The title of the work that removes a run's machines.
pub(crate) const REMOVE: &str = "remove the machines";

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the run started, on a clock that never jumps.
    pub at: f64,
    /// The wall clock of the host at that moment.
    pub wall: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// How a run, a step or a span of work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that was expected held.
    Passed,
    /// The cluster misbehaved.
    Failed,
    /// The harness or its host could not do its job, so nothing is known about the cluster.
    Broken,
    /// Somebody ended the run before it could judge.
    Interrupted,
}

impl Verdict {
    /// The exit status of `quorate run` for this verdict.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Broken => 2,
            Self::Interrupted => 130,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Interrupted => "interrupted",
        })
    }
}

/// Identifies a span of work within its run, in the order in which spans were announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SpanId(pub u32);

/// The part of a run that a span belongs to, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Looking at the host and getting Kubernetes and the node image.
    Prepare,
    /// Bringing up and provisioning the cluster.
    BringUp,
    /// The scenario's own steps.
    Scenario,
    /// Gathering evidence and removing what was made.
    CleanUp,
}

/// What happened. Names of machines and nodes are the topology's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum What {
    /// Always the first event.
    RunStarted {
        /// [`FORMAT`] of the writer.
        format: u32,
        /// The run's id.
        run: String,
        /// Quorate's version.
        version: String,
        /// The scenario's name.
        scenario: String,
        /// Where the scenario's file lies.
        path: String,
        /// The whole text of the scenario's file.
        text: String,
        /// What chance follows in this run: another run with the same seed chooses the same machines, as far as the
        /// cluster does not.
        #[serde(default)]
        seed: u64,
    },
    /// Which provider makes the machines, and why that one.
    Provider {
        /// The provider's name.
        name: String,
        /// Why it was taken.
        reason: String,
    },
    /// A part that the cluster is made of, and where it came from.
    Artifact {
        /// What it is, as `kubernetes` or `node-image`.
        name: String,
        /// Its version.
        version: String,
        /// The source that gave it.
        source: String,
        /// Lower-case hexadecimal SHA-256 sums by file name.
        sha256: BTreeMap<String, String>,
    },
    /// What the run is to be made of, as far as it could matter to its numbers: the topology, the host.
    Settings {
        /// Values by name.
        settings: BTreeMap<String, String>,
    },
    /// A step of the scenario as it was planned, in order, before anything starts.
    StepPlanned {
        /// The step's place in the scenario, from 0.
        step: usize,
        /// The step as a person would say it.
        title: String,
        /// The line of the scenario's file where it stands, from 1.
        line: u32,
        /// Seconds after which the step fails.
        deadline: Option<f64>,
    },
    /// An invariant of the scenario, before anything starts.
    InvariantPlanned {
        /// What must hold, as violations of it name it.
        invariant: String,
        /// The line of the scenario's file where it stands, from 1.
        line: u32,
    },
    /// A span of work starts.
    SpanStarted {
        /// Its id.
        span: SpanId,
        /// Which part of the run it belongs to.
        phase: Phase,
        /// What is done, as a person would say it.
        title: String,
        /// The machine it is done on, if it is one machine's.
        machine: Option<String>,
        /// The scenario's step that it carries out.
        step: Option<usize>,
        /// The spans that had to end before this one could start.
        after: Vec<SpanId>,
        /// Seconds from its start after which it fails.
        deadline: Option<f64>,
    },
    /// How far a span is. Replaces the span's earlier progress.
    Progress {
        /// Its id.
        span: SpanId,
        /// What it does or waits for right now.
        message: String,
        /// How much is done, in `unit`.
        done: Option<u64>,
        /// How much there is, in `unit`.
        total: Option<u64>,
        /// The unit of `done` and `total`, as `bytes` or `packages`.
        unit: Option<String>,
    },
    /// A span of work ends.
    SpanEnded {
        /// Its id.
        span: SpanId,
        /// How it ended.
        verdict: Verdict,
        /// Seconds that it took.
        took: f64,
        /// Why it did not pass, or what it found.
        message: Option<String>,
    },
    /// A machine is now in this state.
    Machine {
        /// Its name.
        machine: String,
        /// `running`, `stopped`, `paused` or `absent`.
        state: String,
        /// What the provider said that proves it.
        proof: String,
        /// When it came into that state by the host's clock, as the provider tells it. The event itself comes after it was
        /// seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Timestamp>,
    },
    /// A fault was injected or healed, and was seen to be so.
    Fault {
        /// The scenario's step that asked for it.
        step: Option<usize>,
        /// The verb of the scenario's language, as `kill` or `stop-service`.
        verb: String,
        /// The machine that it befell.
        machine: String,
        /// The service, for a fault of the service family.
        service: Option<String>,
        /// Whether this is the undoing of the fault.
        heals: bool,
        /// Its particulars, as a person would say them: `from master1, master3`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// The wall clock of the host just before it was done. The event itself comes after it was seen to be so.
        begun: Timestamp,
        /// What was read back that proves it.
        proof: String,
    },
    /// A part of the masters was chosen, for a fault that befalls it.
    Choice {
        /// The scenario's step that asked for it.
        step: usize,
        /// The part, as `etcd-leader`.
        part: String,
        /// What the scenario calls the choice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The machines that it was.
        machines: Vec<String>,
        /// What was known that made it these.
        why: String,
    },
    /// A node's condition as the API server tells it, whenever it changes.
    Node {
        /// The node's name.
        node: String,
        /// The status of its Ready condition: `True`, `False`, `Unknown`, or `absent` when there is no such node.
        ready: String,
        /// The condition's reason.
        reason: String,
        /// The control-plane, worker … roles that its labels give it.
        roles: Vec<String>,
    },
    /// A node's kubelet renewed its lease.
    NodeLease {
        /// The node's name.
        node: String,
        /// When, by the clock of the node.
        renewed: Timestamp,
    },
    /// Another process holds the lease of a control plane component, or the first one that was seen.
    ComponentLease {
        /// The component, as `kube-scheduler`.
        component: String,
        /// The machine that the holder runs on; none if nobody holds it.
        machine: Option<String>,
        /// The holder's own name of itself.
        holder: String,
        /// How often the lease has changed hands.
        transitions: i32,
        /// When it was acquired, by the holder's clock.
        acquired: Option<Timestamp>,
    },
    /// A pod of a watched workload, whenever it changes.
    Pod {
        /// The DaemonSet it belongs to, or `deployment/NAME`.
        owner: String,
        /// Its name.
        pod: String,
        /// The node it is bound to.
        node: Option<String>,
        /// Its phase, or `absent` once it is gone.
        phase: String,
        /// Whether its Ready condition is True.
        ready: bool,
        /// Whether it is being deleted.
        terminating: bool,
        /// Its address.
        address: Option<String>,
        /// When the newest of its containers started, by the clock of the node.
        started: Option<Timestamp>,
    },
    /// A watched DaemonSet, whenever it changes.
    DaemonSet {
        /// Its name.
        name: String,
        /// Whether it exists.
        exists: bool,
        /// How many nodes should run a pod of it.
        desired: i32,
        /// How many pods are ready.
        ready: i32,
    },
    /// A watch through the balancer was cut or came back.
    Watch {
        /// What is watched.
        of: String,
        /// Whether it runs.
        connected: bool,
        /// What cut it.
        error: Option<String>,
    },
    /// One request to the API through the balancer, over a connection of its own.
    ApiSample {
        /// Whether it was answered with success.
        ok: bool,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// Milliseconds until the answer was complete or the request failed.
        latency_ms: f64,
        /// The machine whose server was at the other end, if its certificate told.
        #[serde(default)]
        server: Option<String>,
        /// What went wrong.
        error: Option<String>,
    },
    /// Whether the API server of a master, asked directly, says that it is ready, whenever that changes.
    Readyz {
        /// The machine that it is on.
        machine: String,
        /// Whether it says so.
        ready: bool,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// What is wrong.
        error: Option<String>,
    },
    /// One write through the balancer.
    Write {
        /// Its number, from 1.
        seq: u64,
        /// The object that it makes or changes, a ConfigMap in the namespace `quorate-writes`.
        object: String,
        /// Whether the API acknowledged it. One that was not may have happened all the same.
        acknowledged: bool,
        /// The revision that etcd gave it.
        revision: Option<u64>,
        /// Milliseconds until it was acknowledged or failed.
        latency_ms: f64,
        /// What went wrong.
        error: Option<String>,
    },
    /// All that was written was read back with a quorum, and held against what was acknowledged.
    WritesAudit {
        /// The machine whose API server read it.
        server: String,
        /// How many writes had been acknowledged by then.
        acknowledged: usize,
        /// The number of the last of them.
        last: u64,
        /// How many of them are not there.
        lost: usize,
        /// How many of them have another revision than was acknowledged, or one that does not grow.
        disordered: usize,
        /// Some of the lost and disordered ones.
        examples: Vec<String>,
    },
    /// The long watch of all writes through the balancer changed its state, or missed or repeated something.
    Stream {
        /// `delivers`; `cut`; or `stalls`: a write that was acknowledged was not delivered for a second.
        state: String,
        /// Seconds since it last had delivered all that it should have; 0 if it does.
        gap: f64,
        /// The latest revision that it delivered.
        revision: u64,
        /// How many changes it delivered so far.
        delivered: u64,
        /// How many acknowledged writes it left out so far.
        missed: u64,
        /// How many changes it delivered a second time so far.
        repeated: u64,
        /// How often it could not be taken up where it was cut, so that all had to be listed anew.
        relisted: u64,
        /// What cut it.
        error: Option<String>,
    },
    /// How pods reached each other by HTTP when it was last tried.
    Reach {
        /// The DaemonSet that they belong to.
        of: String,
        /// The port that they were asked on.
        port: u16,
        /// The machines that a pod was asked on.
        machines: Vec<String>,
        /// The pairs that did not reach each other, one sentence each.
        failed: Vec<String>,
    },
    /// The members of etcd were asked for a hash of everything at one revision.
    EtcdHash {
        /// The revision.
        revision: u64,
        /// Each member's hash by its machine. Members that are at an earlier revision, or silent, have none.
        hashes: BTreeMap<String, u32>,
    },
    /// The health of an etcd member as it tells it itself, whenever it changes.
    Etcd {
        /// The machine that the member is on.
        machine: String,
        /// Whether it serves and has a leader.
        healthy: bool,
        /// Its member id, in hexadecimal.
        member: Option<String>,
        /// The member id of the leader it follows, in hexadecimal.
        leader: Option<String>,
        /// How many members it knows.
        members: Option<usize>,
        /// Its term: how often a leader was voted for.
        #[serde(default)]
        term: Option<u64>,
        /// The revision that it has reached.
        #[serde(default)]
        revision: Option<u64>,
        /// The alarms that are raised, as `NOSPACE`.
        #[serde(default)]
        alarms: Vec<String>,
        /// What is wrong.
        error: Option<String>,
    },
    /// A file that the run has put into its folder, or is about to.
    File {
        /// Its path within the run's folder.
        path: String,
        /// What it is: `config`, `log`, `journal`, or `pod-logs`.
        role: String,
        /// The machine that it is of.
        machine: Option<String>,
        /// The text of a configuration, without the cluster's secrets.
        text: Option<String>,
    },
    /// Something that a person should know and that changes no verdict.
    Notice {
        /// The notice.
        message: String,
    },
    /// Something befell a machine, or a part of it, that no step of the scenario asked for.
    Unexplained {
        /// The machine.
        machine: String,
        /// What was seen.
        message: String,
    },
    /// An invariant that is watched all along was violated.
    Violation {
        /// The invariant.
        invariant: String,
        /// What was seen.
        message: String,
        /// When that began which violates it, in seconds since the run's start, where that was earlier.
        #[serde(default)]
        since: Option<f64>,
    },
    /// Always the last event of a run that could end by itself. Only comparisons come after it.
    RunEnded {
        /// The verdict.
        verdict: Verdict,
        /// The reason in one sentence.
        reason: String,
    },
    /// The run, alone or with others, was held against a baseline.
    Compared {
        /// What was found.
        comparison: Comparison,
    },
}
