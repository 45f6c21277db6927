//! Targets: the machines that a step means.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::problem::{Problems, listed, mean, near, quoted};
use super::source::Place;
use super::table::text;
use super::yaml::{Node, Value};
use super::{MachineName, Part, Peers, Role, Service, Target, Workload, name};

/// The machines that there are, as far as the topology could be read. What could not be read is not held against steps.
#[derive(Debug, Default)]
pub(super) struct Cast {
    /// Each machine with its role, if that could be read.
    pub(super) machines: IndexMap<MachineName, Option<Role>>,
    /// Whether there are no others.
    pub(super) complete: bool,
    /// What runs on the cluster, if that could be read.
    pub(super) workload: Option<Workload>,
    /// What choices of the scenario's steps are called, with the place of each name.
    pub(super) names: Vec<(String, Place)>,
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

    /// Whether a choice of some step is called so.
    pub(super) fn calls(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| known == name)
    }

    /// What choices are called, each name once.
    pub(super) fn called(&self) -> impl Iterator<Item = &str> {
        let first = |at: &usize| self.names[..*at].iter().all(|(other, _)| *other != self.names[*at].0);
        (0..self.names.len()).filter(first).map(|at| self.names[at].0.as_str())
    }

    /// The words that a target can be.
    fn words(&self) -> Vec<&str> {
        targets().into_iter().chain(self.called()).collect()
    }

    /// Whether a word is the name of a machine.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.machines.contains_key(&MachineName(name.to_owned()))
    }

    /// A machine that is named where these words could stand as well.
    pub(super) fn machine(
        &self,
        name: &str,
        words: &[&str],
        place: &Place,
        problems: &mut Problems,
    ) -> Option<MachineName> {
        if let Some((known, _)) = self.machines.get_key_value(&MachineName(name.to_owned())) {
            return Some(known.clone());
        }
        if self.complete {
            let label =
                if words.is_empty() { "not in the topology" } else { "no machine of the topology, and no word" };
            problems
                .error(place, format!("unknown machine {}", quoted(name)))
                .label(label)
                .mend(self.meant(name, words));
        }
        None
    }

    /// What was probably meant by something that is neither a machine nor one of the words.
    fn meant(&self, name: &str, words: &[&str]) -> String {
        let names = || self.machines.keys().map(MachineName::as_str);
        if let Some(several) = self.several(name) {
            return format!("write a list: `[{}]`", several.join(", "));
        }
        let nearest = near(name, words.iter().copied().chain(names()));
        match (nearest.is_empty(), words.is_empty()) {
            (false, _) => mean(&nearest),
            (true, true) => format!("the machines here: {}", listed(names())),
            (true, false) => format!(
                "the machines here: {}; words for some: {}; what is chosen gets a name from `as`, in the step that chooses: \
                 `kill: one-master as victim`",
                listed(names()),
                listed(words.iter().copied())
            ),
        }
    }

    /// Machines that were written into one text, with commas or blanks between them.
    fn several<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let parts: Vec<_> = text.split([',', ' ']).filter(|part| !part.is_empty()).collect();
        (parts.len() > 1 && parts.iter().all(|part| self.knows(part))).then_some(parts)
    }

    /// Whether there is surely no machine with a role.
    fn lacks(&self, role: Role) -> bool {
        self.complete && self.machines.values().all(|it| it.is_some_and(|it| it != role))
    }

    /// The machines of some roles, as far as roles are known.
    pub(super) fn of(&self, roles: &[Role]) -> Vec<MachineName> {
        let meant = |role: &Option<Role>| role.is_some_and(|role| roles.contains(&role));
        self.machines.iter().filter(|(_, role)| meant(role)).map(|(name, _)| name.clone()).collect()
    }
}

/// The word for the machines that were chosen last.
pub(super) const CHOSEN: &str = "chosen";

/// The words for all machines of some roles; whether there is such a machine is the topology's to say.
const GROUPS: [&str; 7] = ["masters", "all-masters", "control-plane", "workers", "nodes", "etcd", "machines"];

/// The words that mean others than those that a fault befalls.
const OTHERS: [&str; 2] = ["others", "other-masters"];

/// All words that mean machines without naming one, and so cannot name one.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    targets().into_iter().chain(OTHERS)
}

/// The words that a target can be.
fn targets() -> Vec<&'static str> {
    GROUPS.into_iter().chain(Part::ALL.map(Part::as_str)).chain([CHOSEN]).collect()
}

