//! Commands in a machine, over one multiplexed ssh connection that OpenSSH keeps open between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{Command, ProcessError};

/// Where the ssh server of a machine is reached, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, who may use sudo without a password.
    pub user: String,
    /// The private key.
    pub key: PathBuf,
    /// The command that leads there, where nothing else does: OpenSSH's `ProxyCommand`.
    pub proxy: Option<String>,
}

/// A way into one machine.
#[derive(Debug, Clone)]
pub struct Ssh {
    endpoint: Endpoint,
    socket: PathBuf,
    known_hosts: PathBuf,
}

impl Ssh {
    /// A way to `endpoint`; `sockets` is a short folder for the shared connection, since a socket's path is at most 108 bytes long.
    pub fn new(endpoint: Endpoint, sockets: &Path, machine: &str, known_hosts: PathBuf) -> Self {
        Self { endpoint, socket: sockets.join(machine), known_hosts }
    }

    /// A configuration file of OpenSSH for this way, for people and for `quorate ssh`.
    pub fn config(&self, machine: &str) -> String {
        let Endpoint { host, port, user, key, proxy } = &self.endpoint;
        let (key, known_hosts) = (key.display(), self.known_hosts.display());
        let proxy = proxy.as_ref().map(|command| format!("  ProxyCommand {command}\n")).unwrap_or_default();
        format!(
            "Host {machine}\n  HostName {host}\n  Port {port}\n  User {user}\n  IdentityFile \"{key}\"\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile \"{known_hosts}\"\n  StrictHostKeyChecking accept-new\n  LogLevel ERROR\n{proxy}"
        )
    }

    /// The options that every use of this way needs.
    fn options(&self) -> Vec<String> {
        let option = |name: &str, value: String| [String::from("-o"), format!("{name}={value}")];
        [
            option("ControlMaster", "auto".into()),
            option("ControlPath", self.socket.display().to_string()),
            option("ControlPersist", "60".into()),
            option("BatchMode", "yes".into()),
            option("ConnectTimeout", "5".into()),
            option("ServerAliveInterval", "3".into()),
            option("ServerAliveCountMax", "3".into()),
            option("IdentitiesOnly", "yes".into()),
            option("IdentityFile", self.endpoint.key.display().to_string()),
            option("StrictHostKeyChecking", "accept-new".into()),
            option("UserKnownHostsFile", self.known_hosts.display().to_string()),
            option("LogLevel", "ERROR".into()),
            option("Port", self.endpoint.port.to_string()),
            option("User", self.endpoint.user.clone()),
            option("ProxyCommand", self.endpoint.proxy.clone().unwrap_or_else(|| "none".into())),
        ]
        .concat()
    }

    /// A command line in the machine, as root. Each argument arrives as it is given.
    pub fn command<I: IntoIterator<Item = S>, S: AsRef<str>>(&self, words: I) -> Command {
        let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        let quoted = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
        Command::new("ssh").args(self.options()).arg(&self.endpoint.host).arg("--").arg(format!("sudo -n {quoted}"))
    }

    /// A bash script in the machine, as root, with arguments.
    pub fn script(&self, script: &str, args: &[&str]) -> Command {
        let words = ["bash", "-s", "--"].into_iter().chain(args.iter().copied());
        self.command(words).stdin(script)
    }

    /// Waits until the machine lets one in. The machine may be booting, so refused connections are tried again.
    pub async fn wait(&self, deadline: Duration, cancel: &CancellationToken) -> Result<(), ProcessError> {
        let started = std::time::Instant::now();
        loop {
            let attempt = self.command(["true"]).deadline(Duration::from_secs(10)).run_async(cancel).await;
            match attempt {
                Err(ProcessError::Status { .. } | ProcessError::Deadline { .. }) if started.elapsed() < deadline => {
                    self.forget();
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                other => return other.map(drop),
            }
        }
    }

    /// Ends the shared connection, in case there is one.
    pub async fn close(&self) {
        if self.socket.exists() {
            let exit = Command::new("ssh").args(["-O", "exit"]).args(self.options()).arg(&self.endpoint.host);
            let ended = exit.deadline(Duration::from_secs(3)).run_async(&CancellationToken::new()).await;
            if let Err(error) = ended {
                tracing::debug!(%error, "the shared connection did not end when asked");
            }
        }
        self.forget();
    }

    /// Drops the shared connection without asking it: the machine at its other end is gone.
    fn forget(&self) {
        if let Err(error) = std::fs::remove_file(&self.socket)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(%error, "the socket of a shared connection stays");
        }
    }
}
