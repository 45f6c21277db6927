//! Durations: `90s`, `250ms`, `1m30s`.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::yaml::{Kind, Node};

/// Milliseconds of each unit, from the largest.
const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a duration that is longer than nothing and at most a day.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let Some(scalar) = node.scalar().filter(|scalar| matches!(scalar.kind, Kind::Number | Kind::Text)) else {
        problems
            .error(&node.place, format!("expected a duration, found {}", node.describe()))
            .mend("write a number with a unit: `90s`");
        return None;
    };
    match parse(&scalar.text) {
        Ok(duration) => Some(duration),
        Err(BadDuration { why, help }) => {
            problems.error(&node.place, format!("the duration {} {why}", quoted(&scalar.text))).mend(help);
            None
        }
    }
}

/// Reads a duration that may be negative.
pub(super) fn decode_signed(node: &Node, problems: &mut Problems) -> Option<SignedDuration> {
    let Some(length) = node.scalar().and_then(|scalar| scalar.text.strip_prefix('-')) else {
        return decode(node, problems).and_then(|duration| SignedDuration::try_from(duration).ok());
    };
    let parsed = parse(length).ok().and_then(|duration| SignedDuration::try_from(duration).ok());
    if parsed.is_none() {
        problems
            .error(&node.place, format!("expected a duration, found {}", node.describe()))
            .mend("write a number with a unit: `5m`, or `-5m`");
    }
    parsed.map(|duration| -duration)
}

#[derive(Debug)]
struct BadDuration {
    why: &'static str,
    help: String,
}

impl BadDuration {
    fn new(why: &'static str, help: impl Into<String>) -> Self {
        Self { why, help: help.into() }
    }
}

fn parse(text: &str) -> Result<Duration, BadDuration> {
    const HELP: &str = "write whole numbers with the units h, m, s or ms: `90s`, `1m30s`, `250ms`";
    if text.starts_with('-') {
        return Err(BadDuration::new("is negative", "time only goes forward: write `30s`"));
    }
    if text.parse::<f64>().is_ok() {
        return Err(BadDuration::new("has no unit", format!("write `{text}s` for seconds, `{text}m` for minutes")));
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut units = UNITS;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() || unit.is_empty() {
            return Err(BadDuration::new("cannot be read", HELP));
        }
        let Some(at) = units.iter().position(|(name, _)| *name == unit) else {
            let why = if UNITS.iter().any(|(name, _)| *name == unit) {
                "has its units out of order"
            } else {
                "has an unknown unit"
            };
            return Err(BadDuration::new(why, HELP));
        };
        let Some(sum) = number.parse::<u64>().ok().and_then(|n| n.checked_mul(units[at].1)?.checked_add(millis)) else {
            return Err(BadDuration::new("is longer than a day", "write at most `24h`"));
        };
        (millis, units, rest) = (sum, &units[at + 1..], tail);
    }
    match Duration::from_millis(millis) {
        Duration::ZERO => Err(BadDuration::new("is zero", "write at least `1ms`")),
        duration if duration > LONGEST => Err(BadDuration::new("is longer than a day", "write at most `24h`")),
        duration => Ok(duration),
    }
}

/// Writes a duration as a scenario does. Less than a millisecond is left out.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in UNITS {
        if millis >= *size {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

pub(super) fn schema() -> Json {
    json!({
        "type": "string",
        "pattern": "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        "examples": ["90s", "1m30s", "250ms"],
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in
            [("90s", 90_000), ("250ms", 250), ("1m30s", 90_000), ("24h", 86_400_000), ("1h1m1s1ms", 3_661_001)]
        {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn other_durations_are_refused_with_the_reason() {
        for (text, why) in [
            ("30", "has no unit"),
            ("1.5", "has no unit"),
            ("-5s", "is negative"),
            ("-5", "is negative"),
            ("0s", "is zero"),
            ("", "is zero"),
            ("25h", "is longer than a day"),
            ("99999999999999999999h", "is longer than a day"),
            ("30x", "has an unknown unit"),
            ("30s1m", "has its units out of order"),
            ("1s1s", "has its units out of order"),
            ("1.5s", "cannot be read"),
            ("s", "cannot be read"),
            ("30 s", "cannot be read"),
        ] {
            assert_eq!(parse(text).unwrap_err().why, why, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_the_same(millis in 1u64..=86_400_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format_duration(duration)).unwrap(), duration);
        }
    }
}
