//! Which API server is at the other end of a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_doors::Line;

/// The certificates by which API servers are told from each other.
#[derive(Clone, Default)]
pub(super) struct Faces(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Faces {
    /// Remembers that the server on `machine` shows itself in this way.
    pub(super) fn learn(&self, machine: &str, line: &Line) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(machine.to_owned(), line.certificate().to_vec());
    }

    /// The machine whose server is at the other end of a connection, if it was seen before.
    pub(super) fn of(&self, line: &Line) -> Option<String> {
        self.recognise(line.certificate())
    }

    fn recognise(&self, certificate: &[u8]) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Servers that share one certificate cannot be told from each other.
        let mut same = known.iter().filter(|(_, face)| !face.is_empty() && face.as_slice() == certificate);
        let (machine, _) = same.next()?;
        same.next().is_none().then(|| machine.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_a_certificate_that_no_other_has() {
        let faces = Faces::default();
        for (machine, certificate) in [("master1", "one"), ("master2", "two"), ("master3", "two"), ("master4", "")] {
            faces.0.lock().unwrap().insert(machine.to_owned(), certificate.into());
        }
        for (certificate, machine) in [("one", Some("master1")), ("two", None), ("three", None), ("", None)] {
            assert_eq!(faces.recognise(certificate.as_bytes()).as_deref(), machine, "{certificate}");
        }
    }
}
