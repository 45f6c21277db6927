//! Watches for what happens to machines and members without a step of the scenario having asked for it: somebody else on
//! the host, or a part that failed by itself. Nobody should take that for the scenario's doing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::event::What;
use crate::fault::active::Active;
use crate::machine::Fleet;
use crate::machine::provider::{Observed, State};
use crate::record::Recorder;
use crate::scenario::{MachineName, Topology};

/// How often machines are looked at where the provider does not tell of changes.
const EVERY: Duration = Duration::from_secs(5);
/// How long after a fault what it does to its own machine may be seen: kubelet starts a member anew within a minute.
const AFTERMATH: Duration = Duration::from_secs(60);
/// How long after a fault of power the provider may still tell of it. It is as fast with machines that are slow.
const ECHO: Duration = Duration::from_secs(10);

/// What is watched, until it is dropped.
#[derive(Debug)]
pub(super) struct Watchdog {
    tasks: JoinSet<()>,
    cancel: CancellationToken,
    intrusion: watch::Receiver<Option<String>>,
}

impl Watchdog {
    /// Starts to watch machines that run.
    pub(super) fn start(fleet: &Arc<Fleet>, topology: &Topology, recorder: &Recorder, active: &Arc<Active>) -> Self {
        let cancel = CancellationToken::new();
        let (told, intrusion) = watch::channel(None);
        let mut tasks = JoinSet::new();
        let machines = Machines {
            fleet: Arc::clone(fleet),
            names: topology.machines.keys().cloned().collect(),
            known: BTreeMap::new(),
            recorder: recorder.clone(),
            active: Arc::clone(active),
            told,
        };
        tasks.spawn(machines.watch(cancel.clone()));
        let aftermath = fleet.patience(AFTERMATH);
        tasks.spawn(members(recorder.clone(), topology.clone(), Arc::clone(active), aftermath, cancel.clone()));
        Self { tasks, cancel, intrusion }
    }

    /// Waits until a machine changed without a step of the scenario, and says how.
    pub(super) async fn intrusion(&self) -> String {
        let mut intrusion = self.intrusion.clone();
        let told = intrusion.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match told {
            Some(message) => message,
            None => std::future::pending().await,
        }
    }

    /// Stops to watch, and waits for the end of it.
    pub(super) async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

struct Machines {
    fleet: Arc<Fleet>,
    names: Vec<MachineName>,
    known: BTreeMap<MachineName, String>,
    recorder: Recorder,
    active: Arc<Active>,
    told: watch::Sender<Option<String>>,
}

impl Machines {
    async fn watch(mut self, cancel: CancellationToken) {
        let (tell, mut changes) = mpsc::unbounded_channel();
        let mut stream = JoinSet::new();
        if let Some(command) = self.fleet.changes() {
            let cancel = cancel.clone();
            // Nobody listens any more once the watch has ended.
            let command = command.on_line(move |_| _ = tell.send(()));
            stream.spawn(async move { command.run_async(&cancel).await.map(drop) });
        }
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(()) = changes.recv() => while changes.try_recv().is_ok() {},
                Some(ended) = stream.join_next() => if !cancel.is_cancelled() {
                    self.recorder.notice(format!("the provider tells no longer of its machines: {ended:?}"));
                },
                _ = ticks.tick(), if stream.is_empty() || self.known.is_empty() => {}
            }
            self.look(&cancel).await;
        }
        while stream.join_next().await.is_some() {}
    }

    async fn look(&mut self, cancel: &CancellationToken) {
        let states = self.names.iter().map(|name| self.fleet.state(name, cancel));
        let states = futures::future::join_all(states).await;
        for (name, observed) in self.names.clone().into_iter().zip(states) {
            // One that cannot be read now is read with the next change.
            if let Ok(observed) = observed {
                self.compare(&name, observed);
            }
        }
    }

    fn compare(&mut self, name: &MachineName, observed: Observed) {
        let (state, proof) = (observed.state, observed.proof.clone());
        let before = self.known.insert(name.clone(), proof.clone());
        let anew = before.is_some_and(|before| before != proof);
        let explained = match state {
            State::Running => !anew || self.active.touched(name, ECHO),
            State::Stopped | State::Absent => self.active.switched_off(name),
            State::Paused => self.active.paused(name),
        };
        if explained || self.told.borrow().is_some() {
            return;
        }
        let how = if state == State::Running { "was started anew".to_owned() } else { format!("is {state}") };
        let message = format!("{name} {how}, and no step of this scenario did that: {proof}");
        self.fleet.tell(name, observed);
        self.recorder.record(What::Unexplained { machine: name.to_string(), message: message.clone() });
        self.told.send_replace(Some(message));
    }
}

/// Tells of members of etcd whose process is gone although nothing befell their machine.
async fn members(
    recorder: Recorder,
    topology: Topology,
    active: Arc<Active>,
    aftermath: Duration,
    cancel: CancellationToken,
) {
    let mut events = recorder.follow();
    let started = Instant::now();
    loop {
        let event = tokio::select! {
            () = cancel.cancelled() => return,
            Some(event) = events.recv() => event,
            else => return,
        };
        let What::Etcd { machine, healthy: false, error: Some(error), .. } = event.what else { continue };
        let Some(name) = topology.machines.keys().find(|name| name.as_str() == machine) else { continue };
        let aftermath = aftermath.min(started.elapsed());
        // A refused connection is its machine's own; silence may come from elsewhere.
        let refused = error.to_lowercase().contains("connection refused");
        let befallen =
            if refused { active.befell(name) || active.touched(name, aftermath) } else { !active.quiet(aftermath) };
        if !befallen {
            let message =
                format!("the etcd member on {machine} went away, and no step of this scenario did that: {error}");
            recorder.record(What::Unexplained { machine, message });
        }
    }
}
