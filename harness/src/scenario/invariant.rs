//! Invariants: what must hold all along.

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::table::{Field, Table, list};
use super::target::Cast;
use super::yaml::{Entry, Node};
use super::{Invariant, check, duration};

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

const API: Table = Table {
    what: "an invariant",
    fields: &[Field {
        name: "api",
        doc: "The API through the balancer",
        required: true,
        example: "api: { outage-below: 15s }",
        schema: || API_BOUNDS.schema(),
    }],
};

/// Invariants with bounds of their own. All others are checks that stay true.
static BOUNDED: [(&str, Table); 1] = [("api", API)];

/// Reads the invariants.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Vec<Invariant>> {
    let items = list(node, "`always`", problems)?;
    let invariants: Vec<_> = items.iter().map(|item| decode_one(item, cast, problems)).collect();
    invariants.into_iter().collect()
}

fn decode_one(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Invariant> {
    let entries = node.entries().unwrap_or_default();
    let bounded = |entry: &&Entry| BOUNDED.iter().any(|(key, _)| *key == entry.key) && entry.value.entries().is_some();
    if !entries.iter().any(|entry| bounded(&entry)) {
        return check::decode_bare(node, cast, problems).map(Invariant::Stays);
    }
    let bounds = API.open(node, problems)?.get("api")?;
    let fields = API_BOUNDS.open(bounds, problems)?;
    fields.read("outage-below", problems, duration::decode).map(Invariant::ApiOutageBelow)
}

pub(super) fn schema() -> Json {
    let bounded = BOUNDED.iter().map(|(_, table)| table.schema());
    let all: Vec<_> = bounded.chain([check::bare_schema()]).collect();
    json!({ "type": "array", "items": { "anyOf": all } })
}
