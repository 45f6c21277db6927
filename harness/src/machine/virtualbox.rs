//! VirtualBox through Vagrant, and through VBoxManage for what Vagrant has no verb for.

mod leftovers;
mod networks;
mod traps;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Needs};
use super::host::Host;
use super::provider::{Observed, State};
use super::vm::Hypervisor;
use crate::process::Command;

/// VirtualBox's VBoxManage.
#[derive(Debug)]
pub(super) struct VirtualBox;

#[async_trait]
impl Hypervisor for VirtualBox {
    const NAME: &'static str = "virtualbox";
    const TOOL: &'static str = "VBoxManage";

    async fn findings(&self, host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
        traps::look(host, needs, cancel).await
    }

    fn off(&self, vm: &str) -> Command {
        manage(["controlvm", vm, "poweroff"])
    }

    fn pause(&self, vm: &str) -> Command {
        manage(["controlvm", vm, "pause"])
    }

    fn resume(&self, vm: &str) -> Command {
        manage(["controlvm", vm, "resume"])
    }

    fn interfaces(&self, vm: &str) -> Command {
        self.state(vm)
    }

    /// The first interface is Vagrant's own, behind NAT.
    fn read_interface(&self, printed: &str) -> Option<String> {
        printed.lines().any(|line| line.starts_with("nic2=") && line != "nic2=\"none\"").then(|| "2".to_owned())
    }

    fn set_link(&self, vm: &str, interface: &str, up: bool) -> Command {
        manage(["controlvm", vm, &format!("setlinkstate{interface}"), if up { "on" } else { "off" }])
    }

    fn link(&self, vm: &str, _interface: &str) -> Command {
        self.state(vm)
    }

    fn read_link(&self, interface: &str, printed: &str) -> Option<(String, bool)> {
        let key = format!("cableconnected{interface}=");
        let line = printed.lines().find(|line| line.starts_with(&key))?;
        Some((line.to_owned(), line.ends_with("\"on\"")))
    }

    fn state(&self, vm: &str) -> Command {
        manage(["showvminfo", vm, "--machinereadable"])
    }

    /// The time of the last change, in UTC, tells a machine that was started anew from one that has run on.
    fn read_state(&self, printed: &str) -> Observed {
        let value = |key: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map_or("?", |value| value.trim_matches('"'))
        };
        let (said, changed) = (value("VMState"), value("VMStateChangeTime"));
        let state = match said {
            "running" => State::Running,
            "paused" => State::Paused,
            _ => State::Stopped,
        };
        let since = format!("{}Z", changed.trim_end_matches('Z')).parse().ok();
        Observed { state, proof: format!("VM is {said} since {changed}"), since }
    }

    fn list(&self) -> Command {
        manage(["list", "vms"])
    }

    /// Lines are such as `"name" {uuid}`.
    fn read_name<'a>(&self, line: &'a str) -> Option<&'a str> {
        Some(line.strip_prefix('"')?.rsplit_once('"')?.0)
    }

    fn save(&self, vm: &str, snapshot: &str) -> Command {
        manage(["snapshot", vm, "take", snapshot])
    }

    fn restore(&self, vm: &str, snapshot: &str) -> Vec<Command> {
        vec![manage(["snapshot", vm, "restore", snapshot]), manage(["startvm", vm, "--type", "headless"])]
    }

    fn restores_when_off(&self) -> bool {
        true
    }

    fn remove(&self, vm: &str) -> Command {
        manage(["unregistervm", vm, "--delete"])
    }

    fn says_absent(&self, line: &str) -> bool {
        line.contains("Could not find a registered machine")
    }
}

fn manage<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    Command::new("VBoxManage").args(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What VBoxManage takes, by the chapter on it of the user manuals of 6.1, 7.0, 7.1 and 7.2, as far as it is called here:
    /// <https://www.virtualbox.org/manual/topics/vboxmanage.html>. `tests/tests/vboxmanage.rs` asks the tool itself.
    const GRAMMAR: [&str; 11] = [
        "controlvm VM pause",
        "controlvm VM poweroff",
        "controlvm VM resume",
        "controlvm VM setlinkstate2 off",
        "controlvm VM setlinkstate2 on",
        "list vms",
        "showvminfo VM --machinereadable",
        "snapshot VM restore NAME",
        "snapshot VM take NAME",
        "startvm VM --type headless",
        "unregistervm VM --delete",
    ];

    #[test]
    fn every_call_is_of_the_documented_grammar_and_no_other_is_made() {
        let vm = VirtualBox;
        let mut calls = vec![
            vm.off("VM"),
            vm.pause("VM"),
            vm.resume("VM"),
            vm.interfaces("VM"),
            vm.set_link("VM", "2", true),
            vm.set_link("VM", "2", false),
            vm.link("VM", "2"),
            vm.state("VM"),
            vm.list(),
            vm.save("VM", "NAME"),
            vm.remove("VM"),
        ];
        calls.extend(vm.restore("VM", "NAME"));
        assert!(vm.others().is_empty() && vm.changes().is_none(), "what they call is not in the list");
        let calls: std::collections::BTreeSet<String> = calls.iter().map(Command::display).collect();
        let expected = GRAMMAR.map(|call| format!("VBoxManage {call}"));
        assert_eq!(calls, expected.into());
    }

    #[test]
    fn states_and_names_are_read_from_what_vboxmanage_prints() {
        let printed =
            "name=\"quorate-1-master1\"\nVMState=\"poweroff\"\nVMStateChangeTime=\"2026-11-23T07:00:00.000000000\"\n";
        let observed = VirtualBox.read_state(printed);
        assert_eq!(observed.state, State::Stopped);
        assert_eq!(observed.proof, "VM is poweroff since 2026-11-23T07:00:00.000000000");
        assert_eq!(observed.since, Some("2026-11-23T07:00:00Z".parse().unwrap()));
        let observed = VirtualBox.read_state("VMState=\"paused\"\n");
        assert_eq!((observed.state, observed.since), (State::Paused, None));
        let interfaces = "nic1=\"nat\"\ncableconnected1=\"on\"\nnic2=\"hostonly\"\ncableconnected2=\"off\"\n";
        assert_eq!(VirtualBox.read_interface(interfaces).as_deref(), Some("2"));
        assert_eq!(VirtualBox.read_link("2", interfaces), Some(("cableconnected2=\"off\"".to_owned(), false)));
        assert_eq!(VirtualBox.read_interface("nic1=\"nat\"\nnic2=\"none\"\n"), None);
        let line = "\"quorate-1-master1\" {0b3ed0c4-3ab2-4c62-a4bf-2a1c39d0fb0f}";
        assert_eq!(VirtualBox.read_name(line), Some("quorate-1-master1"));
    }
}
