//! The VirtualBox provider against VirtualBox's own VBoxManage, with a machine that never starts: what Quorate calls is of
//! the tool's grammar, and what the tool prints is read. `ci/real-vboxmanage exec` brings the tool where there is none.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use libtest_mimic::{Arguments, Failed, Trial};
use quorate::machine::provider::{self, DEFAULT_BOX, Provider, ProviderError, Site, State};
use quorate::process::is_on_path;
use quorate_scenarios::host;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const TOOL: &str = "VBoxManage";
const PROVIDER: &str = "virtualbox";
/// How far the clock of the tool's server may be from ours, and how long a command may take.
const SLACK: Duration = Duration::from_secs(60);
/// With these the tool says that it does not understand a command line.
const MISUNDERSTOOD: [&str; 5] = ["Syntax error", "Usage", "Invalid parameter", "Unknown option", "Unknown subcommand"];

fn main() {
    let test = || tokio::runtime::Runtime::new().unwrap().block_on(holds());
    let name = "every_call_is_understood_and_every_answer_is_read";
    let trial = if is_on_path(TOOL) {
        Trial::test(name, test)
    } else {
        let reason = "VBoxManage is not on the PATH: ci/real-vboxmanage exec brings it";
        Trial::test(name, move || Err(reason.into())).with_kind(reason).with_ignored_flag(true)
    };
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit();
}

/// A machine of VirtualBox that is off, with two network interfaces as Vagrant gives them, until it is dropped.
struct Vm {
    name: String,
    site: Site,
    _folder: TempDir,
}

impl Vm {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            run: format!("vboxmanage-{}", std::process::id()),
            folder: folder.path().to_owned(),
            log: folder.path().join("log"),
            network: "172.27.11.0/24".parse().unwrap(),
            vm_box: DEFAULT_BOX.to_owned(),
        };
        let name = format!("{}-master1", site.prefix());
        host::output(TOOL, &["createvm", "--name", &name, "--register"]);
        let vm = Self { name, site, _folder: folder };
        // No host-only network can be made without the kernel module, and nothing asks what the cable leads to.
        host::output(TOOL, &["modifyvm", &vm.name, "--nic1", "nat", "--nic2", "intnet"]);
        vm
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // The test has removed it, unless it failed.
        let _ = Command::new(TOOL).args(["unregistervm", &self.name, "--delete"]).output();
    }
}

async fn holds() -> Result<(), Failed> {
    let provider = provider::by_name(PROVIDER).unwrap();
    let vm = Vm::make();
    is_seen(provider.as_ref(), &vm).await?;
    is_not_done_to_a_machine_that_is_off(provider.as_ref(), &vm).await?;
    is_saved(provider.as_ref(), &vm).await?;
    is_removed(provider.as_ref(), &vm).await
}

async fn is_seen(provider: &dyn Provider, vm: &Vm) -> Result<(), Failed> {
    let cancel = CancellationToken::new();
    let observed = provider.state(&vm.name, &cancel).await?;
    expect(observed.state == State::Stopped, &format!("it is off: {observed:?}"))?;
    let age = observed.since.map(|since| Timestamp::now().duration_since(since).unsigned_abs());
    expect(age.is_some_and(|age| age < SLACK), &format!("it is off since a moment ago: {observed:?}"))?;
    let link = provider.link(&vm.name, &vm.site, &cancel).await?;
    expect(link.up && link.proof == "cableconnected2=\"on\"", &format!("its cable is plugged in: {link:?}"))?;
    host::output(TOOL, &["modifyvm", &vm.name, "--cable-connected2", "off"]);
    let link = provider.link(&vm.name, &vm.site, &cancel).await?;
    expect(!link.up && link.proof == "cableconnected2=\"off\"", &format!("its cable is pulled: {link:?}"))?;
    let remains = provider.remains(&vm.site.prefix()).await?;
    expect(remains == [format!("VM {}", vm.name)], &format!("it is listed: {remains:?}"))
}

