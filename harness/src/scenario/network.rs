//! Networks, and addresses in them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Value as Json, json};

use super::problem::{Problems, quoted};
use super::source::Place;
use super::table::text;
use super::yaml::Node;

/// Reads a network in its normal form, with at most the given prefix length.
pub(super) fn decode(node: &Node, longest: u8, problems: &mut Problems) -> Option<Ipv4Net> {
    let written = text(node, problems)?;
    let Ok(net) = written.parse::<Ipv4Net>() else {
        problems.error(&node.place, format!("{} is not an IPv4 network", quoted(written))).mend(
            match written.parse().ok().and_then(|ip: Ipv4Addr| Ipv4Net::new(ip, 24).ok()) {
                Some(net) => format!("add the prefix length: `{}`", net.trunc()),
                None => "write an address and a prefix length: `172.27.11.0/24`".to_owned(),
            },
        );
        return None;
    };
    if net.trunc() != net {
        problems
            .error(&node.place, format!("{net} is an address within a network, not a network"))
            .mend(format!("did you mean `{}`?", net.trunc()));
        return None;
    }
    if !(8..=longest).contains(&net.prefix_len()) {
        problems
            .error(&node.place, format!("{net} has a prefix length out of range"))
            .mend(format!("write a prefix length from /8 to /{longest}"));
        return None;
    }
    Some(net)
}

/// Reads an address.
pub(super) fn decode_address(node: &Node, problems: &mut Problems) -> Option<Ipv4Addr> {
    let written = text(node, problems)?;
    match written.parse() {
        Ok(ip) => Some(ip),
        Err(_) => {
            problems.error(&node.place, format!("{} is not an IPv4 address", quoted(written))).mend(
                match written.parse::<Ipv4Net>() {
                    Ok(net) => format!("write `{}`, without the prefix length", net.addr()),
                    Err(_) => "write four numbers: `172.27.11.10`".to_owned(),
                },
            );
            None
        }
    }
}

/// Whether a machine can have an address on the network.
pub(super) fn check_address(ip: Ipv4Addr, net: Ipv4Net, place: &Place, problems: &mut Problems) -> bool {
    let example = || {
        let free = net.hosts().nth(9).or_else(|| net.hosts().nth(1));
        format!("write an address like `{}`", free.unwrap_or_else(|| net.addr()))
    };
    let why = if !net.contains(&ip) {
        format!("the address {ip} is outside of the network {net}")
    } else if ip == net.network() {
        format!("{ip} is the address of the network {net} itself")
    } else if ip == net.broadcast() {
        format!("{ip} is the broadcast address of the network {net}")
    } else if Some(ip) == net.hosts().next() {
        format!("{ip} is reserved for the host, which is the gateway of {net}")
    } else {
        return true;
    };
    problems.error(place, why).mend(example());
    false
}

/// The same host part in another network of the same prefix length.
pub(super) fn relocate(ip: Ipv4Addr, net: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits((ip.to_bits() & net.hostmask().to_bits()) | net.network().to_bits())
}

/// Whether networks share addresses.
pub(super) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

pub(super) fn schema() -> Json {
    json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+){3}/[0-9]+$" })
}

pub(super) fn address_schema() -> Json {
    json!({ "type": "string", "format": "ipv4" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relocation_keeps_the_host_part() {
        for (ip, net, moved) in [
            ("172.27.11.10", "10.0.5.0/24", "10.0.5.10"),
            ("172.27.11.200", "10.1.0.0/16", "10.1.11.200"),
            ("172.27.11.13", "10.0.0.8/29", "10.0.0.13"),
        ] {
            assert_eq!(relocate(ip.parse().unwrap(), net.parse().unwrap()).to_string(), moved);
        }
    }

    #[test]
    fn networks_overlap_when_one_holds_the_other() {
        for (a, b, expected) in [
            ("10.244.0.0/16", "10.244.3.0/24", true),
            ("10.244.3.0/24", "10.0.0.0/8", true),
            ("10.244.0.0/16", "172.27.11.0/24", false),
        ] {
            assert_eq!(overlap(a.parse().unwrap(), b.parse().unwrap()), expected, "{a} {b}");
        }
    }
}
