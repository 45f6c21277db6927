//! Where topologies are found, and how one extends another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Problems, near, quoted, suggest};
use super::source::Source;
use super::table::text;
use super::yaml::{self, Entry, Node, Value};

/// The topology that is meant where none is named.
const STANDARD: &str = "stacked-3";

/// The topologies that are a part of the command.
static SHIPPED: &[(&str, &str)] = &[
    ("external-etcd", include_str!("../../../scenarios/topologies/external-etcd.yaml")),
    ("single", include_str!("../../../scenarios/topologies/single.yaml")),
    (STANDARD, include_str!("../../../scenarios/topologies/stacked-3.yaml")),
    ("stacked-3-readyz", include_str!("../../../scenarios/topologies/stacked-3-readyz.yaml")),
    ("stacked-3-workers", include_str!("../../../scenarios/topologies/stacked-3-workers.yaml")),
    ("stacked-5", include_str!("../../../scenarios/topologies/stacked-5.yaml")),
];

/// Stands where the folder of a shipped file would.
const SHIPPED_FOLDER: &str = "<shipped>";
const LONGEST_CHAIN: usize = 16;

/// A topology with all that it extends.
pub(super) struct Found {
    pub(super) node: Node,
    /// Whether all of it was found. What is missing otherwise is not held against it.
    pub(super) whole: bool,
}

/// Reads the topology that a text refers to: by a path relative to the file that says it, or by a name.
pub(super) fn find(reference: &Node, trail: &mut Trail, problems: &mut Problems) -> Option<Found> {
    let written = text(reference, problems)?;
    let folder = reference.place.source.path.parent().map(Path::to_owned).unwrap_or_default();
    let source = if is_path(written) {
        read(&folder.join(written), reference, problems)?
    } else if let Some(found) = by_name(&folder, written) {
        open(found, reference, problems)?
    } else {
        let meant = unknown(&folder, written, reference, problems)?;
        open(by_name(&folder, &meant)?, reference, problems)?
    };
    trail.enter(&source, reference, problems)?;
    let node = yaml::parse(&source, problems)?;
    Some(expand(&node, trail, problems))
}

/// Where the topology of a name is.
enum Named {
    Beside(PathBuf),
    Shipped(Arc<Source>),
}

fn by_name(folder: &Path, name: &str) -> Option<Named> {
    let shipped = || SHIPPED.iter().find(|(known, _)| *known == name).map(|(name, text)| shipped(name, text));
    beside(folder, name).map(Named::Beside).or_else(|| shipped().map(Named::Shipped))
}

fn open(named: Named, reference: &Node, problems: &mut Problems) -> Option<Arc<Source>> {
    match named {
        Named::Beside(path) => read(&path, reference, problems),
        Named::Shipped(source) => Some(source),
    }
}

/// Refuses a name. If it can only be a slip for another one, that is returned, so that the rest of the file is checked.
fn unknown(folder: &Path, name: &str, reference: &Node, problems: &mut Problems) -> Option<String> {
    let known = known(folder);
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    let mend = suggest(name, known.iter().copied());
    let problem = problems.error(&reference.place, format!("unknown topology {}", quoted(name)));
    problem.label("no such topology");
    match near(name, known)[..] {
        [meant] => {
            problem.mend(format!("{mend} The rest is checked as if so"));
            Some(meant.to_owned())
        }
        _ => {
            problem.mend(mend);
            None
        }
    }
}

/// The topology that is meant where none is named.
pub(super) fn standard() -> Arc<Source> {
    let text = SHIPPED.iter().find(|(name, _)| *name == STANDARD).map_or("", |(_, text)| text);
    shipped(STANDARD, text)
}

fn shipped(name: &str, text: &str) -> Arc<Source> {
    Source::new(&Path::new(SHIPPED_FOLDER).join(format!("{name}.yaml")), text)
}

/// A mapping with what it extends below it, or alone if that cannot be found.
pub(super) fn expand(node: &Node, trail: &mut Trail, problems: &mut Problems) -> Found {
    let Some(reference) = node.get("extends") else { return Found { node: node.clone(), whole: true } };
    match find(reference, trail, problems) {
        Some(base) => Found { node: merge(&base.node, node, 2), whole: base.whole },
        None => Found { node: node.clone(), whole: false },
    }
}

/// The files on the way from one topology to what it extends.
#[derive(Default)]
pub(super) struct Trail(Vec<PathBuf>);

impl Trail {
    /// Begins with a file of a topology.
    pub(super) fn from(source: &Source) -> Self {
        Self(vec![identity(source)])
    }

    fn enter(&mut self, source: &Source, reference: &Node, problems: &mut Problems) -> Option<()> {
        let path = identity(source);
        if let Some(at) = self.0.iter().position(|known| *known == path) {
            let names = self.0[at..].iter().chain([&path]);
            let names: Vec<_> = names.map(|path| path.file_stem().unwrap_or_default().to_string_lossy()).collect();
            problems
                .error(&reference.place, format!("topologies extend each other in a circle: {}", names.join(" → ")))
                .label("closes the circle")
                .mend("let one of them say all of itself instead of `extends`");
            return None;
        }
        if self.0.len() >= LONGEST_CHAIN {
            problems
                .error(&reference.place, format!("more than {LONGEST_CHAIN} topologies extend each other"))
                .mend("extend a topology that is nearer to the beginning");
            return None;
        }
        self.0.push(path);
        Some(())
    }
}

fn identity(source: &Source) -> PathBuf {
    source.path.canonicalize().unwrap_or_else(|_| source.path.clone())
}

fn is_path(reference: &str) -> bool {
    reference.contains('/') || reference.ends_with(".yaml") || reference.ends_with(".yml")
}

/// Topologies lie in `topologies/` beside a scenario, and beside each other.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let beside = folder.file_name().is_some_and(|name| name == "topologies").then(|| folder.to_owned());
    [folder.join("topologies")].into_iter().chain(beside)
}

fn beside(folder: &Path, name: &str) -> Option<PathBuf> {
    folders(folder).map(|folder| folder.join(format!("{name}.yaml"))).find(|path| path.is_file())
}

fn known(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    for entry in folders(folder).filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    names.dedup();
    names
}

fn read(path: &Path, reference: &Node, problems: &mut Problems) -> Option<Arc<Source>> {
    let mut found = Problems::default();
    let source = Source::read(path, &mut found);
    for problem in found.into_diagnostics().iter() {
        problems
            .error(&reference.place, format!("the topology {}: {}", path.display(), problem.message()))
            .mend("write the name of a topology, or the path of its file relative to this one");
    }
    source
}

/// Lays a mapping over another. Mappings within them are merged as deep as said, anything else is replaced.
fn merge(base: &Node, over: &Node, depth: usize) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&base.value, &over.value) else { return over.clone() };
    let mut above: Vec<Option<&Entry>> = above.iter().filter(|entry| entry.key != "extends").map(Some).collect();
    let mut entries = Vec::new();
    for entry in below.iter().filter(|entry| depth != 2 || entry.key != "name") {
        let same = above.iter_mut().find(|other| other.is_some_and(|other| other.key == entry.key));
        entries.push(match same.and_then(Option::take) {
            Some(other) if depth > 0 => Entry { value: merge(&entry.value, &other.value, depth - 1), ..other.clone() },
            Some(other) => other.clone(),
            None => entry.clone(),
        });
    }
    entries.extend(above.into_iter().flatten().cloned());
    Node { place: over.place.clone(), value: Value::Map(entries) }
}
