//! What the end-to-end tests share: a bench on which the real command runs, and what must hold once it has ended.
//!
//! Each bench has a state folder of its own, so a test sees its own runs alone. It is kept, and named, when the test
//! fails. Nothing here waits for a time to pass: a phase of a run is reached when its log says so.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

pub mod browser;
pub mod contract;
pub mod host;
pub mod story;
pub mod trials;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use quorate::event::{Event, Verdict, What};
use quorate::pack;
use quorate::report::{Summary, history};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a run may take, whatever it does. Far more than any here needs, also on a busy host.
const RUN: Duration = Duration::from_secs(900);
/// How often a file or a process is looked at.
const GLANCE: Duration = Duration::from_millis(50);
/// The private network of the first bench; others take those after it.
const NETWORK: &str = "172.27.21.0/24";

/// The workspace, from which all commands of a bench start.
pub fn workspace() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    here.parent().unwrap().to_owned()
}

/// A file of `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    workspace().join("tests/fixtures").join(name)
}

/// How many clusters one test has at most.
const CLUSTERS: usize = 2;

/// The network for the n-th cluster of this process, for as long as it lives: from `QUORATE_TEST_NETWORK` or else
/// 172.27.21.0/24 upwards, the first that this host has no route into and that no other test has claimed.
///
/// # Panics
/// If there is none.
pub fn network(nth: usize) -> Ipv4Net {
    static CLAIMED: [OnceLock<Claim>; CLUSTERS] = [const { OnceLock::new() }; CLUSTERS];
    CLAIMED[nth].get_or_init(Claim::first).network
}

/// The network from which tests take theirs.
///
/// # Panics
/// If `QUORATE_TEST_NETWORK` is none.
pub fn first_network() -> Ipv4Net {
    let first = std::env::var("QUORATE_TEST_NETWORK").unwrap_or_else(|_| NETWORK.to_owned());
    first.parse().expect("QUORATE_TEST_NETWORK is a network such as 172.27.21.0/24")
}

/// A network that no other test takes: its name is bound as a socket's, which ends with the process.
#[derive(Debug)]
struct Claim {
    network: Ipv4Net,
    _socket: UnixListener,
}

impl Claim {
    fn first() -> Self {
        let first = first_network();
        let around = Ipv4Net::new(first.network(), first.prefix_len().min(16)).unwrap().trunc();
        let taken = host::routes();
        around
            .subnets(first.prefix_len())
            .unwrap()
            .skip_while(|network| network.network() < first.network())
            .filter(|network| !taken.iter().any(|other| network.contains(other) || other.contains(network)))
            .find_map(Self::of)
            .unwrap_or_else(|| panic!("no network is free from {first} to the end of {around}: {taken:?}"))
    }

    fn of(network: Ipv4Net) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("quorate-test-{network}")).unwrap();
        Some(Self { network, _socket: UnixListener::bind_addr(&name).ok()? })
    }
}

/// Where a test runs the command: a state folder, an environment and a network of its own.
#[derive(Debug)]
pub struct Bench {
    binary: PathBuf,
    temp: Option<TempDir>,
    state: PathBuf,
    env: Vec<(OsString, OsString)>,
    network: Ipv4Net,
    shares: bool,
    _turn: MutexGuard<'static, ()>,
}

/// One cluster is as much as a small host bears. nextest keeps processes apart; this keeps threads of one apart.
static TURN: Mutex<()> = Mutex::new(());

impl Bench {
    /// A bench for the command at `built`, which is `env!("CARGO_BIN_EXE_quorate-under-test")` of the test.
    pub fn new(built: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // nextest names the binary anew where tests run on another host than they were built on.
        let binary = std::env::var_os("NEXTEST_BIN_EXE_quorate-under-test").map_or_else(|| built.into(), PathBuf::from);
        assert!(binary.is_file(), "the command under test is not there: {}", binary.display());
        let temp = tempfile::Builder::new().prefix("quorate-test-").tempdir().unwrap();
        let state = temp.path().join("state");
        Self { binary, temp: Some(temp), state, env: Vec::new(), network: network(0), shares: false, _turn: turn }
    }

    /// Sets a variable for all commands of this bench.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes another state folder.
    #[must_use]
    pub fn state_in(mut self, state: impl Into<PathBuf>) -> Self {
        self.state = state.into();
        self
    }

