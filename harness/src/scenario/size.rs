//! Sizes of memory: `256MiB`, `2GiB`.

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::yaml::{Kind, Node};

const UNITS: &[(&str, u64)] = &[("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
const LARGEST: u64 = 1 << 40;

/// Reads a size that is more than nothing and at most a tebibyte.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<u64> {
    let Some(scalar) = node.scalar().filter(|scalar| matches!(scalar.kind, Kind::Number | Kind::Text)) else {
        problems
            .error(&node.place, format!("expected a size, found {}", node.describe()))
            .mend("write a number with a unit: `2GiB`");
        return None;
    };
    match parse(&scalar.text) {
        Ok(size) => Some(size),
        Err((why, help)) => {
            problems.error(&node.place, format!("the size {} {why}", quoted(&scalar.text))).mend(help);
            None
        }
    }
}

/// Whether a text is a size.
pub(super) fn reads(text: &str) -> bool {
    parse(text).is_ok()
}

/// The size that was probably meant: `2 GiB`, `1.5GiB`, `2g`.
fn meant(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('-');
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let first = |name: &str| name[..1].to_ascii_lowercase();
    let same = |name: &str| {
        let first = first(name);
        [name.to_ascii_lowercase(), format!("{first}i"), format!("{first}b"), first].contains(&unit)
    };
    let (name, factor) = UNITS.iter().find(|(name, _)| same(name))?;
    if number.parse::<u64>().is_ok() {
        let size = format!("{number}{name}");
        return reads(&size).then_some(size);
    }
    let smaller = UNITS.iter().find(|(_, smaller)| smaller * 1024 == *factor)?;
    let count = number.parse::<f64>().ok()? * 1024.0;
    let size = format!("{count:.0}{}", smaller.0);
    reads(&size).then_some(size)
}

/// Reads a size as it is written in a topology; the error says what is wrong and how to write it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text).map_err(|(why, help)| format!("the size {} {why}; {help}", quoted(text)))
}

fn parse(text: &str) -> Result<u64, (&'static str, String)> {
    const HELP: &str = "write a whole number with the unit KiB, MiB, GiB or TiB: `512MiB`, `2GiB`";
    let help = || meant(text).map_or(HELP.to_owned(), |meant| format!("did you mean `{meant}`?"));
    if text.starts_with('-') {
        return Err(("is negative", help()));
    }
    if text == "0" {
        return Err(("is zero", "write at least `1KiB`".to_owned()));
    }
    if text.parse::<f64>().is_ok() {
        return Err(("has no unit", format!("write `{text}MiB` or `{text}GiB`")));
    }
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(("cannot be read", HELP.to_owned()));
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(("has an unknown unit", help()));
    };
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)) {
        Some(0) => Err(("is zero", "write at least `1KiB`".to_owned())),
        Some(size) if size <= LARGEST => Ok(size),
        _ => Err(("is larger than 1TiB", "write at most `1TiB`".to_owned())),
    }
}

/// Writes a size as a topology does, in the largest unit that divides it. Less than a kibibyte is left out.
pub fn format_size(bytes: u64) -> String {
    let (unit, factor) = UNITS.iter().find(|(_, f)| bytes >= *f && bytes.is_multiple_of(*f)).unwrap_or(&("KiB", 1024));
    format!("{}{unit}", bytes / factor)
}

pub(super) fn schema() -> Json {
    json!({ "type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB|TiB)$", "examples": ["512MiB", "2GiB"] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in [("256MiB", 256 << 20), ("2GiB", 2 << 30), ("1024KiB", 1 << 20), ("1TiB", 1 << 40)] {
            assert_eq!(parse(text).unwrap(), size, "{text}");
        }
    }

    #[test]
    fn other_sizes_are_refused_with_the_reason_and_a_remedy() {
        for (text, why, help) in [
            ("2048", "has no unit", "2048MiB"),
            ("2GB", "has an unknown unit", "`2GiB`?"),
            ("2g", "has an unknown unit", "`2GiB`?"),
            ("2Gi", "has an unknown unit", "`2GiB`?"),
            ("2gib", "has an unknown unit", "`2GiB`?"),
            ("2 GiB", "has an unknown unit", "`2GiB`?"),
            ("1.5GiB", "has an unknown unit", "`1536MiB`?"),
            ("0", "is zero", "`1KiB`"),
            ("0MiB", "is zero", "`1KiB`"),
            ("-1GiB", "is negative", "`1GiB`?"),
            ("2TiB", "is larger than 1TiB", "1TiB"),
            ("99999999999999999999GiB", "is larger than 1TiB", "1TiB"),
            ("much", "cannot be read", "GiB"),
        ] {
            let (found, remedy) = parse(text).unwrap_err();
            assert_eq!(found, why, "{text}");
            assert!(remedy.contains(help), "{text}: {remedy}");
        }
    }

    proptest! {
        #[test]
        fn a_written_size_reads_the_same(kib in 1u64..=(1 << 30)) {
            prop_assert_eq!(parse(&format_size(kib << 10)).unwrap(), kib << 10);
        }
    }
}
