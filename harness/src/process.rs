//! The only place that starts a program on the host: it owns deadlines, process groups, output and cancellation.
//!
//! Everything here blocks; async callers go through [`Command::run_async`]. A program runs in a process group of its
//! own, so a Ctrl-C at the terminal reaches Quorate alone, and dies with Quorate should that be killed.

mod error;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio_util::sync::CancellationToken;

pub use error::{Describe, ProcessError};

/// How long a program may go on after SIGTERM before it is sent SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How often a running program is looked at for its deadline and for cancellation.
const GLANCE: Duration = Duration::from_millis(20);
/// How often it is looked whether a program that has run for long should be ended. That it ended is seen at once.
const SELDOM: Duration = Duration::from_millis(250);
/// How long a program runs until it has run for long.
const LONG: Duration = Duration::from_secs(10);
/// How long what a program left behind may keep its output open, where that is no part of its work.
const LEFT: Duration = Duration::from_secs(5);
/// How long to wait for the end of the output of a program that has ended.
const FINISH: Duration = Duration::from_millis(1);
/// How many last lines of output an error shows.
const TAIL: usize = 12;

type OnLine = Arc<dyn Fn(&str) + Send + Sync>;

/// A program to run, with all that bounds it.
#[derive(Clone)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    stdin: Option<Input>,
    deadline: Duration,
    sheds: bool,
    log: Option<PathBuf>,
    on_line: Option<OnLine>,
    label: Option<String>,
    stdout: Option<PathBuf>,
}

/// What a program printed before it ended well.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Its standard output. With a log or a follower of lines, its standard error is in it as well.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// What a program reads on its standard input.
#[derive(Debug, Clone)]
enum Input {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Command {
    /// A program, looked up on the PATH unless it is a path, with a deadline of one minute.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            stdin: None,
            deadline: Duration::from_secs(60),
            sheds: false,
            log: None,
            on_line: None,
            label: None,
            stdout: None,
        }
    }

    /// A program that needs root: it goes through `sudo`, which must not ask, for everybody else.
    pub fn as_root(program: impl AsRef<OsStr>) -> Self {
        if rustix::process::geteuid().is_root() { Self::new(program) } else { Self::new("sudo").arg("-n").arg(program) }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable of its environment, which is Quorate's own otherwise.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The folder that it starts in.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// What it reads on its standard input, which is empty otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(Input::Bytes(bytes.into()));
        self
    }

    /// A file that it reads on its standard input.
    #[must_use]
    pub fn stdin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Some(Input::File(path.into()));
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Ends what it leaves behind with its output open, a few seconds after itself. That counts as part of it otherwise, and so
    /// does what has made a session of its own, which is not ended. Only where what it prints is logged, or told line by line.
    #[must_use]
    pub fn sheds(mut self) -> Self {
        self.sheds = true;
        self
    }

    /// Appends all that it prints to this file as it comes, each line with the host's time.
    #[must_use]
    pub fn log(mut self, path: impl Into<PathBuf>) -> Self {
        self.log = Some(path.into());
        self
    }

    /// Calls back with each line that it prints, on either stream.
    #[must_use]
    pub fn on_line(mut self, on_line: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.on_line = Some(Arc::new(on_line));
        self
    }

    /// Puts its standard output, byte for byte, into this file.
    #[must_use]
    pub fn stdout_to(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdout = Some(path.into());
        self
    }

    /// What errors call it, where its command line says less.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The command line as one would type it, or the label.
    pub fn display(&self) -> String {
        if let Some(label) = &self.label {
            return label.clone();
        }
        let words = std::iter::once(&self.program).chain(&self.args).map(|word| word.to_string_lossy().into_owned());
        let words: Vec<String> = words.collect();
        shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
    }

    /// Becomes the program, with this process's own streams. Returns only if that fails.
    pub fn replace(&self) -> std::io::Error {
        std::process::Command::new(&self.program).args(&self.args).exec()
    }

    /// Runs it on a thread where it may block.
    pub async fn run_async(self, cancel: &CancellationToken) -> Result<Output, ProcessError> {
        let cancel = cancel.clone();
        let command = self.display();
        tokio::task::spawn_blocking(move || self.run(&cancel))
            .await
            .unwrap_or_else(|panic| Err(ProcessError::Output { command, source: std::io::Error::other(panic) }))
    }

    /// Runs it to its end.
    pub fn run(&self, cancel: &CancellationToken) -> Result<Output, ProcessError> {
        tracing::debug!(command = %self.display(), "starting");
        if !self.is_there() {
            return Err(self.start_error(std::io::ErrorKind::NotFound.into()));
        }
        let streamed = self.log.is_some() || self.on_line.is_some();
        let mut expression = self.expression();
        let reader = if streamed {
            let (reader, writer) = std::io::pipe().map_err(|source| self.output_error(source))?;
            expression = expression.stderr_to_stdout().stdout_file(writer);
            let collector = Collector::new(self)?;
            Some(std::thread::spawn(move || collector.collect(reader)))
        } else {
            expression = match &self.stdout {
                Some(path) => expression.stdout_path(path).stderr_capture(),
                None => expression.stdout_capture().stderr_capture(),
            };
            None
        };
        let handle = expression.start().map_err(|source| self.start_error(source))?;
        drop(expression);
        let ended = self.wait(&handle, reader.as_ref(), cancel);
        let captured = handle.into_output().map_err(|source| self.output_error(source))?;
        let mut output = Output {
            stdout: String::from_utf8_lossy(&captured.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&captured.stderr).into_owned(),
        };
        if let Some(reader) = reader {
            let collected =
                reader.join().unwrap_or_else(|_| Err(std::io::Error::other("the reader of output panicked")));
            output.stdout = collected.map_err(|source| self.output_error(source))?;
        }
        match ended {
            Ended::Itself if captured.status.success() => Ok(output),
            Ended::Itself => {
                let status = Describe(captured.status);
                Err(ProcessError::Status {
                    command: self.display(),
                    status,
                    tail: tail(&output),
                    log: self.log.clone(),
                })
            }
            Ended::Deadline => {
                let tail = tail(&output);
                Err(ProcessError::Deadline {
                    command: self.display(),
                    deadline: self.deadline,
                    tail,
                    log: self.log.clone(),
                })
            }
            Ended::Cancelled => Err(ProcessError::Cancelled { command: self.display() }),
        }
    }

    fn is_there(&self) -> bool {
        let path = Path::new(&self.program);
        if path.components().count() > 1 { path.is_file() } else { is_on_path(&self.program.to_string_lossy()) }
    }

    fn expression(&self) -> duct::Expression {
        // setpriv makes the kernel end the program when Quorate dies of a signal that it cannot see.
        let wrapper = ["--pdeathsig", "KILL", "--"].map(OsString::from);
        let words = wrapper.into_iter().chain([self.program.clone()]).chain(self.args.iter().cloned());
        let mut expression = duct::cmd("setpriv", words).unchecked();
        for (name, value) in &self.env {
            expression = expression.env(name, value);
        }
        if let Some(dir) = &self.dir {
            expression = expression.dir(dir);
        }
        expression = match &self.stdin {
            Some(Input::Bytes(bytes)) => expression.stdin_bytes(bytes.clone()),
            Some(Input::File(path)) => expression.stdin_path(path),
            None => expression.stdin_null(),
        };
        expression.before_spawn(|command| {
            command.process_group(0);
            Ok(())
        })
    }

    /// Waits for the program and for all that have its output open: one that it left behind counts as part of it.
    fn wait(&self, handle: &duct::Handle, reader: Option<&Reader>, cancel: &CancellationToken) -> Ended {
        let started = Instant::now();
        let mut left = None;
        let mut ended = || {
            let glance = if started.elapsed() < LONG { GLANCE } else { SELDOM };
            let itself = !matches!(handle.wait_timeout(glance), Ok(None));
            let read = reader.is_none_or(Reader::is_finished);
            if itself && !read {
                std::thread::sleep(FINISH);
                if self.sheds && left.get_or_insert_with(Instant::now).elapsed() > LEFT {
                    signal(handle, Signal::KILL);
                }
            }
            itself && read
        };
        let why = loop {
            match ended() {
                true => return Ended::Itself,
                false if cancel.is_cancelled() => break Ended::Cancelled,
                false if started.elapsed() > self.deadline => break Ended::Deadline,
                false => {}
            }
        };
        signal(handle, Signal::TERM);
        let asked = Instant::now();
        while !ended() {
            if asked.elapsed() > GRACE {
                signal(handle, Signal::KILL);
                break;
            }
        }
        why
    }

    fn start_error(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Start { program: self.program.to_string_lossy().into_owned(), source }
    }

    fn output_error(&self, source: std::io::Error) -> ProcessError {
        ProcessError::Output { command: self.display(), source }
    }
}

