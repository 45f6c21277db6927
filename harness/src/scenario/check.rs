//! Expectations: what a step waits for.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::table::{Choice, Field, Fields, Table, Words, number, text};
use super::target::Cast;
use super::yaml::Node;
use super::{Check, MachineName, NodeState, Placement, Role, duration, name};

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

const fn required(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: true, example, schema }
}

static NODES_TABLE: Table = Table {
    what: "an expectation of nodes",
    fields: &[required("nodes", "Every node is in this state", "nodes: ready", || ALL_READY.schema()), WITHIN],
};
static NODE_TABLE: Table = Table {
    what: "an expectation of a node",
    fields: &[
        required("node", "The node, by its machine's name", "node: master2", name::label_schema),
        required("is", "The state that it comes to be in", "is: not-ready", || NODE_STATE.schema()),
        WITHIN,
    ],
};
static DAEMONSET_TABLE: Table = Table {
    what: "an expectation of a DaemonSet",
    fields: &[
        required("daemonset", "The DaemonSet, in the namespace `default`", "daemonset: sh-cgi", name::domain_schema),
        required("pods", "Where its Running and Ready pods are", "pods: one-per-master", || PLACEMENT.schema()),
        WITHIN,
    ],
};
static ETCD_TABLE: Table = Table {
    what: "an expectation of etcd",
    fields: &[
        required("etcd", "Every member serves and follows the same leader", "etcd: healthy", || ETCD.schema()),
        Field {
            name: "members",
            doc: "The number of members. Default: one for each master",
            required: false,
            example: "members: 3",
            schema: || json!({ "type": "integer", "minimum": 1 }),
        },
        WITHIN,
    ],
};
static API_TABLE: Table = Table {
    what: "an expectation of the API",
    fields: &[
        required("api", "Whether the API answers through the balancer", "api: reachable", || API.schema()),
        WITHIN,
    ],
};

static CHECKS: Choice = Choice {
    what: "an expectation",
    tables: Cow::Borrowed(&[
        ("nodes", &NODES_TABLE),
        ("node", &NODE_TABLE),
        ("daemonset", &DAEMONSET_TABLE),
        ("etcd", &ETCD_TABLE),
        ("api", &API_TABLE),
    ]),
};

/// Reads an expectation with the time that it has.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<(Check, Duration)> {
    let (key, table) = CHECKS.pick(node, problems)?;
    let fields = table.open(node, problems)?;
    let check = match key {
        "nodes" => fields.read("nodes", problems, |n, p| ALL_READY.decode(n, p)).map(|()| Check::NodesReady),
        "node" => decode_node(&fields, cast, problems),
        "daemonset" => decode_daemonset(&fields, problems),
        "etcd" => decode_etcd(&fields, cast, problems),
        _ => decode_api(&fields, problems),
    };
    let within = fields.read("within", problems, duration::decode);
    Some((check?, within?))
}

fn decode_node(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let node = fields.read("node", problems, |n, p| node_name(n, cast, p));
    let is = fields.read("is", problems, |n, p| NODE_STATE.decode(n, p));
    Some(Check::Node { node: node?, is: is? })
}

fn node_name(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<MachineName> {
    let machine = cast.machine(text(node, problems)?, &node.place, problems)?;
    if cast.role(&machine) == Some(Role::Balancer) {
        problems
            .error(&node.place, format!("{} is the balancer, not a node of the cluster", quoted(machine.as_str())))
            .mend("name a master or a worker");
        return None;
    }
    Some(machine)
}

fn decode_daemonset(fields: &Fields<'_>, problems: &mut Problems) -> Option<Check> {
    let name = fields.read("daemonset", problems, |n, p| name::decode_domain(n, "the name of a DaemonSet", p));
    let pods = fields.read("pods", problems, |n, p| PLACEMENT.decode(n, p));
    Some(Check::DaemonSet { name: name?, pods: pods? })
}

fn decode_etcd(fields: &Fields<'_>, cast: &Cast, problems: &mut Problems) -> Option<Check> {
    let healthy = fields.read("etcd", problems, |n, p| ETCD.decode(n, p));
    let masters = cast.masters();
    let members = fields.read_or("members", masters.unwrap_or(1), problems, |node, problems| {
        let members = usize::try_from(number(node, 1, 1000, problems)?).ok()?;
        if let Some(masters) = masters.filter(|masters| members > *masters) {
            problems
                .error(&node.place, format!("etcd cannot have {members} members on {masters} masters"))
                .label("more than masters")
                .mend(format!("write at most `members: {masters}`, or leave it out to mean all masters"));
            return None;
        }
        Some(members)
    });
    healthy?;
    Some(Check::EtcdHealthy { members: members? })
}

fn decode_api(fields: &Fields<'_>, problems: &mut Problems) -> Option<Check> {
    let reachable = fields.read("api", problems, |n, p| API.decode(n, p))?;
    Some(if reachable { Check::ApiReachable } else { Check::ApiUnreachable })
}

pub(super) fn schema() -> Json {
    CHECKS.schema()
}
