//! The private network of a run on this host: whether it is free.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::provider::ProviderError;
use crate::process::Command;

#[derive(Debug, Deserialize)]
struct Route {
    dst: String,
    #[serde(default)]
    dev: String,
}

/// Refuses a network that overlaps with one that the host has a route to, by name of the interface that has it.
pub(super) async fn refuse_overlap(network: Ipv4Net, cancel: &CancellationToken) -> Result<(), ProviderError> {
    let output = Command::new("ip").args(["-json", "-4", "route", "show", "table", "all"]).run_async(cancel).await?;
    let routes: Vec<Route> = serde_json::from_str(&output.stdout).map_err(|error| ProviderError::Host {
        problem: format!("the routes of this host cannot be read: {error}"),
        remedy: "see what `ip -json route` prints".into(),
    })?;
    match routes.iter().find(|route| destination(&route.dst).is_some_and(|other| overlap(network, other))) {
        None => Ok(()),
        Some(route) => Err(ProviderError::Host {
            problem: format!(
                "the network {network} is taken on this host: {} is reached through {}",
                route.dst, route.dev
            ),
            remedy: "see `quorate ls` for a cluster that is still there (`quorate clean` removes what is orphaned), \
                     or take another network, as with `--network 172.27.12.0/24`"
                .into(),
        }),
    }
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
