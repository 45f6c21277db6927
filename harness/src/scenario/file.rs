//! Whole files: scenarios, topologies, and which of the two a file is.

use std::path::Path;

use ipnet::Ipv4Net;
use serde_json::Value as Json;

use super::problem::{Diagnostics, Problems};
use super::source::Source;
use super::table::{Field, Table, text, text_schema};
use super::topology::{self, Asked};
use super::yaml::{self, Node};
use super::{Scenario, Topology, invariant, library, name, step, target};

static SCENARIO: Table = Table {
    what: "a scenario",
    fields: &[
        Field {
            name: "name",
            doc: "Its name, a lower-case label",
            required: true,
            example: "name: kill-master2",
            schema: name::label_schema,
        },
        Field {
            name: "description",
            doc: "What it shows, and what its failure means to whoever runs such a cluster",
            required: false,
            example: "description: a master loses power",
            schema: text_schema,
        },
        Field {
            name: "topology",
            doc: "The cluster: the name of a topology, the path of its file relative to this one, or itself",
            required: true,
            example: "topology: stacked-3",
            schema: topology::reference_schema,
        },
        Field {
            name: "always",
            doc: "What must hold from the first expectation that came true until the end",
            required: false,
            example: "always: [{ api: { outage-below: 15s } }]",
            schema: invariant::schema,
        },
        Field {
            name: "steps",
            doc: "What is done and expected, in order",
            required: true,
            example: "steps: [{ expect: { nodes: ready, within: 5m } }]",
            schema: step::schema,
        },
    ],
};

/// What overrides files.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Moves all machines to the same host part in another network of the same prefix length.
    pub network: Option<Ipv4Net>,
    /// The version of Kubernetes, whatever the topology says.
    pub kubernetes_version: Option<String>,
    /// What connects pods, whatever the topology says, as `calico:3.32.1`.
    pub network_plugin: Option<String>,
}

/// A scenario that can be run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// What is suspicious about it.
    pub warnings: Diagnostics,
}

/// A topology that scenarios can run on.
#[derive(Debug, Clone)]
pub struct LoadedTopology {
    /// The topology.
    pub topology: Topology,
    /// What is suspicious about it.
    pub warnings: Diagnostics,
}

/// Reads a scenario with its topology.
///
/// # Errors
/// All that is wrong with its files, and the warnings about them as well.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Loaded, Diagnostics> {
    let mut problems = Problems::default();
    let asked = Asked::new(options, &mut problems);
    let scenario = read(path, &mut problems).and_then(|node| {
        if topology::is_topology(&node) {
            problems
                .error(&node.place, "this is a topology, not a scenario")
                .label("a scenario has `steps`")
                .mend("name a scenario whose `topology` is this file");
            return None;
        }
        decode_scenario(&node, &asked, &mut problems)
    });
    finish(scenario, problems).map(|(scenario, warnings)| Loaded { scenario, warnings })
}

/// Reads a topology's own file.
///
/// # Errors
/// All that is wrong with its files, and the warnings about them as well.
pub fn load_topology(path: &Path, options: &LoadOptions) -> Result<LoadedTopology, Diagnostics> {
    let mut problems = Problems::default();
    let asked = Asked::new(options, &mut problems);
    let topology = read(path, &mut problems).and_then(|node| topology::decode_file(&node, &asked, &mut problems));
    finish(topology, problems).map(|(topology, warnings)| LoadedTopology { topology, warnings })
}

/// The topology of a file, whichever of the two it is, or the one that ships as a standard.
///
/// # Errors
/// All that is wrong with the file, and the warnings about it as well.
pub fn topology_of(path: Option<&Path>, options: &LoadOptions) -> Result<Topology, Diagnostics> {
    let mut problems = Problems::default();
    let asked = Asked::new(options, &mut problems);
    let node = match path {
        Some(path) => read(path, &mut problems),
        None => yaml::parse(&library::standard(), &mut problems),
    };
    let topology = node.and_then(|node| {
        if topology::is_topology(&node) {
            topology::decode_file(&node, &asked, &mut problems)
        } else {
            decode_scenario(&node, &asked, &mut problems).map(|scenario| scenario.topology)
        }
    });
    finish(topology, problems).map(|(topology, _)| topology)
}

/// Checks a file, whichever of the two it is, and gives the warnings about it.
///
/// # Errors
/// All that is wrong with its files, and the warnings about them as well.
pub fn validate(path: &Path, options: &LoadOptions) -> Result<(Option<Scenario>, Diagnostics), Diagnostics> {
    let mut problems = Problems::default();
    let asked = Asked::new(options, &mut problems);
    let good = read(path, &mut problems).and_then(|node| {
        if topology::is_topology(&node) {
            topology::decode_file(&node, &asked, &mut problems).map(|_| None)
        } else {
            decode_scenario(&node, &asked, &mut problems).map(Some)
        }
    });
    finish(good, problems)
}

fn read(path: &Path, problems: &mut Problems) -> Option<Node> {
    let source = Source::read(path, problems)?;
    let node = yaml::parse(&source, problems)?;
    if node.get("apiVersion").is_some() && node.get("kind").is_some() {
        problems
            .error(&node.place, "this is a manifest of Kubernetes, neither a scenario nor a topology")
            .mend("name it as the `workload` of a topology, and leave it out here");
        return None;
    }
    Some(node)
}

fn finish<T>(value: Option<T>, mut problems: Problems) -> Result<(T, Diagnostics), Diagnostics> {
    match value {
        Some(value) if !problems.has_errors() => Ok((value, problems.into_diagnostics())),
        Some(_) => Err(problems.into_diagnostics()),
        None => {
            if !problems.has_errors() {
                problems.option_error("the file was refused without a reason, which is a mistake in quorate");
            }
            Err(problems.into_diagnostics())
        }
    }
}

fn decode_scenario(node: &Node, asked: &Asked, problems: &mut Problems) -> Option<Scenario> {
    let fields = SCENARIO.open(node, problems)?;
    let name = fields.read("name", problems, |n, p| name::decode_label(n, "a scenario's name", p));
    let description =
        fields.read_or("description", String::new(), problems, |n, p| text(n, p).map(|text| text.trim().to_owned()));
    let default_name = name.as_deref().unwrap_or("inline");
    let (mut cast, topology) = match fields.get("topology") {
        Some(node) => topology::decode_reference(node, default_name, asked, problems),
        None => Default::default(),
    };
    cast.names = fields.get("steps").map(|steps| target::names(steps, &cast)).unwrap_or_default();
    let always = fields.read_or("always", Vec::new(), problems, |n, p| invariant::decode(n, &cast, p));
    let steps = fields.read("steps", problems, |n, p| step::decode(n, &cast, p));
    let source = &node.place.source;
    Some(Scenario {
        name: name?,
        description: description?,
        path: source.path.clone(),
        text: source.text.clone(),
        topology: topology?,
        always: always?,
        steps: steps?,
    })
}

pub(super) fn schema() -> Json {
    SCENARIO.schema()
}
