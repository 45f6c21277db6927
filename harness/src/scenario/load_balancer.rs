//! How the balancer balances.

use std::path::Path;
use std::time::Duration;

use minijinja::context;
use serde_json::{Value as Json, json};

use super::problem::{Problems, listed, quoted};
use super::source::{Place, Source};
use super::table::{Field, Table, Words, number, text, text_schema};
use super::yaml::{Entry, Node};
use super::{Balance, LoadBalancer, LoadBalancerCheck, Machine, Template, Topology, duration};
use crate::template;

static CHECK: Words<LoadBalancerCheck> =
    Words { what: "a way to check", words: &[("tcp", LoadBalancerCheck::Tcp), ("readyz", LoadBalancerCheck::Readyz)] };

static BALANCE: Words<Balance> = Words {
    what: "a balancing algorithm",
    words: &[
        ("roundrobin", Balance::RoundRobin),
        ("leastconn", Balance::LeastConn),
        ("source", Balance::Source),
        ("first", Balance::First),
    ],
};

const fn optional(name: &'static str, doc: &'static str, schema: fn() -> Json) -> Field {
    Field { name, doc, required: false, example: "", schema }
}

fn count_schema() -> Json {
    json!({ "type": "integer", "minimum": 1, "maximum": 100 })
}

static LOAD_BALANCER: Table = Table {
    what: "`load-balancer`",
    fields: &[
        optional("check", "How it finds out whether an API server is there. Default: tcp", || CHECK.schema()),
        optional("fall", "Failed checks in a row after which a server is down. Default: 3", count_schema),
        optional("rise", "Good checks in a row after which a server is up. Default: 2", count_schema),
        optional("balance", "HAProxy's balancing algorithm. Default: roundrobin", || BALANCE.schema()),
        optional(
            "retries",
            "HAProxy's `retries`. Default: 2",
            || json!({ "type": "integer", "minimum": 0, "maximum": 100 }),
        ),
        optional("connect-timeout", "HAProxy's `timeout connect`. Default: 3s", duration::schema),
        optional("client-timeout", "HAProxy's `timeout client`. Default: 5s", duration::schema),
        optional("server-timeout", "HAProxy's `timeout server`. Default: 5s", duration::schema),
        optional(
            "template",
            "HAProxy's whole configuration as a template, relative to this file. Default: Quorate's own",
            text_schema,
        ),
    ],
};

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            check: LoadBalancerCheck::Tcp,
            fall: 3,
            rise: 2,
            balance: Balance::RoundRobin,
            retries: 2,
            connect_timeout: Duration::from_secs(3),
            client_timeout: Duration::from_secs(5),
            server_timeout: Duration::from_secs(5),
            template: None,
        }
    }
}

pub(super) fn decode(node: &Node, problems: &mut Problems) -> Option<LoadBalancer> {
    let fields = LOAD_BALANCER.open(node, problems)?;
    let default = LoadBalancer::default();
    let count = |node: &Node, problems: &mut Problems| number(node, 1, 100, problems);
    let check = fields.read_or("check", default.check, problems, |n, p| CHECK.decode(n, p));
    let fall = fields.read_or("fall", default.fall, problems, count);
    let rise = fields.read_or("rise", default.rise, problems, count);
    let balance = fields.read_or("balance", default.balance, problems, |n, p| BALANCE.decode(n, p));
    let retries = fields.read_or("retries", default.retries, problems, |n, p| number(n, 0, 100, p));
    let connect_timeout = fields.read_or("connect-timeout", default.connect_timeout, problems, duration::decode);
    let client_timeout = fields.read_or("client-timeout", default.client_timeout, problems, duration::decode);
    let server_timeout = fields.read_or("server-timeout", default.server_timeout, problems, duration::decode);
    let template = fields.read_or("template", None, problems, |n, p| decode_template(n, p).map(Some));
    Some(LoadBalancer {
        check: check?,
        fall: fall?,
        rise: rise?,
        balance: balance?,
        retries: retries?,
        connect_timeout: connect_timeout?,
        client_timeout: client_timeout?,
        server_timeout: server_timeout?,
        template: template?,
    })
}

/// Reads the template that a file names, relative to that file.
fn decode_template(node: &Node, problems: &mut Problems) -> Option<Template> {
    let folder = node.place.source.path.parent().map(Path::to_owned).unwrap_or_default();
    let path = folder.join(text(node, problems)?);
    let mut found = Problems::default();
    let source = Source::read(&path, &mut found);
    for problem in found.into_diagnostics().iter() {
        problems
            .error(&node.place, format!("the template {}: {}", path.display(), problem.message()))
            .mend("write the path of a template of HAProxy's configuration, relative to this file");
    }
    source.map(|source| Template { path, text: source.text.clone() })
}

impl Topology {
    /// What a template of the balancer's configuration is rendered with.
    pub fn load_balancer_variables(&self) -> minijinja::Value {
        let settings = &self.load_balancer;
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let master = |master: &Machine| context! { name => master.name.as_str(), ip => master.ip.to_string() };
        context! {
            address => self.balancer().ip.to_string(),
            masters => self.masters().map(master).collect::<Vec<_>>(),
            check => settings.check.as_str(),
            balance => settings.balance.as_str(),
            fall => settings.fall,
            rise => settings.rise,
            retries => settings.retries,
            connect_timeout_ms => milliseconds(settings.connect_timeout),
            client_timeout_ms => milliseconds(settings.client_timeout),
            server_timeout_ms => milliseconds(settings.server_timeout),
        }
    }
}

/// Whether the template renders, and uses what is set beside it. `node` is where the balancer is described.
pub(super) fn check_template(topology: &Topology, node: &Node, problems: &mut Problems) {
    let Some(template) = &topology.load_balancer.template else { return };
    let variables = topology.load_balancer_variables();
    let known: Vec<String> = variables.try_iter().into_iter().flatten().map(|name| name.to_string()).collect();
    let known = || listed(known.iter().map(String::as_str));
    if let Err(error) = template::render(&template.text, variables.clone()) {
        let source = Source::new(&template.path, &template.text);
        let range = error.range().unwrap_or_else(|| line(&template.text, error.line().unwrap_or(1)));
        let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        problems
            .error(&Place::new(&source, range.start, range.end), format!("{}{detail}", error.kind()))
            .mend(format!("the variables are {}, and a master has `name` and `ip`", known()));
        return;
    }
    let used = template::variables(&template.text).unwrap_or_default();
    let entries = node.entries().unwrap_or_default();
    // What another topology says that this one extends may be for a template of its own.
    let file = |entry: &Entry| entry.place.source.path.clone();
    let beside = entries.iter().find(|entry| entry.key == "template").map(file);
    for entry in entries.iter().filter(|entry| entry.key != "template" && Some(file(entry)) == beside) {
        if !used.iter().any(|name| name.trim_end_matches("_ms").replace('_', "-") == entry.key) {
            problems
                .warning(&entry.place, format!("{} is set, but the template does not use it", quoted(&entry.key)))
                .mend(format!("take it out, or use the variable: {}", known()));
        }
    }
}

/// The bytes of a line.
fn line(text: &str, number: usize) -> std::ops::Range<usize> {
    let start = text.split_inclusive('\n').take(number.saturating_sub(1)).map(str::len).sum::<usize>();
    let length = text[start..].lines().next().map_or(0, str::len);
    start..start + length
}

pub(super) fn schema() -> Json {
    LOAD_BALANCER.schema()
}
