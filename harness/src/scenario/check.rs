//! Expectations: what a step waits for.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::table::{Choice, Field, Fields, Table, Words, number, text};
use super::target::Cast;
use super::yaml::{Node, Value};
use super::{Check, MachineName, NodeState, Placement, Role, Service, Target, duration, name, target, workload};

static ALL_READY: Words<()> = Words { what: "a state of all nodes", words: &[("ready", ())] };
static NODE_STATE: Words<NodeState> =
    Words { what: "a state of a node", words: &[("ready", NodeState::Ready), ("not-ready", NodeState::NotReady)] };
static PLACEMENT: Words<Placement> = Words {
    what: "a placement of pods",
    words: &[("one-per-master", Placement::OnePerMaster), ("one-per-node", Placement::OnePerNode)],
};
static ETCD: Words<Etcd> = Words {
    what: "a state of etcd",
    words: &[("healthy", Etcd::Healthy), ("leaderless", Etcd::Leaderless), ("alarmed", Etcd::Alarmed)],
};
static WRITES: Words<fn() -> Check> = Words {
    what: "a state of the writes",
    words: &[
        ("acknowledged", || Check::WritesAcknowledged),
        ("stopped", || Check::WritesStopped),
        ("present", || Check::WritesPresent),
    ],
};
static COMPONENT: Words<Service> = Words {
    what: "a component with a lease",
    words: &[("kube-scheduler", Service::KubeScheduler), ("kube-controller-manager", Service::KubeControllerManager)],
};
static LEASE: Words<()> = Words { what: "what became of a lease", words: &[("moved", ())] };
static CONNECTION: Words<()> = Words { what: "a state of pods", words: &[("connected", ())] };
static API: Words<Api> = Words {
    what: "a state of the API",
    words: &[("reachable", Api::Reachable), ("unreachable", Api::Unreachable), ("balanced", Api::Balanced)],
};

/// The port that the DaemonSet `sh-cgi` listens on.
const PORT: u16 = 8080;

#[derive(Debug, Clone, Copy)]
enum Etcd {
    Healthy,
    Leaderless,
    Alarmed,
}

#[derive(Debug, Clone, Copy)]
enum Api {
    Reachable,
    Unreachable,
    Balanced,
}

const WITHIN: Field = required("within", "How long it may take until it is true", "within: 2m", duration::schema);
const FOR: Field = required("for", "How long it stays true", "for: 30s", duration::schema);

const fn optional(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: false, example, schema }
}

const fn required(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: true, example, schema }
}

