//! The JSON Schemas of what Quorate writes for programs, made of the types that it writes them from.

use schemars::{JsonSchema, generate::SchemaSettings};

use super::Summary;
use super::json::Report;
use crate::compare::baseline::Baseline;
use crate::machine::doctor::Examination;
use crate::plan::outline::Outline;

/// The text of the schema of `report.json`.
pub fn report() -> String {
    text::<Report<Summary>>("Quorate report")
}

/// The text of the schema of a baseline.
pub fn baseline() -> String {
    text::<Baseline>("Quorate baseline")
}

/// The text of the schema of what `quorate doctor --json` prints.
pub fn doctor() -> String {
    text::<Examination>("Quorate doctor")
}

/// The text of the schema of what `quorate plan --json` prints.
pub fn plan() -> String {
    text::<Outline>("Quorate plan")
}

fn text<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::report::{json, support};

    fn errors(schema: &str, instance: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        validator.iter_errors(instance).map(|error| error.to_string()).collect()
    }

    fn reports() -> Vec<Value> {
        let logs = [
            support::passed(),
            support::failed(),
            support::broken(),
            support::interrupted(),
            support::regressed(),
            Vec::new(),
        ];
        logs.iter()
            .map(|events| {
                let mut text = Vec::new();
                json::write(&Summary::of(events), &mut text).unwrap();
                serde_json::from_slice(&text).unwrap()
            })
            .collect()
    }

    #[test]
    fn the_schemas_that_are_checked_in_are_current() {
        for (kind, text) in [("report", report()), ("baseline", baseline()), ("doctor", doctor()), ("plan", plan())] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schema/{kind}.json"));
            let there = std::fs::read_to_string(&path).unwrap_or_default();
            let command = format!("quorate schema {kind} > docs/schema/{kind}.json");
            assert!(there == text, "{} is not current: run `{command}`", path.display());
        }
    }

    #[test]
    fn reports_of_every_verdict_are_valid() {
        for report in reports() {
            assert_eq!(errors(&super::report(), &report), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_no_report_is_not_valid() {
        let good = reports().remove(0);
        for (path, value) in [
            ("/schema", json!(1)),
            ("/summary/verdict", json!("splendid")),
            ("/summary/run/seconds", json!("long")),
            ("/summary/steps/0/outcome", Value::Null),
            ("/summary/numbers/0/name", json!("spaceship")),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap() = value;
            assert!(!errors(&super::report(), &bad).is_empty(), "{path}");
        }
        let mut bad = good;
        bad["summary"].as_object_mut().unwrap().remove("verdict");
        assert!(!errors(&super::report(), &bad).is_empty(), "without a verdict");
    }
}
