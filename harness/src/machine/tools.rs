//! What every provider needs of a host: Vagrant, ssh, and the basic tools that come with every distribution.

use tokio_util::sync::CancellationToken;

use super::finding::{Finding, Standing};
use super::host::{Host, Release};

/// What all machines are made with and reached by: the tool, Debian's package, and what it is for.
const TOOLS: &[(&str, &str, &str)] = &[
    ("vagrant", "vagrant", "all machines are made by it"),
    ("ssh", "openssh-client", "all machines are reached by it"),
    ("ssh-keygen", "openssh-client", "it makes the key to the machines"),
    ("ip", "iproute2", "it says which networks are taken"),
    ("setpriv", "util-linux", "it ends programs together with Quorate"),
];

/// The tools, without asking any of them anything.
pub(super) fn look(host: &Host) -> Vec<Finding> {
    let look = |(tool, package, purpose): &(&str, &str, &str)| {
        if host.has(tool) {
            return Finding::here(tool, "it is on the PATH");
        }
        let quickstart = if *tool == "vagrant" { ", or let `./quickstart` do so" } else { "" };
        let mend = format!("install it, as with `apt-get install --no-install-recommends {package}`{quickstart}");
        Finding::new(tool, Standing::Missing, format!("{tool} is not on the PATH, and {purpose}"), mend)
    };
    TOOLS.iter().map(look).collect()
}

/// The tools, and which Vagrant it is.
pub(super) async fn look_closely(host: &Host, cancel: &CancellationToken) -> Vec<Finding> {
    let mut findings = look(host);
    let vagrant = findings.iter_mut().find(|finding| finding.part == "vagrant" && !finding.hinders());
    if let Some(vagrant) = vagrant {
        *vagrant = match vagrant_release(host, cancel).await {
            Some(release) => Finding::here("vagrant", format!("Vagrant {release}")),
            None => {
                let found = "`vagrant --version` names no version";
                Finding::new("vagrant", Standing::Unusable, found, "see what it says, and install Vagrant again")
            }
        };
    }
    findings
}

/// Which Vagrant it is, if there is one that answers, as `Vagrant 2.3.4`.
pub(super) async fn vagrant_release(host: &Host, cancel: &CancellationToken) -> Option<Release> {
    if !host.has("vagrant") {
        return None;
    }
    let said = host.ask("vagrant", &["--version"], cancel).await.ok()?.stdout;
    said.lines().find_map(|line| Release::parse(line.trim().strip_prefix("Vagrant ")?))
}

/// Whether the processor can run virtual machines by itself, and the firmware lets it.
pub(super) fn virtualisation(host: &Host) -> Option<Finding> {
    let cpus = host.read("/proc/cpuinfo")?;
    let flags = cpus.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let part = "processor";
    if has("vmx") || has("svm") {
        return Some(Finding::here(part, "it has virtualisation"));
    }
    let mend = if has("hypervisor") {
        "this host is a virtual machine itself: switch nested virtualisation on at its hypervisor"
    } else {
        "switch it on in the firmware's settings (BIOS), where it is called VT-x or Virtualization Technology (Intel), \
         AMD-V or SVM (AMD)"
    };
    let found = "the processor's virtualisation is switched off or not there (no vmx or svm in /proc/cpuinfo)";
    Some(Finding::new(part, Standing::Missing, found, mend))
}
