//! Faults of the private network: who is cut off from whom, which ports, and how slow what is left goes.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::{ON, optional};
use crate::scenario::problem::{Problems, quoted};
use crate::scenario::source::Place;
use crate::scenario::table::{Field, Table, Words, list, number};
use crate::scenario::target::{self, Cast};
use crate::scenario::yaml::Node;
use crate::scenario::{Direction, Fault, Peers, Role, Target, Verb, duration, rate, shape};

static DIRECTION: Words<Direction> =
    Words { what: "a direction", words: &[("both", Direction::Both), ("in", Direction::In), ("out", Direction::Out)] };

static PARTITION: Table = Table {
    what: "a partition",
    fields: &[
        ON,
        optional("from", "Whom they are cut off from. Default: `others`", "from: others", target::peers_schema),
        optional(
            "direction",
            "`in` loses what the others send, `out` what they are sent. Default: `both`",
            "direction: both",
            || DIRECTION.schema(),
        ),
    ],
};

static BLOCK: Table = Table {
    what: "a block of ports",
    fields: &[
        ON,
        Field {
            name: "ports",
            doc: "Ports of TCP and UDP, at most 15",
            required: true,
            example: "ports: [2379, 2380]",
            schema: ports_schema,
        },
        optional(
            "direction",
            "`in` loses what comes to these ports of the machine, `out` what it sends to these ports of \
            others. Default: `both`",
            "direction: both",
            || DIRECTION.schema(),
        ),
    ],
};

static SLOW: Table = Table {
    what: "a slow network",
    fields: &[
        ON,
        optional("rate", "How much goes out in a second", "rate: 1mbit", rate::schema),
        optional("delay", "How much later everything goes out", "delay: 100ms", duration::schema),
        optional("loss", "How much of what goes out is lost, by chance", "loss: 5%", rate::share_schema),
    ],
};

/// How long an answer is waited for that shows the delay.
const LONGEST: Duration = Duration::from_secs(2);
/// The most ports that one rule of the packet filter takes.
const PORTS: usize = 15;

pub(super) fn partition(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = PARTITION.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let from = fields.read_or("from", Peers::Others, problems, |n, p| target::decode_peers(n, cast, p));
    let direction = fields.read_or("direction", Direction::Both, problems, |n, p| DIRECTION.decode(n, p));
    let (on, from, direction) = (on?, from?, direction?);
    let place = fields.get("from").map_or(&node.place, |node| &node.place);
    let named = fields.get("from").is_some_and(|node| node.scalar().is_none_or(|word| cast.knows(&word.text)));
    has_peers(&on, &from, named, cast, place, problems)
        .then_some(Fault { verb: Verb::Partition { from, direction }, on })
}

/// Whether there is somebody to be cut off from, who is not the machine itself.
fn has_peers(on: &Target, from: &Peers, named: bool, cast: &Cast, place: &Place, problems: &mut Problems) -> bool {
    let Target::Machines(on) = on else { return true };
    if let (Peers::Machines(from), true) = (from, named)
        && let Some(both) = from.iter().find(|machine| on.contains(machine))
    {
        problems
            .error(place, format!("{} cannot be cut off from itself", quoted(both.as_str())))
            .mend("name it in `on` or in `from`, not in both");
        return false;
    }
    let left = cast.machines.iter().filter(|(machine, _)| !on.contains(machine)).any(|(machine, role)| match from {
        Peers::Others => true,
        Peers::OtherMasters => role.is_none_or(|role| role == Role::Master),
        Peers::Machines(from) => from.contains(machine),
    });
    if !left && cast.complete {
        problems
            .error(place, "nobody is left to be cut off from")
            .mend("take fewer machines in `on`, or others in `from`");
    }
    left || !cast.complete
}

pub(super) fn block(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    let fields = BLOCK.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let ports = fields.read("ports", problems, decode_ports);
    let direction = fields.read_or("direction", Direction::Both, problems, |n, p| DIRECTION.decode(n, p));
    Some(Fault { verb: Verb::Block { ports: ports?, direction: direction? }, on: on? })
}

