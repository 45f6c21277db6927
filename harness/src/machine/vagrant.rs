//! The life cycle of machines through the `vagrant` command and a rendered Vagrantfile in the run's own folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use tokio_util::sync::CancellationToken;

use super::provider::Site;
use crate::process::{Command, ProcessError};
use crate::scenario::{MachineName, Topology};

/// The template that every Vagrantfile is rendered from.
const TEMPLATE: &str = include_str!("../../../Vagrantfile.tmpl");

/// How long it may take to download a box.
const DOWNLOAD: Duration = Duration::from_secs(3600);
/// What Vagrant's errors say before the name of a machine, of several that it works on at once.
const ON: &str = "executing the action on the '";

/// What a provider adds to the rendered Vagrantfile.
#[derive(Debug, Clone, Default)]
pub struct Rendering {
    /// Values of its own, by name.
    pub values: Vec<(&'static str, Value)>,
    /// Arguments for the making of each machine, in the order of the topology.
    pub create_args: Vec<Vec<String>>,
}

/// Renders the Vagrantfile of a topology.
pub fn render(topology: &Topology, site: &Site, provider: &str, extra: Rendering) -> Result<String, minijinja::Error> {
    let machines: Vec<Value> = topology
        .machines
        .values()
        .zip(extra.create_args.into_iter().chain(std::iter::repeat_with(Vec::new)))
        .map(|(machine, create_args)| {
            context! {
                name => machine.name.as_str(),
                hostname => format!("{}.{}", machine.name, topology.domain),
                ip => machine.ip.to_string(),
                memory_mib => machine.memory / (1024 * 1024),
                cpus => machine.cpus,
                container => site.machine_id_name(&machine.name),
                prefix => format!("{}-", site.prefix()),
                create_args,
            }
        })
        .collect();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("ruby", ruby);
    let base = context! {
        run => site.run.as_str(),
        topology => topology.name.as_str(),
        provider,
        boot_timeout => 120,
        netmask => topology.network.netmask().to_string(),
        machines,
    };
    let own = Value::from(extra.values.into_iter().collect::<std::collections::BTreeMap<_, _>>());
    // The last newline of a template is left out.
    environment.render_str(TEMPLATE, context! { ..own, ..base }).map(|text| text + "\n")
}

/// A Ruby string literal in which nothing is interpolated.
fn ruby(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A Vagrant environment: a folder with a Vagrantfile.
#[derive(Debug, Clone)]
pub struct Vagrant {
    folder: PathBuf,
    provider: &'static str,
    log: PathBuf,
}

impl Vagrant {
    /// The environment in `folder`, whose output goes to `log`.
    pub fn new(folder: PathBuf, provider: &'static str, log: PathBuf) -> Self {
        Self { folder, provider, log }
    }

    /// The folder of the environment.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes and starts the machines named, or all of them in parallel.
    pub async fn up(
        &self,
        machines: &[&MachineName],
        deadline: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), ProcessError> {
        let names = machines.iter().map(|name| name.as_str());
        let up = self.command("up").args(["--provider", self.provider, "--no-provision"]).args(names);
        up.deadline(deadline).log(&self.log).run_async(cancel).await.map(drop)
    }

    /// Shuts the machines named down in order.
    pub async fn halt(
        &self,
        machines: &[&MachineName],
        deadline: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), ProcessError> {
        let halt = self.command("halt").args(machines.iter().map(|name| name.as_str()));
        halt.deadline(deadline).log(&self.log).run_async(cancel).await.map(drop)
    }

    /// Removes all machines.
    pub async fn destroy(&self, deadline: Duration) -> Result<(), ProcessError> {
        let destroy = self.command("destroy").args(["--force", "--parallel"]).env("QUORATE_STOP_TIMEOUT", "0");
        destroy.deadline(deadline).log(&self.log).run_async(&CancellationToken::new()).await.map(drop)
    }

    /// Checks the Vagrantfile, without asking whether the provider can be used here.
    pub async fn validate(&self, cancel: &CancellationToken) -> Result<(), ProcessError> {
        self.command("validate").arg("--ignore-provider").log(&self.log).run_async(cancel).await.map(drop)
    }

    /// The ssh configuration of a machine as Vagrant prints it.
    pub async fn ssh_config(&self, machine: &MachineName, cancel: &CancellationToken) -> Result<String, ProcessError> {
        self.command("ssh-config").arg(machine.as_str()).run_async(cancel).await.map(|output| output.stdout)
    }

    /// The id that the provider gave the machine, once it was made.
    pub fn id(&self, machine: &MachineName) -> Option<String> {
        let file = self.folder.join(".vagrant/machines").join(machine.as_str()).join(self.provider).join("id");
        let id = std::fs::read_to_string(file).ok()?;
        (!id.is_empty() && id != "preparing").then_some(id)
    }

    fn command(&self, verb: &str) -> Command {
        command(verb).dir(&self.folder).env("VAGRANT_CWD", &self.folder)
    }
}

/// Makes sure that Vagrant has a box for a provider, from which machines are then made without a network.
pub async fn want_box(name: &str, provider: &str, cancel: &CancellationToken) -> Result<(), ProcessError> {
    // No Vagrantfile of a folder that this happens in.
    let command = |verb| command(verb).env("VAGRANT_CWD", "/");
    let listed = command("box").arg("list").run_async(cancel).await?;
    if has_box(&listed.stdout, name, provider) {
        return Ok(());
    }
    let add = command("box").args(["add", "--provider", provider, name]);
    add.deadline(DOWNLOAD).run_async(cancel).await.map(drop)
}

/// Whether a box is among those that `vagrant box list` prints, as `debian/bookworm64 (libvirt, 12.20231009.1)`.
fn has_box(listed: &str, name: &str, provider: &str) -> bool {
    let of = |line: &str| line.strip_prefix(name).map(|rest| rest.trim_start().starts_with(&format!("({provider},")));
    listed.lines().any(|line| of(line) == Some(true))
}

/// What leads to the machines of another host may go on when those are off, and Vagrant does not wait for it.
fn command(verb: &str) -> Command {
    Command::new("vagrant").sheds().arg(verb).env("VAGRANT_CHECKPOINT_DISABLE", "1").env("VAGRANT_NO_COLOR", "1")
}

/// Why a command of Vagrant's own failed, from what Vagrant printed last, in one line.
pub fn why(tail: &[String]) -> Option<&str> {
    tail.iter().find_map(|line| line.trim().strip_prefix("Stderr: ")).map(|why| why.trim_end_matches('.'))
}

/// The machines that Vagrant says an action has failed on, from what it printed last.
pub fn blamed(tail: &[String]) -> Vec<&str> {
    let after = |line: &'_ String| line.find(ON).map(|at| at + ON.len());
    let named = tail.iter().filter_map(|line| line[after(line)?..].split('\'').next());
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_command_said_that_vagrant_ran() {
        let tail = ["==> m: up", "Command: [\"docker\"]", "Stderr: docker: the name is in use.", "Run 'docker --help'"];
        let tail: Vec<String> = tail.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!((why(&tail), why(&tail[..2])), (Some("docker: the name is in use"), None));
    }

    #[test]
    fn a_box_is_there_for_its_own_provider_alone() {
        let listed = "debian/bookworm64  (libvirt, 12.20231009.1)\nquorate/emulated (libvirt, 0, (amd64))\n";
        assert!(has_box(listed, "debian/bookworm64", "libvirt") && has_box(listed, "quorate/emulated", "libvirt"));
        assert!(!has_box(listed, "debian/bookworm64", "virtualbox") && !has_box(listed, "debian/bookworm", "libvirt"));
        assert!(!has_box("There are no installed boxes!", "debian/bookworm64", "libvirt"));
    }

    #[test]
    fn vagrant_names_the_machines_that_it_failed_on() {
        let tail = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        let printed = tail(
            "An error occurred while executing multiple actions in parallel.\n\
             An error occurred while executing the action on the 'master3'\n\
             machine. Please handle this error then try again:\n",
        );
        assert_eq!(blamed(&printed), ["master3"]);
        assert_eq!(blamed(&tail("There was an error loading a Vagrantfile.")), Vec::<&str>::new());
    }
}
