//! What the providers of virtual machines share: a hypervisor's own tool is all that differs.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use minijinja::Value;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs};
use super::host::Host;
use super::network;
use super::provider::{self, Impossible, Link, Observed, Provider, ProviderError, Site};
use super::ssh::Endpoint;
use super::vagrant::{Rendering, Vagrant};
use crate::artifact::{Form, NodeImage};
use crate::process::{Command, Output, ProcessError, is_on_path};
use crate::scenario::{Machine, MachineName, Topology, Verb};

/// How long it may take to copy a disk and a folder out of it.
const SALVAGE: Duration = Duration::from_secs(300);

/// How long it may take to write or read a machine's memory.
const SNAPSHOT: Duration = Duration::from_secs(300);

/// The tool of a hypervisor, as command lines and how to read what they print.
#[async_trait]
pub(super) trait Hypervisor: std::fmt::Debug + Send + Sync {
    /// The name that Vagrant knows it by.
    const NAME: &'static str;
    /// The tool.
    const TOOL: &'static str;

    /// All that is to be said about it on a host.
    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding>;
    /// Switches a VM off at once.
    fn off(&self, vm: &str) -> Command;
    /// Freezes a VM.
    fn pause(&self, vm: &str) -> Command;
    /// Lets a frozen VM run on.
    fn resume(&self, vm: &str) -> Command;
    /// Prints a VM's network interfaces.
    fn interfaces(&self, vm: &str) -> Command;
    /// The tool's name for the interface of the private network, from what [`Hypervisor::interfaces`] printed.
    fn read_interface(&self, printed: &str) -> Option<String>;
    /// Plugs an interface's cable in, or pulls it.
    fn set_link(&self, vm: &str, interface: &str, up: bool) -> Command;
    /// Prints the state of an interface's cable.
    fn link(&self, vm: &str, interface: &str) -> Command;
    /// The one line of what [`Hypervisor::link`] printed that says it, and whether the cable is plugged in.
    fn read_link(&self, interface: &str, printed: &str) -> Option<(String, bool)>;
    /// Prints a VM's state.
    fn state(&self, vm: &str) -> Command;
    /// The state from what [`Hypervisor::state`] printed, with the words that say it.
    fn read_state(&self, printed: &str) -> Observed;
    /// Saves a VM that is paused, with its memory.
    fn save(&self, vm: &str, snapshot: &str) -> Command;
    /// Puts a VM back into what was saved, by commands one after the other.
    fn restore(&self, vm: &str, snapshot: &str) -> Vec<Command>;
    /// Whether only a VM that is off can be put back.
    fn restores_when_off(&self) -> bool {
        false
    }
    /// Prints all VMs.
    fn list(&self) -> Command;
    /// A VM's name from a line of what [`Hypervisor::list`] printed.
    fn read_name<'a>(&self, line: &'a str) -> Option<&'a str>;
    /// Removes a VM that is off, with its disks.
    fn remove(&self, vm: &str) -> Command;
    /// Whether this line of an error says that there is no such VM.
    fn says_absent(&self, line: &str) -> bool;
    /// Whether this line of an error says that what was done to the VM before still goes on.
    fn says_busy(&self, line: &str) -> bool {
        line.contains("locked")
    }

    /// What else Vagrant makes of a VM or for all of them, and may leave.
    fn others(&self) -> Vec<Other> {
        Vec::new()
    }

    /// Prints a line whenever a VM changes its state, for as long as it is left to.
    fn changes(&self) -> Option<Command> {
        None
    }

    /// Copies a folder from the disk of a VM that is off into a tar file.
    fn salvage(&self, _vm: &str, _folder: &str, _to: &Path) -> Option<Command> {
        None
    }

    /// What it adds to the Vagrantfile.
    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Its address, if it is that of another host, whose networks are reached through this host's routes.
    fn elsewhere(&self) -> Option<String> {
        None
    }

    /// How many times longer than with a hypervisor all takes.
    fn slowness(&self) -> u32 {
        1
    }
}

/// A kind of things, other than VMs, whose names start with the run's prefix.
#[derive(Debug)]
pub(super) struct Other {
    /// What they are.
    pub(super) what: &'static str,
    /// Prints one a line, its name first.
    pub(super) list: Command,
    /// Removes the one of this name. All are run, even if one of them fails.
    pub(super) remove: fn(&str) -> Vec<Command>,
}

