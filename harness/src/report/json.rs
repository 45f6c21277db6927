//! `report.json`: a [`Summary`] for programs. `docs/report.md` describes it.

use std::io::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Summary;

/// The version of the format. It changes when a reader of the old one would misread the new one.
pub const SCHEMA: &str = "quorate-report/1";

/// A report as it lies on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Report<S> {
    /// [`SCHEMA`].
    pub schema: String,
    /// All that is known of the run.
    pub summary: S,
}

/// Writes `summary` as a report. Keys stand in the order of the types' fields, so that two reports can be diffed.
pub fn write(summary: &Summary, mut to: impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut to, &Report { schema: SCHEMA.to_owned(), summary })?;
    to.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        for events in [support::passed(), support::failed(), support::broken(), support::interrupted(), Vec::new()] {
            let summary = Summary::of(&events);
            let mut text = Vec::new();
            write(&summary, &mut text).unwrap();
            let read: Report<Summary> = serde_json::from_slice(&text).unwrap();
            assert!(read == Report { schema: SCHEMA.to_owned(), summary });
        }
    }

    #[test]
    fn the_report_of_a_failed_run_stays_as_it_is() {
        let mut text = Vec::new();
        write(&Summary::of(&support::failed()), &mut text).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap());
    }
}