/// A check of the language: the key that tells it from the others, and the keys beside it.
struct Kind {
    key: &'static str,
    /// With `within`, as an expectation.
    expected: Table,
    /// With `for`, as something that is held.
    held: Table,
    /// Without a time, as an invariant or within `not`.
    bare: Table,
    decode: fn(&Fields<'_>, &Cast, &mut Problems) -> Option<Check>,
}

macro_rules! kind {
    ($key:literal, $what:literal, [$($field:expr),+ $(,)?], $decode:path) => {
        Kind {
            key: $key,
            expected: Table { what: $what, fields: &[$($field),+, WITHIN] },
            held: Table { what: $what, fields: &[$($field),+, FOR] },
            bare: Table { what: $what, fields: &[$($field),+] },
            decode: $decode,
        }
    };
}

/// All checks.
#[rustfmt::skip]
static KINDS: [Kind; 10] = [
    kind!("nodes", "an expectation of nodes", [
        required("nodes", "Every node is in this state", "nodes: ready", || ALL_READY.schema()),
    ], decode_nodes),
    kind!("node", "an expectation of a node", [
        required("node", "The node, by its machine's name, `chosen`, or what a choice is called", "node: master2", name::label_schema),
        required("is", "The state that it is in", "is: not-ready", || NODE_STATE.schema()),
    ], decode_node),
    kind!("daemonset", "an expectation of a DaemonSet", [
        required("daemonset", "The DaemonSet, in the namespace `default`", "daemonset: sh-cgi", name::domain_schema),
        required("pods", "Where its Running and Ready pods are", "pods: one-per-master", || PLACEMENT.schema()),
    ], decode_daemonset),
    kind!("deployment", "an expectation of a Deployment", [
        required("deployment", "The Deployment, in the namespace `default`", "deployment: web", name::domain_schema),
        required("pods", "The number of its Running and Ready pods", "pods: 4",
            || json!({ "type": "integer", "minimum": 1, "maximum": 1000 })),
        optional("on", "The machines that they are on, and on no others. Default: all nodes", "on: [worker1, worker2]",
            target::schema),
    ], decode_deployment),
    kind!("etcd", "an expectation of etcd", [
        required("etcd", "`healthy`: every member serves, follows the same leader, and agrees with the others; \
            `leaderless`: no member follows one; `alarmed`: a member has raised an alarm",
            "etcd: healthy", || ETCD.schema()),
        optional("members", "The number of members when healthy. Default: one for each etcd machine, or for each \
            master if there are none", "members: 3", || json!({ "type": "integer", "minimum": 1 })),
    ], decode_etcd),
    kind!("api", "an expectation of the API", [
        required("api", "`reachable`, `unreachable`: whether the API answers through the balancer; `balanced`: each of the \
            masters answered a request through the balancer", "api: reachable", || API.schema()),
        optional("on", "The masters whose servers are asked directly instead, by `/readyz`; with `balanced`, those that \
            answered, all masters if not said", "on: master2", target::schema),
    ], decode_api),
    kind!("writes", "an expectation of writes", [
        required("writes", "`acknowledged`: the latest write through the balancer was; `stopped`: none is, and some were \
            tried; `present`: all that were are there", "writes: acknowledged", || WRITES.schema()),
    ], decode_writes),
    kind!("lease", "an expectation of a lease", [
        required("lease", "The component of the control plane", "lease: kube-scheduler", || COMPONENT.schema()),
        required("is", "Another machine than before the latest fault holds it", "is: moved", || LEASE.schema()),
    ], decode_lease),
    kind!("pods", "an expectation of pods", [
        required("pods", "They reach each other across machines by HTTP", "pods: connected", || CONNECTION.schema()),
        required("of", "The DaemonSet, in the namespace `default`", "of: sh-cgi", name::domain_schema),
        optional("port", "The port that they listen on. Default: 8080", "port: 8080",
            || json!({ "type": "integer", "minimum": 1, "maximum": 65535 })),
    ], decode_pods),
    kind!("not", "the contrary of an expectation", [
        required("not", "What is not true", "not: { nodes: ready }", || PLAIN.schema()),
    ], decode_not),
];

fn choice(what: &'static str, table: fn(&Kind) -> Table) -> Choice {
    Choice { what, tables: KINDS.iter().map(|kind| (kind.key, table(kind))).collect() }
}

static EXPECTED: LazyLock<Choice> = LazyLock::new(|| choice("an expectation", |kind| kind.expected));
static HELD: LazyLock<Choice> = LazyLock::new(|| choice("what is held", |kind| kind.held));
static BARE: LazyLock<Choice> = LazyLock::new(|| choice("an invariant", |kind| kind.bare));
/// What can stand within `not`, which is all but itself.
static PLAIN: LazyLock<Choice> = LazyLock::new(|| {
    let kinds = KINDS.iter().filter(|kind| kind.key != "not");
    Choice { what: "what is not true", tables: kinds.map(|kind| (kind.key, kind.bare)).collect() }
});

/// Reads an expectation with the time that it has to become true.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<(Check, Duration)> {
    timed(&EXPECTED, "within", node, cast, problems)
}

/// Reads something that stays true for a time.
pub(super) fn decode_held(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<(Check, Duration)> {
    timed(&HELD, "for", node, cast, problems)
}

/// Reads something that is true all along.
pub(super) fn decode_bare(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    open(&BARE, node, cast, problems)?.0
}

fn timed(
    choice: &'static Choice,
    time: &'static str,
    node: &Node,
    cast: &Cast,
    problems: &mut Problems,
) -> Option<(Check, Duration)> {
    let (check, fields) = open(choice, node, cast, problems)?;
    let time = fields.read(time, problems, duration::decode);
    Some((check?, time?))
}

fn open<'a>(
    choice: &'static Choice,
    node: &'a Node,
    cast: &Cast,
    problems: &mut Problems,
) -> Option<(Option<Check>, Fields<'a>)> {
    let (key, table) = choice.pick(node, problems)?;
    let fields = table.open(node, problems)?;
    let kind = KINDS.iter().find(|kind| kind.key == key)?;
    if let Some(word) = contrary(key, table, &fields) {
        let node = fields.get(key)?;
        problems.error(&node.place, format!("{} is not a state of its own", node.describe())).mend(word);
        return None;
    }
    Some(((kind.decode)(&fields, cast, problems), fields))
}

