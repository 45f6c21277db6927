//! What keeps libvirt from working on a host, found before a machine is made: its tool, Vagrant's plugin, its daemon,
//! the storage pool of the machines' disks, hardware virtualisation, and memory.

use tokio_util::sync::CancellationToken;

use super::site::{CAPABILITIES, KVM, ask, other_host, uri, virtualises};
use crate::machine::finding::{Finding, Needs, Standing};
use crate::machine::host::Host;
use crate::machine::memory::{self, Taken};
use crate::machine::tools;

/// What it means that there is no KVM.
const EMULATED: &str = "machines are emulated by software, some twenty times slower: a cluster takes ten minutes and more to come up, and bounds of time do not hold";
/// Vagrant's plugin for libvirt.
const PLUGIN: &str = "vagrant-libvirt";

/// All that is to be said about libvirt on a host.
pub(super) async fn look(host: &Host, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
    if !host.has("virsh") {
        let mend = "install libvirt, as with `apt-get install libvirt-daemon-system libvirt-clients qemu-system-x86 vagrant-libvirt`";
        return vec![Finding::new("libvirt", Standing::Missing, "virsh is not on the PATH", mend)];
    }
    let daemon = daemon(host, cancel).await;
    let answers = !daemon.hinders();
    let mut findings = vec![daemon];
    if answers {
        findings.push(pool(host, cancel).await);
    }
    findings.extend(plugin(host, cancel).await);
    match other_host(&uri()) {
        None => {
            findings.push(kvm(host));
            findings.extend(needs.and_then(|needs| memory::look(host, needs, Taken::Whole)));
        }
        // What cannot be asked of it is not known.
        Some(other) if answers => findings.extend(elsewhere(host, other, needs, cancel).await),
        Some(_) => {}
    }
    findings
}

/// What is to be said about another host, where the machines are made.
async fn elsewhere(host: &Host, other: &str, needs: Option<&Needs>, cancel: &CancellationToken) -> Vec<Finding> {
    let part = "KVM";
    let (kvm, capabilities) = futures::join!(ask(host, &KVM, cancel), ask(host, &CAPABILITIES, cancel));
    let kvm = match kvm.and(capabilities) {
        Ok(capabilities) if virtualises(&capabilities.stdout) => Finding::here(part, format!("{other} has KVM")),
        _ => {
            let found = format!("{other} has no KVM: {EMULATED}");
            Finding::new(part, Standing::Limited, found, format!("see `virt-host-validate qemu` on {other}"))
        }
    };
    let mut findings = vec![kvm];
    if let Some(needs) = needs {
        let statistics = ask(host, &["nodememstats"], cancel).await;
        let free = statistics.ok().and_then(|output| free(&output.stdout));
        findings.extend(free.map(|free| memory::judge(free, &format!("{other}'s"), needs, Taken::Whole)));
    }
    findings
}

/// Bytes that can be had without swapping, as `virsh nodememstats` says: lines such as `free   :   1234 KiB`.
fn free(statistics: &str) -> Option<u64> {
    let value = |key: &str| {
        let mut lines = statistics.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
        value.trim().strip_suffix("KiB")?.trim().parse::<u64>().ok()
    };
    Some((value("free")? + value("cached").unwrap_or_default() + value("buffers").unwrap_or_default()) * 1024)
}

async fn daemon(host: &Host, cancel: &CancellationToken) -> Finding {
    let part = "libvirt";
    let error = match ask(host, &["version", "--daemon"], cancel).await {
        Ok(output) => {
            return Finding::here(part, read_version(&output.stdout).unwrap_or("its daemon answers").to_owned());
        }
        Err(error) => error,
    };
    let said = error.tail().join(" ");
    if said.contains("Permission denied") || said.contains("authentication") {
        let mend = "join its group and log in again: `sudo usermod --append --groups libvirt $USER`";
        return Finding::new(
            part,
            Standing::Unusable,
            format!("you may not use libvirt's daemon at {}: {said}", uri()),
            mend,
        );
    }
    let mend =
        "start it, as with `systemctl start libvirtd`, or `virtlogd --daemon` and `libvirtd --daemon` without systemd";
    let why = if said.is_empty() { error.to_string() } else { said };
    Finding::new(part, Standing::Unusable, format!("libvirt's daemon does not answer at {}: {why}", uri()), mend)
}

