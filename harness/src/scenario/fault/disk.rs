//! Faults of the disk that etcd's data is on: full, or slow.

use serde_json::Value as Json;

use super::{ON, on_members, optional};
use crate::scenario::problem::Problems;
use crate::scenario::table::{Field, Table};
use crate::scenario::target::{self, Cast};
use crate::scenario::yaml::Node;
use crate::scenario::{Fault, Target, Verb, size};

static FILL: Table = Table {
    what: "a full disk",
    fields: &[ON, optional("leave", "How much stays free. Default: nothing", "leave: 1MiB", size::schema)],
};

static SLOW: Table = Table {
    what: "a slow disk",
    fields: &[
        ON,
        Field {
            name: "rate",
            doc: "How much etcd can write in a second",
            required: true,
            example: "rate: 1MiB",
            schema: size::schema,
        },
    ],
};

pub(super) fn fill(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = FILL.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| machines(n, cast, p));
    let leave = fields.read_or("leave", 0, problems, leave);
    Some(Fault { verb: Verb::FillDisk { leave: leave? }, on: on? })
}

pub(super) fn slow(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = SLOW.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| machines(n, cast, p));
    let rate = fields.read("rate", problems, size::decode);
    Some(Fault { verb: Verb::SlowDisk { rate: rate? }, on: on? })
}

/// Nothing is what is left where nothing is said.
fn leave(node: &Node, problems: &mut Problems) -> Option<u64> {
    if node.scalar().is_some_and(|scalar| scalar.text.starts_with('0')) {
        problems.error(&node.place, "to leave nothing is the default").mend("take `leave` out");
        return None;
    }
    size::decode(node, problems)
}

fn machines(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    let on = target::decode(node, cast, problems)?;
    on_members(&on, cast, &node.place, problems).then_some(on)
}

pub(super) fn fill_schema() -> Json {
    FILL.schema()
}

pub(super) fn slow_schema() -> Json {
    SLOW.schema()
}
