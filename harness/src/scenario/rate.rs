//! What is left of a network: rates such as `1mbit`, and shares of packets such as `5%`.

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::yaml::Node;
use super::{share, size};

/// Bits in a second.
const UNITS: &[(&str, u64)] = &[("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)];
const SLOWEST: u64 = 8_000;
const FASTEST: u64 = 10_000_000_000;

/// Reads a rate, in bits a second.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<u64> {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let rate = parse(text).filter(|rate| (SLOWEST..=FASTEST).contains(rate));
    if rate.is_none() {
        problems.error(&node.place, format!("expected a rate of a network, found {}", node.describe())).mend(
            match meant(text) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a whole number of kbit, mbit or gbit in a second, from `8kbit` to `10gbit`".to_owned(),
            },
        );
    }
    rate
}

fn parse(text: &str) -> Option<u64> {
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Whether a text is a rate.
pub(super) fn reads(text: &str) -> bool {
    parse(text).is_some_and(|rate| (SLOWEST..=FASTEST).contains(&rate))
}

/// The rate that was probably meant: `1 Mbit/s`, `1.5mbit`, `500k`, or a size of bytes in a second.
fn meant(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches("/s");
    if let Ok(bytes) = size::parse_size(text) {
        let bits = bytes.checked_mul(8)?.div_ceil(1000);
        return Some(format!("{bits}kbit")).filter(|rate| reads(rate));
    }
    let lower = text.to_ascii_lowercase();
    let digits = lower.len() - lower.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = lower.split_at(digits);
    let same = |name: &str| {
        let rest = unit.trim_start().strip_prefix(&name[..1]);
        rest.is_some_and(|rest| ["", "bit", "bits", "bps"].contains(&rest))
    };
    let (_, factor) = UNITS.iter().find(|(name, _)| same(name))?;
    let bits = number.parse::<f64>().ok()? * f64::from(u32::try_from(*factor).ok()?);
    let kbits = format!("{:.0}kbit", bits / 1000.0);
    parse(&kbits).map(format_rate).filter(|rate| reads(rate))
}

/// Whether a text is a share of packets.
pub(super) fn reads_share(text: &str) -> bool {
    let share = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    share.is_some_and(|share| (1..=100).contains(&share))
}

/// Reads a share of packets, in hundredths.
pub(super) fn decode_share(node: &Node, problems: &mut Problems) -> Option<u32> {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let share = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    let share = share.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        problems.error(&node.place, format!("expected a share of packets, found {}", node.describe())).mend(
            match share::meant(text).filter(|meant| reads_share(meant)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "write a whole number of hundredths, from `1%` to `100%`, as `5%`".to_owned(),
            },
        );
    }
    share
}

/// Writes a rate in the largest unit that divides it.
pub fn format_rate(bits: u64) -> String {
    let (unit, factor) = UNITS.iter().find(|(_, factor)| bits.is_multiple_of(*factor)).unwrap_or(&("bit", 1));
    format!("{}{unit}", bits / factor)
}

pub(super) fn schema() -> Json {
    json!({ "type": "string", "pattern": "^[0-9]+(kbit|mbit|gbit)$", "examples": ["500kbit", "1mbit"] })
}

pub(super) fn share_schema() -> Json {
    json!({ "type": "string", "pattern": "^[0-9]{1,3}%$", "examples": ["5%"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_keeps_the_numbers() {
        for (text, expected) in [
            ("1 Mbit/s", "1mbit"),
            ("1.5mbit", "1500kbit"),
            ("500k", "500kbit"),
            ("10Mbps", "10mbit"),
            ("1MiB", "8389kbit"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["fast", "1", "", "99gbit", "1kbit", "mbit"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }

    #[test]
    fn rates_have_units_and_are_written_as_they_are_read() {
        for (text, rate) in
            [("8kbit", 8_000), ("1mbit", 1_000_000), ("10gbit", 10_000_000_000), ("1500kbit", 1_500_000)]
        {
            assert_eq!(parse(text), Some(rate), "{text}");
            assert_eq!(format_rate(rate), text);
        }
        for text in ["1", "mbit", "1.5mbit", "-1mbit", "1MBit", "99999999999999gbit"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
