//! Names: of machines, scenarios, DaemonSets and domains.

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::source::Place;
use super::table::text;
use super::yaml::Node;
use super::{MachineName, target};

/// Whether a word means machines without naming one, and so cannot name one.
pub(super) fn is_target_word(word: &str) -> bool {
    target::words().any(|known| known == word)
}

const LABEL_HELP: &str = "use lower-case letters a-z, digits and inner hyphens, at most 63 of them: `master1`";

/// The name of a machine that is written as a key.
pub(super) fn machine(name: &str, place: &Place, problems: &mut Problems) -> Option<MachineName> {
    if is_target_word(name) {
        problems
            .error(place, format!("{} cannot name a machine", quoted(name)))
            .label("a word for machines")
            .mend(format!("it means machines by what they are in steps; say for example `{name}-1`"));
        return None;
    }
    label(name, "a machine's name", place, problems).then(|| MachineName(name.to_owned()))
}

/// Whether a choice can be called so.
pub(super) fn decode_called(name: &str, place: &Place, problems: &mut Problems) -> bool {
    label(name, "a choice's name", place, problems)
}

/// A DNS label that is written as a value.
pub(super) fn decode_label(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    let name = text(node, problems)?;
    label(name, what, &node.place, problems).then(|| name.to_owned())
}

/// A domain of several labels.
pub(super) fn decode_domain(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    let domain = text(node, problems)?;
    let good = domain.len() <= 190 && domain.split('.').all(is_label);
    if !good {
        problems.error(&node.place, format!("{} is not {what}", quoted(domain))).mend(
            match domain.to_lowercase().replace('_', "-") {
                lower if lower.len() <= 190 && lower.split('.').all(is_label) => format!("did you mean `{lower}`?"),
                _ => "write lower-case labels with dots between them: `example.com`".to_owned(),
            },
        );
    }
    good.then(|| domain.to_owned())
}

fn label(name: &str, what: &str, place: &Place, problems: &mut Problems) -> bool {
    let good = is_label(name);
    if !good {
        let why = match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            Some(c) if c.is_ascii_uppercase() => "it has upper-case letters".to_owned(),
            Some(c) => format!("it has the character {}", quoted(&c.to_string())),
            None if name.len() > 63 => "it is longer than 63 characters".to_owned(),
            None if name.is_empty() => "it is empty".to_owned(),
            None => "a hyphen stands at an end".to_owned(),
        };
        let meant = meant(name).map(|meant| format!("did you mean `{meant}`?"));
        problems
            .error(place, format!("{} is not {what}: {why}", quoted(name)))
            .mend(meant.unwrap_or_else(|| LABEL_HELP.to_owned()));
    }
    good
}

/// The label that is nearest to a name.
fn meant(name: &str) -> Option<String> {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let label: String = name.chars().map(letter).collect();
    let label = label.trim_matches('-');
    (name.is_ascii() && is_label(label)).then(|| label.to_owned())
}

fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-')
}

pub(super) fn label_schema() -> Json {
    json!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" })
}

pub(super) fn domain_schema() -> Json {
    json!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_lower_case_dns_label() {
        for good in ["master1", "a", "1", "a-b", &"x".repeat(63)] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "Master1", "mästare", "a_b", "a.b", "-a", "a-", "a b", &"x".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
