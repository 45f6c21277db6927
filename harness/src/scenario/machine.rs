//! Machines of a topology.

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;
use serde_json::{Value as Json, json};

use super::problem::{Problems, listed, quoted};
use super::size::format_size;
use super::source::Place;
use super::table::{Field, Table, Words, double_key, number};
use super::target::Cast;
use super::yaml::{Entry, Node, Value};
use super::{Machine, MachineName, Role, name, network, shape, size};

static ROLE: Words<Role> = Words {
    what: "a role",
    words: &[
        ("master", Role::Master),
        ("control-plane", Role::Master),
        ("worker", Role::Worker),
        ("etcd", Role::Etcd),
        ("balancer", Role::Balancer),
    ],
};

static MACHINE: Table = Table {
    what: "a machine",
    fields: &[
        Field {
            name: "role",
            doc: "What the machine is for; `control-plane` means the same as `master`",
            required: true,
            example: "role: master",
            schema: || ROLE.schema(),
        },
        Field {
            name: "ip",
            doc: "Its address on the topology's network",
            required: true,
            example: "ip: 172.27.11.50",
            schema: network::address_schema,
        },
        Field {
            name: "memory",
            doc: "Its memory, with a unit",
            required: true,
            example: "memory: 2GiB",
            schema: size::schema,
        },
        Field {
            name: "cpus",
            doc: "Its processors",
            required: true,
            example: "cpus: 2",
            schema: || json!({ "type": "integer", "minimum": 1, "maximum": 256 }),
        },
    ],
};

/// The JSON Schema of `machines`. Where a base is extended, a machine may say only what differs.
pub(super) fn schema(extending: bool) -> Json {
    let machine = if extending { MACHINE.schema_requiring(&[]) } else { MACHINE.schema() };
    json!({ "type": "object", "propertyNames": name::label_schema(), "additionalProperties": machine, "minProperties": 1 })
}

/// Reads `machines`, and tells who there is even when some of it is bad, or is not the whole.
pub(super) fn decode(
    node: &Node,
    net: Option<Ipv4Net>,
    whole: bool,
    problems: &mut Problems,
) -> (Cast, Option<IndexMap<MachineName, Machine>>) {
    let mut cast = Cast::default();
    let Some(entries) = node.entries() else {
        problems
            .error(&node.place, format!("`machines` is a mapping of names to machines, not {}", node.describe()))
            .mend(by_name(node).unwrap_or_else(|| {
                "write `master1: { role: master, ip: 172.27.11.10, memory: 2GiB, cpus: 2 }`".to_owned()
            }));
        return (cast, None);
    };
    let mut machines = IndexMap::new();
    let mut addresses: IndexMap<Ipv4Addr, &str> = IndexMap::new();
    cast.complete = whole;
    for (at, entry) in entries.iter().enumerate() {
        if let Some(first) = entries[..at].iter().find(|first| first.key == entry.key) {
            double_key(first, entry, problems);
            continue;
        }
        let Some(name) = name::machine(&entry.key, &entry.place, problems) else {
            cast.complete = false;
            continue;
        };
        let (role, machine) = decode_one(entry, &name, (net, whole), &mut addresses, problems);
        cast.machines.insert(name.clone(), role);
        machines.extend(machine.map(|machine| (name, machine)));
    }
    check_roles(node, entries, &cast, problems);
    let whole = cast.complete && machines.len() == cast.machines.len();
    (cast, whole.then_some(machines))
}

/// The first machine of a list of them, in the shape of a mapping.
fn by_name(node: &Node) -> Option<String> {
    let Value::List(items) = &node.value else { return None };
    let name = &items.first()?.get("name")?.scalar()?.text;
    let rest = items.first()?.entries()?.iter().filter(|entry| entry.key != "name");
    shape::write(&format!("{name}: {}", shape::mapping(rest))).map(|write| format!("{write}, and so on"))
}

