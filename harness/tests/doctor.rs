//! What is found out about hosts that are made up: tools of any version on their PATH, files below a folder of their own.
//!
//! What the tools answer is written after their documentation and sources, not recorded.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use quorate::machine::doctor::{self, Examination};
use quorate::machine::finding::{Finding, Standing};
use quorate::machine::host::Host;
use quorate::machine::provider;
use quorate::scenario::{LoadOptions, Topology, topology_of};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A host that is made up.
struct Fake(TempDir);

impl Fake {
    /// A host with the basic tools, and Vagrant of a version.
    fn new(vagrant: &str) -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        fake.tool(
            "vagrant",
            &format!("case $1 in --version) echo Vagrant {vagrant} ;; plugin) echo 'No plugins installed.' ;; esac"),
        );
        for tool in ["ssh", "ssh-keygen", "setpriv"] {
            fake.tool(tool, "exit 1");
        }
        fake.tool("ip", r#"echo '[{"dst":"default","dev":"eth0"},{"dst":"192.0.2.0/24","dev":"eth0"}]'"#);
        fake.file("proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 8388608 kB\n");
        fake.file("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme sse2 vmx aes\n");
        fake.file("proc/sys/kernel/osrelease", "6.1.0-38-amd64\n");
        fake
    }

    /// A host with all that VirtualBox of a version needs.
    fn virtualbox(vagrant: &str, virtualbox: &str) -> Self {
        let fake = Self::new(vagrant);
        fake.manage(virtualbox, "");
        for file in ["dev/vboxdrv", "dev/vboxnetctl"] {
            fake.file(file, "");
        }
        fake.file("etc/vbox/networks.conf", "* 172.16.0.0/12\n");
        fake
    }

    fn manage(&self, version: &str, more: &str) {
        self.tool("VBoxManage", &format!("case $1 in --version) echo {version} ;; {more} esac"));
    }

    /// A host with all that libvirt needs.
    fn libvirt() -> Self {
        let fake = Self::new("2.3.4");
        fake.tool(
            "vagrant",
            "case $1 in --version) echo Vagrant 2.3.4 ;; plugin) echo 'vagrant-libvirt (0.11.2, system)' ;; esac",
        );
        fake.virsh("echo 'Running against daemon: 9.0.0'", "echo 'Name: default'; echo 'State:          running'");
        fake.file("dev/kvm", "");
        fake
    }

    fn virsh(&self, version: &str, pool: &str) {
        self.tool("virsh", &format!("case $3 in version) {version} ;; pool-info) {pool} ;; esac"));
    }

    /// A host with all that Docker needs.
    fn docker() -> Self {
        let fake = Self::new("2.3.4");
        fake.tool("docker", "echo 27.5.1");
        fake.tool("unshare", "exit 0");
        for tool in ["debootstrap", "tar", "gcc", "jq", "go", "dpkg", "flock", "apt-get"] {
            fake.tool(tool, "exit 1");
        }
        fake.file("proc/cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t90\t1\nmemory\t0\t90\t1\n");
        fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        fake.file("proc/sys/fs/inotify/max_user_instances", "8192\n");
        fake.file("dev/loop-control", "");
        fake
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("bin")
    }

