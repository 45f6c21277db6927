//! What every provisioning step works with: the machines, the log, and the way a step is run and reported.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::artifact::{Calico, Kubernetes};
use crate::cluster::{Access, AccessError};
use crate::event::{Phase, SpanId, Verdict};
use crate::machine::{Fleet, MachineError};
use crate::process::{Command, Output, ProcessError};
use crate::record::{Recorder, Span, SpanOptions};
use crate::scenario::{Machine, Topology};

/// Makes a cluster out of a run's machines.
#[derive(Debug)]
pub struct Provisioner {
    pub(super) topology: Topology,
    pub(super) fleet: Arc<Fleet>,
    pub(super) kubernetes: Kubernetes,
    pub(super) access: Access,
    pub(super) secrets: Secrets,
    pub(super) recorder: Recorder,
    pub(super) etcd_disk: bool,
    pub(super) bundle: Option<PathBuf>,
    pub(super) calico: Option<Calico>,
    cancel: CancellationToken,
    folder: PathBuf,
}

/// What the machines of a cluster know of each other before they have met.
#[derive(Debug)]
pub(super) struct Secrets {
    /// A bootstrap token in kubeadm's form: six characters, a dot, sixteen.
    pub(super) token: String,
    /// The key that the uploaded certificates are encrypted with: 32 bytes in hexadecimal.
    pub(super) certificate_key: String,
}

