//! What is on the host: containers, networks and processes, seen without Quorate's help, and things put in its way.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use rustix::process::Pid;

/// What a program prints. It must succeed.
///
/// # Panics
/// If it does not.
pub fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started, which this test needs: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {}\n{said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The networks that this host has routes into, but for the default.
pub fn routes() -> Vec<Ipv4Net> {
    let routes: Vec<serde_json::Value> =
        serde_json::from_str(&output("ip", &["-json", "-4", "route", "show"])).unwrap();
    routes.iter().filter_map(|route| route["dst"].as_str()?.parse().ok()).collect()
}

/// The containers and networks of docker that carry a run's label.
pub fn labelled(label: &str) -> Vec<String> {
    let mut all = containers(label);
    let filter = format!("label=quorate.run={label}");
    all.extend(
        output("docker", &["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]).lines().map(str::to_owned),
    );
    all
}

/// The containers of docker that carry a run's label.
pub fn containers(label: &str) -> Vec<String> {
    let filter = format!("label=quorate.run={label}");
    let listed = output("docker", &["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]);
    listed.lines().map(str::to_owned).collect()
}

/// The processes of this user that were started, at whatever remove, by a command with this state folder.
pub fn processes_with_state(state: &Path) -> Vec<String> {
    let found = processes_with(&format!("QUORATE_STATE={}", state.display()));
    found.into_iter().map(|(process, line)| format!("{process}: {line}")).collect()
}

/// The processes of this user that have this variable, with their command lines.
pub fn processes_with(variable: &str) -> Vec<(Pid, String)> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let found = processes.filter(|process| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    });
    let line = |process: PathBuf| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let id = Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?)?;
        // A process that has ended and was not waited for has no command line.
        (!line.is_empty()).then(|| (id, String::from_utf8_lossy(&line).replace('\0', " ")))
    };
    found.filter_map(line).collect()
}

/// What a provider's own tool, and not Quorate, sees of a run on this host.
#[derive(Debug)]
pub struct Traces {
    provider: String,
    prefix: String,
    /// Volumes of docker have no names that tell whose they are.
    volumes: Vec<String>,
}

impl Traces {
    /// The traces of the run with this prefix, and what belongs to its machines as they are now.
    pub fn of(provider: &str, prefix: &str) -> Self {
        let volumes = if provider == "docker" { volumes(prefix) } else { Vec::new() };
        Self { provider: provider.to_owned(), prefix: prefix.to_owned(), volumes }
    }

    /// What is looked for.
    pub fn what(&self) -> &'static str {
        match self.provider.as_str() {
            "docker" => "containers, networks and volumes",
            "libvirt" => "domains, networks and volumes",
            _ => "virtual machines and disks",
        }
    }

    /// What is there.
    pub fn now(&self) -> Vec<String> {
        let named = match self.provider.as_str() {
            "docker" => [
                output("docker", &["ps", "--all", "--format", "{{.Names}}"]),
                output("docker", &["network", "ls", "--format", "{{.Name}}"]),
            ]
            .concat(),
            "libvirt" => {
                [["list", "--all", "--name"].as_slice(), &["net-list", "--all", "--name"], &["vol-list", "default"]]
                    .map(|list| output("virsh", &[&["--connect", &quorate::machine::libvirt::uri()], list].concat()))
                    .concat()
            }
            _ => [["list", "vms"], ["list", "hdds"]].map(|list| output("VBoxManage", &list)).concat(),
        };
        let named = named.lines().filter_map(|line| line.split_whitespace().find(|word| word.contains(&self.prefix)));
        let mut all: Vec<String> = named.map(str::to_owned).collect();
        if !self.volumes.is_empty() {
            let volumes = output("docker", &["volume", "ls", "--quiet"]);
            all.extend(
                volumes.lines().filter(|volume| self.volumes.iter().any(|ours| ours == volume)).map(str::to_owned),
            );
        }
        all
    }
}

/// The volumes of a run's containers.
fn volumes(label: &str) -> Vec<String> {
    let containers = containers(label);
    if containers.is_empty() {
        return Vec::new();
    }
    let format = "{{range .Mounts}}{{.Name}}\n{{end}}";
    let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
    let mounts = output("docker", &[["inspect", "--format", format].as_slice(), &containers].concat());
    mounts.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Waits until something is so.
///
/// # Panics
/// If it is not so in time.
pub fn eventually(what: &str, within: Duration, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where a program of the PATH lies.
///
/// # Panics
/// If there is none: a test that needs it has not run.
pub fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{program} is not on the PATH, and this test needs it"))
}

/// A PATH with a script of `tests/fixtures` before all else, under the name of another program.
pub fn path_with(folder: &Path, program: &str, script: &str) -> std::ffi::OsString {
    let bin = folder.join(script).with_extension("bin");
    std::fs::create_dir(&bin).unwrap();
    let placed = bin.join(program);
    std::fs::copy(super::fixture(script), &placed).unwrap();
    std::fs::set_permissions(&placed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path))).unwrap()
}

/// A PATH that has all that the host's has, but for one program.
pub fn path_without(folder: &Path, program: &str) -> std::ffi::OsString {
    let bin = folder.join(format!("without-{program}"));
    std::fs::create_dir(&bin).unwrap();
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if file.file_name() != program {
                // The first of a name is the one that counts.
                let _ = symlink(file.path(), bin.join(file.file_name()));
            }
        }
    }
    bin.into()
}

/// A container or network of docker that is nobody's, until it is dropped.
#[derive(Debug)]
pub struct Foreign {
    kind: &'static str,
    name: String,
}

impl Foreign {
    /// A network on a subnet.
    pub fn network(subnet: &str) -> Self {
        let name = format!("quorate-test-{}", std::process::id());
        output("docker", &["network", "create", "--subnet", subnet, &name]);
        Self { kind: "network", name }
    }

    /// A container that was never started.
    pub fn container(image: &str) -> Self {
        let name = format!("quorate-test-{}", std::process::id());
        output("docker", &["create", "--name", &name, image, "true"]);
        Self { kind: "container", name }
    }

    /// A container of this name that somebody else makes.
    pub fn made_elsewhere(name: String) -> Self {
        Self { kind: "container", name }
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        Command::new("docker")
            .args([self.kind, "inspect", &self.name])
            .output()
            .is_ok_and(|output| output.status.success())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = Command::new("docker").args([self.kind, "rm", &self.name]).output();
    }
}

/// A small file system in memory, until it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of so many MiB. Needs root.
    pub fn mount(mebibytes: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("quorate-disk-").tempdir().unwrap();
        let (size, at) = (format!("size={mebibytes}m"), folder.path().to_str().unwrap());
        output("mount", &["-t", "tmpfs", "-o", &size, "quorate-test", at]);
        Self { folder }
    }

    /// Where it is mounted.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes until not one more byte fits.
    pub fn fill(&self) -> PathBuf {
        use std::io::Write;
        let path = self.folder().join("fill");
        let mut file = std::fs::File::create(&path).unwrap();
        for block in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![b'x'; block]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}
