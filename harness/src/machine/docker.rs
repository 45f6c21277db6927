//! Containers with systemd as machines, through Vagrant's docker provider. The embedded default: it needs no hypervisor.

mod cable;
pub(crate) mod engine;
mod kernel;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use minijinja::Value;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs};
use super::host::Host;
use super::network;
use super::provider::{self, Impossible, Link, Observed, Provider, ProviderError, Site, State};
use super::ssh::Endpoint;
use super::vagrant::{Rendering, Vagrant};
use crate::artifact::{Form, NodeImage};
use crate::process::{Command, ProcessError, is_on_path};
use crate::scenario::{Machine, Topology, Verb};

/// What a container needs to be a machine, each of which docs/node-image.md explains.
const CREATE_ARGS: &[&str] = &[
    "--stop-signal",
    "SIGRTMIN+3",
    "--cgroupns=private",
    "--cap-add",
    "ALL",
    "--cap-drop",
    "SYS_RESOURCE",
    "--security-opt",
    "seccomp=unconfined",
    "--security-opt",
    "apparmor=unconfined",
    "--security-opt",
    "systempaths=unconfined",
    "--device",
    "/dev/kmsg",
    "--device-cgroup-rule",
    "a *:* rwm",
    "--tmpfs",
    "/run:exec,mode=755",
    "--tmpfs",
    "/run/lock",
    "--tmpfs",
    "/tmp:exec,mode=1777",
];

/// The label that every container and network of a run carries, with the run's prefix as its value.
const LABEL: &str = "quorate.run";

/// Containers as machines.
#[derive(Debug)]
pub(super) struct Docker;