    fn tool(&self, name: &str, script: &str) {
        std::fs::create_dir_all(self.path()).unwrap();
        let file = self.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn file(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn without(&self, path: &str) {
        std::fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn host(&self) -> Host {
        Host::at(self.0.path(), self.path())
    }

    async fn examine(&self, provider: Option<&str>) -> Examination {
        let cancel = CancellationToken::new();
        let mut examination = doctor::examine(&self.host(), provider, &topology(), &cancel).await.unwrap();
        // What this version of Quorate does not do yet is not the host's.
        for provider in &mut examination.providers {
            provider.findings.retain(|finding| finding.part != "topology");
            provider.usable = !provider.findings.iter().any(Finding::hinders);
        }
        let first = examination.providers.iter().find(|provider| provider.usable).map(|provider| provider.name.clone());
        examination.takes = first.filter(|_| !examination.host.iter().any(Finding::hinders));
        examination
    }

    /// What hinders a provider, and what limits it.
    async fn ails(&self, provider: &str) -> Vec<Finding> {
        let examination = self.examine(Some(provider)).await;
        let findings = examination.host.into_iter().chain(examination.providers.into_iter().flat_map(|it| it.findings));
        findings.filter(|finding| finding.standing != Standing::Here).collect()
    }

    /// Holds when one part alone is not as it should be, and says how to mend it.
    async fn ails_of(&self, provider: &str, part: &str, standing: Standing, mend: &str) {
        let ails = self.ails(provider).await;
        let [finding] = ails.as_slice() else { panic!("expected {part} alone, got {ails:#?}") };
        assert_eq!((finding.part.as_str(), finding.standing), (part, standing), "{finding:?}");
        assert!(finding.mend.as_deref().unwrap_or_default().contains(mend), "expected {mend} in {finding:?}");
    }
}

/// The part that ails, how, how to mend it, and what makes it ail.
type Case<'a> = (&'static str, Standing, &'static str, &'a dyn Fn(&Fake));

fn topology() -> Topology {
    topology_of(None, &LoadOptions::default()).unwrap()
}

#[tokio::test]
async fn hosts_with_everything_are_found_usable() {
    for (fake, provider) in [
        (Fake::virtualbox("2.2.7", "6.1.50r161033"), "virtualbox"),
        (Fake::virtualbox("2.3.4", "7.0.20r163906"), "virtualbox"),
        (Fake::virtualbox("2.4.2", "7.1.4r165100"), "virtualbox"),
        (Fake::virtualbox("2.4.9", "7.2.0r170228"), "virtualbox"),
        (Fake::libvirt(), "libvirt"),
    ] {
        assert_eq!(fake.ails(provider).await, [], "{provider}");
        assert_eq!(fake.examine(None).await.takes.as_deref(), Some(provider));
    }
    Fake::docker().ails_of("docker", "skew-clock", Standing::Limited, "virtual machines").await;
}

#[tokio::test]
async fn a_vagrant_that_does_not_know_the_virtualbox_is_too_old() {
    for (vagrant, virtualbox, needed) in [
        ("2.2.6", "6.1.28r147628", "2.2.7"),
        ("2.3.1", "7.0.6r155176", "2.3.2"),
        ("2.3.4", "7.1.0r164728", "2.4.2"),
        ("2.4.1", "7.1.4_Ubuntur165100", "2.4.2"),
        ("2.4.7", "7.2.0r170228", "2.4.9"),
    ] {
        let fake = Fake::virtualbox(vagrant, virtualbox);
        fake.ails_of("virtualbox", "Vagrant", Standing::TooOld, &format!("install Vagrant {needed} or newer")).await;
    }
    Fake::virtualbox("2.4.9", "7.3.0r180000")
        .ails_of("virtualbox", "VirtualBox", Standing::Limited, "newer Quorate")
        .await;
    Fake::virtualbox("2.4.9", "6.0.24r139119")
        .ails_of("virtualbox", "VirtualBox", Standing::TooOld, "6.1 or newer")
        .await;
}

#[tokio::test]
async fn what_virtualbox_lacks_is_named_one_by_one() {
    let fake = || Fake::virtualbox("2.4.9", "7.0.20r163906");
    let (missing, unusable, conflict) = (Standing::Missing, Standing::Unusable, Standing::Conflict);
    let cases: [Case<'_>; 12] = [
        ("vagrant", missing, "apt-get install", &|fake| fake.without("bin/vagrant")),
        ("ssh", missing, "openssh-client", &|fake| fake.without("bin/ssh")),
        ("VirtualBox", missing, "virtualbox.org", &|fake| fake.without("bin/VBoxManage")),
        ("VirtualBox", unusable, "install VirtualBox again", &|fake| fake.manage("no version at all", "")),
        ("vboxdrv", unusable, "`modprobe vboxdrv`", &|fake| fake.without("dev/vboxdrv")),
        ("vboxnetadp", unusable, "`modprobe vboxnetadp`", &|fake| fake.without("dev/vboxnetctl")),
        ("host-only network", conflict, "add the line `* 172.27.11.0/24`", &|fake| {
            fake.without("etc/vbox/networks.conf");
        }),
        ("memory", unusable, "`memory` in the topology", &|fake| {
            fake.file("proc/meminfo", "MemAvailable: 4194304 kB\n");
        }),
        ("processor", missing, "VT-x", &|fake| fake.file("proc/cpuinfo", "flags\t\t: fpu sse2\n")),
        ("processor", missing, "nested", &|fake| fake.file("proc/cpuinfo", "flags\t\t: fpu hypervisor\n")),
        ("network", conflict, "--network", &|fake| fake.tool("ip", r#"echo '[{"dst":"172.27.0.0/16","dev":"tun0"}]'"#)),
        ("network", unusable, "ip -json route", &|fake| fake.tool("ip", "echo what")),
    ];
    for (part, standing, mend, harm) in cases {
        let fake = fake();
        harm(&fake);
        fake.ails_of("virtualbox", part, standing, mend).await;
    }
}

#[tokio::test]
async fn kvm_and_virtualbox_want_the_same_processor() {
    let host = |kernel: &str, at_load: Option<&str>, users: &str, virtualbox: &str| {
        let fake = Fake::virtualbox("2.4.9", virtualbox);
        fake.file("proc/sys/kernel/osrelease", kernel);
        fake.file("sys/module/kvm_amd/refcnt", users);
        if let Some(set) = at_load {
            fake.file("sys/module/kvm/parameters/enable_virt_at_load", set);
        }
        fake
    };
    let (conflict, limited) = (Standing::Conflict, Standing::Limited);
    for (fake, expected) in [
        (host("6.1.0-38-amd64\n", None, "0\n", "7.0.20r1"), None),
        (host("6.1.0-38-amd64\n", None, "3\n", "7.0.20r1"), Some((conflict, "virsh list"))),
        (host("6.12.0-1-amd64\n", Some("Y\n"), "0\n", "7.1.4r1"), Some((conflict, "kvm.enable_virt_at_load=0"))),
        (host("6.12.0-1-amd64\n", None, "0\n", "7.1.4r1"), Some((conflict, "modprobe -r kvm_amd kvm"))),
        (host("6.12.0-1-amd64\n", Some("N\n"), "0\n", "7.1.4r1"), None),
        (host("6.16.0-1-amd64\n", Some("Y\n"), "0\n", "7.1.4r1"), Some((conflict, "modprobe -r kvm_amd kvm"))),
        (host("6.16.0-1-amd64\n", Some("Y\n"), "0\n", "7.2.0r1"), Some((limited, "VERR_SVM_IN_USE"))),
    ] {
        match expected {
            None => assert_eq!(fake.ails("virtualbox").await, []),
            Some((standing, mend)) => fake.ails_of("virtualbox", "KVM", standing, mend).await,
        }
    }
}

#[tokio::test]
async fn machines_of_earlier_runs_that_need_a_hand_are_named() {
    let fake = Fake::virtualbox("2.4.9", "7.0.20r163906");
    let list =
        r#"list) echo '"<inaccessible>" {57d4-a}'; echo '"quorate-1-master1" {57d4-b}'; echo '"mine" {57d4-c}' ;;"#;
    fake.manage(
        "7.0.20r163906",
        &format!(r#"{list} showvminfo) echo 'VMState="aborted"'; echo 'SessionName="headless"' ;;"#),
    );
    let ails = fake.ails("virtualbox").await;
    let told: Vec<_> = ails.iter().map(|finding| finding.mend.as_deref().unwrap()).collect();
    assert!(ails.iter().all(|finding| finding.standing == Standing::Limited), "{ails:?}");
    assert_eq!(
        told,
        ["`VBoxManage unregistervm 57d4-a`", "end that process (`pgrep -fa quorate-1-master1`), then `quorate clean`"]
    );
}

#[tokio::test]
async fn what_libvirt_lacks_is_named_one_by_one() {
    let (missing, unusable, limited) = (Standing::Missing, Standing::Unusable, Standing::Limited);
    let well = "echo 'Using library: libvirt 9.0.0'";
    let cases: [Case<'_>; 9] = [
        ("libvirt", missing, "libvirt-daemon-system", &|fake| fake.without("bin/virsh")),
        ("libvirt", unusable, "systemctl start libvirtd", &|fake| fake.virsh("echo no socket >&2; exit 1", "true")),
        ("libvirt", unusable, "--groups libvirt", &|fake| fake.virsh("echo Permission denied >&2; exit 1", "true")),
        ("storage pool", unusable, "pool-start default", &|fake| fake.virsh(well, "echo 'State:  inactive'")),
        ("storage pool", limited, "pool-create-as default", &|fake| fake.virsh(well, "exit 1")),
        ("KVM", limited, "modprobe kvm_intel", &|fake| fake.without("dev/kvm")),
        ("KVM", limited, "nested virtualisation", &|fake| fake.file("proc/cpuinfo", "flags\t\t: fpu hypervisor\n")),
        ("memory", unusable, "memory", &|fake| fake.file("proc/meminfo", "MemAvailable: 1024 kB\n")),
        ("vagrant-libvirt", missing, "vagrant plugin install", &|fake| {
            fake.tool("vagrant", "case $1 in --version) echo Vagrant 2.3.4 ;; *) echo 'No plugins installed.' ;; esac");
        }),
    ];
    for (part, standing, mend, harm) in cases {
        let fake = Fake::libvirt();
        harm(&fake);
        fake.ails_of("libvirt", part, standing, mend).await;
    }
}

#[tokio::test]
async fn what_docker_lacks_is_named_one_by_one() {
    let (missing, unusable, limited) = (Standing::Missing, Standing::Unusable, Standing::Limited);
    let cases: [Case<'_>; 10] = [
        ("docker", missing, "apt-get install", &|fake| fake.without("bin/docker")),
        ("docker", unusable, "start it", &|fake| fake.tool("docker", "echo Cannot connect >&2; exit 1")),
        ("docker", unusable, "--groups docker", &|fake| {
            fake.tool("docker", "echo dial unix: permission denied >&2; exit 1");
        }),
        ("docker", Standing::TooOld, "20.10 or newer", &|fake| fake.tool("docker", "echo 19.03.15")),
        ("control groups", missing, "cgroup_enable=memory", &|fake| {
            fake.without("proc/cgroups");
            fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n");
        }),
        ("memory", limited, "`quorate ls`", &|fake| fake.file("proc/meminfo", "MemAvailable: 4194304 kB\n")),
        ("inotify", limited, "max_user_instances=1024", &|fake| {
            fake.file("proc/sys/fs/inotify/max_user_instances", "128\n");
        }),
        ("fill-disk", limited, "module loop", &|fake| fake.without("dev/loop-control")),
        ("slow-disk", limited, "`io`", &|fake| {
            fake.file("sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory pids\n");
        }),
        ("building", limited, "install --no-install-recommends golang-go jq", &|fake| {
            fake.without("bin/go");
            fake.without("bin/jq");
        }),
    ];
    for (part, standing, mend, harm) in cases {
        let fake = Fake::docker();
        harm(&fake);
        let mut ails = fake.ails("docker").await;
        ails.retain(|finding| finding.part != "skew-clock");
        let [finding] = ails.as_slice() else { panic!("expected {part} alone, got {ails:#?}") };
        assert_eq!((finding.part.as_str(), finding.standing), (part, standing), "{finding:?}");
        assert!(finding.mend.as_deref().unwrap_or_default().contains(mend), "expected {mend} in {finding:?}");
    }
}

#[tokio::test]
async fn a_person_reads_how_it_is_with_a_host() {
    let bare = Fake(tempfile::tempdir().unwrap());
    insta::assert_snapshot!("bare", bare.examine(None).await);
    insta::assert_snapshot!("docker", Fake::docker().examine(None).await);
    let old = Fake::virtualbox("2.3.4", "7.1.4r165100");
    old.without("etc/vbox/networks.conf");
    old.without("dev/vboxdrv");
    old.file("proc/meminfo", "MemAvailable: 3145728 kB\n");
    old.file("proc/sys/kernel/osrelease", "6.12.6-amd64\n");
    old.file("sys/module/kvm_intel/refcnt", "0\n");
    insta::assert_snapshot!("old", old.examine(Some("virtualbox")).await);
    let emulated = Fake::libvirt();
    emulated.without("dev/kvm");
    insta::assert_snapshot!("emulated", emulated.examine(Some("libvirt")).await);
}

#[tokio::test]
async fn a_run_is_hindered_by_the_same_before_a_machine_is_made() {
    let fake = Fake::virtualbox("2.3.4", "7.1.4r165100");
    fake.without("etc/vbox/networks.conf");
    let choice = provider::choose_at(&fake.host(), Some("virtualbox"), &topology(), &CancellationToken::new()).await;
    let said = choice.unwrap_err().to_string();
    for words in ["Vagrant 2.3.4 does not know VirtualBox 7.1", "add the line `* 172.27.11.0/24`"] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let fake = Fake::docker();
    let cancel = CancellationToken::new();
    assert_eq!(provider::choose_at(&fake.host(), None, &topology(), &cancel).await.unwrap().provider.name(), "docker");
    fake.without("bin/vagrant");
    let error = provider::choose_at(&fake.host(), None, &topology(), &cancel).await.unwrap_err().to_string();
    assert!(error.starts_with("vagrant is not on the PATH") && error.contains("mend it: install it"), "{error}");
}

/// The command itself looks at the host that it is on; its PATH is all that can be made up there.
fn quorate(fake: &Fake, args: &[&str]) -> Output {
    command(fake, args).output().unwrap()
}

fn command(fake: &Fake, args: &[&str]) -> Command {
    let system = fake.0.path().join("system");
    std::fs::create_dir_all(&system).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let setpriv =
        std::env::split_paths(&path).map(|folder| folder.join("setpriv")).find(|file| file.is_file()).unwrap();
    std::fs::remove_file(fake.path().join("setpriv")).ok();
    std::fs::copy(setpriv, fake.path().join("setpriv")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(args).env("PATH", fake.path()).env("QUORATE_STATE", fake.0.path().join("state"));
    command.env_remove("QUORATE_PROVIDER").env_remove("QUORATE_NETWORK").env_remove("LIBVIRT_DEFAULT_URI");
    command
}

#[test]
fn the_command_says_by_its_exit_code_whether_a_run_can_begin() {
    let fake = Fake::docker();
    fake.tool("docker", "echo Cannot connect >&2; exit 1");
    let output = quorate(&fake, &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = quorate(&fake, &["schema", "doctor"]).stdout;
    let validator = jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap();
    assert_eq!(validator.iter_errors(&said).map(|error| error.to_string()).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(said["takes"], serde_json::Value::Null);
    assert_eq!(quorate(&fake, &["doctor", "--provider", "dokcer"]).status.code(), Some(2));
    assert_eq!(quorate(&fake, &["doctor", "no-such-file.yaml"]).status.code(), Some(2));
}

#[test]
fn another_hosts_libvirt_is_asked_for_what_is_there() {
    let fake = Fake::libvirt();
    let said = |kvm: &str| {
        let answers = format!(
            "case $3 in version) echo 'Running against daemon: 9.0.0' ;; pool-info) echo 'State: running' ;; \
             domcapabilities) {kvm} ;; capabilities) echo \"<feature name='vmx'/>\" ;; \
             nodememstats) echo 'free : 1048576 KiB'; echo 'cached : 1048576 KiB' ;; esac"
        );
        fake.tool("virsh", &format!("[ $2 = qemu+ssh://root@vm-host/system ] || exit 1; {answers}"));
        let args = ["doctor", "--provider", "libvirt", "--network", "172.27.91.0/24"];
        let output = command(&fake, &args).env("LIBVIRT_DEFAULT_URI", "qemu+ssh://root@vm-host/system").output();
        let output = output.unwrap();
        // Two gigabytes are too little for four machines, and nobody has made a route.
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let with = said("true");
    for words in ["vm-host has KVM", "2.0 GiB of vm-host's memory is free", "this host has no route to 172.27.91.0/24"]
    {
        assert!(with.contains(words), "{words} is not in {with}");
    }
    let without = said("exit 1");
    assert!(without.contains("vm-host has no KVM") && without.contains("virt-host-validate qemu"), "{without}");
}

#[test]
fn a_run_that_cannot_begin_makes_no_machine() {
    let fake = Fake::virtualbox("2.3.4", "7.1.4r165100");
    let calls = fake.0.path().join("calls");
    fake.tool("vagrant", &format!("echo \"$@\" >> {}; echo Vagrant 2.3.4", calls.display()));
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/kill-master2.yaml");
    let output = quorate(&fake, &["run", "--provider", "virtualbox", scenario.to_str().unwrap()]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("Vagrant 2.3.4 does not know VirtualBox 7.1"), "{said}");
    assert_eq!(std::fs::read_to_string(calls).unwrap(), "--version\n");
}
