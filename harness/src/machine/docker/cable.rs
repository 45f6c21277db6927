//! The cable of a container: the host's end of the veth pair that connects it to the run's network.
//!
//! `docker network disconnect` is no pulled cable: the interface comes back under another name and without its routes.

use ipnet::Ipv4Net;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::docker;
use crate::machine::provider::{Link, ProviderError};
use crate::process::Command;

/// What `ip -json` prints of an interface.
#[derive(Debug, Deserialize)]
struct Interface {
    #[serde(default)]
    ifindex: u32,
    #[serde(default)]
    ifname: String,
    /// The other end of a veth pair, in its own network namespace.
    #[serde(default)]
    link_index: u32,
    #[serde(default)]
    operstate: String,
    #[serde(default)]
    flags: Vec<String>,
}

/// The name of the host's interface that a container's interface on a network is connected to.
pub(super) async fn find(id: &str, network: Ipv4Net, cancel: &CancellationToken) -> Result<String, ProviderError> {
    let network = network.to_string();
    let show = ["exec", id, "ip", "-json", "-4", "address", "show", "to", &network];
    let inside = interfaces(docker(show), cancel).await?;
    let end = inside.iter().map(|interface| interface.link_index).find(|index| *index != 0);
    let host = interfaces(Command::new("ip").args(["-json", "link", "show"]), cancel).await?;
    let name = end.and_then(|end| host.into_iter().find(|interface| interface.ifindex == end));
    name.map(|interface| interface.ifname).ok_or_else(|| ProviderError::Host {
        problem: format!("the host has no interface that leads to {network} of the container {id}"),
        remedy: "see whether the docker daemon runs on this host and in its network namespace".into(),
    })
}

/// Plugs a cable in, or pulls it.
pub(super) async fn set(cable: &str, up: bool, cancel: &CancellationToken) -> Result<(), ProviderError> {
    let state = if up { "up" } else { "down" };
    Command::as_root("ip").args(["link", "set", "dev", cable, state]).run_async(cancel).await?;
    Ok(())
}

/// Whether a cable is plugged in.
pub(super) async fn look(cable: &str, cancel: &CancellationToken) -> Result<Link, ProviderError> {
    let found = interfaces(Command::new("ip").args(["-json", "link", "show", "dev", cable]), cancel).await?;
    let interface = found.into_iter().next().ok_or_else(|| unreadable("it printed nothing"))?;
    let up = interface.flags.iter().any(|flag| flag == "UP");
    let Interface { ifname, operstate, flags, .. } = interface;
    Ok(Link { up, proof: format!("the host's {ifname} is {operstate} ({})", flags.join(",")) })
}

async fn interfaces(command: Command, cancel: &CancellationToken) -> Result<Vec<Interface>, ProviderError> {
    let output = command.run_async(cancel).await?;
    serde_json::from_str(&output.stdout).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::Host {
        problem: format!("the network interfaces cannot be read: {error}"),
        remedy: "see what `ip -json link` prints".into(),
    }
}
