//! Invariants: what must hold all along.

use serde_json::{Value as Json, json};

use super::problem::{Problems, listed};
use super::table::{Field, Fields, Table, Words, list};
use super::target::Cast;
use super::yaml::{Entry, Node};
use super::{Always, Check, Invariant, check, duration, share};

static TRUE: Words<()> = Words { what: "`true`", words: &[("true", ())] };

const fn bound(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: false, example, schema }
}

fn true_schema() -> Json {
    json!({ "const": true })
}

static API: Table = Table {
    what: "an invariant of the API",
    fields: &[
        bound(
            "outage-below",
            "No stretch without a good answer through the balancer is as long as this",
            "outage-below: 15s",
            duration::schema,
        ),
        bound(
            "error-share-below",
            "The share of failed requests through the balancer is smaller than this in the end",
            "error-share-below: 5%",
            share::schema,
        ),
        bound(
            "latency-p99-below",
            "99 of 100 good answers through the balancer came sooner than this in the end",
            "latency-p99-below: 2s",
            duration::schema,
        ),
    ],
};
static WRITES: Table = Table {
    what: "an invariant of writes",
    fields: &[bound(
        "none-lost",
        "Every acknowledged write is there in the end, and in order",
        "none-lost: true",
        true_schema,
    )],
};
static WATCH: Table = Table {
    what: "an invariant of a watch",
    fields: &[
        bound("none-missed", "It delivers every acknowledged write", "none-missed: true", true_schema),
        bound("none-repeated", "It delivers nothing a second time", "none-repeated: true", true_schema),
        bound(
            "gap-below",
            "No stretch in which it is cut, or owes an acknowledged write, is as long as this",
            "gap-below: 30s",
            duration::schema,
        ),
    ],
};

/// An invariant with bounds of its own. All others are checks that stay true.
struct Bounded {
    key: &'static str,
    table: Table,
    bounds: &'static Table,
    decode: fn(&Fields<'_>, &mut Problems) -> Vec<Option<Always>>,
    /// Whether it is a check as well, when a word stands there.
    check: bool,
}

const fn outer(field: &'static [Field]) -> Table {
    Table { what: "an invariant", fields: field }
}

const fn required(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> [Field; 1] {
    [Field { name, doc, required: true, example, schema }]
}

static API_FIELD: [Field; 1] =
    required("api", "The API through the balancer", "api: { outage-below: 15s }", || API.schema_with_any());
static WRITES_FIELD: [Field; 1] =
    required("writes", "Writes through the balancer", "writes: { none-lost: true }", || WRITES.schema_with_any());
static WATCH_FIELD: [Field; 1] =
    required("watch", "A long watch through the balancer", "watch: { none-missed: true }", || WATCH.schema_with_any());

static BOUNDED: [Bounded; 3] = [
    Bounded { key: "api", table: outer(&API_FIELD), bounds: &API, decode: decode_api, check: true },
    Bounded { key: "writes", table: outer(&WRITES_FIELD), bounds: &WRITES, decode: decode_writes, check: true },
    Bounded { key: "watch", table: outer(&WATCH_FIELD), bounds: &WATCH, decode: decode_watch, check: false },
];

/// Reads the invariants.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Vec<Always>> {
    let items = list(node, "`always`", problems)?;
    let invariants: Vec<_> = items.iter().map(|item| decode_one(item, cast, problems)).collect();
    invariants.into_iter().collect::<Option<Vec<_>>>().map(|all| all.concat())
}

fn decode_one(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Vec<Always>> {
    let entries = node.entries().unwrap_or_default();
    let is = |bounded: &Bounded, entry: &Entry| {
        let short = || bounded.bounds.shape(&entry.value).is_some();
        bounded.key == entry.key && (!bounded.check || entry.value.entries().is_some() || short())
    };
    let Some(bounded) = BOUNDED.iter().find(|bounded| entries.iter().any(|entry| is(bounded, entry))) else {
        let check = check::decode_bare(node, cast, problems)?;
        return stays(&check, node, problems).then(|| vec![always(node, Invariant::Stays(check))]);
    };
    let bounds = bounded.table.open(node, problems)?.get(bounded.key)?;
    let fields = bounded.bounds.open(bounds, problems)?;
    let invariants = (bounded.decode)(&fields, problems);
    if bounds.entries().is_some_and(<[Entry]>::is_empty) {
        problems
            .error(&bounds.place, format!("{} is empty", bounded.bounds.what))
            .mend(format!("write one of {}", listed(bounded.bounds.fields.iter().map(|field| field.example))));
        return None;
    }
    invariants.into_iter().collect()
}

/// Whether a check says something at any time, and not of what came before it alone.
fn stays(check: &Check, node: &Node, problems: &mut Problems) -> bool {
    let (what, mend) = match check {
        Check::LeaseMoved { .. } => (
            "the latest fault",
            "expect it in a step after the fault: `- expect: { lease: kube-scheduler, is: moved, within: 60s }`",
        ),
        Check::WritesPresent => ("the beginning of a step", "write `writes: { none-lost: true }`"),
        Check::ApiBalanced { .. } => {
            ("the beginning of a step", "hold it in steps: `- hold: { api: balanced, for: 30s }`")
        }
        Check::Not(check) => return stays(check, node, problems),
        _ => return true,
    };
    problems
        .error(&node.place, format!("what has happened since {what} cannot be held all along"))
        .label("an invariant has no step")
        .mend(mend);
    false
}

fn always(node: &Node, invariant: Invariant) -> Always {
    Always { invariant, line: node.place.line_number() }
}

/// What bounds there are; none that was not written.
fn decode_api(fields: &Fields<'_>, problems: &mut Problems) -> Vec<Option<Always>> {
    let mut all = Vec::new();
    if let Some(node) = fields.get("outage-below") {
        all.push(duration::decode(node, problems).map(|bound| always(node, Invariant::ApiOutageBelow(bound))));
    }
    if let Some(node) = fields.get("error-share-below") {
        all.push(share::decode(node, problems).map(|bound| always(node, Invariant::ApiErrorShareBelow(bound))));
    }
    if let Some(node) = fields.get("latency-p99-below") {
        all.push(duration::decode(node, problems).map(|bound| always(node, Invariant::ApiLatencyBelow(bound))));
    }
    all
}

fn decode_writes(fields: &Fields<'_>, problems: &mut Problems) -> Vec<Option<Always>> {
    let none_lost = fields
        .get("none-lost")
        .map(|node| TRUE.decode(node, problems).map(|()| always(node, Invariant::WritesNoneLost)));
    none_lost.into_iter().collect()
}

fn decode_watch(fields: &Fields<'_>, problems: &mut Problems) -> Vec<Option<Always>> {
    let mut all = Vec::new();
    if let Some(node) = fields.get("none-missed") {
        all.push(TRUE.decode(node, problems).map(|()| always(node, Invariant::WatchNoneMissed)));
    }
    if let Some(node) = fields.get("none-repeated") {
        all.push(TRUE.decode(node, problems).map(|()| always(node, Invariant::WatchNoneRepeated)));
    }
    if let Some(node) = fields.get("gap-below") {
        all.push(duration::decode(node, problems).map(|bound| always(node, Invariant::WatchGapBelow(bound))));
    }
    all
}

pub(super) fn schema() -> Json {
    let bounded = BOUNDED.iter().map(|bounded| bounded.table.schema());
    let all: Vec<_> = bounded.chain([check::bare_schema()]).collect();
    json!({ "type": "array", "items": { "anyOf": all } })
}
