//! What runs on the cluster.

use super::Workload;
use super::problem::Problems;
use super::source::Source;
use super::table::text;
use super::yaml::Node;

/// Reads the manifest that a file names, relative to that file.
pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<Workload> {
    let written = text(node, problems)?;
    let folder = node.place.source.path.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let path = folder.join(written);
    let mut found = Problems::default();
    match Source::read(&path, &mut found) {
        Some(source) => Some(Workload::Manifest { path, text: source.text.clone() }),
        None => {
            for problem in found.into_diagnostics().iter() {
                problems
                    .error(&node.place, format!("the manifest {}: {}", path.display(), problem.message()))
                    .mend("write the path of a manifest, relative to this file");
            }
            None
        }
    }
}
