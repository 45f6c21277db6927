//! The one writer of a run's events: it stamps them, puts them on disk at once, and hands them to whoever follows.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::event::{Event, Phase, SpanId, Verdict, What};

/// Writes events. Clones write to the same log.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: Instant,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    file: Option<File>,
    failure: Option<std::io::Error>,
    followers: Vec<mpsc::UnboundedSender<Event>>,
    spans: u32,
    /// When the latest event was, in seconds since the run's start.
    latest: f64,
}

impl Recorder {
    /// Opens the log at `path` and starts the run's clock.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let file = File::options().create_new(true).append(true).open(path)?;
        Ok(Self::with(Some(file)))
    }

    /// A recorder without a file, for commands that are not runs: only followers see its events.
    pub fn unwritten() -> Self {
        Self::with(None)
    }

    fn with(file: Option<File>) -> Self {
        let log = Log { file, failure: None, followers: Vec::new(), spans: 0, latest: 0.0 };
        Self { inner: Arc::new(Inner { epoch: Instant::now(), log: Mutex::new(log) }) }
    }

    /// All events from now on, in order. The channel ends when the last clone of the recorder is gone.
    pub fn follow(&self) -> mpsc::UnboundedReceiver<Event> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.log().followers.push(sender);
        receiver
    }

    /// Seconds since the run started.
    pub fn now(&self) -> f64 {
        self.inner.epoch.elapsed().as_secs_f64()
    }

    /// When the latest event was recorded, in seconds since the run started.
    pub fn latest(&self) -> f64 {
        self.log().latest
    }

    /// When the run started, on the clock of its events.
    pub fn clock(&self) -> Instant {
        self.inner.epoch
    }

    /// Writes an event. A log that cannot be written does not stop the run here: see [`Recorder::failure`].
    pub fn record(&self, what: What) {
        let mut log = self.log();
        let event = Event { at: (self.now() * 1e4).round() / 1e4, wall: Timestamp::now(), what };
        log.latest = event.at;
        if let Err(error) = log.write(&event) {
            log.failure.get_or_insert(error);
        }
        log.followers.retain(|follower| follower.send(event.clone()).is_ok());
    }

    /// The first error that writing the log met, taken out.
    pub fn failure(&self) -> Option<std::io::Error> {
        self.log().failure.take()
    }

    /// Records a notice.
    pub fn notice(&self, message: impl Into<String>) {
        self.record(What::Notice { message: message.into() });
    }

    /// Records a log that is about to be written, or has been, at `path` within the run's folder.
    pub fn log_file(&self, path: impl Into<String>, role: &str, machine: Option<&str>) {
        let (path, role, machine) = (path.into(), role.to_owned(), machine.map(str::to_owned));
        self.record(What::File { path, role, machine, text: None });
    }

    /// Records a configuration as it was rendered to `path` within the run's folder. `secrets` are left out of its text.
    pub fn config_file(&self, path: impl Into<String>, machine: Option<&str>, text: &str, secrets: &[&str]) {
        let text = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(left out)"));
        let machine = machine.map(str::to_owned);
        self.record(What::File { path: path.into(), role: "config".to_owned(), machine, text: Some(text) });
    }

    /// Starts a span of work. It ends with [`Span::end`], or as interrupted when it is dropped before.
    pub fn span(&self, phase: Phase, title: impl Into<String>, options: SpanOptions<'_>) -> Span {
        let id = {
            let mut log = self.log();
            log.spans += 1;
            SpanId(log.spans)
        };
        self.record(What::SpanStarted {
            span: id,
            phase,
            title: title.into(),
            machine: options.machine.map(str::to_owned),
            step: options.step,
            after: options.after.to_vec(),
            deadline: options.deadline.map(|deadline| deadline.as_secs_f64()),
        });
        Span {
            id,
            recorder: self.clone(),
            started: Instant::now(),
            ended: AtomicBool::new(false),
            said: Mutex::default(),
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.inner.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn write(&mut self, event: &Event) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        // A half-written line would spoil the next one, should the disk have room again by then.
        let whole = file.metadata()?.len();
        file.write_all(&line).inspect_err(|_| drop(file.set_len(whole)))
    }
}

/// Writes an event behind the end of a run that is over, whose log lies at `path`.
pub fn append(path: &Path, end: &Event, what: What) -> std::io::Result<()> {
    let wall = Timestamp::now();
    let since = wall.duration_since(end.wall).as_secs_f64().max(0.0);
    let event = Event { at: ((end.at + since) * 1e4).round() / 1e4, wall, what };
    let file = File::options().append(true).open(path)?;
    Log { file: Some(file), failure: None, followers: Vec::new(), spans: 0, latest: 0.0 }.write(&event)
}

