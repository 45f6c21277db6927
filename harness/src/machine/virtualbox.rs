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

    fn says_busy(&self, line: &str) -> bool {
        line.contains("locked") || line.contains("The object is not ready")
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

    /// `recorded/README.md` says where they are from.
    #[test]
    fn what_every_version_has_printed_is_read() {
        let hostonly = Some("2");
        for (version, printed, state, since, interface) in [
            (
                "6.1",
                include_str!("virtualbox/recorded/6.1-running.txt"),
                State::Running,
                "2021-01-09T07:42:17.925Z",
                hostonly,
            ),
            (
                "6.1",
                include_str!("virtualbox/recorded/6.1-poweroff.txt"),
                State::Stopped,
                "2020-10-15T03:54:02Z",
                hostonly,
            ),
            (
                "7.0",
                include_str!("virtualbox/recorded/7.0-poweroff.txt"),
                State::Stopped,
                "2022-12-17T09:55:20Z",
                hostonly,
            ),
            (
                "7.1",
                include_str!("virtualbox/recorded/7.1-poweroff.txt"),
                State::Stopped,
                "2026-09-27T01:09:47.031Z",
                hostonly,
            ),
            (
                "7.2",
                include_str!("virtualbox/recorded/7.2-running.txt"),
                State::Running,
                "2026-09-26T00:41:17.212Z",
                None,
            ),
            ("7.2", include_str!("virtualbox/recorded/7.2-poweroff.txt"), State::Stopped, "2026-09-26T00:13:36Z", None),
        ] {
            let observed = VirtualBox.read_state(printed);
            assert_eq!((observed.state, observed.since), (state, Some(since.parse().unwrap())), "{version}");
            assert_eq!(VirtualBox.read_interface(printed).as_deref(), interface, "{version}");
            let link = interface.map(|_| ("cableconnected2=\"on\"".to_owned(), true));
            assert_eq!(VirtualBox.read_link("2", printed), link, "{version}");
            let unplugged = printed.replace("cableconnected2=\"on\"", "cableconnected2=\"off\"");
            let link = interface.map(|_| ("cableconnected2=\"off\"".to_owned(), false));
            assert_eq!(VirtualBox.read_link("2", &unplugged), link, "{version}");
        }
    }

    /// The list is of 7.1.18, what is said of a machine that is not there of 6.1, 7.0 and 7.2.20, what is said while a session ends of
    /// 6.1.
    #[test]
    fn names_and_errors_are_read_as_they_were_recorded() {
        let list = "\"MacOS BigSur 115\" {7977bd0d-9c56-41ef-a9f2-5ecabb714ea1}\n\
                    \"<inaccessible>\" {d67896a0-b366-4733-947b-fbed950432b9}\n\
                    \"quorate-1-master1\" {0b3ed0c4-3ab2-4c62-a4bf-2a1c39d0fb0f}\n";
        let names: Vec<_> = list.lines().map(|line| VirtualBox.read_name(line)).collect();
        assert_eq!(names, [Some("MacOS BigSur 115"), Some("<inaccessible>"), Some("quorate-1-master1")]);
        for absent in [
            "VBoxManage: error: Could not find a registered machine named 'quorate-1-master1'",
            "Could not find a registered machine with UUID {7e261a39-d356-4eb1-a8ed-75675b149241}",
        ] {
            assert!(VirtualBox.says_absent(absent));
        }
        for other in
            ["VBoxManage: error: The object functionality is limited", "VBoxManage: error: The object is not ready"]
        {
            assert!(!VirtualBox.says_absent(other));
        }
        assert!(VirtualBox.says_busy("VBoxManage: error: The object is not ready"));
    }

    #[test]
    fn a_machine_that_is_paused_is_neither_running_nor_off() {
        let observed = VirtualBox.read_state("VMState=\"paused\"\n");
        assert_eq!((observed.state, observed.since), (State::Paused, None));
    }
}