fn decode_ports(node: &Node, problems: &mut Problems) -> Option<Vec<u16>> {
    if let Some(scalar) = node.scalar().filter(|_| !node.is_null()) {
        let ports: Vec<_> = scalar.text.split([',', ' ']).filter(|part| !part.is_empty()).collect();
        let all = ports.iter().all(|port| port.parse::<u16>().is_ok());
        problems.error(&node.place, format!("`ports` is a list, not {}", node.describe())).mend(match all {
            true => format!("write `ports: [{}]`", ports.join(", ")),
            false => "write each port as a number: `ports: [2379, 2380]`".to_owned(),
        });
        return None;
    }
    let items = list(node, "`ports`", problems)?;
    if let Some((item, (first, last))) = items.iter().find_map(|item| Some((item, range(item)?))) {
        let each: Vec<_> = (first..=last).take(PORTS).map(|port| port.to_string()).collect();
        problems
            .error(&item.place, format!("expected a port, found {}", item.describe()))
            .label("a range")
            .mend(format!("write each port: `ports: [{}]`", each.join(", ")));
        return None;
    }
    if items.is_empty() || items.len() > PORTS {
        problems
            .error(&node.place, format!("from one to {PORTS} ports can be blocked, and here are {}", items.len()))
            .mend("write for example `ports: [2379, 2380]`");
        return None;
    }
    let ports = items.iter().map(|item| number(item, 1, u16::MAX.into(), problems));
    let ports: Vec<_> = ports.map(|port| port.and_then(|port| u16::try_from(port).ok())).collect();
    let twice = (1..ports.len()).find(|at| ports[*at].is_some() && ports[..*at].contains(&ports[*at]));
    if let Some(at) = twice {
        problems
            .error(&items[at].place, format!("the port {} is named twice", shape::flow(&items[at])))
            .mend("remove one of the two");
        return None;
    }
    ports.into_iter().collect()
}

/// The ends of a range of ports, as `2379-2380`.
fn range(node: &Node) -> Option<(u16, u16)> {
    let (first, last) = node.scalar()?.text.split_once(['-', ':'])?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?)).filter(|(first, last)| first < last)
}

fn ports_schema() -> Json {
    let port = json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX });
    json!({ "type": "array", "items": port, "minItems": 1, "maxItems": PORTS })
}

pub(super) fn slow(node: &Node, cast: &Cast, problems: &mut Problems) -> Option<Fault> {
    // Of the three that make it slow none is required, so that the table alone would name the machines and nothing else.
    let bare = SLOW.shape(node).filter(|shape| node.entries().is_none() && !shape.contains(", "));
    if let Some(shape) = bare.and_then(|shape| shape::write(&shape.replace(" }", ", rate: 1mbit }"))) {
        problems.error(&node.place, format!("{} is a mapping, not {}", SLOW.what, node.describe())).mend(shape);
        return None;
    }
    let fields = SLOW.open(node, problems)?;
    let on = fields.read("on", problems, |n, p| target::decode(n, cast, p));
    let rate = fields.read_or("rate", None, problems, |n, p| rate::decode(n, p).map(Some));
    let delay = fields.read_or("delay", None, problems, |n, p| decode_delay(n, p).map(Some));
    let loss = fields.read_or("loss", None, problems, |n, p| rate::decode_share(n, p).map(Some));
    if ["rate", "delay", "loss"].into_iter().all(|key| fields.get(key).is_none()) {
        problems
            .error(&node.place, "a slow network needs `rate`, `delay` or `loss`")
            .label("nothing is slow here")
            .mend("add for example `rate: 1mbit`, `delay: 100ms` or `loss: 5%`");
        return None;
    }
    Some(Fault { verb: Verb::Slow { rate: rate?, delay: delay?, loss: loss? }, on: on? })
}

/// Reads a delay that can be seen to have come.
fn decode_delay(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let delay = duration::decode(node, problems)?;
    if delay >= LONGEST {
        let longest = duration::format_duration(LONGEST);
        problems
            .error(&node.place, format!("a delay of {longest} or more cannot be told from silence"))
            .label(format!("what proves it waits {longest} for an answer"))
            .mend(format!("write less than `delay: {longest}`, or `isolate` the machine"));
        return None;
    }
    Some(delay)
}

pub(super) fn partition_schema() -> Json {
    PARTITION.schema()
}

pub(super) fn block_schema() -> Json {
    BLOCK.schema()
}

pub(super) fn slow_schema() -> Json {
    let mut schema = SLOW.schema();
    schema["anyOf"] = json!([{ "required": ["rate"] }, { "required": ["delay"] }, { "required": ["loss"] }]);
    schema
}