/// What may be said about a span beyond its title.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpanOptions<'a> {
    /// The machine it works on.
    pub machine: Option<&'a str>,
    /// The scenario's step that it carries out.
    pub step: Option<usize>,
    /// The spans that had to end before it could start.
    pub after: &'a [SpanId],
    /// How long it may take.
    pub deadline: Option<Duration>,
}

/// A span of work that is under way.
#[derive(Debug)]
pub struct Span {
    id: SpanId,
    recorder: Recorder,
    started: Instant,
    ended: AtomicBool,
    said: Mutex<Option<String>>,
}

impl Span {
    /// The span's id, for spans that come after it.
    pub fn id(&self) -> SpanId {
        self.id
    }

    /// Says what the span does or waits for right now.
    pub fn progress(&self, message: impl Into<String>) {
        let message = message.into();
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
        self.recorder.record(What::Progress { span: self.id, message, done: None, total: None, unit: None });
    }

    /// That it was not done in time, with what it said last.
    pub fn late(&self, within: Duration) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.as_ref().map(|said| format!("; what it said last: {said}")).unwrap_or_default();
        format!("not done within {within:?}{said}")
    }

    /// Says how much of a known amount is done.
    pub fn advance(&self, message: impl Into<String>, done: u64, total: Option<u64>, unit: &str) {
        let unit = Some(unit.to_owned());
        self.recorder.record(What::Progress { span: self.id, message: message.into(), done: Some(done), total, unit });
    }

    /// Ends the span, unless it has ended already.
    pub fn end(&self, verdict: Verdict, message: Option<String>) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let took = self.started.elapsed().as_secs_f64();
        self.recorder.record(What::SpanEnded { span: self.id, verdict, took, message });
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.end(Verdict::Interrupted, Some("was abandoned".to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::history;

    #[test]
    fn events_are_on_disk_and_with_followers_before_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let recorder = Recorder::create(&path).unwrap();
        let mut followed = recorder.follow();
        for number in 1..=3 {
            recorder.notice(number.to_string());
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), number);
            let event = followed.try_recv().unwrap();
            assert_eq!(event.what, What::Notice { message: number.to_string() });
        }
        assert!(recorder.failure().is_none());
    }

    #[test]
    fn work_that_is_late_says_what_it_said_last() {
        let span = Recorder::unwritten().span(Phase::BringUp, "a span", SpanOptions::default());
        let within = Duration::from_secs(180);
        assert_eq!(span.late(within), "not done within 180s");
        span.progress("0 of 3 nodes");
        span.progress("2 of 3 nodes");
        assert_eq!(span.late(within), "not done within 180s; what it said last: 2 of 3 nodes");
    }

    #[test]
    fn a_log_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let _recorder = Recorder::create(&path).unwrap();
        assert_eq!(Recorder::create(&path).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        assert!(matches!(history::read(&path), Err(history::Error::Empty { .. })));
    }

    #[test]
    fn a_full_disk_is_told_once_and_followers_go_on() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let recorder = Recorder::with(Some(full));
        let mut followed = recorder.follow();
        recorder.notice("one");
        recorder.notice("two");
        assert_eq!(recorder.failure().unwrap().kind(), std::io::ErrorKind::StorageFull);
        assert!(recorder.failure().is_none());
        assert!(followed.try_recv().is_ok() && followed.try_recv().is_ok());
    }

    #[test]
    fn a_configuration_is_recorded_without_secrets() {
        let recorder = Recorder::unwritten();
        let mut followed = recorder.follow();
        recorder.config_file(
            "rendered/master1/kubeadm.yaml",
            Some("master1"),
            "token: abc\nkey: def\n",
            &["abc", "def"],
        );
        let What::File { text, role, .. } = followed.try_recv().unwrap().what else { panic!("no file") };
        assert_eq!((role.as_str(), text.as_deref()), ("config", Some("token: (left out)\nkey: (left out)\n")));
    }

    #[test]
    fn a_span_ends_once_and_as_interrupted_when_it_is_dropped() {
        let recorder = Recorder::unwritten();
        let mut followed = recorder.follow();
        let one = recorder.span(Phase::Prepare, "one", SpanOptions::default());
        let two = recorder.span(Phase::Prepare, "two", SpanOptions::default());
        let ids = (one.id(), two.id());
        one.end(Verdict::Passed, None);
        one.end(Verdict::Failed, None);
        drop((one, two));
        let ends: Vec<_> = std::iter::from_fn(|| followed.try_recv().ok())
            .filter_map(|event| match event.what {
                What::SpanEnded { span, verdict, .. } => Some((span, verdict)),
                _ => None,
            })
            .collect();
        assert_eq!(ends, [(ids.0, Verdict::Passed), (ids.1, Verdict::Interrupted)]);
    }
}
