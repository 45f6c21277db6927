//! JSON Schemas for editors, made of the tables that the decoders are driven by.

use serde_json::{Value as Json, json};

use super::{file, topology};

/// The kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A scenario.
    Scenario,
    /// A topology.
    Topology,
}

impl FileKind {
    /// Its name, which is the stem of its schema's file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Topology => "topology",
        }
    }
}

/// The JSON Schema of a kind of files.
pub fn schema(kind: FileKind) -> Json {
    let mut schema = match kind {
        FileKind::Scenario => file::schema(),
        FileKind::Topology => topology::schema(),
    };
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("Quorate {}", kind.as_str()));
    schema
}

/// The text of a schema's file.
pub fn schema_text(kind: FileKind) -> String {
    format!("{:#}\n", schema(kind))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_schemas_that_are_checked_in_are_current() {
        for kind in [FileKind::Scenario, FileKind::Topology] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/schema");
            let path = folder.join(format!("{}.json", kind.as_str()));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let command = format!("quorate schema {} > scenarios/schema/{}.json", kind.as_str(), kind.as_str());
            assert!(text == schema_text(kind), "{} is not current: run `{command}`", path.display());
        }
    }
}