/// The line `Running against daemon: 9.0.0` or, from older ones, `Using library: libvirt 9.0.0`.
fn read_version(said: &str) -> Option<&str> {
    let line = |start| said.lines().map(str::trim).find(|line: &&str| line.starts_with(start));
    line("Running against daemon:").or_else(|| line("Using library:"))
}

/// The pool named default. Vagrant's plugin makes one where there is none, but does not start one that is stopped.
async fn pool(host: &Host, cancel: &CancellationToken) -> Finding {
    let part = "storage pool";
    let Ok(output) = ask(host, &["pool-info", "default"], cancel).await else {
        let mend = format!(
            "where that fails: `virsh --connect {} pool-create-as default dir --target /var/lib/libvirt/images`",
            uri()
        );
        let found = "there is no storage pool `default`; Vagrant makes it with the first machine";
        return Finding::new(part, Standing::Limited, found, mend);
    };
    let state = output.stdout.lines().find_map(|line| line.trim().strip_prefix("State:")).map(str::trim);
    match state {
        Some("running") => Finding::here(part, "the pool `default` is active"),
        state => {
            let found = format!("the storage pool `default` is {}", state.unwrap_or("in no known state"));
            let uri = uri();
            let mend =
                format!("`virsh --connect {uri} pool-start default && virsh --connect {uri} pool-autostart default`");
            Finding::new(part, Standing::Unusable, found, mend)
        }
    }
}

/// The plugin, as `vagrant plugin list` names it: `vagrant-libvirt (0.11.2, system)`.
async fn plugin(host: &Host, cancel: &CancellationToken) -> Option<Finding> {
    if !host.has("vagrant") {
        return None;
    }
    let mend = "install it, as with `apt-get install vagrant-libvirt` beside Debian's Vagrant or `vagrant plugin install vagrant-libvirt`";
    let listed = match host.ask("vagrant", &["plugin", "list"], cancel).await {
        Ok(output) => output.stdout,
        Err(error) => return Some(Finding::new(PLUGIN, Standing::Unusable, error.to_string(), mend)),
    };
    let version = listed.lines().find_map(|line| line.trim().strip_prefix(PLUGIN)?.trim().strip_prefix('('));
    Some(match version {
        Some(version) => {
            Finding::here(PLUGIN, format!("{PLUGIN} {}", version.split([',', ')']).next().unwrap_or_default()))
        }
        None => Finding::new(PLUGIN, Standing::Missing, format!("Vagrant has no plugin {PLUGIN}"), mend),
    })
}

/// Without KVM, software takes the processor's part, some twenty times slower.
fn kvm(host: &Host) -> Finding {
    let part = "KVM";
    let processor = tools::virtualisation(host).filter(Finding::hinders);
    let found = match (host.has_file("/dev/kvm"), &processor) {
        (true, None) => return Finding::here(part, "there is /dev/kvm"),
        // As with a KVM that pages for its guests (kvm_pvm): the device is there, and boots kernels that know of it.
        (true, Some(_)) => {
            "there is /dev/kvm, but the processor has no virtualisation (no vmx or svm in /proc/cpuinfo)"
        }
        (false, _) => "there is no /dev/kvm",
    };
    let found = format!("{found}: {EMULATED}");
    let mend = match processor.and_then(|finding| finding.mend) {
        Some(mend) => mend,
        None => "`modprobe kvm_intel` or `modprobe kvm_amd`".into(),
    };
    Finding::new(part, Standing::Limited, found, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_another_host_is_read_from_what_virsh_prints() {
        let printed = "total  :             24683536 KiB\nfree   :                 1000 KiB\nbuffers:                   20 KiB\n\
                       cached :                    4 KiB\n\n";
        assert_eq!(free(printed), Some(1024 * 1024));
        assert_eq!(free("total: 1 KiB\n"), None);
    }
}