/// Everything a [`Provisioner`] is made of.
#[derive(Debug)]
pub struct Part {
    /// The cluster to be made.
    pub topology: Topology,
    /// Its machines.
    pub fleet: Arc<Fleet>,
    /// The Kubernetes that is on them.
    pub kubernetes: Kubernetes,
    /// Where the run's credentials go.
    pub access: Access,
    /// The run's log.
    pub recorder: Recorder,
    /// Whether etcd's data is on a small file system of its own, which can be filled.
    pub etcd_disk: bool,
    /// The archive that machines become fit to be nodes from, where their image does not make them so.
    pub bundle: Option<PathBuf>,
    /// What connects the pods, if a bridge does not.
    pub calico: Option<Calico>,
    /// Ends all steps.
    pub cancel: CancellationToken,
    /// The run's folder.
    pub folder: PathBuf,
}

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{title}{}: {source}", .machine.as_ref().map(|machine| format!(" on {machine}")).unwrap_or_default())]
pub struct ProvisionError {
    /// The step.
    pub title: String,
    /// The machine that it worked on.
    pub machine: Option<String>,
    /// Why it failed.
    pub source: Box<StepError>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A command failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A machine could not be reached.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The cluster's credentials cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The API said no.
    #[error("the API answered: {0}")]
    Kube(#[from] kube::Error),
    /// A file could not be rendered.
    #[error("a template cannot be rendered: {0}")]
    Template(#[from] minijinja::Error),
    /// A file could not be written on this host.
    #[error("{path} cannot be written: {source}{}", crate::paths::remedy(.source), path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be read on this host.
    #[error("{path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{0}")]
    Late(String),
    /// The run was interrupted.
    #[error("was interrupted")]
    Cancelled,
}

impl Provisioner {
    /// A provisioner with secrets of its own.
    pub fn new(part: Part) -> Self {
        let Part { topology, fleet, kubernetes, access, recorder, etcd_disk, bundle, calico, cancel, folder } = part;
        let secrets = Secrets {
            token: format!(
                "{}.{}",
                random(b"abcdefghijklmnopqrstuvwxyz0123456789", 6),
                random(b"abcdefghijklmnopqrstuvwxyz0123456789", 16)
            ),
            certificate_key: random(b"0123456789abcdef", 64),
        };
        Self { topology, fleet, kubernetes, access, secrets, recorder, etcd_disk, bundle, calico, cancel, folder }
    }

    /// Runs a step: announces it, bounds its time, and tells how it ended.
    pub(super) async fn step<T, F>(
        &self,
        title: &str,
        machine: Option<&Machine>,
        after: &[SpanId],
        deadline: Duration,
        work: impl FnOnce(Arc<Span>) -> F,
    ) -> Result<(SpanId, T), ProvisionError>
    where
        F: Future<Output = Result<T, StepError>>,
    {
        let machine = machine.map(|machine| machine.name.to_string());
        let deadline = self.fleet.patience(deadline);
        let options = SpanOptions { machine: machine.as_deref(), after, deadline: Some(deadline), step: None };
        let span = Arc::new(self.recorder.span(Phase::BringUp, title, options));
        let id = span.id();
        let bounded = tokio::time::timeout(deadline, work(Arc::clone(&span)));
        let ended = tokio::select! {
            ended = bounded => ended.unwrap_or(Err(StepError::Late(span.late(deadline)))),
            () = self.cancel.cancelled() => Err(StepError::Cancelled),
        };
        match ended {
            Ok(value) => {
                span.end(Verdict::Passed, None);
                Ok((id, value))
            }
            Err(source) => {
                let verdict =
                    if matches!(source, StepError::Cancelled) { Verdict::Interrupted } else { Verdict::Broken };
                span.end(verdict, Some(source.to_string()));
                Err(ProvisionError { title: title.to_owned(), machine, source: Box::new(source) })
            }
        }
    }

    /// Runs a script on a machine; all that it prints goes to `logs/MACHINE/NAME.log` in the run's folder.
    pub(super) async fn script(
        &self,
        machine: &Machine,
        name: &str,
        script: &str,
        args: &[&str],
        deadline: Duration,
    ) -> Result<Output, StepError> {
        self.keep(machine, &format!("{name}.sh"), script)?;
        let command = self.fleet.ssh(&machine.name)?.script(script, args);
        self.logged(machine, name, command, deadline).await
    }

    /// What a command on a machine prints.
    pub(super) async fn output(&self, machine: &Machine, words: &[&str]) -> Result<String, StepError> {
        let command =
            self.fleet.ssh(&machine.name)?.command(words).label(format!("{} on {}", words.join(" "), machine.name));
        Ok(command.run_async(&self.cancel).await?.stdout)
    }

    /// Puts a file in place on a machine, and a copy of it into the evidence.
    pub(super) async fn upload(
        &self,
        machine: &Machine,
        path: &str,
        mode: &str,
        content: &str,
    ) -> Result<(), StepError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.keep(machine, name, content)?;
        self.write(machine, path, mode, content).await
    }

    /// Puts a file in place on a machine that is no evidence, as a key.
    pub(super) async fn write(
        &self,
        machine: &Machine,
        path: &str,
        mode: &str,
        content: &str,
    ) -> Result<(), StepError> {
        let install = self.fleet.ssh(&machine.name)?.command(["install", "-D", "-m", mode, "/dev/stdin", path]);
        install.stdin(content).label(format!("writing {path} on {}", machine.name)).run_async(&self.cancel).await?;
        Ok(())
    }

    pub(super) async fn logged(
        &self,
        machine: &Machine,
        name: &str,
        command: Command,
        deadline: Duration,
    ) -> Result<Output, StepError> {
        let log = format!("logs/{}/{name}.log", machine.name);
        self.recorder.log_file(&log, "log", Some(machine.name.as_str()));
        let log = self.folder.join(log);
        let deadline = self.fleet.patience(deadline);
        let command = command.label(format!("{name}.sh on {}", machine.name)).deadline(deadline).log(log);
        Ok(command.run_async(&self.cancel).await?)
    }

    fn keep(&self, machine: &Machine, name: &str, content: &str) -> Result<(), StepError> {
        let relative = format!("rendered/{}/{name}", machine.name);
        let secrets = [self.secrets.token.as_str(), self.secrets.certificate_key.as_str()];
        self.recorder.config_file(&relative, Some(machine.name.as_str()), content, &secrets);
        let path = self.folder.join(relative);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            std::fs::write(&path, content)
        };
        write().map_err(|source| StepError::File { path: path.clone(), source })
    }
}

fn random(alphabet: &[u8], length: usize) -> String {
    use rand::seq::IndexedRandom;
    let mut generator = rand::rng();
    (0..length).filter_map(|_| alphabet.choose(&mut generator)).map(|byte| char::from(*byte)).collect()
}
