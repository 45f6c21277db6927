//! Topologies: the machines of a cluster and what runs on them.

use ipnet::Ipv4Net;
use serde_json::{Value as Json, json};

use super::library::{self, Found, Trail};
use super::problem::Problems;
use super::table::{Field, Fields, Table, text_schema};
use super::target::Cast;
use super::yaml::{Node, Value};
use super::{
    LoadBalancer, LoadOptions, Topology, Workload, kubernetes, load_balancer, machine, name, network, shape, workload,
};

static TOPOLOGY: Table = Table {
    what: "a topology",
    fields: &[
        Field {
            name: "name",
            doc: "Its name. Default: that of the file or of the scenario",
            required: false,
            example: "name: stacked-3",
            schema: name::label_schema,
        },
        Field {
            name: "extends",
            doc: "Another topology, by name or by path, of which this one overrides keys; machines are merged by name",
            required: false,
            example: "extends: stacked-3",
            schema: text_schema,
        },
        Field {
            name: "network",
            doc: "The private network that all machines share",
            required: true,
            example: "network: 172.27.11.0/24",
            schema: network::schema,
        },
        Field {
            name: "domain",
            doc: "The DNS domain of the machines' host names. Default: example.com",
            required: false,
            example: "domain: example.com",
            schema: name::domain_schema,
        },
        Field {
            name: "machines",
            doc: "The machines by name: one balancer, at least one master, any number of workers",
            required: true,
            example: "machines: { master1: { role: master, ip: 172.27.11.10, memory: 2GiB, cpus: 2 } }",
            schema: || machine::schema(true),
        },
        Field {
            name: "kubernetes",
            doc: "The Kubernetes that runs on it",
            required: false,
            example: "kubernetes: { pod-subnet: 10.244.0.0/16 }",
            schema: kubernetes::schema,
        },
        Field {
            name: "load-balancer",
            doc: "How the balancer balances",
            required: false,
            example: "load-balancer: { check: tcp }",
            schema: load_balancer::schema,
        },
        Field {
            name: "workload",
            doc: "A manifest that is applied to the cluster, relative to this file. Default: the DaemonSet sh-cgi",
            required: false,
            example: "workload: sh-cgi.yaml",
            schema: text_schema,
        },
    ],
};

/// What the command line asks for, checked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    network: Option<Ipv4Net>,
    kubernetes: kubernetes::Asked,
}

impl Asked {
    pub(super) fn new(options: &LoadOptions, problems: &mut Problems) -> Self {
        Self {
            network: options.network.map(|network| network.trunc()),
            kubernetes: kubernetes::Asked::new(options, problems),
        }
    }
}

/// Reads what a scenario says of its topology: where to find it, or itself.
pub(super) fn decode_reference(
    node: &Node,
    default_name: &str,
    asked: &Asked,
    problems: &mut Problems,
) -> (Cast, Option<Topology>) {
    let mut trail = Trail::default();
    let found = match &node.value {
        Value::Map(_) => Some(library::expand(node, &mut trail, problems)),
        Value::Scalar(_) if !node.is_null() => library::find(node, &mut trail, problems),
        Value::List(items) if let [one] = &items[..] => {
            let write = shape::write(&format!("topology: {}", shape::flow(one)));
            problems
                .error(&node.place, "expected a topology, found a list")
                .mend(write.unwrap_or_else(|| "write it without a list".to_owned()));
            return decode_reference(one, default_name, asked, problems);
        }
        _ => {
            problems
                .error(&node.place, format!("expected a topology, found {}", node.describe()))
                .mend("write its name, the path of its file, or the topology itself: `topology: stacked-3`");
            None
        }
    };
    let stem = if node.scalar().is_some() { found.as_ref().map(|found| stem(&found.node)) } else { None };
    match found {
        Some(found) => decode(&found, stem.as_deref().unwrap_or(default_name), asked, problems),
        None => (Cast::default(), None),
    }
}

/// Reads the whole of a topology's file.
pub(super) fn decode_file(node: &Node, asked: &Asked, problems: &mut Problems) -> Option<Topology> {
    let mut trail = Trail::from(&node.place.source);
    let found = library::expand(node, &mut trail, problems);
    decode(&found, &stem(&found.node), asked, problems).1
}

fn stem(node: &Node) -> String {
    let stem = node.place.source.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.unwrap_or_else(|| "topology".to_owned())
}

