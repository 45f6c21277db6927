//! libvirt through Vagrant's vagrant-libvirt plugin, and through virsh for what Vagrant has no verb for.

mod site;
mod traps;

use std::path::Path;

use async_trait::async_trait;
use minijinja::Value;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs};
use super::host::Host;
use super::provider::{Observed, State};
use super::vm::{Hypervisor, Other};
use crate::process::Command;
use site::{has_kvm, other_host, virsh};

pub use site::uri;

/// The storage pool that Vagrant takes.
const POOL: &str = "default";
/// How many times longer a start takes under QEMU's emulation: 80 s and more instead of ten.
const EMULATED: u32 = 8;

/// libvirt's virsh.
#[derive(Debug)]
pub(super) struct Libvirt;

#[async_trait]
impl Hypervisor for Libvirt {
    const NAME: &'static str = "libvirt";
    const TOOL: &'static str = "virsh";

    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
        traps::look(host, needs, cancel).await
    }

    fn off(&self, vm: &str) -> Command {
        virsh(["destroy", vm])
    }

    fn pause(&self, vm: &str) -> Command {
        virsh(["suspend", vm])
    }

    fn resume(&self, vm: &str) -> Command {
        virsh(["resume", vm])
    }

    fn interfaces(&self, vm: &str) -> Command {
        virsh(["domiflist", vm])
    }

    /// Two lines of heading, then Vagrant's own interface, then that of the private network; its address stands last.
    fn read_interface(&self, printed: &str) -> Option<String> {
        printed.lines().filter(|line| !line.trim().is_empty()).nth(3)?.split_whitespace().last().map(str::to_owned)
    }

    fn set_link(&self, vm: &str, interface: &str, up: bool) -> Command {
        virsh(["domif-setlink", vm, interface, if up { "up" } else { "down" }])
    }

    fn link(&self, vm: &str, interface: &str) -> Command {
        virsh(["domif-getlink", vm, interface])
    }

    fn read_link(&self, _interface: &str, printed: &str) -> Option<(String, bool)> {
        let line = printed.lines().find(|line| !line.trim().is_empty())?.trim();
        Some((format!("link of {line}"), line.ends_with(" up")))
    }

    fn state(&self, vm: &str) -> Command {
        virsh(["dominfo", vm])
    }

    /// A domain has a new id each time that it is started, and none while it is off.
    fn read_state(&self, printed: &str) -> Observed {
        let value = |key: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.map_or("?", str::trim)
        };
        let (said, id) = (value("State"), value("Id"));
        let state = match said {
            "running" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        };
        Observed { state, proof: format!("domain is {said}, id {id}"), since: None }
    }

    fn says_absent(&self, line: &str) -> bool {
        line.contains("failed to get domain") || line.contains("Domain not found")
    }

    fn list(&self) -> Command {
        virsh(["list", "--all", "--name"])
    }

    fn read_name<'a>(&self, line: &'a str) -> Option<&'a str> {
        (!line.is_empty()).then_some(line)
    }

    fn remove(&self, vm: &str) -> Command {
        virsh(["undefine", vm, "--remove-all-storage", "--snapshots-metadata", "--managed-save"])
    }

    /// Memory and disk are saved inside of the disk's own file.
    fn save(&self, vm: &str, snapshot: &str) -> Command {
        virsh(["snapshot-create-as", vm, snapshot, "--atomic"])
    }

    fn restore(&self, vm: &str, snapshot: &str) -> Vec<Command> {
        vec![virsh(["snapshot-revert", vm, snapshot, "--paused"])]
    }

    fn others(&self) -> Vec<Other> {
        vec![
            Other {
                what: "volume",
                list: virsh(["vol-list", POOL]),
                remove: |volume| vec![virsh(["vol-delete", volume, "--pool", POOL])],
            },
            Other {
                what: "network",
                list: virsh(["net-list", "--all", "--name"]),
                remove: |network| vec![virsh(["net-destroy", network]), virsh(["net-undefine", network])],
            },
        ]
    }

    fn changes(&self) -> Option<Command> {
        Some(virsh(["event", "--event", "lifecycle", "--loop"]))
    }

    /// The disks of another host are not read from here.
    fn salvage(&self, vm: &str, folder: &str, to: &Path) -> Option<Command> {
        let uri = uri();
        if other_host(&uri).is_some() {
            return None;
        }
        let script =
            Command::new("bash").args(["-s", "--", &uri, vm, folder]).arg(to).stdin(include_str!("libvirt/salvage.sh"));
        Some(script.label(format!("copy {folder} out of the disk of {vm}")))
    }

    /// What the machines of another host need to be reached from this one.
    fn values(&self) -> Vec<(&'static str, Value)> {
        let elsewhere = other_host(&uri()).map(|_| minijinja::context! { emulated => !has_kvm() });
        vec![("elsewhere", elsewhere.unwrap_or(Value::from(())))]
    }

    fn elsewhere(&self) -> Option<String> {
        Some(uri()).filter(|uri| other_host(uri).is_some())
    }

    fn slowness(&self) -> u32 {
        if has_kvm() { 1 } else { EMULATED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_the_private_interface_with_its_link_are_read_from_what_virsh_prints() {
        let printed = " Interface   Type      Source            Model    MAC\n\
                       -----------------------------------------------------------------\n \
                       vnet0       network   vagrant-libvirt   virtio   52:54:00:aa:bb:01\n \
                       vnet1       network   quorate-1         virtio   52:54:00:aa:bb:02\n\n";
        assert_eq!(Libvirt.read_interface(printed).as_deref(), Some("52:54:00:aa:bb:02"));
        let running =
            "Id:             7\nName:           quorate-1-master1\nState:          running\nCPU(s):         1\n";
        let state = |printed| {
            let Observed { state, proof, .. } = Libvirt.read_state(printed);
            (proof, state)
        };
        assert_eq!(state(running), ("domain is running, id 7".to_owned(), State::Running));
        let off = "Id:             -\nState:          shut off\n";
        assert_eq!(state(off), ("domain is shut off, id -".to_owned(), State::Stopped));
        let link = |printed| Libvirt.read_link("52:54:00:aa:bb:02", printed).map(|(_, up)| up);
        assert_eq!((link("52:54:00:aa:bb:02 down\n\n"), link("52:54:00:aa:bb:02 up\n")), (Some(false), Some(true)));
    }
}
