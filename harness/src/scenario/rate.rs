//! What is left of a network: rates such as `1mbit`, and shares of packets such as `5%`.

use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::yaml::Node;

/// Bits in a second.
const UNITS: &[(&str, u64)] = &[("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000)];
const SLOWEST: u64 = 8_000;
const FASTEST: u64 = 10_000_000_000;

/// Reads a rate, in bits a second.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<u64> {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let rate = parse(text).filter(|rate| (SLOWEST..=FASTEST).contains(rate));
    if rate.is_none() {
        problems
            .error(&node.place, format!("expected a rate of a network, found {}", node.describe()))
            .mend("write a whole number of kbit, mbit or gbit in a second, from `8kbit` to `10gbit`");
    }
    rate
}

fn parse(text: &str) -> Option<u64> {
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Reads a share of packets, in hundredths.
pub(super) fn decode_share(node: &Node, problems: &mut Problems) -> Option<u32> {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let share = text.strip_suffix('%').and_then(|number| number.parse::<u32>().ok());
    let share = share.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        problems
            .error(&node.place, format!("expected a share of packets, found {}", node.describe()))
            .mend(format!("write a whole number of hundredths, from `1%` to `100%`, as {}", quoted("5%")));
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