impl Other {
    /// The names of those that carry the prefix.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        match self.list.clone().run_async(&CancellationToken::new()).await {
            Ok(output) => {
                let names = output.stdout.lines().filter_map(|line| line.split_whitespace().next());
                Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
            }
            // What holds them is not there.
            Err(error) if error.tail().iter().any(|line| line.contains("not found")) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError> {
        let mut last = None;
        for command in self.names(prefix).await?.iter().flat_map(|name| (self.remove)(name)) {
            last = command.run_async(&CancellationToken::new()).await.err().or(last);
        }
        match last {
            // What is not active cannot be deactivated, and so on: what counts is that it is gone.
            Some(error) if !self.names(prefix).await?.is_empty() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// Virtual machines of a hypervisor as machines.
#[derive(Debug)]
pub(super) struct Vms<H>(pub(super) H);

#[async_trait]
impl<H: Hypervisor> Provider for Vms<H> {
    fn name(&self) -> &'static str {
        H::NAME
    }

    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
        self.0.findings(host, needs, cancel).await
    }

    fn refusal(&self, topology: &Topology) -> Option<String> {
        provider::not_packed(topology)
    }

    fn form(&self) -> Form {
        Form::Bundle
    }

    fn rendering(&self, _topology: &Topology, site: &Site, _image: Option<&NodeImage>) -> Rendering {
        let mut values = self.0.values();
        values.extend([("box", Value::from(site.vm_box.as_str())), ("network_name", Value::from(site.prefix()))]);
        Rendering { values, create_args: Vec::new() }
    }

    async fn prepare(&self, site: &Site, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.0.elsewhere().is_some() {
            return network::refuse_unrouted(site.network, cancel).await;
        }
        network::refuse_overlap(site.network, cancel).await
    }

    async fn kill(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.0.off(id).run_async(cancel).await?;
        Ok(())
    }

    async fn pause(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.0.pause(id).run_async(cancel).await?;
        Ok(())
    }

    async fn resume(&self, id: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.0.resume(id).run_async(cancel).await?;
        Ok(())
    }

    async fn set_link(
        &self,
        id: &str,
        _site: &Site,
        up: bool,
        cancel: &CancellationToken,
    ) -> Result<(), ProviderError> {
        let interface = self.private(id, cancel).await?;
        self.0.set_link(id, &interface, up).run_async(cancel).await?;
        Ok(())
    }

    async fn link(&self, id: &str, _site: &Site, cancel: &CancellationToken) -> Result<Link, ProviderError> {
        let interface = self.private(id, cancel).await?;
        let output = self.0.link(id, &interface).run_async(cancel).await?;
        let (proof, up) = self.0.read_link(&interface, &output.stdout).ok_or_else(|| unknown_interface(id))?;
        Ok(Link { up, proof })
    }

    /// A virtual machine has a kernel, a disk and a clock of its own.
    async fn impossible(&self, _verb: &Verb, _cancel: &CancellationToken) -> Option<Impossible> {
        None
    }

    async fn state(&self, id: &str, cancel: &CancellationToken) -> Result<Observed, ProviderError> {
        let output = match self.in_its_turn(&self.0.state(id), cancel).await {
            Ok(output) => output,
            Err(error) => match error.tail().iter().find(|line| self.0.says_absent(line)) {
                Some(line) => return Ok(Observed::absent(line.clone())),
                None => return Err(error.into()),
            },
        };
        Ok(self.0.read_state(&output.stdout))
    }

    fn unsaveable(&self) -> Option<Impossible> {
        None
    }

    async fn save(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        self.0.save(id, name).deadline(SNAPSHOT).run_async(cancel).await?;
        Ok(())
    }

    async fn restore(&self, id: &str, name: &str, cancel: &CancellationToken) -> Result<(), ProviderError> {
        if self.0.restores_when_off() {
            // One that is off already says so, which is as well.
            let _ = self.0.off(id).run_async(cancel).await;
        }
        for command in self.0.restore(id, name) {
            self.in_its_turn(&command.deadline(SNAPSHOT), cancel).await?;
        }
        Ok(())
    }

    /// The tool tells of all VMs of the host.
    fn changes(&self, _prefix: &str) -> Option<Command> {
        self.0.changes().map(|command| command.deadline(Duration::MAX))
    }

    fn slowness(&self) -> u32 {
        self.0.slowness()
    }

    async fn endpoint(
        &self,
        vagrant: &Vagrant,
        _site: &Site,
        machine: &Machine,
        cancel: &CancellationToken,
    ) -> Result<Endpoint, ProviderError> {
        endpoint(vagrant, &machine.name, cancel).await
    }

    fn elsewhere(&self) -> Option<String> {
        self.0.elsewhere()
    }

    fn salvages(&self) -> bool {
        self.0.salvage("", "", Path::new("")).is_some()
    }

    async fn salvage(&self, id: &str, folder: &str, to: &Path) -> Result<(), ProviderError> {
        let Some(salvage) = self.0.salvage(id, folder, to) else {
            return Err(ProviderError::Host {
                problem: "the disk of a virtual machine that is off is not read".into(),
                remedy: "start the machine".into(),
            });
        };
        salvage.deadline(SALVAGE).run_async(&CancellationToken::new()).await?;
        Ok(())
    }

    async fn remains(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        if !is_on_path(H::TOOL) {
            return Ok(Vec::new());
        }
        let mut remains: Vec<String> = self.names(prefix).await?.iter().map(|name| format!("VM {name}")).collect();
        for other in self.0.others() {
            remains.extend(other.names(prefix).await?.iter().map(|name| format!("{} {name}", other.what)));
        }
        Ok(remains)
    }

    async fn sweep(&self, prefix: &str) -> Result<(), ProviderError> {
        if !is_on_path(H::TOOL) {
            return Ok(());
        }
        for name in self.names(prefix).await? {
            // One that is off already says so, which is as well.
            let _ = self.0.off(&name).run_async(&CancellationToken::new()).await;
            self.0.remove(&name).run_async(&CancellationToken::new()).await?;
        }
        for other in self.0.others() {
            other.sweep(prefix).await?;
        }
        Ok(())
    }
}

fn unknown_interface(id: &str) -> ProviderError {
    ProviderError::Host {
        problem: format!("{id} has no second network interface, which would be that of the private network"),
        remedy: "see the Vagrantfile of the run".into(),
    }
}

impl<H: Hypervisor> Vms<H> {
    /// Runs a command, again for as long as the VM is busy with what was done to it before.
    async fn in_its_turn(&self, command: &Command, cancel: &CancellationToken) -> Result<Output, ProcessError> {
        const TRIES: u32 = 20;
        const PAUSE: Duration = Duration::from_millis(500);
        for _ in 0..TRIES {
            match command.clone().run_async(cancel).await {
                Err(error) if error.tail().iter().any(|line| self.0.says_busy(line)) => {
                    // The command itself says that it was interrupted.
                    let _ = tokio::time::timeout(PAUSE, cancel.cancelled()).await;
                }
                ended => return ended,
            }
        }
        command.clone().run_async(cancel).await
    }