/// The tool finds the machine, and says that it does not run. It says so before it reads what is to be done, which its own
/// synopsis has to have therefore.
async fn is_not_done_to_a_machine_that_is_off(provider: &dyn Provider, vm: &Vm) -> Result<(), Failed> {
    let cancel = CancellationToken::new();
    for (what, done) in [
        ("kill", provider.kill(&vm.name, &cancel).await),
        ("pause", provider.pause(&vm.name, &cancel).await),
        ("resume", provider.resume(&vm.name, &cancel).await),
        ("pull the cable", provider.set_link(&vm.name, &vm.site, false, &cancel).await),
        ("plug it in", provider.set_link(&vm.name, &vm.site, true, &cancel).await),
    ] {
        let said = understood(what, done)?;
        expect(said.contains("is not currently running"), &format!("{what}: it is said that it does not run: {said}"))?;
        is_in_synopsis(&vm.name, &said)?;
    }
    Ok(())
}

/// Whether `VBoxManage help controlvm` has the line of the call that an error names.
fn is_in_synopsis(vm: &str, said: &str) -> Result<(), Failed> {
    let before = format!("VBoxManage controlvm {vm} ");
    let called = said.split(&before).nth(1).and_then(|rest| rest.split('`').next());
    let called = called.ok_or_else(|| format!("the call is not named in {said}"))?;
    // To have shown it ends with 1.
    let shown = Command::new(TOOL).args(["help", "controlvm"]).output()?;
    let synopsis = String::from_utf8_lossy(&shown.stdout);
    let mut lines =
        synopsis.lines().filter_map(|line| line.trim().strip_prefix("VBoxManage controlvm <uuid | vmname> "));
    // Numbers of interfaces are N there, and choices stand in brackets.
    let is_it = |line: &str| match line.strip_suffix(" <on | off>") {
        Some(verb) => ["on", "off"].iter().any(|choice| called == format!("{} {choice}", verb.replace('N', "2"))),
        None => called == line,
    };
    expect(lines.any(is_it), &format!("`controlvm VM {called}` is in the synopsis:\n{synopsis}"))
}

/// Without its kernel module it is put back, and cannot be started then. Where there is the module, it starts.
async fn is_saved(provider: &dyn Provider, vm: &Vm) -> Result<(), Failed> {
    let cancel = CancellationToken::new();
    let snapshots = || host::output(TOOL, &["snapshot", &vm.name, "list", "--machinereadable"]);
    provider.save(&vm.name, "proven", &cancel).await?;
    expect(snapshots().contains("SnapshotName=\"proven\""), "it is saved")?;
    let said = understood("restore", provider.restore(&vm.name, "proven", &cancel).await)?;
    expect(said.contains("startvm"), &format!("it is put back, and then started: {said}"))?;
    Ok(())
}

async fn is_removed(provider: &dyn Provider, vm: &Vm) -> Result<(), Failed> {
    provider.sweep("quorate-of-somebody-else").await?;
    let observed = provider.state(&vm.name, &CancellationToken::new()).await?;
    expect(observed.state == State::Stopped, "somebody else's sweep spares it")?;
    provider.sweep(&vm.site.prefix()).await?;
    let observed = provider.state(&vm.name, &CancellationToken::new()).await?;
    expect(observed.state == State::Absent, &format!("it is gone: {observed:?}"))?;
    let remains = provider.remains(&vm.site.prefix()).await?;
    expect(remains.is_empty(), &format!("nothing is listed: {remains:?}"))
}

fn expect(holds: bool, what: &str) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(format!("it is not so that {what}").into()) }
}

/// What the tool said instead of doing it, which is not that it does not understand.
fn understood(what: &str, done: Result<(), ProviderError>) -> Result<String, Failed> {
    let Err(error) = done else { return Err(format!("{what} was done to a machine that is off").into()) };
    let said = match &error {
        ProviderError::Process(error) => format!("{error}\n{}", error.tail().join("\n")),
        other => other.to_string(),
    };
    match MISUNDERSTOOD.iter().find(|words| said.contains(**words)) {
        Some(_) => Err(format!("{what} is not understood: {said}").into()),
        None => Ok(said),
    }
}
