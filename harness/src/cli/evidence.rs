//! How much evidence stays, as it is said on the command line.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::run::retention::{Bounds, Removed, tidy};
use crate::run::store::StoreError;
use crate::scenario::parse_size;

/// How much evidence stays after a run.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Removes evidence that is older than this after the run, as 90d, or `off`. The newest run of each scenario and
    /// verdict stays.
    #[arg(long, env = "QUORATE_KEEP_AGE", value_name = "AGE", default_value = "90d", value_parser = age)]
    keep_age: Limit<Duration>,
    /// Removes the oldest evidence after the run where all takes more than this, as 4GiB, or `off`. The newest run of
    /// each scenario and verdict stays.
    #[arg(long, env = "QUORATE_KEEP_SIZE", value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    keep_size: Limit<u64>,
}

/// A bound that may be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit<T>(pub(super) Option<T>);

impl Args {
    /// Compresses old evidence and removes what is too much.
    pub(super) fn tidy(&self) -> Result<Vec<Removed>, StoreError> {
        tidy(Bounds { age: self.keep_age.0, size: self.keep_size.0 }, Timestamp::now())
    }
}

/// Reads an age: `90d`, `2w`, `12h`, or `off`.
pub(super) fn age(text: &str) -> Result<Limit<Duration>, String> {
    const HELP: &str = "write it as `30d`, `2w` or `12h`, or `off`";
    if text == "off" {
        return Ok(Limit(None));
    }
    let span: Span = text.parse().map_err(|_| HELP.to_owned())?;
    let long = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| HELP.to_owned())?;
    Duration::try_from(long).map(|long| Limit(Some(long))).map_err(|_| HELP.to_owned())
}

/// Reads a size: `4GiB`, or `off`.
pub(super) fn size(text: &str) -> Result<Limit<u64>, String> {
    if text == "off" { Ok(Limit(None)) } else { parse_size(text).map(|size| Limit(Some(size))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_or_refused_with_how_to_write_them() {
        let hours = |hours: u64| Ok(Limit(Some(Duration::from_secs(3600 * hours))));
        for (text, expected) in [("30d", hours(720)), ("2w", hours(336)), ("12h", hours(12)), ("off", Ok(Limit(None)))]
        {
            assert_eq!(age(text), expected, "{text}");
        }
        for text in ["30", "-1d", "soon", "1mo", ""] {
            assert!(age(text).is_err(), "{text}");
        }
        assert_eq!((size("2GiB"), size("off")), (Ok(Limit(Some(2 << 30))), Ok(Limit(None))));
        assert!(size("2GB").unwrap_err().contains("did you mean `2GiB`"));
    }
}
