//! Steps: what is done and expected, one after the other.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::table::{Choice, Field, Table, list};
use super::target::Cast;
use super::yaml::{Entry, Node, Value};
use super::{Action, Step, check, duration, fault, shape};

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
    let gathered = gather(key, node, problems);
    let fields = table.open(gathered.as_ref().unwrap_or(node), problems)?;
    let value = fields.get(key)?;
    let action = match key {
        "expect" => check::decode(value, cast, problems).map(|(check, within)| Action::Expect { check, within }),
        "hold" if value.entries().is_some() => {
            check::decode_held(value, cast, problems).map(|(check, time)| Action::Hold { check: Some(check), time })
        }
        "hold" => duration::decode(value, problems).map(|time| Action::Hold { check: None, time }),
        _ => fault::decode(fault::of(key)?, value, cast, problems).map(Action::Fault),
    };
    Some(Step { action: action?, place: node.place.clone() })
}

/// A step with what stands beside its key moved into it, which is where it belongs: `- expect: { nodes: ready }` with
/// `within` in a line of its own.
fn gather(key: &str, node: &Node, problems: &mut Problems) -> Option<Node> {
    let entries = node.entries()?;
    let (own, beside): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| entry.key == key);
    let ([own], [first, ..]) = (&own[..], &beside[..]) else { return None };
    let inside = own.value.entries().filter(|inside| !inside.iter().any(|entry| entry.key == first.key))?;
    let inside: Vec<Entry> = inside.iter().chain(beside.iter().copied()).cloned().collect();
    let step = format!("{key}: {}", shape::mapping(inside.iter()));
    problems
        .error(&first.place, format!("{} stands beside `{key}`, not in it", quoted(&first.key)))
        .label(format!("belongs to `{key}`"))
        .mend(shape::write(&step).unwrap_or_else(|| format!("move it into the mapping of `{key}`")));
    let value = Node { place: own.value.place.clone(), value: Value::Map(inside) };
    let entry = Entry { value, ..(*own).clone() };
    Some(Node { place: node.place.clone(), value: Value::Map(vec![entry]) })
}

fn hold_schema() -> Json {
    json!({ "anyOf": [duration::schema(), check::held_schema()] })
}

pub(super) fn schema() -> Json {
    json!({ "type": "array", "minItems": 1, "items": STEPS.schema() })
}
