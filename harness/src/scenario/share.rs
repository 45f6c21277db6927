//! Shares: `5%`, `0.5%`.

use serde_json::{Value as Json, json};

use super::Share;
use super::problem::{Problems, quoted};
use super::yaml::{Kind, Node};

/// Reads a share that is more than nothing and at most all.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Share> {
    let Some(scalar) = node.scalar().filter(|scalar| matches!(scalar.kind, Kind::Number | Kind::Text)) else {
        problems
            .error(&node.place, format!("expected a share, found {}", node.describe()))
            .mend("write for example `5%`");
        return None;
    };
    let digits = scalar.text.strip_suffix('%').unwrap_or_default();
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let share = digits.parse::<f64>().ok().filter(|share| plain && *share > 0.0 && *share <= 100.0);
    if share.is_none() {
        problems
            .error(&node.place, format!("the share {} cannot be read", quoted(&scalar.text)))
            .mend("write a number with `%`, more than 0 and at most 100: `5%`, `0.5%`");
    }
    share.map(Share)
}

pub(super) fn schema() -> Json {
    json!({ "type": "string", "pattern": r"^(\d+|\d+\.\d+)%$", "description": "A share, as `5%`" })
}