fn decode(found: &Found, default_name: &str, asked: &Asked, problems: &mut Problems) -> (Cast, Option<Topology>) {
    let Found { node, whole } = found;
    let Some(fields) = TOPOLOGY.open_part(node, *whole, problems) else { return (Cast::default(), None) };
    let name = fields
        .read_or("name", default_name.to_owned(), problems, |n, p| name::decode_label(n, "the name of a topology", p));
    let network = fields.read("network", problems, |n, p| network::decode(n, 29, p));
    let domain =
        fields.read_or("domain", "example.com".to_owned(), problems, |n, p| name::decode_domain(n, "a domain", p));
    let (mut cast, machines) = match fields.get("machines") {
        Some(node) => machine::decode(node, network, *whole, problems),
        None => (Cast::default(), None),
    };
    let kubernetes = match fields.get("kubernetes") {
        Some(node) => kubernetes::decode(node, &asked.kubernetes, problems),
        None => Some(asked.kubernetes.over_default(problems)),
    };
    let load_balancer = fields.read_or("load-balancer", LoadBalancer::default(), problems, load_balancer::decode);
    let workload = fields.read_or("workload", Workload::ShCgi, problems, workload::decode);
    // What was not found of the topology may name another.
    cast.workload = workload.clone().filter(|_| *whole);
    let topology = (|| {
        Some(Topology {
            name: name?,
            network: network?,
            domain: domain?,
            machines: machines?,
            kubernetes: kubernetes?,
            load_balancer: load_balancer?,
            workload: workload?,
        })
    })();
    let topology = topology.map(|topology| relocate(topology, asked, problems));
    if let Some(topology) = &topology {
        check_pod_subnet(topology, node, &fields, problems);
        if let Some(node) = fields.get("load-balancer") {
            load_balancer::check_template(topology, node, problems);
        }
    }
    (cast, topology)
}

/// Moves all addresses to the network that was asked for.
fn relocate(mut topology: Topology, asked: &Asked, problems: &mut Problems) -> Topology {
    let Some(network) = asked.network else { return topology };
    let old = topology.network;
    if network.prefix_len() != old.prefix_len() {
        problems
            .option_error(format!("the network {network} cannot take the place of {old}"))
            .mend(format!("ask for a network with the same prefix length, /{}", old.prefix_len()));
        return topology;
    }
    topology.network = network;
    for machine in topology.machines.values_mut() {
        machine.ip = network::relocate(machine.ip, network);
    }
    topology
}

fn check_pod_subnet(topology: &Topology, node: &Node, fields: &Fields<'_>, problems: &mut Problems) {
    let subnet = topology.kubernetes.pod_subnet;
    let written = fields.get("kubernetes").and_then(|node| node.get("pod-subnet"));
    let place = &written.or_else(|| fields.get("network")).unwrap_or(node).place;
    if network::overlap(subnet, topology.network) {
        problems
            .error(place, format!("the pod subnet {subnet} overlaps the machines' network {}", topology.network))
            .label("pods and machines would share addresses")
            .mend("choose another `pod-subnet`, for example `10.244.0.0/16`");
    }
    let nodes = topology.nodes().count();
    let room = 1usize << (24 - subnet.prefix_len());
    if nodes > room {
        problems
            .error(place, format!("the pod subnet {subnet} has room for {room} of {nodes} nodes"))
            .label("each node takes a /24 of it")
            .mend("choose a larger `pod-subnet`, for example `10.244.0.0/16`");
    }
}

/// Whether a file is a topology rather than a scenario.
pub(super) fn is_topology(node: &Node) -> bool {
    let has = |key| node.get(key).is_some();
    !has("steps") && !has("topology") && (has("machines") || has("extends"))
}

/// The JSON Schema of a topology. One that extends another may leave out what that one says.
pub(super) fn schema() -> Json {
    let mut schema = TOPOLOGY.schema();
    let required = schema["required"].take();
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
    }
    schema["if"] = json!({ "required": ["extends"] });
    schema["then"] = json!({});
    schema["else"] = json!({ "required": required, "properties": { "machines": machine::schema(false) } });
    schema
}

/// The JSON Schema of what a scenario says of its topology.
pub(super) fn reference_schema() -> Json {
    json!({ "oneOf": [text_schema(), schema()] })
}
