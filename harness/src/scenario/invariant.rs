//! Invariants: what must hold all along.

use std::borrow::Cow;

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::table::{Choice, Field, Table, list};
use super::yaml::Node;
use super::{Invariant, duration};

static API_BOUNDS: Table = Table {
    what: "an invariant of the API",
    fields: &[Field {
        name: "outage-below",
        doc: "No stretch without a good answer through the balancer is as long as this",
        required: true,
        example: "outage-below: 15s",
        schema: duration::schema,
    }],
};

static API: Table = Table {
    what: "an invariant",
    fields: &[Field {
        name: "api",
        doc: "The API through the balancer",
        required: true,
        example: "api: { outage-below: 15s }",
        schema: || API_BOUNDS.schema(),
    }],
};

static INVARIANTS: Choice = Choice { what: "an invariant", tables: Cow::Borrowed(&[("api", &API)]) };

/// Reads the invariants.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Vec<Invariant>> {
    let items = list(node, "`always`", problems)?;
    let invariants: Vec<_> = items.iter().map(|item| decode_one(item, problems)).collect();
    invariants.into_iter().collect()
}

fn decode_one(node: &Node, problems: &mut Problems) -> Option<Invariant> {
    let (key, table) = INVARIANTS.pick(node, problems)?;
    let bounds = table.open(node, problems)?.get(key)?;
    let fields = API_BOUNDS.open(bounds, problems)?;
    fields.read("outage-below", problems, duration::decode).map(Invariant::ApiOutageBelow)
}

pub(super) fn schema() -> Json {
    json!({ "type": "array", "items": INVARIANTS.schema() })
}
