//! Targets: the machines that a step means.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted, suggest};
use super::source::Place;
use super::table::text;
use super::yaml::{Node, Value};
use super::{MachineName, Part, Peers, Role, Service, Target, name};

/// The machines that there are, as far as the topology could be read. What could not be read is not held against steps.
#[derive(Debug, Default)]
pub(super) struct Cast {
    /// Each machine with its role, if that could be read.
    pub(super) machines: IndexMap<MachineName, Option<Role>>,
    /// Whether there are no others.
    pub(super) complete: bool,
}

impl Cast {
    /// The number of machines that run an etcd member, if every role is known.
    pub(super) fn members(&self) -> Option<usize> {
        let known = self.complete && self.machines.values().all(Option::is_some);
        known.then(|| self.of(Service::Etcd.roles(self.external_etcd())).len())
    }

    /// Whether etcd has machines of its own, as far as roles are known.
    pub(super) fn external_etcd(&self) -> bool {
        self.machines.values().any(|role| *role == Some(Role::Etcd))
    }

    /// The role of a machine, if it is known.
    pub(super) fn role(&self, machine: &MachineName) -> Option<Role> {
        self.machines.get(machine).copied().flatten()
    }

    /// Whether a word is the name of a machine.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.machines.contains_key(&MachineName(name.to_owned()))
    }

    /// A machine that is named.
    pub(super) fn machine(&self, name: &str, place: &Place, problems: &mut Problems) -> Option<MachineName> {
        if let Some((known, _)) = self.machines.get_key_value(&MachineName(name.to_owned())) {
            return Some(known.clone());
        }
        if self.complete {
            problems
                .error(place, format!("unknown machine {}", quoted(name)))
                .label("not in the topology")
                .mend(suggest(name, self.machines.keys().map(MachineName::as_str)));
        }
        None
    }

    /// The machines of some roles, as far as roles are known.
    pub(super) fn of(&self, roles: &[Role]) -> Vec<MachineName> {
        let meant = |role: &Option<Role>| role.is_some_and(|role| roles.contains(&role));
        self.machines.iter().filter(|(_, role)| meant(role)).map(|(name, _)| name.clone()).collect()
    }
}

/// The word for the machines that were chosen last.
pub(super) const CHOSEN: &str = "chosen";

const EXPECTED: &str = "a machine, a list of machines, or a word for a part of them";

/// Reads a target.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    match &node.value {
        Value::List(items) => decode_list(node, items, cast, problems).map(Target::Machines),
        Value::Scalar(scalar) => match scalar.text.as_str() {
            "masters" | "all-masters" | "control-plane" => Some(Target::Machines(cast.of(&[Role::Master]))),
            "nodes" => Some(Target::Machines(cast.of(&[Role::Master, Role::Worker]))),
            "etcd" => Some(Target::Machines(cast.of(Service::Etcd.roles(cast.external_etcd())))),
            "machines" => Some(Target::Machines(cast.of(&Role::ALL))),
            CHOSEN => Some(Target::Chosen),
            word => match Part::of(word) {
                Some(part) => Some(Target::Part(part)),
                None => {
                    let name = text(node, problems)?;
                    cast.machine(name, &node.place, problems).map(|machine| Target::Machines(vec![machine]))
                }
            },
        },
        Value::Map(_) => {
            problems
                .error(&node.place, format!("expected {EXPECTED}; found a mapping"))
                .mend("write for example `kill: master2`");
            None
        }
    }
}

fn decode_list(node: &Node, items: &[Node], cast: &Cast, problems: &mut Problems) -> Option<Vec<MachineName>> {
    if items.is_empty() {
        problems.error(&node.place, "the list of machines is empty").mend("name at least one machine");
        return None;
    }
    let mut machines: Vec<MachineName> = Vec::new();
    let mut all = true;
    for item in items {
        match decode_item(item, cast, problems) {
            Some(machine) if machines.contains(&machine) => {
                problems
                    .error(&item.place, format!("the machine {} is named twice", quoted(machine.as_str())))
                    .mend("remove one of the two");
                all = false;
            }
            Some(machine) => machines.push(machine),
            None => all = false,
        }
    }
    all.then_some(machines)
}

/// Reads the machines that others are cut off from.
pub(super) fn decode_peers(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Peers> {
    match node.scalar().map(|scalar| scalar.text.as_str()) {
        Some("others") => Some(Peers::Others),
        Some("other-masters") => Some(Peers::OtherMasters),
        Some(word) if word == CHOSEN || Part::of(word).is_some() => {
            problems
                .error(&node.place, format!("{} cannot stand here", quoted(word)))
                .label("chosen when the step runs")
                .mend("let `on` choose, and write `others`, `other-masters`, or name the machines");
            None
        }
        _ => match decode(node, cast, problems)? {
            Target::Machines(machines) => Some(Peers::Machines(machines)),
            Target::Part(_) | Target::Chosen => None,
        },
    }
}

fn decode_item(item: &Node, cast: &Cast, problems: &mut Problems) -> Option<MachineName> {
    let name = text(item, problems)?;
    if name::is_target_word(name) {
        problems
            .error(&item.place, format!("{} cannot stand in a list", quoted(name)))
            .mend(format!("write it alone: `{name}`, or name the machines"));
        return None;
    }
    cast.machine(name, &item.place, problems)
}

pub(super) fn schema() -> Json {
    let parts = Part::ALL.map(Part::as_str).join("`, `");
    let words = format!(
        "A machine, `masters`, `nodes`, `etcd`, `machines`, a part that is chosen when the step runs (`{parts}`), or `{CHOSEN}` for what was \
         chosen last"
    );
    json!({ "oneOf": [
        { "type": "string", "description": words },
        { "type": "array", "description": "Machines", "items": name::label_schema(), "minItems": 1, "uniqueItems": true },
    ] })
}

pub(super) fn peers_schema() -> Json {
    let words =
        "`others` for all machines that are not in `on`, `other-masters`, a machine, `masters`, `nodes`, or `machines`";
    json!({ "oneOf": [
        { "type": "string", "description": words },
        { "type": "array", "description": "Machines", "items": name::label_schema(), "minItems": 1, "uniqueItems": true },
    ] })
}