/// The machines that a word for all of some roles means.
fn group(word: &str, cast: &Cast) -> Option<Vec<MachineName>> {
    let roles: &[Role] = match word {
        "masters" | "all-masters" | "control-plane" => &[Role::Master],
        "workers" => &[Role::Worker],
        "nodes" => &[Role::Master, Role::Worker],
        "etcd" => Service::Etcd.roles(cast.external_etcd()),
        "machines" => &Role::ALL,
        _ => return None,
    };
    Some(cast.of(roles))
}

const EXPECTED: &str = "a machine, a list of machines, or a word for a part of them";

/// Reads a target.
pub(super) fn decode(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    match &node.value {
        Value::List(items) => decode_list(node, items, cast, problems).map(Target::Machines),
        Value::Scalar(scalar) => decode_word(&scalar.text, node, cast, problems),
        Value::Map(entries) => {
            let inside = entries.iter().flat_map(|entry| [entry.key.as_str()].into_iter().chain(scalars(&entry.value)));
            let keys = ["on", "machine", "machines", "target", "node", "name"];
            let named =
                |word: &&str| cast.knows(word) || targets().contains(word) || !(cast.complete || keys.contains(word));
            let named: Vec<_> = inside.filter(|word| !word.is_empty()).filter(named).collect();
            problems.error(&node.place, format!("expected {EXPECTED}; found a mapping")).mend(match &named[..] {
                [] => "write for example `master2`, without a key of its own".to_owned(),
                [one] => format!("write `{one}`, without a key of its own"),
                several => format!("write `[{}]`, without keys of their own", several.join(", ")),
            });
            None
        }
    }
}

