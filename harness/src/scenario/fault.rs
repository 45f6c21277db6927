//! Faults: what befalls machines and services, and its undoing.

mod clock;
mod disk;
mod network;

use serde_json::Value as Json;

use super::problem::{Problems, listed, quoted};
use super::source::Place;
use super::table::{Field, Table, Words};
use super::target::Cast;
use super::yaml::Node;
use super::{Fault, MachineName, Role, Service, Target, Verb, shape, target};

static SERVICE: Words<Service> = Words {
    what: "a service",
    words: &[
        ("etcd", Service::Etcd),
        ("kube-apiserver", Service::KubeApiserver),
        ("kube-controller-manager", Service::KubeControllerManager),
        ("kube-scheduler", Service::KubeScheduler),
        ("kubelet", Service::Kubelet),
        ("containerd", Service::Containerd),
        ("haproxy", Service::Haproxy),
    ],
};

static SERVICE_FAULT: Table = Table {
    what: "a fault of a service",
    fields: &[
        Field {
            name: "service",
            doc: "The service. Masters run kube-apiserver, kube-controller-manager, kube-scheduler, and etcd \
                  unless it has machines of its own; nodes and etcd machines run kubelet and containerd; \
                  the balancer runs haproxy",
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

/// How the value of a step's key is read: as machines, as a service on machines, or as a mapping of its own.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Nothing but machines.
    Plain(fn() -> Verb),
    /// The same, where only machines with an etcd member will do.
    Members(fn() -> Verb),
    /// The service family.
    Service(fn(Service) -> Verb),
    /// With particulars.
    Own(fn(&Node, &Cast, &mut Problems) -> Option<Fault>),
}

/// A key of a step that is a fault.
pub(super) struct Key {
    /// The step's table, which has this key alone.
    pub(super) table: Table,
    /// How its value is read.
    pub(super) kind: Kind,
}

macro_rules! key {
    ($name:literal, $kind:expr, $doc:literal, $example:literal, $schema:path) => {
        Key {
            table: Table {
                what: "a step",
                fields: &[Field { name: $name, doc: $doc, required: true, example: $example, schema: $schema }],
            },
            kind: $kind,
        }
    };
}

/// All faults of the language.
#[rustfmt::skip]
pub(super) static KEYS: [Key; 20] = [
    key!("kill", Kind::Plain(|| Verb::Kill), "Powers machines off at once", "kill: master2", target::schema),
    key!("stop", Kind::Plain(|| Verb::Stop), "Shuts machines down in order", "stop: master2", target::schema),
    key!("start", Kind::Plain(|| Verb::Start), "Powers machines on", "start: master2", target::schema),
    key!("reboot", Kind::Plain(|| Verb::Reboot), "Shuts machines down in order and powers them on", "reboot: master2", target::schema),
    key!("pause", Kind::Plain(|| Verb::Pause), "Freezes machines", "pause: master2", target::schema),
    key!("resume", Kind::Plain(|| Verb::Resume), "Lets paused machines run on", "resume: master2", target::schema),
    key!("stop-service", Kind::Service(Verb::StopService), "Stops a service, which stays down until it is started",
        "stop-service: { service: etcd, on: master2 }", schema),
    key!("kill-service", Kind::Service(Verb::KillService), "Kills the processes of a service, which may be started anew by what looks after it",
        "kill-service: { service: etcd, on: master2 }", schema),
    key!("start-service", Kind::Service(Verb::StartService), "Starts a service that was stopped",
        "start-service: { service: etcd, on: master2 }", schema),
    key!("restart-service", Kind::Service(Verb::RestartService), "Stops a service and starts it again",
        "restart-service: { service: kubelet, on: master2 }", schema),
    key!("isolate", Kind::Plain(|| Verb::Isolate), "Pulls the cable of the private network", "isolate: master2", target::schema),
    key!("partition", Kind::Own(network::partition), "Loses what passes between machines and others",
        "partition: { on: master2, from: others }", network::partition_schema),
    key!("block", Kind::Own(network::block), "Loses what goes to ports of TCP and UDP",
        "block: { on: master2, ports: [2379, 2380] }", network::block_schema),
    key!("slow", Kind::Own(network::slow), "Makes what machines send to the private network slower, later, or lost by chance",
        "slow: { on: master2, rate: 1mbit }", network::slow_schema),
    key!("fill-disk", Kind::Own(disk::fill), "Fills the file system of etcd's data",
        "fill-disk: { on: master2 }", disk::fill_schema),
    key!("slow-disk", Kind::Own(disk::slow), "Makes the disk slow that etcd writes to",
        "slow-disk: { on: master2, rate: 1MiB }", disk::slow_schema),
    key!("fill-etcd", Kind::Members(|| Verb::FillEtcd), "Uses up the quota of etcd's database, which raises its alarm",
        "fill-etcd: master2", target::schema),
    key!("wipe", Kind::Members(|| Verb::Wipe), "Ends etcd members and deletes their data", "wipe: master2", target::schema),
    key!("skew-clock", Kind::Own(clock::skew), "Puts the clock ahead, or behind",
        "skew-clock: { on: master2, by: 5m }", clock::schema),
    key!("restore", Kind::Plain(|| Verb::Restore), "Undoes what lasts of the network, the disk and the clock",
        "restore: master2", target::schema),
];

/// The fault of this name.
pub(super) fn of(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.table.fields[0].name == name)
}

/// Reads the value of a fault's key.
pub(super) fn decode(key: &Key, node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    match key.kind {
        Kind::Plain(_) if let Some(service) = of_service(key, node) => {
            problems
                .error(&node.place, "a service on machines is not a machine")
                .mend(shape::write(&service).unwrap_or_else(|| "write a fault of a service".to_owned()));
            None
        }
        Kind::Plain(verb) => target::decode(node, cast, problems).map(|on| Fault { verb: verb(), on }),
        Kind::Members(verb) => {
            let on = target::decode(node, cast, problems)?;
            on_members(&on, cast, &node.place, problems).then(|| Fault { verb: verb(), on })
        }
        Kind::Own(decode) => decode(node, cast, problems),
        Kind::Service(verb) => {
            let (service, on) = decode_service(node, cast, problems)?;
            Some(Fault { verb: verb(service), on })
        }
    }
}

/// The fault of a service that was meant by one of machines: `kill: { service: etcd, on: master1 }`.
fn of_service(key: &Key, node: &Node) -> Option<String> {
    node.get("service")?;
    let name = format!("{}-service", key.table.fields[0].name);
    of(&name).map(|_| format!("{name}: {}", shape::flow(node)))
}

fn decode_service(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<(Service, Target)> {
    let word = node.scalar().map_or("", |scalar| scalar.text.as_str());
    if let Some((word, service)) = SERVICE.words.iter().find(|(known, _)| *known == word) {
        let on = cast.of(service.roles(cast.external_etcd()));
        let on = on.first().map_or("master2", MachineName::as_str);
        problems
            .error(&node.place, format!("{} is a mapping, not {}", SERVICE_FAULT.what, node.describe()))
            .mend(format!("write `{{ service: {word}, on: {on} }}`"));
        return None;
    }
    let fields = SERVICE_FAULT.open(node, problems)?;
    let service = fields.read("service", problems, |n, p| SERVICE.decode(n, p));
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let (service, on) = (service?, on?);
    let place = fields.get("on").map_or(&node.place, |node| &node.place);
    let runs = match &on {
        Target::Machines(machines) => check_roles(service, machines, cast, place, problems),
        Target::Part(part, _) => check_part(service, &[part.role(cast.external_etcd())], cast, place, problems),
        Target::Chosen(_) => check_part(service, &[Role::Master, Role::Etcd], cast, place, problems),
    };
    runs.then_some((service, on))
}

/// Whether each of the machines has an etcd member.
fn on_members(on: &Target, cast: &Cast, place: &Place, problems: &mut Problems) -> bool {
    match on {
        Target::Machines(machines) => check_roles(Service::Etcd, machines, cast, place, problems),
        Target::Part(part, _) => check_part(Service::Etcd, &[part.role(cast.external_etcd())], cast, place, problems),
        Target::Chosen(_) => true,
    }
}

/// The key of all mappings that says the machines.
const ON: Field = Field {
    name: "on",
    doc: "The machines that it befalls",
    required: true,
    example: "on: master2",
    schema: target::schema,
};

/// A key that may be left out.
const fn optional(name: &'static str, doc: &'static str, example: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: false, example, schema }
}

/// Whether the machines of which a part is chosen run the service; of what was chosen before, one of their roles is known.
fn check_part(service: Service, of: &[Role], cast: &Cast, place: &Place, problems: &mut Problems) -> bool {
    let runs = service.roles(cast.external_etcd()).iter().any(|role| of.contains(role));
    if !runs {
        let machines = if *of == [Role::Etcd] { "etcd machines" } else { "masters" };
        problems
            .error(place, format!("{} does not run on {machines}, of which parts are chosen", service.as_str()))
            .mend("name the machine");
    }
    runs
}

/// Whether each of the machines runs the service.
fn check_roles(service: Service, on: &[MachineName], cast: &Cast, place: &Place, problems: &mut Problems) -> bool {
    let (name, roles) = (service.as_str(), service.roles(cast.external_etcd()));
    let which = match roles {
        [Role::Master] => "masters",
        [Role::Balancer] => "the balancer",
        [Role::Etcd] => "etcd machines",
        [Role::Master, Role::Worker] => "masters and workers",
        _ => "masters, workers and etcd machines",
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

fn schema() -> Json {
    SERVICE_FAULT.schema()
}
