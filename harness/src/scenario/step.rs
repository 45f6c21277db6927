//! Steps: what is done and expected, one after the other.

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::table::{Choice, Field, Table, list};
use super::target::Cast;
use super::yaml::Node;
use super::{Action, Fault, Step, check, duration, fault, target};

const fn only(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> [Field; 1] {
    [Field { name, doc, required: true, example, schema }]
}

static EXPECT_FIELDS: [Field; 1] =
    only("expect", "Waits until something is true", "expect: { nodes: ready, within: 2m }", check::schema);
static HOLD_FIELDS: [Field; 1] =
    only("hold", "Lets time pass while the invariants are watched", "hold: 30s", duration::schema);
static KILL_FIELDS: [Field; 1] = only("kill", "Powers machines off at once", "kill: master2", target::schema);
static START_FIELDS: [Field; 1] = only("start", "Powers machines on", "start: master2", target::schema);
static STOP_SERVICE_FIELDS: [Field; 1] = only(
    "stop-service",
    "Stops a service, which stays down until it is started",
    "stop-service: { service: etcd, on: master2 }",
    fault::schema,
);
static START_SERVICE_FIELDS: [Field; 1] =
    only("start-service", "Starts a service again", "start-service: { service: etcd, on: master2 }", fault::schema);

static EXPECT: Table = Table { what: "a step", fields: &EXPECT_FIELDS };
static HOLD: Table = Table { what: "a step", fields: &HOLD_FIELDS };
static KILL: Table = Table { what: "a step", fields: &KILL_FIELDS };
static START: Table = Table { what: "a step", fields: &START_FIELDS };
static STOP_SERVICE: Table = Table { what: "a step", fields: &STOP_SERVICE_FIELDS };
static START_SERVICE: Table = Table { what: "a step", fields: &START_SERVICE_FIELDS };

static STEPS: Choice = Choice {
    what: "a step",
    tables: &[
        ("expect", &EXPECT),
        ("hold", &HOLD),
        ("kill", &KILL),
        ("start", &START),
        ("stop-service", &STOP_SERVICE),
        ("start-service", &START_SERVICE),
    ],
};

/// Reads the steps.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Vec<Step>> {
    let items = list(node, "`steps`", problems)?;
    if items.is_empty() {
        problems
            .error(&node.place, "there are no steps")
            .mend("add at least one: `- expect: { nodes: ready, within: 5m }`");
        return None;
    }
    let steps: Vec<_> = items.iter().map(|item| decode_one(item, cast, problems)).collect();
    steps.into_iter().collect()
}

fn decode_one(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Step> {
    let (key, table) = STEPS.pick(node, problems)?;
    let fields = table.open(node, problems)?;
    let value = fields.get(key)?;
    let action = match key {
        "expect" => check::decode(value, cast, problems).map(|(check, within)| Action::Expect { check, within }),
        "hold" => duration::decode(value, problems).map(Action::Hold),
        "kill" => target::decode(value, cast, problems).map(|machines| Action::Fault(Fault::Kill(machines))),
        "start" => target::decode(value, cast, problems).map(|machines| Action::Fault(Fault::Start(machines))),
        "stop-service" => fault::decode(value, cast, problems).map(|fault| Action::Fault(Fault::StopService(fault))),
        _ => fault::decode(value, cast, problems).map(|fault| Action::Fault(Fault::StartService(fault))),
    };
    Some(Step { action: action?, line: u32::try_from(node.place.line()).unwrap_or(u32::MAX) })
}

pub(super) fn schema() -> Json {
    json!({ "type": "array", "minItems": 1, "items": STEPS.schema() })
}
