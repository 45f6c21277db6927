//! How the balancer balances.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::problem::Problems;
use super::table::{Field, Table, Words, number};
use super::yaml::Node;
use super::{Balance, LoadBalancer, LoadBalancerCheck, duration};

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
    Some(LoadBalancer {
        check: check?,
        fall: fall?,
        rise: rise?,
        balance: balance?,
        retries: retries?,
        connect_timeout: connect_timeout?,
        client_timeout: client_timeout?,
        server_timeout: server_timeout?,
    })
}

pub(super) fn schema() -> Json {
    LOAD_BALANCER.schema()
}