    async fn private(&self, id: &str, cancel: &CancellationToken) -> Result<String, ProviderError> {
        let output = self.in_its_turn(&self.0.interfaces(id), cancel).await?;
        self.0.read_interface(&output.stdout).ok_or_else(|| unknown_interface(id))
    }

    /// The names of the VMs that carry the prefix.
    async fn names(&self, prefix: &str) -> Result<Vec<String>, ProviderError> {
        let output = self.0.list().run_async(&CancellationToken::new()).await?;
        let names = output.stdout.lines().filter_map(|line| self.0.read_name(line));
        Ok(names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }
}

/// Where Vagrant says that the ssh server of a machine is.
async fn endpoint(
    vagrant: &Vagrant,
    machine: &MachineName,
    cancel: &CancellationToken,
) -> Result<Endpoint, ProviderError> {
    let config = vagrant.ssh_config(machine, cancel).await?;
    parse(&config).ok_or_else(|| ProviderError::Host {
        problem: format!("`vagrant ssh-config {machine}` names no host, port, user and key"),
        remedy: format!("see what it prints in {}", vagrant.folder().display()),
    })
}

fn parse(config: &str) -> Option<Endpoint> {
    let value = |key: &str| {
        let mut lines = config.lines().filter_map(|line| line.trim().split_once(' '));
        lines.find(|(name, _)| *name == key).map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    Some(Endpoint {
        host: value("HostName")?,
        port: value("Port")?.parse().ok()?,
        user: value("User")?,
        key: value("IdentityFile")?.into(),
        proxy: value("ProxyCommand").filter(|command| command != "none"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_read_from_vagrants_ssh_config() {
        let config = "Host master1\n  HostName 127.0.0.1\n  User vagrant\n  Port 2200\n  UserKnownHostsFile /dev/null\n  \
                      IdentityFile \"/srv/a b/private_key\"\n";
        let expected = Endpoint {
            host: "127.0.0.1".into(),
            port: 2200,
            user: "vagrant".into(),
            key: "/srv/a b/private_key".into(),
            proxy: None,
        };
        assert_eq!(parse(config), Some(expected.clone()));
        let elsewhere = format!("{config}  ProxyCommand ssh 'vm-host' -l 'root' -W %h:%p\n");
        let proxy = Some("ssh 'vm-host' -l 'root' -W %h:%p".to_owned());
        assert_eq!(parse(&elsewhere), Some(Endpoint { proxy, ..expected }));
        assert_eq!(parse("Host master1\n"), None);
    }
}