/// The thread that reads what a program prints, to the end of its output.
type Reader = std::thread::JoinHandle<std::io::Result<String>>;

enum Ended {
    Itself,
    Deadline,
    Cancelled,
}

fn signal(handle: &duct::Handle, signal: Signal) {
    for pid in handle.pids() {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // The group may be gone already, which is what was wanted.
            let _ = kill_process_group(pid, signal);
        }
    }
}

struct Collector {
    log: Option<File>,
    on_line: Option<OnLine>,
}

impl Collector {
    fn new(command: &Command) -> Result<Self, ProcessError> {
        let log = command.log.as_deref().map(append).transpose().map_err(|source| command.output_error(source))?;
        Ok(Self { log, on_line: command.on_line.clone() })
    }

    fn collect(mut self, reader: impl Read) -> std::io::Result<String> {
        let mut reader = BufReader::new(reader);
        let mut text = String::new();
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            let decoded = String::from_utf8_lossy(&line);
            if let Some(log) = &mut self.log {
                let now = Timestamp::now();
                writeln!(log, "{now:.3} {}", decoded.trim_end())?;
            }
            if let Some(on_line) = &self.on_line {
                on_line(decoded.trim_end());
            }
            text.push_str(&decoded);
            line.clear();
        }
        Ok(text)
    }
}

fn append(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::options().create(true).append(true).open(path)
}

/// The last lines. Vagrant tells of a command of its own that failed what that said of it, and then all that it printed:
/// there the end is before that.
fn tail(output: &Output) -> Vec<String> {
    let lines: Vec<&str> =
        output.stdout.lines().chain(output.stderr.lines()).filter(|line| !line.trim().is_empty()).collect();
    let why = lines.iter().rposition(|line| line.starts_with("Stderr: "));
    let printed = why.and_then(|why| Some(why + lines[why..].iter().position(|line| line.starts_with("Stdout:"))?));
    let end = printed.unwrap_or(lines.len());
    lines[end.saturating_sub(TAIL)..end].iter().map(|line| (*line).to_owned()).collect()
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display())
    }
}

/// Whether a program of this name is on the PATH.
pub fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

#[cfg(test)]
mod tests;