/// The texts of a scalar, or of a list of them.
fn scalars(node: &Node) -> Vec<&str> {
    let items = match &node.value {
        Value::List(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    items.iter().filter_map(Node::scalar).map(|scalar| scalar.text.as_str()).collect()
}

fn decode_word(word: &str, node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    if word == "workers" && cast.lacks(Role::Worker) {
        problems
            .error(&node.place, "there are no workers")
            .label("no machine of the topology has the role `worker`")
            .mend("write `masters` or `nodes`, or take a topology with workers, as `stacked-3-workers`");
        return None;
    }
    if let Some(machines) = group(word, cast) {
        return Some(Target::Machines(machines));
    }
    if word == CHOSEN {
        return Some(Target::Chosen(None));
    }
    if cast.calls(word) {
        return Some(Target::Chosen(Some(word.to_owned())));
    }
    if let Some(part) = Part::of(word) {
        return Some(Target::Part(part, None));
    }
    if let Some((part, name)) = word.split_once(AS) {
        return decode_called(part.trim(), name.trim(), node, cast, problems);
    }
    if OTHERS.contains(&word) {
        problems.error(&node.place, format!("{} cannot stand here", quoted(word))).label("others than which?").mend(
            "it belongs to `from` of a `partition` alone; name the machines, or write a word for some, as `masters`",
        );
        return None;
    }
    let name = named(node, cast, problems)?;
    cast.machine(name, &cast.words(), &node.place, problems).map(|machine| Target::Machines(vec![machine]))
}

/// Stands between a part and what the choice is called.
const AS: &str = " as ";

/// What choices are called anywhere in steps, before any of it is judged. What means machines already is no name.
pub(super) fn names(steps: &Node, cast: &Cast) -> Vec<(String, Place)> {
    match &steps.value {
        Value::Map(entries) => entries.iter().flat_map(|entry| names(&entry.value, cast)).collect(),
        Value::List(items) => items.iter().flat_map(|item| names(item, cast)).collect(),
        Value::Scalar(scalar) => {
            let called = scalar.text.split_once(AS).filter(|(part, _)| Part::of(part.trim()).is_some());
            let name =
                called.map(|(_, name)| name.trim()).filter(|name| !cast.knows(name) && !name::is_target_word(name));
            name.map(|name| (name.to_owned(), steps.place.clone())).into_iter().collect()
        }
    }
}

/// Reads a choice that has a name: `one-master as victim`.
fn decode_called(part: &str, name: &str, node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Target> {
    let place = &node.place;
    let Some(known) = Part::of(part) else {
        let parts = Part::ALL.map(Part::as_str);
        let mend = match near(part, parts)[..] {
            [] => format!("name one of {}; all else has its name", listed(parts)),
            ref nearest => mean(nearest),
        };
        problems
            .error(place, format!("{} is not chosen when the step runs, so it takes no name", quoted(part)))
            .mend(mend);
        return None;
    };
    let first = cast.names.iter().find(|(other, _)| other == name).map_or(place, |(_, first)| first);
    let mut other = "victim".to_owned();
    let taken = if name::is_target_word(name) {
        "a word for machines".to_owned()
    } else if cast.knows(name) {
        "the name of a machine".to_owned()
    } else if first.start != place.start {
        other = format!("{name}-2");
        format!("what is chosen in line {} as well", first.line())
    } else {
        let good = name::decode_called(name, place, problems);
        return good.then(|| Target::Part(known, Some(name.to_owned())));
    };
    problems
        .error(place, format!("a choice cannot be called {}, which is {taken}", quoted(name)))
        .mend(format!("take another name: `{part} as {other}`"));
    None
}

/// The name of a machine. One that is a number needs quotes, if there is such a machine.
fn named<'a>(node: &'a Node, cast: &Cast, problems: &mut Problems) -> Option<&'a str> {
    match node.scalar() {
        Some(scalar) if node.is_null() || scalar.text.trim().is_empty() => {
            problems
                .error(&node.place, format!("expected {EXPECTED}; found {}", node.describe()))
                .mend("write for example `master2`, or `masters` for all of them");
            None
        }
        Some(scalar) if !cast.knows(&scalar.text) => Some(&scalar.text),
        _ => text(node, problems),
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
        Some(word) if word == CHOSEN || cast.calls(word) || word.contains(AS) || Part::of(word).is_some() => {
            problems
                .error(&node.place, format!("{} cannot stand here", quoted(word)))
                .label("chosen when the step runs")
                .mend("let `on` choose, and write `others`, `other-masters`, or name the machines");
            None
        }
        Some(word) if group(word, cast).is_none() && !cast.knows(word) => {
            let words: Vec<_> = OTHERS.into_iter().chain(GROUPS).collect();
            cast.machine(text(node, problems)?, &words, &node.place, problems);
            None
        }
        _ => match decode(node, cast, problems)? {
            Target::Machines(machines) => Some(Peers::Machines(machines)),
            Target::Part(..) | Target::Chosen(_) => None,
        },
    }
}

fn decode_item(item: &Node, cast: &Cast, problems: &mut Problems) -> Option<MachineName> {
    let name = named(item, cast, problems)?;
    if name::is_target_word(name) || cast.calls(name) {
        problems
            .error(&item.place, format!("{} cannot stand in a list", quoted(name)))
            .mend(format!("write it alone: `{name}`, or name the machines"));
        return None;
    }
    let there = |word: &&str| *word != "workers" || !cast.lacks(Role::Worker);
    let words = cast.words().into_iter().filter(there);
    let word = near(name, words.chain(cast.machines.keys().map(MachineName::as_str)));
    let [word, ..] = word[..] else { return cast.machine(name, &[], &item.place, problems) };
    if cast.knows(name) || cast.knows(word) || !cast.complete {
        return cast.machine(name, &[], &item.place, problems);
    }
    problems
        .error(&item.place, format!("unknown machine {}", quoted(name)))
        .label("not in the topology")
        .mend(format!("if you mean `{word}`: it stands alone, not in a list"));
    None
}

pub(super) fn schema() -> Json {
    let parts = Part::ALL.map(Part::as_str).join("`, `");
    let words = format!(
        "A machine, `masters`, `workers`, `nodes`, `etcd`, `machines`, a part that is chosen when the step runs (`{parts}`), \
         or `{CHOSEN}` for what was chosen last. `one-master as victim` gives a choice a name, by which later steps mean it"
    );
    json!({ "oneOf": [
        { "type": "string", "description": words },
        { "type": "array", "description": "Machines", "items": name::label_schema(), "minItems": 1, "uniqueItems": true },
    ] })
}

pub(super) fn peers_schema() -> Json {
    let words = "`others` for all machines that are not in `on`, `other-masters`, a machine, `masters`, `workers`, `nodes`, `etcd`, or `machines`";
    json!({ "oneOf": [
        { "type": "string", "description": words },
        { "type": "array", "description": "Machines", "items": name::label_schema(), "minItems": 1, "uniqueItems": true },
    ] })
}