fn decode_one<'a>(
    entry: &'a Entry,
    name: &MachineName,
    (net, whole): (Option<Ipv4Net>, bool),
    addresses: &mut IndexMap<Ipv4Addr, &'a str>,
    problems: &mut Problems,
) -> (Option<Role>, Option<Machine>) {
    let Some(fields) = MACHINE.open_part(&entry.value, whole, problems) else { return (None, None) };
    let role = fields.read("role", problems, |node, problems| ROLE.decode(node, problems));
    let ip = fields.read("ip", problems, |node, problems| {
        let ip = network::decode_address(node, problems)?;
        if let Some(net) = net {
            network::check_address(ip, net, &node.place, problems);
        }
        if let Some(other) = addresses.get(&ip) {
            problems
                .error(&node.place, format!("the address {ip} is {}'s already", quoted(other)))
                .mend("give each machine an address of its own");
        }
        addresses.insert(ip, &entry.key);
        Some(ip)
    });
    let memory = fields.read("memory", problems, size::decode);
    let cpus = fields.read("cpus", problems, |node, problems| number(node, 1, 256, problems));
    if let (Some(role), Some(memory), Some(node)) = (role, memory, fields.get("memory")) {
        check_memory(role, memory, &node.place, problems);
    }
    if let (Some(Role::Master), Some(1), Some(node)) = (role, cpus, fields.get("cpus")) {
        problems.warning(&node.place, "kubeadm refuses a master with fewer than 2 CPUs").mend("write `cpus: 2`");
    }
    let machine = (|| Some(Machine { name: name.clone(), role: role?, ip: ip?, memory: memory?, cpus: cpus? }))();
    (role, machine)
}

fn check_memory(role: Role, memory: u64, place: &Place, problems: &mut Problems) {
    let (least, why) = match role {
        Role::Master => (1700 << 20, "kubeadm refuses such a master"),
        Role::Worker => (768 << 20, "a node's own services need that much"),
        Role::Etcd => (512 << 20, "kubelet and etcd need that much"),
        Role::Balancer => (64 << 20, "the machine may not even boot"),
    };
    if memory < least {
        problems
            .warning(place, format!("{} of memory is less than {}: {why}", format_size(memory), format_size(least)))
            .mend(format!("write at least `memory: {}`", format_size(least)));
    }
}

/// One balancer, at least one master, and a warning where a quorum gains nothing.
fn check_roles(node: &Node, entries: &[Entry], cast: &Cast, problems: &mut Problems) {
    let is = |entry: &&Entry, role| cast.machines.iter().any(|(n, r)| n.as_str() == entry.key && *r == Some(role));
    let balancers: Vec<_> = entries.iter().filter(|entry| is(entry, Role::Balancer)).collect();
    let roles_known = cast.complete && cast.machines.values().all(Option::is_some);
    if let [first, second, ..] = balancers[..] {
        problems
            .error(&second.place, format!("two balancers: {}", listed(balancers.iter().map(|b| b.key.as_str()))))
            .label(format!("{} is one already", quoted(&first.key)))
            .mend("a topology has exactly one machine with `role: balancer`");
    }
    if balancers.is_empty() && roles_known {
        problems
            .error(&node.place, "there is no balancer")
            .mend("add one: `balancer: { role: balancer, ip: 172.27.11.200, memory: 256MiB, cpus: 1 }`");
    }
    let masters = cast.machines.values().filter(|role| **role == Some(Role::Master)).count();
    if masters == 0 && roles_known {
        problems
            .error(&node.place, "there is no master")
            .mend("add at least one: `master1: { role: master, ip: 172.27.11.10, memory: 2GiB, cpus: 2 }`");
    }
    let (members, what) = (cast.members().unwrap_or(0), if cast.external_etcd() { "etcd machine" } else { "master" });
    if members > 0 && members % 2 == 0 {
        let (quorum, bears) = (members / 2 + 1, members - (members / 2 + 1));
        problems.warning(&node.place, format!("{members} {what}s are an even number")).mend(format!(
            "etcd needs a majority: {quorum} of {members}, so {bears} may fail, no more than with one {what} fewer; \
                 take {} or {}",
            members - 1,
            members + 1
        ));
    }
}
