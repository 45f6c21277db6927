//! libvirt through Vagrant's vagrant-libvirt plugin, and through virsh for what Vagrant has no verb for.

use std::path::Path;

use async_trait::async_trait;
use minijinja::Value;
use tokio_util::sync::CancellationToken;

use super::network;
use super::provider::{Observed, Provider, ProviderError, Site, State};
use super::ssh::Endpoint;
use super::vagrant::{Rendering, Vagrant};
use super::vm;
use crate::artifact::NodeImage;
use crate::process::{Command, is_on_path};
use crate::scenario::{Machine, Topology};

/// libvirt domains as machines.
#[derive(Debug)]
pub(super) struct Libvirt;

#[async_trait]
impl Provider for Libvirt {
    fn name(&self) -> &'static str {
        "libvirt"
    }

    async fn usable(&self, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if !is_on_path("virsh") {
            return Err(ProviderError::Host {
                problem: "virsh is not on the PATH".into(),
                remedy: "install libvirt and vagrant-libvirt, as with `apt-get install libvirt-daemon-system vagrant-libvirt`".into(),
            });
        }
        virsh(["version", "--daemon"]).run_async(cancel).await?;
        Ok(())
    }

    fn refusal(&self, _topology: &Topology) -> Option<String> {
        Some(vm::NOT_PROVISIONED.into())
    }

    fn rendering(&self, _topology: &Topology, site: &Site, _image: Option<&NodeImage>) -> Rendering {
        Rendering { values: vec![("box", Value::from(site.vm_box.as_str()))], create_args: Vec::new() }
    }

    async fn prepare(&self, site: &Site, cancel: &CancellationToken) -> Result<(), ProviderError> {
        network::refuse_overlap(site.network, cancel).await
    }

    async fn kill(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        virsh(["destroy", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        virsh(["suspend", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        virsh(["resume", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError> {
        let output = virsh(["domstate", id]).run_async(cancel).await?;
        let proof = output.stdout.trim().to_owned();
        let state = match proof.as_str() {
            "running" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        };
        Ok(Observed { state, proof: format!("domain is {proof}") })
    }

    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        _site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError> {
        vm::endpoint(vagrant, &machine.name, cancel).await
    }

    async fn salvage(&self, _id: &str, _folder: &str, _to: &Path) -> Result<(), ProviderError> {
        Err(ProviderError::Host {
            problem: "the disk of a virtual machine that is off is not read".into(),
            remedy: "start the machine".into(),
        })
    }

    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        if !is_on_path("virsh") {
            return Ok(Vec::new());
        }
        Ok(names()
            .await?
            .into_iter()
            .filter(|name| name.starts_with(prefix))
            .map(|name| format!("VM {name}"))
            .collect())
    }

    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError> {
        if !is_on_path("virsh") {
            return Ok(());
        }
        for name in names().await?.into_iter().filter(|name| name.starts_with(prefix)) {
            let all = ["undefine", &name, "--remove-all-storage", "--snapshots-metadata", "--managed-save"];
            virsh(all).run_async(&CancellationToken::new()).await?;
        }
        Ok(())
    }
}

async fn names() -> Result<Vec<String>, ProviderError> {
    let output = virsh(["list", "--all", "--name"]).run_async(&CancellationToken::new()).await?;
    Ok(output.stdout.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn virsh<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("virsh").args(["--connect", "qemu:///system"]).args(args)
}
