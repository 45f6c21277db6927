//! Durations: `90s`, `250ms`, `1m30s`.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::yaml::{Kind, Node, Value};

/// Milliseconds of each unit, from the largest.
const UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads a duration that is longer than nothing and at most a day.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let Some(scalar) = node.scalar().filter(|scalar| matches!(scalar.kind, Kind::Number | Kind::Text)) else {
        problems.error(&node.place, format!("expected a duration, found {}", node.describe())).mend(alone(node));
        return None;
    };
    match parse(&scalar.text) {
        Ok(duration) => Some(duration),
        Err(BadDuration { why, help }) => {
            let help = meant(&scalar.text).map_or(help, |meant| format!("did you mean `{meant}`?"));
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
        problems.error(&node.place, format!("expected a duration, found {}", node.describe())).mend(
            match meant(length) {
                Some(meant) => format!("did you mean `-{meant}`?"),
                None => "write a number with a unit: `5m`, or `-5m`".to_owned(),
            },
        );
    }
    parsed.map(|duration| -duration)
}

/// Whether a text is a duration.
pub(super) fn reads(text: &str) -> bool {
    parse(text).is_ok()
}

/// A list of one duration, without the list.
fn alone(node: &Node) -> String {
    match &node.value {
        Value::List(items)
            if let [Some(one)] = items.iter().map(Node::scalar).collect::<Vec<_>>()[..]
                && reads(&one.text) =>
        {
            format!("write `{}`, without a list", one.text)
        }
        _ => "write a number with a unit: `90s`".to_owned(),
    }
}

/// The duration that was probably meant: `30 s`, `5min`, `1.5s`, `30s1m`.
fn meant(text: &str) -> Option<String> {
    let mut rest = text.trim().trim_start_matches('-');
    let mut millis = 0.0;
    let mut units = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        millis += number.parse::<f64>().ok()? * unit_of(unit)?;
        units += 1;
        rest = tail.trim_start_matches([' ', ',']);
    }
    let length = Duration::try_from_secs_f64((millis / 1000.0).min(1e9)).ok()?;
    let whole = units > 0 && millis >= 1.0 && (millis - millis.round()).abs() < 1e-6 && length <= LONGEST;
    whole.then(|| format_duration(Duration::from_millis(length.as_millis().try_into().unwrap_or(u64::MAX))))
}

/// The milliseconds of a unit as people write it elsewhere.
fn unit_of(word: &str) -> Option<f64> {
    let word = word.to_ascii_lowercase();
    Some(match word.as_str() {
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000.0,
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "d" | "day" | "days" => 24.0 * 3_600_000.0,
        _ => return None,
    })
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

    #[test]
    fn what_was_probably_meant_keeps_the_numbers() {
        for (text, expected) in [
            ("30 s", "30s"),
            ("5min", "5m"),
            ("1.5s", "1s500ms"),
            ("0.5h", "30m"),
            ("30s1m", "1m30s"),
            ("-5s", "5s"),
            ("1 minute 30 seconds", "1m30s"),
            ("1d", "24h"),
            ("30S", "30s"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["soon", "", "30", "2d", "0s", "1e9h", "0.1ms", "99999999999999999999h", "1..5s"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_probably_meant_is_a_duration(text in "[-0-9.hms ]{0,12}") {
            prop_assert!(meant(&text).is_none_or(|meant| reads(&meant)), "{text}");
        }

        #[test]
        fn a_written_duration_reads_the_same(millis in 1u64..=86_400_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format_duration(duration)).unwrap(), duration);
        }
    }
}
