//! What runs were made of, and where that differs.

use std::collections::{BTreeMap, BTreeSet};

use crate::comparison::Difference;
use crate::report::Summary;

/// What a run was made of, by name.
pub type Settings = BTreeMap<String, String>;

/// What a run was made of: what it recorded of its topology and host, its provider, its artifacts, and its Quorate.
pub fn of(summary: &Summary) -> Settings {
    let mut settings = summary.settings.clone();
    settings.insert("quorate".to_owned(), summary.run.version.clone());
    if let Some(provider) = &summary.provider {
        settings.insert("provider".to_owned(), provider.name.clone());
    }
    for artifact in &summary.artifacts {
        settings.insert(artifact.name.clone(), artifact.version.clone());
    }
    settings
}

/// Where two runs differ, sorted by setting.
pub fn differences(before: &Settings, after: &Settings) -> Vec<Difference> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = |name: &&String| before.get(*name) != after.get(*name);
    let difference = |name: &String| Difference {
        setting: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    names.into_iter().filter(differ).map(difference).collect()
}
