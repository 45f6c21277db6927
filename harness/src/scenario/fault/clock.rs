//! Faults of the clock.

use serde_json::{Value as Json, json};

use super::ON;
use crate::scenario::problem::Problems;
use crate::scenario::table::{Field, Table};
use crate::scenario::target::{self, Cast};
use crate::scenario::yaml::Node;
use crate::scenario::{Fault, Verb, duration};

static SKEW: Table = Table {
    what: "a wrong clock",
    fields: &[
        ON,
        Field {
            name: "by",
            doc: "How much the clock is ahead, or behind if it is negative",
            required: true,
            example: "by: 5m",
            schema: || json!({ "type": "string", "examples": ["5m", "-5m"] }),
        },
    ],
};

pub(super) fn skew(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = SKEW.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let by = fields.read("by", problems, duration::decode_signed);
    Some(Fault { verb: Verb::SkewClock { by: by? }, on: on? })
}

pub(super) fn schema() -> Json {
    SKEW.schema()
}