    /// Takes the cluster that another test has left, if it is well, and leaves its own, where `QUORATE_TEST_REUSE` says what the
    /// state folders of that begin with. There is one for each place in nextest's test group, and whoever sets the variable
    /// removes what is left in the end, as `./quickstart test` does.
    #[must_use]
    pub fn sharing(mut self) -> Self {
        let set = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let (Some(begin), Some(place)) = (set("QUORATE_TEST_REUSE"), set("NEXTEST_TEST_GROUP_SLOT")) else {
            return self;
        };
        self.state = PathBuf::from(format!("{begin}-{place}")).join("state");
        self.shares = true;
        std::fs::create_dir_all(&self.state).unwrap();
        let file = self.state.join("network");
        if self.ls().starts_with("nothing") {
            std::fs::write(file, self.network.to_string()).unwrap();
        } else {
            // Nobody else takes a network that the host has a route into, but for a moment there may be none.
            static LEFT: OnceLock<Claim> = OnceLock::new();
            let left = std::fs::read_to_string(file).unwrap().parse().unwrap();
            let claim = || Claim::of(left).unwrap_or_else(|| panic!("another test has the network {left}"));
            self.network = LEFT.get_or_init(claim).network;
        }
        self
    }

    /// Whether it leaves a cluster to other tests.
    pub fn shares(&self) -> bool {
        self.shares
    }

    /// The folder of everything that this bench makes.
    pub fn folder(&self) -> &Path {
        self.temp.as_ref().unwrap().path()
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The folders of all runs so far, oldest first.
    pub fn runs(&self) -> Vec<PathBuf> {
        runs(&self.state).into_iter().collect()
    }

    /// Runs a command that is not a run, such as `ls`, to its end.
    pub fn quorate(&self, args: &[&str]) -> Output {
        self.command(&self.env).args(args).output().unwrap()
    }

    /// What `quorate ls` prints.
    pub fn ls(&self) -> String {
        let output = self.quorate(&["ls"]);
        assert!(output.status.success(), "quorate ls: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a scenario to its end.
    pub fn run(&self, scenario: &Path, args: &[&str]) -> Finished {
        self.start(scenario, args).finish()
    }

    /// Starts to run a scenario.
    pub fn start(&self, scenario: &Path, args: &[&str]) -> Running<'_> {
        self.start_with(scenario, args, &[], self.network)
    }

    /// Starts to run a scenario with more variables and on another network.
    pub fn start_with(
        &self,
        scenario: &Path,
        args: &[&str],
        env: &[(OsString, OsString)],
        network: Ipv4Net,
    ) -> Running<'_> {
        let before = runs(&self.state);
        let output = tempfile::Builder::new().prefix("output-").suffix(".log").tempfile_in(self.folder()).unwrap();
        let (file, output) = output.keep().unwrap();
        let mut command = self.command(&self.env);
        command.envs(env.iter().cloned()).arg("run").arg(scenario).arg("--verbose").args(args);
        command.args(["--network", &network.to_string()]);
        command.stdout(file.try_clone().unwrap()).stderr(file).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        Running { bench: self, child: Some(child), before, output, started: Instant::now() }
    }

    fn command(&self, env: &[(OsString, OsString)]) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(workspace()).env_remove("QUORATE_PROVIDER").envs(env.iter().cloned());
        command.env("QUORATE_STATE", &self.state);
        command
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        // A test that fails must not leave machines to the next one; what they were like is in the evidence.
        let cleaned = self.command(&[]).args(["clean", "--kept"]).output();
        let folder = self.temp.take().map(TempDir::keep).unwrap_or_default();
        eprintln!("the bench is kept: {} (state: {})", folder.display(), self.state.display());
        if !cleaned.is_ok_and(|output| output.status.success()) {
            eprintln!("`quorate clean` did not succeed: see what is left with QUORATE_STATE={}", self.state.display());
        }
    }
}

/// A run that goes on. One that is forgotten is ended.
#[derive(Debug)]
pub struct Running<'a> {
    bench: &'a Bench,
    child: Option<Child>,
    before: BTreeSet<PathBuf>,
    output: PathBuf,
    started: Instant,
}

impl Running<'_> {
    /// The folder of the run, as soon as it has one.
    pub fn folder(&mut self) -> PathBuf {
        let (state, before) = (self.bench.state.clone(), self.before.clone());
        self.wait_for("it has a folder", move || runs(&state).difference(&before).next().cloned())
    }

    /// The label that everything of the run carries.
    pub fn label(&mut self) -> String {
        label(&self.folder())
    }

    /// Follows the log until something is in it.
    pub fn until(&mut self, what: &str, found: impl Fn(&What) -> bool) {
        let log = self.folder().join("events.jsonl");
        self.wait_for(what, move || {
            let history = history::read(&log).ok()?;
            history.events.iter().any(|event| found(&event.what)).then_some(())
        });
    }

    /// Follows the log until a span of this title has started.
    pub fn until_started(&mut self, title: &str) {
        self.until(
            &format!("`{title}` starts"),
            |what| matches!(what, What::SpanStarted { title: started, .. } if started.starts_with(title)),
        );
    }

    /// Waits until something is found; the run must go on meanwhile.
    pub fn wait_for<T>(&mut self, what: &str, mut find: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = find() {
                return found;
            }
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the run ended ({status}) before {what}:\n{}", self.said());
            }
            assert!(self.started.elapsed() < RUN, "not within {RUN:?}: {what}\n{}", self.said());
            std::thread::sleep(GLANCE);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let status = loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                break status;
            }
            assert!(self.started.elapsed() < RUN, "the run did not end within {RUN:?}\n{}", self.said());
            std::thread::sleep(GLANCE);
        };
        self.child = None;
        let folder = runs(&self.bench.state).difference(&self.before).next().cloned();
        let events = folder.as_ref().and_then(|folder| history::read(&folder.join("events.jsonl")).ok());
        Finished {
            status,
            said: self.said(),
            folder,
            events: events.map_or_else(Vec::new, |history| history.events),
            took: self.started.elapsed(),
        }
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // The bench's `quorate clean` removes its machines.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    status: ExitStatus,
    /// What it printed.
    pub said: String,
    folder: Option<PathBuf>,
    /// Its log.
    pub events: Vec<Event>,
    /// How long it took, as who waits for it sees it.
    pub took: Duration,
}

