//! What keeps VirtualBox from working on a host, found before a machine is made: versions, kernel modules, the
//! processor, the networks that it allows, memory, and virtual machines of earlier runs.
//!
//! How the tools answer was seen at VirtualBox 7.2.22 without its modules, and is taken from documentation and sources for
//! other versions.

use tokio_util::sync::CancellationToken;

use super::leftovers;
use super::networks;
use crate::machine::finding::{Finding, Needs, Standing};
use crate::machine::host::{Host, Release};
use crate::machine::memory::{self, Taken};
use crate::machine::tools;

/// The oldest VirtualBox whose answers are known here.
const OLDEST: Release = Release(6, 1, 0);
/// The newest VirtualBox whose answers are known here.
const NEWEST: (u32, u32) = (7, 2);

/// The first Vagrant that works with a VirtualBox from this one on, by Vagrant's change log.
const VAGRANTS: &[(Release, Release)] = &[
    (Release(7, 2, 0), Release(2, 4, 9)),
    (Release(7, 1, 0), Release(2, 4, 2)),
    (Release(7, 0, 0), Release(2, 3, 2)),
    (Release(6, 1, 0), Release(2, 2, 7)),
];

/// From this kernel on, KVM takes the processor's virtualisation when it is loaded, and not with its first machine:
/// <https://docs.kernel.org/admin-guide/kernel-parameters.html>, `kvm.enable_virt_at_load`.
const KVM_AT_LOAD: Release = Release(6, 12, 0);
/// From these on, VirtualBox asks KVM for the processor instead of taking it: `SUPDrv-linux.c` of its kernel module 7.2.
const SHARES: (Release, Release) = (Release(7, 2, 0), Release(6, 16, 0));

/// All that is to be said about VirtualBox on a host.
pub(super) async fn look(host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
    if !host.has("VBoxManage") {
        let mend = "install VirtualBox and its kernel modules, from https://www.virtualbox.org/wiki/Linux_Downloads or as \
                    your system packages them (Debian: `virtualbox`, in contrib of unstable)";
        return vec![Finding::new("VirtualBox", Standing::Missing, "VBoxManage is not on the PATH", mend)];
    }
    let (found, version) = version(host, cancel).await;
    let mut findings = vec![found];
    if let Some(version) = version {
        findings.extend(vagrant(host, version, cancel).await);
    }
    findings.extend(modules(host));
    findings.extend(tools::virtualisation(host));
    findings.extend(version.and_then(|version| kvm(host, version)));
    if let Some(needs) = needs {
        findings.extend(version.map(|version| networks::look(host, version, needs.network)));
        findings.extend(memory::look(host, needs, Taken::Whole));
    }
    findings.extend(leftovers::look(host, cancel).await);
    findings
}

/// The version. Where its module is missing, VBoxManage warns about that before it answers.
async fn version(host: &Host, cancel: &CancellationToken) -> (Finding, Option<Release>) {
    let part = "VirtualBox";
    let said = match host.ask("VBoxManage", &["--version"], cancel).await {
        Ok(output) => output.stdout,
        Err(error) => {
            let mend = "see what `VBoxManage --version` says, and install VirtualBox again";
            return (Finding::new(part, Standing::Unusable, error.to_string(), mend), None);
        }
    };
    let Some(release) = read_version(&said) else {
        let found = format!("`VBoxManage --version` names no version: {}", said.trim());
        return (Finding::new(part, Standing::Unusable, found, "install VirtualBox again"), None);
    };
    let finding = if release < OLDEST {
        let mend = "install VirtualBox 6.1 or newer";
        Finding::new(part, Standing::TooOld, format!("VirtualBox {release} is older than 6.1"), mend)
    } else if (release.0, release.1) > NEWEST {
        let found = format!("VirtualBox {release} is newer than 7.2, the newest that this Quorate knows");
        Finding::new(part, Standing::Limited, found, "see whether there is a newer Quorate")
    } else {
        Finding::here(part, format!("VirtualBox {release}"))
    };
    (finding, Some(release))
}

/// The last line that begins with a version, such as `7.0.20r163906`.
fn read_version(said: &str) -> Option<Release> {
    said.lines().rev().find_map(|line| Release::parse(line.trim()))
}

