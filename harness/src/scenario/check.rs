//! Expectations: what a step waits for.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::table::{Choice, Field, Fields, Table, Words, number, text};
use super::target::Cast;
use super::yaml::Node;
use super::{Check, MachineName, NodeState, Placement, Role, Target, duration, name, target};

static ALL_READY: Words<()> = Words { what: "a state of all nodes", words: &[("ready", ())] };
static NODE_STATE: Words<NodeState> =
    Words { what: "a state of a node", words: &[("ready", NodeState::Ready), ("not-ready", NodeState::NotReady)] };
static PLACEMENT: Words<Placement> = Words {
    what: "a placement of pods",
    words: &[("one-per-master", Placement::OnePerMaster), ("one-per-node", Placement::OnePerNode)],
};
static ETCD: Words<()> = Words { what: "a state of etcd", words: &[("healthy", ())] };
static API: Words<bool> = Words { what: "a state of the API", words: &[("reachable", true), ("unreachable", false)] };

const WITHIN: Field = required("within", "How long it may take until it is true", "within: 2m", duration::schema);
const FOR: Field = required("for", "How long it stays true", "for: 30s", duration::schema);

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
static KINDS: [Kind; 7] = [
    kind!("nodes", "an expectation of nodes", [
        required("nodes", "Every node is in this state", "nodes: ready", || ALL_READY.schema()),
    ], decode_nodes),
    kind!("node", "an expectation of a node", [
        required("node", "The node, by its machine's name, or `chosen`", "node: master2", name::label_schema),
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
        Field {
            name: "on",
            doc: "The machines that they are on, and on no others. Default: all nodes",
            required: false,
            example: "on: [worker1, worker2]",
            schema: target::schema,
        },
    ], decode_deployment),
    kind!("etcd", "an expectation of etcd", [
        required("etcd", "Every member serves and follows the same leader", "etcd: healthy", || ETCD.schema()),
        Field {
            name: "members",
            doc: "The number of members. Default: one for each etcd machine, or for each master if there are none",
            required: false,
            example: "members: 3",
            schema: || json!({ "type": "integer", "minimum": 1 }),
        },
    ], decode_etcd),
    kind!("api", "an expectation of the API", [
        required("api", "Whether the API answers through the balancer", "api: reachable", || API.schema()),
    ], decode_api),
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
    Some(((kind.decode)(&fields, cast, problems), fields))
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
    let name = text(node, problems)?;
    if name == target::CHOSEN {
        return Some(Target::Chosen);
    }
    let machine = cast.machine(name, &node.place, problems)?;
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

fn decode_deployment(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let name = fields.read("deployment", problems, |n, p| name::decode_domain(n, "the name of a Deployment", p));
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

fn decode_daemonset(fields: &Fields<'_>, _: &Cast, problems: &mut Problems) -> Option<Check> {
    let name = fields.read("daemonset", problems, |n, p| name::decode_domain(n, "the name of a DaemonSet", p));
    let pods = fields.read("pods", problems, |n, p| PLACEMENT.decode(n, p));
    Some(Check::DaemonSet { name: name?, pods: pods? })
}

fn decode_etcd(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let healthy = fields.read("etcd", problems, |n, p| ETCD.decode(n, p));
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
    healthy?;
    Some(Check::EtcdHealthy { members: members? })
}

fn decode_api(fields: &Fields<'_>, _: &Cast, problems: &mut Problems) -> Option<Check> {
    let reachable = fields.read("api", problems, |n, p| API.decode(n, p))?;
    Some(if reachable { Check::ApiReachable } else { Check::ApiUnreachable })
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
