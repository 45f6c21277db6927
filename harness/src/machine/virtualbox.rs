//! VirtualBox through Vagrant, and through VBoxManage for what Vagrant has no verb for.

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

/// VirtualBox VMs as machines.
#[derive(Debug)]
pub(super) struct VirtualBox;

#[async_trait]
impl Provider for VirtualBox {
    fn name(&self) -> &'static str {
        "virtualbox"
    }

    async fn usable(&self, _cancel: &CancellationToken) -> Result<(), ProviderError> {
        let problem = if !is_on_path("VBoxManage") {
            "VBoxManage is not on the PATH"
        } else if !Path::new("/dev/vboxdrv").exists() {
            "VirtualBox's kernel module is not loaded (there is no /dev/vboxdrv)"
        } else {
            return Ok(());
        };
        let remedy = "install VirtualBox and load its module, as with `modprobe vboxdrv`".into();
        Err(ProviderError::Host { problem: problem.into(), remedy })
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
        Command::new("VBoxManage").args(["controlvm", id, "poweroff"]).run_async(cancel).await?;
        Ok(())
    }

    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        Command::new("VBoxManage").args(["controlvm", id, "pause"]).run_async(cancel).await?;
        Ok(())
    }

    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        Command::new("VBoxManage").args(["controlvm", id, "resume"]).run_async(cancel).await?;
        Ok(())
    }

    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError> {
        let output = Command::new("VBoxManage").args(["showvminfo", id, "--machinereadable"]).run_async(cancel).await?;
        let proof = output.stdout.lines().find(|line| line.starts_with("VMState=")).unwrap_or("VMState=?").to_owned();
        let state = match proof.trim_start_matches("VMState=").trim_matches('"') {
            "running" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        };
        Ok(Observed { state, proof })
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
        if !is_on_path("VBoxManage") {
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
        if !is_on_path("VBoxManage") {
            return Ok(());
        }
        for name in names().await?.into_iter().filter(|name| name.starts_with(prefix)) {
            Command::new("VBoxManage")
                .args(["unregistervm", &name, "--delete"])
                .run_async(&CancellationToken::new())
                .await?;
        }
        Ok(())
    }
}

/// The names of all VMs, from lines such as `"name" {uuid}`.
async fn names() -> Result<Vec<String>, ProviderError> {
    let output = Command::new("VBoxManage").args(["list", "vms"]).run_async(&CancellationToken::new()).await?;
    Ok(output.stdout.lines().filter_map(|line| Some(line.strip_prefix('"')?.rsplit_once('"')?.0.to_owned())).collect())
}