impl Finished {
    /// The run's folder.
    pub fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or_else(|| panic!("the run made no folder:\n{}", self.said))
    }

    /// The reason of its verdict.
    pub fn reason(&self) -> String {
        Summary::of(&self.events).reason
    }

    /// What a person needs to see why a test failed: the verdict, the reason, the failing step, and where all lies.
    pub fn story(&self) -> String {
        let summary = Summary::of(&self.events);
        let failing = self.events.iter().rev().find_map(|event| match &event.what {
            What::SpanEnded { span, verdict, message, .. } if *verdict != Verdict::Passed => {
                let span = summary.spans.iter().find(|started| started.id == *span)?;
                Some(format!("{}: {}", span.title, message.as_deref().unwrap_or("no message")))
            }
            _ => None,
        });
        format!(
            "\nverdict:  {} ({})\nreason:   {}\nfailing:  {}\nevidence: {}\n\n{}",
            summary.verdict,
            self.status,
            summary.reason,
            failing.as_deref().unwrap_or("nothing"),
            self.folder.as_deref().map_or_else(|| "none".into(), Path::to_string_lossy),
            self.said
        )
    }

    /// Holds when exit code, log and report agree on a verdict.
    pub fn assert(&self, verdict: Verdict) -> &Self {
        assert_eq!(self.status.code(), Some(i32::from(verdict.exit_code())), "the exit code{}", self.story());
        match self.events.last().map(|event| &event.what) {
            Some(What::RunEnded { verdict: logged, .. }) => assert_eq!(*logged, verdict, "the log{}", self.story()),
            last => panic!("the log does not end with run-ended but with {last:?}{}", self.story()),
        }
        let report = std::fs::read(self.folder().join("report.json")).expect("there is a report.json");
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["summary"]["verdict"], verdict.to_string(), "report.json{}", self.story());
        self
    }

    /// Holds when the reason has all of these words in it.
    pub fn because(&self, words: &[&str]) -> &Self {
        let reason = self.reason();
        for word in words {
            assert!(reason.contains(word), "the reason does not say `{word}`{}", self.story());
        }
        self
    }

    /// Another run of the same command, by its folder.
    pub fn next(&self, folder: &Path) -> Self {
        let history = history::read(&folder.join("events.jsonl"));
        Self {
            status: self.status,
            said: self.said.clone(),
            folder: Some(folder.to_owned()),
            events: history.map_or_else(|_| Vec::new(), |history| history.events),
            took: self.took,
        }
    }

    /// Holds when nothing of the run is on the host any more but its evidence.
    pub fn left_nothing(&self, bench: &Bench) {
        self.left_no_process(bench);
        let label = label(self.folder());
        assert_eq!(host::labelled(&label), Vec::<String>::new(), "left behind{}", self.story());
        let sockets = PathBuf::from("/tmp").join(&label);
        assert!(!sockets.exists(), "{} is still there{}", sockets.display(), self.story());
        let listed = bench.ls();
        assert!(listed.starts_with("nothing"), "quorate ls lists{listed}{}", self.story());
    }

    /// Holds when nothing is on the host but evidence and one cluster, which is left to the next run on purpose.
    pub fn left_its_cluster(&self, bench: &Bench) {
        self.left_no_process(bench);
        let listed = bench.ls();
        let owners: Vec<&str> = listed
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(owners, ["left"], "quorate ls lists\n{listed}{}", self.story());
    }

    fn left_no_process(&self, bench: &Bench) {
        let processes = host::processes_with_state(bench.state());
        assert_eq!(processes, Vec::<String>::new(), "these go on{}", self.story());
    }

    /// Its exit code, unless a signal ended it.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it.
    pub fn killed_by(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// The label of the run in a folder.
pub fn label(folder: &Path) -> String {
    quorate::machine::provider::prefix(&folder.file_name().unwrap().to_string_lossy())
}

/// The folders of all runs whose log has begun.
fn runs(state: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| pack::find(&path.join("events.jsonl")).is_some()).collect()
}
