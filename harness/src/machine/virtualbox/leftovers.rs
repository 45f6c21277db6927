//! Virtual machines that earlier runs left in a state that hinders their removal: inaccessible, or locked by a process
//! that is stuck. They stop no new run, but the memory and names that they hold are lost until somebody looks.

use tokio_util::sync::CancellationToken;

use crate::machine::finding::{Finding, Standing};
use crate::machine::host::Host;
use crate::machine::provider::prefix;

/// What VirtualBox calls a machine whose files it cannot read.
const INACCESSIBLE: &str = "<inaccessible>";

/// The machines that somebody has to look after.
pub(super) async fn look(host: &Host, cancel: &CancellationToken) -> Vec<Finding> {
    let Ok(listed) = host.ask("VBoxManage", &["list", "vms"], cancel).await else { return Vec::new() };
    let mut findings = Vec::new();
    for (name, id) in listed.stdout.lines().filter_map(read) {
        if name == INACCESSIBLE {
            let found = format!("the machine {id} is inaccessible: VirtualBox cannot read its files");
            findings.push(Finding::new(
                "earlier VMs",
                Standing::Limited,
                found,
                format!("`VBoxManage unregistervm {id}`"),
            ));
        } else if name.starts_with(&prefix("")) {
            let info = host.ask("VBoxManage", &["showvminfo", id, "--machinereadable"], cancel).await;
            if info.is_ok_and(|info| is_stuck(&info.stdout)) {
                let found = format!("the machine {name} of an earlier run is off and still locked by a process");
                let mend = format!("end that process (`pgrep -fa {name}`), then `quorate clean`");
                findings.push(Finding::new("earlier VMs", Standing::Limited, found, mend));
            }
        }
    }
    findings
}

/// The name and the id in a line such as `"name" {uuid}`.
fn read(line: &str) -> Option<(&str, &str)> {
    let (name, id) = line.trim().strip_prefix('"')?.rsplit_once("\" {")?;
    Some((name, id.strip_suffix('}')?))
}

/// Whether a machine that is off has a session, as one has only while a process holds its lock.
fn is_stuck(info: &str) -> bool {
    let value = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'));
    let off = matches!(value("VMState="), Some("poweroff" | "aborted" | "saved" | "aborted-saved"));
    off && value("SessionName=").or_else(|| value("SessionType=")).is_some_and(|session| !session.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of the list were seen at 7.2.22; what is said of a machine that is stuck is written after the documentation.
    #[test]
    fn machines_are_read_from_the_list_and_from_what_is_said_of_each() {
        assert_eq!(read("\"<inaccessible>\" {57d4f57d-4dda}"), Some((INACCESSIBLE, "57d4f57d-4dda")));
        assert_eq!(read("\"a \"b\" c\" {57d4}"), Some(("a \"b\" c", "57d4")));
        assert_eq!(read("WARNING: The character device"), None);
        assert!(is_stuck("name=\"m\"\nVMState=\"aborted\"\nSessionName=\"headless\"\n"));
        assert!(!is_stuck("VMState=\"running\"\nSessionName=\"headless\"\n"));
        assert!(!is_stuck("VMState=\"poweroff\"\n"));
    }
}
