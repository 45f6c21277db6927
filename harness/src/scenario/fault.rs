//! Faults: what befalls machines and services, and its undoing.

use serde_json::Value as Json;

use super::problem::{Problems, listed, quoted};
use super::source::Place;
use super::table::{Field, Table, Words};
use super::target::Cast;
use super::yaml::Node;
use super::{MachineName, Role, Service, ServiceFault, target};

static SERVICE: Words<Service> = Words {
    what: "a service",
    words: &[("etcd", Service::Etcd), ("kubelet", Service::Kubelet), ("haproxy", Service::Haproxy)],
};

static SERVICE_FAULT: Table = Table {
    what: "a fault of a service",
    fields: &[
        Field {
            name: "service",
            doc: "The service: etcd runs on masters, kubelet on nodes, haproxy on the balancer",
            required: true,
            example: "service: etcd",
            schema: || SERVICE.schema(),
        },
        Field {
            name: "on",
            doc: "The machines on which it happens",
            required: true,
            example: "on: master2",
            schema: target::schema,
        },
    ],
};

/// Reads a service and the machines on which something befalls it.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<ServiceFault> {
    let fields = SERVICE_FAULT.open(node, problems)?;
    let service = fields.read("service", problems, |n, p| SERVICE.decode(n, p));
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let (service, on) = (service?, on?);
    let place = fields.get("on").map_or(&node.place, |node| &node.place);
    check_roles(service, &on, cast, place, problems).then_some(ServiceFault { service, on })
}

/// Whether each of the machines runs the service.
fn check_roles(service: Service, on: &[MachineName], cast: &Cast, place: &Place, problems: &mut Problems) -> bool {
    let (name, roles, which): (_, &[Role], _) = match service {
        Service::Etcd => ("etcd", &[Role::Master], "masters"),
        Service::Kubelet => ("kubelet", &[Role::Master, Role::Worker], "masters and workers"),
        Service::Haproxy => ("haproxy", &[Role::Balancer], "the balancer"),
    };
    let runs = |machine: &MachineName| cast.role(machine).is_none_or(|role| roles.contains(&role));
    let wrong: Vec<_> = on.iter().filter(|machine| !runs(machine)).collect();
    let able: Vec<_> = cast.machines.keys().filter(|machine| runs(machine)).map(MachineName::as_str).collect();
    for machine in &wrong {
        problems
            .error(place, format!("{name} does not run on {}", quoted(machine.as_str())))
            .label(format!("{name} runs on {which} only"))
            .mend(format!("it runs on {}", listed(able.iter().copied())));
    }
    wrong.is_empty()
}

pub(super) fn schema() -> Json {
    SERVICE_FAULT.schema()
}
