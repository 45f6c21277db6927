//! What runs on the cluster.

use serde::Deserialize;

use super::Workload;
use super::problem::{Problems, quoted, suggest};
use super::source::Source;
use super::table::text;
use super::target::Cast;
use super::yaml::{self, Node};

/// The namespace in which expectations look.
const NAMESPACE: &str = "default";

/// As much of an object of Kubernetes as tells which one it is.
#[derive(Debug, Default, Deserialize)]
struct Object {
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    /// The objects of a list.
    #[serde(default)]
    items: Vec<Object>,
}

#[derive(Debug, Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
}

/// Reads the manifest that a file names, relative to that file.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Workload> {
    let written = text(node, problems)?;
    let folder = node.place.source.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let path = folder.join(written);
    let mut found = Problems::default();
    let Some(source) = Source::read(&path, &mut found) else {
        for problem in found.into_diagnostics().iter() {
            problems
                .error(&node.place, format!("the manifest {}: {}", path.display(), problem.message()))
                .mend("write the path of a manifest, relative to this file");
        }
        return None;
    };
    let objects = objects(yaml::documents(&source, problems)?);
    Some(Workload::Manifest { path, text: source.text.clone(), objects })
}

/// The kinds and names of the objects that documents make in the namespace in which expectations look.
fn objects(documents: Vec<Object>) -> Vec<(String, String)> {
    let mut objects = Vec::new();
    let mut left: Vec<Object> = documents;
    while let Some(Object { kind, metadata, items }) = left.pop() {
        left.extend(items);
        let here = metadata.namespace.as_deref().is_none_or(|namespace| namespace == NAMESPACE);
        objects.extend(kind.zip(metadata.name).filter(|_| here));
    }
    objects
}

/// Whether the workload brings an object of this kind and name, as far as it is known.
pub(super) fn brings(cast: &Cast, kind: &str, name: &str, node: &Node, problems: &mut Problems) -> bool {
    let Some(workload) = &cast.workload else { return true };
    let there = workload.names(kind);
    if there.contains(&name) {
        return true;
    }
    let mend = match there[..] {
        [] => format!("it brings no {kind}: name a manifest with one as the topology's `workload`"),
        _ => suggest(name, there),
    };
    problems
        .error(&node.place, format!("there is no {kind} {} in the workload", quoted(name)))
        .label("nothing else runs on the cluster")
        .mend(mend);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_those_of_all_documents_and_lists_in_the_namespace_that_is_looked_in() {
        let manifest = "\
            kind: DaemonSet\nmetadata: { name: one, labels: { a: b } }\nspec: { x: [1, 2] }\n---\n# nothing\n---\n\
            kind: List\nitems:\n- kind: Deployment\n  metadata: { name: two, namespace: default }\n\
            - kind: DaemonSet\n  metadata: { name: three, namespace: other }\n- kind: Service\n  metadata: { name: four }\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), manifest).unwrap();
        let mut problems = Problems::default();
        let source = Source::read(file.path(), &mut problems).unwrap();
        let mut found = objects(yaml::documents(&source, &mut problems).unwrap());
        found.sort();
        let expected = [("DaemonSet", "one"), ("Deployment", "two"), ("Service", "four")];
        assert_eq!(found, expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
    }
}
