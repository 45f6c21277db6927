//! libvirt through Vagrant's vagrant-libvirt plugin, and through virsh for what Vagrant has no verb for.

mod traps;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs};
use super::host::Host;
use super::provider::State;
use super::vm::Hypervisor;
use crate::process::Command;

/// The hypervisor that machines are made at.
const URI: &str = "qemu:///system";

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
        virsh(["domstate", vm])
    }

    fn read_state(&self, printed: &str) -> (String, State) {
        let state = match printed.trim() {
            "running" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        };
        (format!("domain is {}", printed.trim()), state)
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
}

fn virsh<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("virsh").args(["--connect", URI]).args(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_interface_and_its_link_are_read_from_what_virsh_prints() {
        let printed = " Interface   Type      Source            Model    MAC\n\
                       -----------------------------------------------------------------\n \
                       vnet0       network   vagrant-libvirt   virtio   52:54:00:aa:bb:01\n \
                       vnet1       network   quorate-1         virtio   52:54:00:aa:bb:02\n\n";
        assert_eq!(Libvirt.read_interface(printed).as_deref(), Some("52:54:00:aa:bb:02"));
        let link = |printed| Libvirt.read_link("52:54:00:aa:bb:02", printed).map(|(_, up)| up);
        assert_eq!((link("52:54:00:aa:bb:02 down\n\n"), link("52:54:00:aa:bb:02 up\n")), (Some(false), Some(true)));
    }
}
