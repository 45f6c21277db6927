//! Steps: what is done and expected, one after the other.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::table::{Choice, Field, Table, list};
use super::target::Cast;
use super::yaml::Node;
use super::{Action, Step, check, duration, fault};

const fn only(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> [Field; 1] {
    [Field { name, doc, required: true, example, schema }]
}

static EXPECT_FIELDS: [Field; 1] =
    only("expect", "Waits until something is true", "expect: { nodes: ready, within: 2m }", check::schema);
static HOLD_FIELDS: [Field; 1] = only(
    "hold",
    "Lets time pass while the invariants are watched, and something stays true if it says what",
    "hold: 30s",
    hold_schema,
);

const EXPECT: Table = Table { what: "a step", fields: &EXPECT_FIELDS };
const HOLD: Table = Table { what: "a step", fields: &HOLD_FIELDS };

static STEPS: LazyLock<Choice> = LazyLock::new(|| {
    let own = [("expect", EXPECT), ("hold", HOLD)];
    let faults = fault::KEYS.iter().map(|key| (key.table.fields[0].name, key.table));
    Choice { what: "a step", tables: own.into_iter().chain(faults).collect() }
});

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
        "hold" if value.entries().is_some() => {
            check::decode_held(value, cast, problems).map(|(check, time)| Action::Hold { check: Some(check), time })
        }
        "hold" => duration::decode(value, problems).map(|time| Action::Hold { check: None, time }),
        _ => {
            let fault = fault::KEYS.iter().find(|fault| fault.table.fields[0].name == key)?;
            fault::decode(fault.kind, value, cast, problems).map(Action::Fault)
        }
    };
    Some(Step { action: action?, place: node.place.clone() })
}

fn hold_schema() -> Json {
    json!({ "anyOf": [duration::schema(), check::held_schema()] })
}

pub(super) fn schema() -> Json {
    json!({ "type": "array", "minItems": 1, "items": STEPS.schema() })
}
