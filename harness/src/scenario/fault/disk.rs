//! Faults of the disk that etcd's data is on: full, or slow.

use serde_json::Value as Json;

use super::{ON, on_members, optional};
use crate::scenario::problem::Problems;
use crate::scenario::table::{Field, Table};
use crate::scenario::target::{self, Cast};
use crate::scenario::yaml::Node;
use crate::scenario::{ETCD_DISK, Fault, Target, Verb, size};

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

/// Bytes that are never free on etcd's disk: etcd takes two logs of 64 MB each as soon as it starts.
const FREE: u64 = ETCD_DISK / 4 * 3;
/// Bytes in a second. A member that is busy writes some MiB.
const FASTEST: u64 = 128 << 20;

pub(super) fn fill(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = FILL.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| machines(n, cast, p));
    let leave = fields.read_or("leave", 0, problems, leave);
    Some(Fault { verb: Verb::FillDisk { leave: leave? }, on: on? })
}

pub(super) fn slow(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = SLOW.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| machines(n, cast, p));
    let rate = fields.read("rate", problems, rate);
    Some(Fault { verb: Verb::SlowDisk { rate: rate? }, on: on? })
}

/// Nothing is what is left where nothing is said.
fn leave(node: &Node, problems: &mut Problems) -> Option<u64> {
    if node.scalar().is_some_and(|scalar| scalar.text.trim_end_matches(char::is_alphabetic).parse() == Ok(0.0)) {
        problems.error(&node.place, "to leave nothing is the default").mend("take `leave` out");
        return None;
    }
    let leave = size::decode(node, problems)?;
    if leave >= FREE {
        let (leave, disk) = (size::format_size(leave), size::format_size(ETCD_DISK));
        problems
            .error(&node.place, format!("to leave {leave} would do nothing: so much is never free"))
            .label(format!("etcd's disk has {disk}, of which its logs take a quarter"))
            .mend(format!("write less than `leave: {}`", size::format_size(FREE)));
        return None;
    }
    Some(leave)
}

/// Reads a rate that is slower than disks are. Twice as much is written to prove it.
fn rate(node: &Node, problems: &mut Problems) -> Option<u64> {
    let rate = size::decode(node, problems)?;
    if rate > FASTEST {
        problems
            .error(&node.place, format!("{} a second would slow nothing", size::format_size(rate)))
            .label("more than etcd ever writes")
            .mend(format!("write at most `rate: {}`", size::format_size(FASTEST)));
        return None;
    }
    Some(rate)
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