/// How a state is written that is none but the contrary of one: `unhealthy`, `not-ready` of all nodes.
fn contrary(key: &'static str, table: &Table, fields: &Fields<'_>) -> Option<String> {
    let written = &fields.get(key)?.scalar()?.text;
    let words = (table.fields.iter().find(|field| field.name == key)?.schema)();
    let known = |word: &str| words["enum"].as_array().is_some_and(|words| words.iter().any(|known| known == word));
    let bare = ["not-", "not ", "un", "in", "non-", "dis"].iter().find_map(|prefix| written.strip_prefix(prefix))?;
    let one = if key == "nodes" { "; of one node: `node: master2, is: not-ready`" } else { "" };
    (!known(written) && known(bare)).then(|| format!("write its contrary: `not: {{ {key}: {bare} }}`{one}"))
}

fn decode_not(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let (check, _) = open(&PLAIN, fields.get("not")?, cast, problems)?;
    Some(Check::Not(Box::new(check?)))
}

fn decode_nodes(fields: &Fields<'_>, _: &Cast, problems: &mut Problems) -> Option<Check> {
    fields.read("nodes", problems, |n, p| ALL_READY.decode(n, p)).map(|()| Check::NodesReady)
}

fn decode_node(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let node = fields.read("node", problems, |n, p| node_target(n, cast, p));
    let is = fields.read("is", problems, |n, p| NODE_STATE.decode(n, p));
    Some(Check::Node { node: node?, is: is? })
}

fn node_target(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    let several = matches!(node.value, Value::List(_));
    if several || node.scalar().is_some_and(|it| it.text != target::CHOSEN && name::is_target_word(&it.text)) {
        problems
            .error(&node.place, format!("`node` is one node, not {}", node.describe()))
            .mend("write `nodes: ready` for all of them, or an expectation for each");
        return None;
    }
    let name = text(node, problems)?;
    if name == target::CHOSEN {
        return Some(Target::Chosen(None));
    }
    if cast.calls(name) {
        return Some(Target::Chosen(Some(name.to_owned())));
    }
    let words: Vec<_> = [target::CHOSEN].into_iter().chain(cast.called()).collect();
    let machine = cast.machine(name, &words, &node.place, problems)?;
    is_node(&machine, cast, node, problems).then(|| Target::Machines(vec![machine]))
}

fn is_node(machine: &MachineName, cast: &Cast, node: &Node, problems: &mut Problems) -> bool {
    let what = match cast.role(machine) {
        Some(Role::Balancer) => "the balancer",
        Some(Role::Etcd) => "an etcd machine",
        _ => return true,
    };
    problems
        .error(&node.place, format!("{} is {what}, not a node of the cluster", quoted(machine.as_str())))
        .mend("name a master or a worker");
    false
}

/// The name of an object that the workload brings.
fn named(node: &Node, kind: &str, cast: &Cast, problems: &mut Problems) -> Option<String> {
    let name = name::decode_domain(node, &format!("the name of a {kind}"), problems)?;
    workload::brings(cast, kind, &name, node, problems).then_some(name)
}

fn decode_deployment(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let name = fields.read("deployment", problems, |n, p| named(n, "Deployment", cast, p));
    let pods = fields.read("pods", problems, |n, p| usize::try_from(number(n, 1, 1000, p)?).ok());
    let on = fields.read_or("on", cast.of(&[Role::Master, Role::Worker]), problems, |n, p| nodes(n, cast, p));
    Some(Check::Deployment { name: name?, pods: pods?, on: on? })
}

