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
    let share = parse(&scalar.text);
    if share.is_none() {
        problems.error(&node.place, format!("the share {} cannot be read", quoted(&scalar.text))).mend(
            match meant(&scalar.text).filter(|meant| reads(meant)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a number with `%`, more than 0 and at most 100: `5%`, `0.5%`".to_owned(),
            },
        );
    }
    share.map(Share)
}

fn parse(text: &str) -> Option<f64> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits.parse().ok().filter(|share| plain && *share > 0.0 && *share <= 100.0)
}

/// Whether a text is a share.
pub(super) fn reads(text: &str) -> bool {
    parse(text).is_some()
}

/// The share that was probably meant: `5`, `5 %`, `0.05`.
pub(super) fn meant(text: &str) -> Option<String> {
    let number = text.trim().trim_end_matches(['%', ' ']);
    let share: f64 = number.parse().ok()?;
    let bare = number.len() == text.trim().len();
    match share {
        _ if bare && share > 0.0 && share < 1.0 => Some(format!("{}%", (share * 1e6).round() / 1e4)),
        _ => Some(format!("{number}%")),
    }
}

pub(super) fn schema() -> Json {
    json!({ "type": "string", "pattern": r"^(\d+|\d+\.\d+)%$", "description": "A share, as `5%`" })
}