#[async_trait]
impl Provider for Docker {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
        engine::look(host, needs, cancel).await
    }

    async fn limits(&self, host: &Host, cancel: &CancellationToken) -> Vec<Finding> {
        engine::limits(host, cancel).await
    }

    fn refusal(&self, topology: &Topology) -> Option<String> {
        provider::not_packed(topology)
    }

    fn form(&self) -> Form {
        Form::Image
    }

    fn rendering(&self, topology: &Topology, site: &Site, image: Option<&NodeImage>) -> Rendering {
        let hosts: Vec<String> = topology
            .machines
            .values()
            .flat_map(|m| {
                [format!("{}.{}", m.name, topology.domain), m.name.to_string()]
                    .map(|name| format!("--add-host={name}:{}", m.ip))
            })
            .collect();
        let create_args = topology.machines.values().map(|machine| {
            let bounds = [
                format!("--label={LABEL}={}", site.prefix()),
                format!("--memory={}", machine.memory),
                format!("--memory-swap={}", machine.memory),
                format!("--cpus={}", machine.cpus),
            ];
            CREATE_ARGS.iter().map(|arg| (*arg).to_owned()).chain(bounds).chain(hosts.iter().cloned()).collect()
        });
        Rendering {
            create_args: create_args.collect(),
            values: vec![
                ("image", Value::from(image.map_or("quorate/node:not-built", |image| image.reference.as_str()))),
                ("network_name", Value::from(site.prefix())),
                ("private_key", Value::from(site.private_key().display().to_string())),
                (
                    "authorized_keys",
                    Value::from(format!("{}:/etc/quorate/authorized_keys:ro", site.public_key().display())),
                ),
            ],
        }
    }

    async fn prepare(&self, site: &Site, cancel: &CancellationToken) -> Result<(), ProviderError> {
        network::refuse_overlap(site.network, cancel).await?;
        let label = format!("{LABEL}={}", site.prefix());
        let subnet = site.network.to_string();
        let create =
            docker(["network", "create", "--driver", "bridge", "--label", &label, "--subnet", &subnet, &site.prefix()]);
        match create.run_async(cancel).await {
            Ok(_) => Ok(()),
            Err(error) if error.tail().iter().any(|line| line.contains("overlaps")) => Err(ProviderError::Host {
                problem: format!("the network {subnet} is taken by another network of docker"),
                remedy: "remove that one (`docker network ls`; `quorate ls` shows Quorate's own), or take another with `--network`".into(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    async fn kill(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        docker(["kill", "--signal", "KILL", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        docker(["pause", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        docker(["unpause", id]).run_async(cancel).await?;
        Ok(())
    }

    async fn set_link(&self, id: &str, site: &Site, up: bool, cancel: &CancellationToken) -> Result<(), ProviderError> {
        let cable = cable::find(id, site.network, cancel).await?;
        cable::set(&cable, up, cancel).await
    }

    async fn link(&self, id: &str, site: &Site, cancel: &CancellationToken) -> Result<Link, ProviderError> {
        let cable = cable::find(id, site.network, cancel).await?;
        cable::look(&cable, cancel).await
    }

    async fn impossible(&self, verb: &Verb, cancel: &CancellationToken) -> Option<Impossible> {
        kernel::impossible(verb, &Host::here(), cancel).await
    }

    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError> {
        let format = "{{.State.Status}}, exit code {{.State.ExitCode}}, started {{.State.StartedAt}}, finished {{.State.FinishedAt}}";
        match docker(["inspect", "--type", "container", "--format", format, id]).run_async(cancel).await {
            Ok(output) => Ok(observed(output.stdout.trim())),
            Err(error) if error.tail().iter().any(|line| line.contains("No such")) => {
                Ok(Observed::absent("no such container"))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn unsaveable(&self) -> Option<Impossible> {
        Some(unsaveable())
    }

    async fn save(&self, _id: &str, _name: &str, _cancel: &CancellationToken) -> Result<(), ProviderError> {
        Err(unsaveable().into())
    }

    async fn restore(&self, _id: &str, _name: &str, _cancel: &CancellationToken) -> Result<(), ProviderError> {
        Err(unsaveable().into())
    }

    fn changes(&self, prefix: &str) -> Option<Command> {
        let filters = [
            format!("label={LABEL}={prefix}"),
            "type=container".into(),
            "event=start".into(),
            "event=die".into(),
            "event=pause".into(),
            "event=unpause".into(),
            "event=destroy".into(),
        ];
        let filters = filters.into_iter().flat_map(|filter| ["--filter".to_owned(), filter]);
        Some(docker(["events", "--format", "{{.Action}}"]).args(filters).deadline(Duration::MAX))
    }

    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError> {
        let missing = |what: &str| ProviderError::Host {
            problem: format!("{} has {what}", machine.name),
            remedy: "look at what `vagrant up` said in the run's evidence".into(),
        };
        let id = vagrant.id(&machine.name).ok_or_else(|| missing("not been made by Vagrant"))?;
        let format = "{{.NetworkSettings.IPAddress}}";
        let output = docker(["inspect", "--type", "container", "--format", format, &id]).run_async(cancel).await?;
        let host = output.stdout.trim().to_owned();
        if host.is_empty() {
            return Err(missing("no address on docker's own bridge"));
        }
        Ok(Endpoint { host, port: 22, user: "vagrant".into(), key: site.private_key(), proxy: None })
    }

    async fn salvage(&self, id: &str, folder: &str, to: &Path) -> Result<(), ProviderError> {
        let copy = docker(["cp", &format!("{id}:{folder}"), "-"]).stdout_to(to);
        copy.run_async(&CancellationToken::new()).await?;
        Ok(())
    }

    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        if !is_on_path("docker") {
            return Ok(Vec::new());
        }
        let (containers, networks) =
            (ids(prefix, &["ps", "--all"], "{{.Names}}"), ids(prefix, &["network", "ls"], "{{.Name}}"));
        let containers = containers.await?.into_iter().map(|name| format!("container {name}"));
        Ok(containers.chain(networks.await?.into_iter().map(|name| format!("network {name}"))).collect())
    }

    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError> {
        if !is_on_path("docker") {
            return Ok(());
        }
        let containers = ids(prefix, &["ps", "--all"], "{{.ID}}").await?;
        if !containers.is_empty() {
            docker(["rm", "--force", "--volumes"]).args(containers).run_async(&CancellationToken::new()).await?;
        }
        let networks = ids(prefix, &["network", "ls"], "{{.ID}}").await?;
        if !networks.is_empty() {
            docker(["network", "rm"]).args(networks).run_async(&CancellationToken::new()).await?;
        }
        Ok(())
    }
}

fn unsaveable() -> Impossible {
    Impossible {
        reason: "Docker does not save containers with what runs in them".into(),
        alternative: "keep them running, as `--reuse` does".into(),
    }
}

/// What Docker says of a container. It does not tell when one was paused.
fn observed(said: &str) -> Observed {
    let time = |of: &str| said.split(", ").find_map(|part| part.strip_prefix(of)?.trim().parse().ok());
    let (state, since) = match said.split(',').next() {
        Some("running") => (State::Running, time("started ")),
        Some("paused") => (State::Paused, None),
        _ => (State::Stopped, time("finished ")),
    };
    Observed { state, proof: format!("container is {said}"), since }
}

async fn ids(prefix: &str, list: &[&str], format: &str) -> Result<Vec<String>, ProcessError> {
    let filter = format!("label={LABEL}={prefix}");
    let command = docker(list.iter().copied()).args(["--filter", &filter, "--format", format]);
    let output = command.deadline(Duration::from_secs(20)).run_async(&CancellationToken::new()).await?;
    Ok(output.stdout.lines().map(str::to_owned).collect())
}

fn docker<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("docker").args(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_runs_since_it_was_started_and_is_off_since_it_finished() {
        for (status, state, since) in [
            ("running", State::Running, Some("2026-11-23T16:46:16.963Z")),
            ("paused", State::Paused, None),
            ("exited", State::Stopped, Some("2026-11-23T16:47:46.174Z")),
            ("created", State::Stopped, Some("2026-11-23T16:47:46.174Z")),
        ] {
            let said =
                format!("{status}, exit code 137, started 2026-11-23T16:46:16.963Z, finished 2026-11-23T16:47:46.174Z");
            let observed = observed(&said);
            assert_eq!((observed.state, observed.since), (state, since.map(|time| time.parse().unwrap())));
            assert_eq!(observed.proof, format!("container is {said}"));
        }
    }
}
