//! The clock family, for machines that have a clock of their own.

use jiff::{SignedDuration, Timestamp};

use super::{FaultError, Hand, Seen};
use crate::scenario::MachineName;

const CLOCK: &str = include_str!("clock.sh");

/// Puts the clock ahead, or behind, and keeps whatever mends it from doing so.
pub(super) async fn skew(hand: &Hand<'_>, machine: &MachineName, by: SignedDuration) -> Result<Seen, FaultError> {
    let begun = Timestamp::now();
    let proof = hand.script(machine, "clock", CLOCK, &["skew", &by.as_millis().to_string()]).await?;
    Ok(Seen { begun, detail: Some(format!("by {by:#}")), proof })
}

/// Puts the clock right, and returns what proves it.
pub(super) async fn restore(hand: &Hand<'_>, machine: &MachineName) -> Result<String, FaultError> {
    hand.script(machine, "clock", CLOCK, &["right"]).await
}
