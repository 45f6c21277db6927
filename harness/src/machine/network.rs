//! The private network of a run on this host: whether it is free.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::finding::{self, Finding, Standing};
use super::host::Host;
use super::provider::ProviderError;

#[derive(Debug, Deserialize)]
struct Route {
    dst: String,
    #[serde(default)]
    dev: String,
    /// The next hop, where it is not reached at once.
    gateway: Option<String>,
    /// What it is if not a route to somewhere, as `blackhole`.
    #[serde(rename = "type")]
    kind: Option<String>,
}

const PART: &str = "network";

/// Refuses a network that overlaps with one that the host has a route to, by name of the interface that has it.
pub(super) async fn refuse_overlap(network: Ipv4Net, cancel: &CancellationToken) -> Result<(), ProviderError> {
    refuse(look(&Host::here(), network, cancel).await, cancel)
}

/// Refuses a network of machines at another host that this one has no route to. What goes there by the default route may be
/// answered by anybody.
pub(super) async fn refuse_unrouted(network: Ipv4Net, cancel: &CancellationToken) -> Result<(), ProviderError> {
    refuse(look_for_route(&Host::here(), network, cancel).await, cancel)
}

fn refuse(looked: Finding, cancel: &CancellationToken) -> Result<(), ProviderError> {
    if cancel.is_cancelled() {
        // What could not be looked at then is no finding.
        return Ok(());
    }
    finding::hindrance(vec![looked])
}

/// Whether a network is free on a host.
pub(super) async fn look(host: &Host, network: Ipv4Net, cancel: &CancellationToken) -> Finding {
    let routes = match routes(host, cancel).await {
        Ok(routes) => routes,
        Err(finding) => return finding,
    };
    match routes.iter().find(|route| destination(&route.dst).is_some_and(|other| overlap(network, other))) {
        None => Finding::here(PART, format!("{network} is free")),
        Some(Route { dst, dev, .. }) => {
            let found = format!("the network {network} is taken on this host: {dst} is reached through {dev}");
            let mend = "see `quorate ls` for a cluster that is still there (`quorate clean` removes what is orphaned, \
                        `quorate clean RUN` what is kept or left, which `quorate run --reuse` takes over), or take another network, as with `--network 172.27.12.0/24`";
            Finding::new(PART, Standing::Conflict, found, mend)
        }
    }
}

/// Whether a network of machines at another host is reached from a host.
pub(super) async fn look_for_route(host: &Host, network: Ipv4Net, cancel: &CancellationToken) -> Finding {
    let routes = match routes(host, cancel).await {
        Ok(routes) => routes,
        Err(finding) => return finding,
    };
    match way(&routes, network) {
        Some(Route { dst, dev, gateway: Some(gateway), kind: None }) => {
            Finding::here(PART, format!("{network} is reached by the route to {dst} via {gateway} through {dev}"))
        }
        Some(Route { dst, dev, kind: None, .. }) => {
            let found = format!(
                "the network {network}, where the machines of another host's libvirt will be, is this host's own: {dst} is reached through {dev}"
            );
            let mend = "see `quorate ls` for a cluster that is still there, or take another network, as with `--network 172.27.12.0/24`";
            Finding::new(PART, Standing::Conflict, found, mend)
        }
        Some(Route { dst, kind: Some(kind), .. }) => {
            let found = format!("what is sent to {network} goes nowhere: the route to {dst} is of the type {kind}");
            let mend = format!("add one that is closer: `sudo ip route add {network} via` the other host's address");
            Finding::new(PART, Standing::Conflict, found, mend)
        }
        None => {
            let found =
                format!("this host has no route to {network}, where the machines of another host's libvirt will be");
            let mend = format!(
                "add one: `sudo ip route add {network} via` that host's address; docs/virtual-machines.md says all that it needs"
            );
            Finding::new(PART, Standing::Missing, found, mend)
        }
    }
}

/// The route that packets to a network take: the closest one that holds all of it, but not that to everywhere.
fn way(routes: &[Route], network: Ipv4Net) -> Option<&Route> {
    let leads = |route: &&Route| {
        destination(&route.dst).is_some_and(|other| other.prefix_len() > 0 && other.contains(&network))
    };
    routes.iter().filter(leads).max_by_key(|route| destination(&route.dst).map_or(0, |other| other.prefix_len()))
}

async fn routes(host: &Host, cancel: &CancellationToken) -> Result<Vec<Route>, Finding> {
    let unreadable = |error: &dyn std::fmt::Display| {
        let found = format!("the routes of this host cannot be read: {error}");
        Finding::new(PART, Standing::Unusable, found, "see what `ip -json route` prints")
    };
    let asked = host.ask("ip", &["-json", "-4", "route", "show", "table", "all"], cancel).await;
    let output = asked.map_err(|error| unreadable(&error))?;
    serde_json::from_str(&output.stdout).map_err(|error| unreadable(&error))
}

fn destination(text: &str) -> Option<Ipv4Net> {
    text.parse().ok().or_else(|| text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from))
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    other.prefix_len() > 0 && (one.contains(&other) || other.contains(&one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_route_is_taken_and_the_default_is_none() {
        let text = r#"[{"dst":"default","gateway":"10.0.0.1","dev":"eth0"},
            {"type":"blackhole","dst":"172.16.0.0/12"},
            {"dst":"172.27.0.0/16","gateway":"10.0.0.9","dev":"eth1"},
            {"dst":"172.27.11.0/24","dev":"br-1","scope":"link"},
            {"type":"local","dst":"172.27.11.1","dev":"br-1"}]"#;
        let routes: Vec<Route> = serde_json::from_str(text).unwrap();
        let closest = |network: &str| way(&routes, network.parse().unwrap()).map(|route| route.dst.as_str());
        assert_eq!(closest("172.27.11.0/24"), Some("172.27.11.0/24"));
        assert_eq!(closest("172.27.12.0/24"), Some("172.27.0.0/16"));
        assert_eq!(closest("172.28.12.0/24"), Some("172.16.0.0/12"));
        assert_eq!(closest("10.9.9.0/24"), None);
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        let ours: Ipv4Net = "172.27.11.0/24".parse().unwrap();
        let cases = [
            ("172.27.11.0/24", true),
            ("172.27.11.128/25", true),
            ("172.27.0.0/16", true),
            ("172.27.11.1", true),
            ("172.27.12.0/24", false),
            ("0.0.0.0/0", false),
        ];
        for (other, expected) in cases {
            assert_eq!(overlap(ours, destination(other).unwrap()), expected, "{other}");
        }
        assert!(destination("default").is_none());
    }
}