/// Whether Vagrant knows this VirtualBox. Where there is no Vagrant, that is said elsewhere.
async fn vagrant(host: &Host, virtualbox: Release, cancel: &CancellationToken) -> Option<Finding> {
    let vagrant = tools::vagrant_release(host, cancel).await?;
    let (_, first) = VAGRANTS.iter().find(|(from, _)| virtualbox >= *from)?;
    let Release(major, minor, _) = virtualbox;
    Some(if vagrant < *first {
        let found =
            format!("Vagrant {vagrant} does not know VirtualBox {major}.{minor}, which needs Vagrant {first} or newer");
        let mend = format!(
            "install Vagrant {first} or newer, from https://developer.hashicorp.com/vagrant/install, or a VirtualBox before \
             {major}.{minor}"
        );
        Finding::new("Vagrant", Standing::TooOld, found, mend)
    } else {
        Finding::here("Vagrant", format!("Vagrant {vagrant} knows VirtualBox {major}.{minor}"))
    })
}

/// The devices of the modules that run machines and make host-only networks.
fn modules(host: &Host) -> Vec<Finding> {
    let build = "where there is no such module for this kernel, build it: `/sbin/vboxconfig`, or with Debian's packages \
                 `apt-get install virtualbox-dkms linux-headers-$(uname -r)`";
    let modules = [("/dev/vboxdrv", "vboxdrv"), ("/dev/vboxnetctl", "vboxnetadp")];
    let look = |(device, module): (&str, &str)| {
        if host.has_file(device) {
            return Finding::here(module, "the kernel module is loaded");
        }
        let found = format!("VirtualBox's kernel module {module} is not loaded (there is no {device})");
        Finding::new(module, Standing::Unusable, found, format!("`modprobe {module}`; {build}"))
    };
    modules.into_iter().map(look).collect()
}

/// Whether KVM has the processor's virtualisation, which VirtualBox then cannot have.
fn kvm(host: &Host, virtualbox: Release) -> Option<Finding> {
    let module = ["kvm_intel", "kvm_amd"].into_iter().find(|module| host.has_file(&format!("/sys/module/{module}")))?;
    let used = host.read(&format!("/sys/module/{module}/refcnt")).and_then(|count| count.trim().parse::<u32>().ok());
    let kernel = host.kernel()?;
    let at_load = kernel >= KVM_AT_LOAD
        && host.read("/sys/module/kvm/parameters/enable_virt_at_load").is_none_or(|set| set.trim() != "N");
    let part = "KVM";
    if virtualbox >= SHARES.0 && kernel >= SHARES.1 && (at_load || used > Some(0)) {
        let found =
            format!("{module} is loaded; VirtualBox {virtualbox} on Linux {kernel} is to share the processor with it");
        let mend = format!(
            "should machines not start with VERR_VMX_IN_VMX_ROOT_MODE or VERR_SVM_IN_USE: `modprobe -r {module} kvm`"
        );
        return Some(Finding::new(part, Standing::Limited, found, mend));
    }
    if used > Some(0) {
        let found =
            format!("machines of KVM run ({module} is in use), and VirtualBox cannot have the processor meanwhile");
        let mend = "shut the machines of KVM down, as `virsh list` names them";
        return Some(Finding::new(part, Standing::Conflict, found, mend));
    }
    if at_load {
        let found = format!(
            "KVM holds the processor's virtualisation: {module} is loaded, and from Linux 6.12 on takes it at once (here: {kernel})"
        );
        let mend =
            format!("`modprobe -r {module} kvm`, or for good: start the kernel with `kvm.enable_virt_at_load=0`");
        return Some(Finding::new(part, Standing::Conflict, found, mend));
    }
    Some(Finding::here(part, format!("{module} is loaded, and leaves the processor to VirtualBox")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded: of Debian's 7.2.22 without its module here, the others in public logs. The warnings come on standard output.
    #[test]
    fn versions_are_read_as_builds_of_oracle_and_of_distributions_print_them() {
        let warned = "WARNING: The character device /dev/vboxdrv does not exist.\n\t Please install the virtualbox-dkms \
                      package and the appropriate\n\t headers, most likely linux-headers-v669.\n\n\t You will not be able to \
                      start VMs until this problem is fixed.\n7.2.22_Debianr175245\n";
        let somebody =
            "WARNING: Environment variable LOGNAME or USER does not correspond to effective user id.\n7.1.4r165100\n";
        for (said, expected) in [
            ("6.1.22r144080\n", Some(Release(6, 1, 22))),
            ("6.1.50_Ubuntur161033\n", Some(Release(6, 1, 50))),
            ("7.0.14r161095\n", Some(Release(7, 0, 14))),
            ("7.0.16_Ubuntur162802\n", Some(Release(7, 0, 16))),
            (somebody, Some(Release(7, 1, 4))),
            ("7.2.0r170228\n", Some(Release(7, 2, 0))),
            (warned, Some(Release(7, 2, 22))),
            ("command not found\n", None),
        ] {
            assert_eq!(read_version(said), expected, "{said}");
        }
    }
}
