//! libvirt through Vagrant's vagrant-libvirt plugin, and through virsh for what Vagrant has no verb for.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::provider::{ProviderError, State};
use super::vm::Hypervisor;
use crate::process::{Command, is_on_path};

/// libvirt's virsh.
#[derive(Debug)]
pub(super) struct Libvirt;

#[async_trait]
impl Hypervisor for Libvirt {
    const NAME: &'static str = "libvirt";
    const TOOL: &'static str = "virsh";

    async fn usable(&self, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if !is_on_path(Self::TOOL) {
            return Err(ProviderError::Host {
                problem: "virsh is not on the PATH".into(),
                remedy: "install libvirt, as with `apt-get install libvirt-daemon-system vagrant-libvirt`".into(),
            });
        }
        virsh(["version", "--daemon"]).run_async(cancel).await?;
        Ok(())
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
    Command::new("virsh").args(["--connect", "qemu:///system"]).args(args)
}
