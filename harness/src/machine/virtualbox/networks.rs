//! Which addresses VirtualBox gives to host-only networks: since 6.1.28 only those that the administrator allows.
//!
//! <https://www.virtualbox.org/manual/topics/networkingdetails.html#network_hostonly>. How the file is read was held against
//! VBoxNetAdpCtl of VirtualBox 7.2.22, which refuses an address before it looks for the interface.

use ipnet::Ipv4Net;

use crate::machine::finding::{Finding, Standing};
use crate::machine::host::{Host, Release};

const FILE: &str = "/etc/vbox/networks.conf";
/// Older ones allow every network.
const SINCE: Release = Release(6, 1, 28);
/// What is allowed where there is no file.
const DEFAULT: &str = "192.168.56.0/21";

/// Whether the network of the machines is allowed, with the line that allows it.
pub(super) fn look(host: &Host, version: Release, network: Ipv4Net) -> Finding {
    let part = "host-only network";
    let written = host.read(FILE);
    if version < SINCE {
        return Finding::here(part, format!("{network} is allowed, as every network is before VirtualBox {SINCE}"));
    }
    let allowed = allowed(written.as_deref());
    if allowed.iter().any(|range| range.contains(&network)) {
        return Finding::here(part, format!("{network} is allowed"));
    }
    let found = match (&written, allowed.as_slice()) {
        (None, _) => format!(
            "VirtualBox allows host-only networks in {DEFAULT} alone, as there is no {FILE}, and {network} is not in it"
        ),
        (Some(_), []) => {
            format!("VirtualBox allows no host-only network, as no line of {FILE} says one, and so not {network}")
        }
        (Some(_), ranges) => {
            let ranges = ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!(
                "VirtualBox allows host-only networks in {ranges} alone, as {FILE} says, and {network} is not in it"
            )
        }
    };
    // With a file there is no default any more, which other machines on this host may rely on.
    let lines = if written.is_none() { format!("* {DEFAULT}\\n* {network}\\n") } else { format!("* {network}\\n") };
    let elsewhere =
        allowed.first().map_or(String::new(), |range| match Ipv4Net::new(range.network(), network.prefix_len()) {
            Ok(other) if range.contains(&other) => format!(", or take a network that is allowed: `--network {other}`"),
            _ => String::new(),
        });
    let mend = format!(
        "add the line `* {network}` (with the asterisk) to {FILE}: `sudo mkdir -p /etc/vbox && printf '{lines}' | sudo tee -a {FILE}`{elsewhere}"
    );
    Finding::new(part, Standing::Conflict, found, mend)
}

/// The networks of version 4 that a file allows, or that are allowed without one. Lines that begin with an asterisk of its
/// own count, each with one network or several.
fn allowed(written: Option<&str>) -> Vec<Ipv4Net> {
    let text = written.map_or_else(|| format!("* {DEFAULT}"), str::to_owned);
    let of = |line: &str| -> Vec<Ipv4Net> {
        let mut words = line.split_whitespace();
        if words.next() == Some("*") { words.filter_map(network).collect() } else { Vec::new() }
    };
    text.lines().flat_map(of).collect()
}

/// A network such as `10.0.0.0/8` or `10.0.0.0/255.0.0.0`.
fn network(word: &str) -> Option<Ipv4Net> {
    let (address, mask) = word.split_once('/')?;
    let masked = || Ipv4Net::with_netmask(address.parse().ok()?, mask.parse().ok()?).ok();
    word.parse().ok().or_else(masked).map(|network: Ipv4Net| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(written: Option<&str>, version: Release) -> Finding {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = written {
            std::fs::create_dir_all(folder.path().join("etc/vbox")).unwrap();
            std::fs::write(folder.path().join("etc/vbox/networks.conf"), text).unwrap();
        }
        look(&Host::at(folder.path(), ""), version, "172.27.11.0/24".parse().unwrap())
    }

    #[test]
    fn a_network_is_allowed_by_a_line_with_an_asterisk() {
        let new = Release(6, 1, 28);
        for (written, version, allowed) in [
            (None, Release(6, 1, 26), true),
            (None, new, false),
            (Some("* 172.27.11.0/24\n"), new, true),
            (Some("* 10.0.0.0/8 172.16.0.0/12\n* 2001::/64\n"), new, true),
            (Some("* 0.0.0.0/0 ::/0\n"), Release(7, 2, 0), true),
            (Some("  *\t172.27.11.5/24 # ours\n"), new, true),
            (Some("* nonsense 172.27.11.0/255.255.255.0\n"), new, true),
            (Some("*172.27.11.0/24\n"), new, false),
            (Some("* 172.27.11.0/24,10.0.0.0/8\n"), new, false),
            (Some("172.27.11.0/24\n"), new, false),
            (Some("# * 172.27.11.0/24\n"), new, false),
            (Some("* 172.27.11.0/25\n"), new, false),
            (Some(""), new, false),
        ] {
            assert_eq!(look_at(written, version).hinders(), !allowed, "{written:?} {version}");
        }
    }

    #[test]
    fn the_line_to_add_is_said_and_keeps_what_was_allowed() {
        let mend = |written| look_at(written, Release(7, 0, 0)).mend.unwrap();
        let none = mend(None);
        assert!(
            none.contains("`* 172.27.11.0/24`") && none.contains(r"'* 192.168.56.0/21\n* 172.27.11.0/24\n'"),
            "{none}"
        );
        assert!(none.contains("--network 192.168.56.0/24"), "{none}");
        let some = mend(Some("* 10.0.0.0/8\n"));
        assert!(some.contains(r"printf '* 172.27.11.0/24\n'") && some.contains("--network 10.0.0.0/24"), "{some}");
        assert!(!mend(Some("")).contains("--network"));
    }
}