/// Nodes that are known before the run.
fn nodes(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Vec<MachineName>> {
    let Target::Machines(machines) = target::decode(node, cast, problems)? else {
        problems
            .error(&node.place, "pods cannot be expected on machines that are chosen when a step runs")
            .mend("name the machines, or leave `on` out to mean all nodes");
        return None;
    };
    machines.iter().all(|machine| is_node(machine, cast, node, problems)).then_some(machines)
}

fn decode_daemonset(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let name = fields.read("daemonset", problems, |n, p| named(n, "DaemonSet", cast, p));
    let pods = fields.read("pods", problems, |n, p| PLACEMENT.decode(n, p));
    Some(Check::DaemonSet { name: name?, pods: pods? })
}

fn decode_etcd(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let state = fields.read("etcd", problems, |n, p| ETCD.decode(n, p));
    let all = cast.members();
    let what = if cast.external_etcd() { "etcd machines" } else { "masters" };
    let members = fields.read_or("members", all.unwrap_or(1), problems, |node, problems| {
        let members = usize::try_from(number(node, 1, 1000, problems)?).ok()?;
        if let Some(all) = all.filter(|all| members > *all) {
            problems
                .error(&node.place, format!("etcd cannot have {members} members on {all} {what}"))
                .label(format!("more than {what}"))
                .mend(format!("write at most `members: {all}`, or leave it out to mean all {what}"));
            return None;
        }
        Some(members)
    });
    let (state, members) = (state?, members?);
    if let (Etcd::Leaderless | Etcd::Alarmed, Some(node)) = (state, fields.get("members")) {
        problems.error(&node.place, "the number of members is told of a healthy etcd only").mend("leave `members` out");
        return None;
    }
    Some(match state {
        Etcd::Healthy => Check::EtcdHealthy { members },
        Etcd::Leaderless => Check::EtcdLeaderless,
        Etcd::Alarmed => Check::EtcdAlarmed,
    })
}

fn decode_api(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let state = fields.read("api", problems, |n, p| API.decode(n, p));
    let on = fields.read_or("on", None, problems, |n, p| servers(n, cast, p).map(Some));
    let (state, on) = (state?, on?);
    Some(match (state, on) {
        (Api::Reachable, None) => Check::ApiReachable,
        (Api::Unreachable, None) => Check::ApiUnreachable,
        (Api::Reachable, Some(on)) => Check::ServerReady { on, ready: true },
        (Api::Unreachable, Some(on)) => Check::ServerReady { on, ready: false },
        (Api::Balanced, Some(on)) => Check::ApiBalanced { on },
        (Api::Balanced, None) => {
            let masters = cast.machines.iter().filter(|(_, role)| **role == Some(Role::Master));
            Check::ApiBalanced { on: Target::Machines(masters.map(|(name, _)| name.clone()).collect()) }
        }
    })
}

/// Masters that are known before the step runs, or those that a fault has chosen.
fn servers(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    let target = target::decode(node, cast, problems)?;
    let wrong = match &target {
        Target::Chosen(_) => return Some(target),
        Target::Part(part, _) => {
            format!("{} is chosen by a fault, and an expectation chooses nothing", quoted(part.as_str()))
        }
        Target::Machines(machines) => {
            let other = |role: Option<Role>| role.is_some_and(|role| role != Role::Master);
            match machines.iter().find(|machine| other(cast.role(machine))) {
                None => return Some(target),
                Some(machine) => format!("{} is not a master", quoted(machine.as_str())),
            }
        }
    };
    problems.error(&node.place, wrong).mend("name masters, or write `chosen` for what a fault has chosen");
    None
}

fn decode_writes(fields: &Fields<'_>, _: &Cast, problems: &mut Problems) -> Option<Check> {
    fields.read("writes", problems, |n, p| WRITES.decode(n, p)).map(|check| check())
}

fn decode_lease(fields: &Fields<'_>, _: &Cast, problems: &mut Problems) -> Option<Check> {
    let component = fields.read("lease", problems, |n, p| COMPONENT.decode(n, p));
    let moved = fields.read("is", problems, |n, p| LEASE.decode(n, p));
    moved?;
    Some(Check::LeaseMoved { component: component? })
}

fn decode_pods(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let connected = fields.read("pods", problems, |n, p| CONNECTION.decode(n, p));
    let of = fields.read("of", problems, |n, p| named(n, "DaemonSet", cast, p));
    let port = fields.read_or("port", PORT, problems, |n, p| u16::try_from(number(n, 1, 65_535, p)?).ok());
    connected?;
    Some(Check::PodsConnected { of: of?, port: port? })
}

/// The JSON Schema of an expectation.
pub(super) fn schema() -> Json {
    EXPECTED.schema()
}

/// The JSON Schema of something that stays true for a time.
pub(super) fn held_schema() -> Json {
    HELD.schema()
}

/// The JSON Schema of something that is true all along.
pub(super) fn bare_schema() -> Json {
    BARE.schema()
}
