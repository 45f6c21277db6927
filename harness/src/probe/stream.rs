//! One long watch of the writer's objects through the balancer, as a controller would have it: it is taken up again where
//! it was cut, and what it delivers is held against what was acknowledged.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::watch::chain;
use super::writer::{Acknowledged, Ledger, NAMESPACE, revision};
use crate::event::What;
use crate::record::Recorder;

/// How often it is looked whether something is owed.
const EVERY: Duration = Duration::from_millis(250);
/// How long a watch that was cut waits before it is taken up again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long it may take until a watch begins.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an acknowledged write may take to be delivered before the watch counts as stalled.
const STALL: Duration = Duration::from_secs(1);
/// How long, once nothing is written any more, everything may take to be delivered.
const LAST: Duration = Duration::from_secs(10);

/// The status of a watch whose beginning the server has forgotten.
const GONE: u16 = 410;

/// What was delivered, as against what should have been.
#[derive(Debug, Default)]
struct Delivery {
    /// The latest revision that was delivered. Revisions of one watch only grow.
    latest: u64,
    /// Up to this revision objects came as a list, so nothing was owed.
    listed: u64,
    /// How many acknowledged writes were accounted for.
    accounted: usize,
    /// What was delivered and may be acknowledged yet.
    early: BTreeSet<u64>,
    delivered: u64,
    missed: u64,
    repeated: u64,
    relisted: u64,
}

impl Delivery {
    fn list(&mut self, revision: u64, writes: &[Acknowledged]) {
        self.relisted += u64::from(self.listed > 0);
        (self.latest, self.listed) = (revision, revision);
        self.account(writes);
    }

    /// Takes in a change that was delivered.
    fn change(&mut self, revision: u64, writes: &[Acknowledged]) {
        if revision <= self.latest {
            self.repeated += 1;
            return;
        }
        self.delivered += 1;
        self.early.insert(revision);
        self.reach(revision, writes);
    }

    /// The watch has delivered everything up to a revision.
    fn reach(&mut self, revision: u64, writes: &[Acknowledged]) {
        self.latest = self.latest.max(revision);
        self.account(writes);
    }

    fn account(&mut self, writes: &[Acknowledged]) {
        while let Some(write) = writes.get(self.accounted).filter(|write| write.revision <= self.latest) {
            let came = self.early.remove(&write.revision) || write.revision <= self.listed;
            self.missed += u64::from(!came);
            self.accounted += 1;
            // Writes are acknowledged in order, so nothing before this one is acknowledged any more.
            self.early = self.early.split_off(&write.revision);
        }
    }

    /// Since when the oldest acknowledged write that was not delivered is owed.
    fn owed(&self, writes: &[Acknowledged]) -> Option<Instant> {
        writes.get(self.accounted).map(|write| write.at)
    }
}

/// The watch as it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Delivers,
    Cut,
    Stalls,
}

/// The watch.
pub(super) struct Stream {
    objects: Api<ConfigMap>,
    ledger: Ledger,
    recorder: Recorder,
    slowness: u32,
    delivery: Delivery,
    state: State,
    connected: bool,
    /// Since when it has not delivered all that it should have.
    gap: Option<Instant>,
    told: (u64, u64),
}

impl Stream {
    pub(super) fn new(client: Client, ledger: Ledger, recorder: Recorder, slowness: u32) -> Self {
        let objects = Api::namespaced(client, NAMESPACE);
        let (delivery, gap) = (Delivery::default(), Some(Instant::now()));
        Self { objects, ledger, recorder, slowness, delivery, state: State::Cut, connected: false, gap, told: (0, 0) }
    }

    /// Watches until cancelled, or, once closing, until all is delivered.
    pub(super) async fn run(mut self, closing: CancellationToken, cancel: CancellationToken) {
        let slowness = self.slowness;
        let closed = async {
            closing.cancelled().await;
            tokio::time::sleep(LAST * slowness).await;
        };
        tokio::pin!(closed);
        loop {
            let cut = tokio::select! {
                () = cancel.cancelled() => return,
                () = &mut closed => break,
                cut = self.watch(&closing) => cut,
            };
            let Some(error) = cut else { break };
            self.cut(error);
            tokio::time::sleep(PAUSE).await;
        }
        let owed = self.ledger.read().len() - self.delivery.accounted;
        self.delivery.missed += owed as u64;
        self.tell(None);
    }

    /// Watches until it is cut, which it gives the reason for, or until it is closed.
    async fn watch(&mut self, closing: &CancellationToken) -> Option<String> {
        let patience = PATIENCE * self.slowness;
        if self.delivery.listed == 0 {
            match tokio::time::timeout(patience, self.objects.list_metadata(&ListParams::default().limit(1))).await {
                Ok(Ok(list)) => {
                    let revision = list.metadata.resource_version.and_then(|revision| revision.parse().ok());
                    self.delivery.list(revision.unwrap_or_default(), &self.ledger.read());
                }
                Ok(Err(error)) => return Some(chain(&error)),
                Err(_) => return Some(format!("no list within {patience:?}")),
            }
        }
        let from = self.delivery.latest.to_string();
        let params = WatchParams::default();
        let begun = tokio::time::timeout(patience, self.objects.watch_metadata(&params, &from)).await;
        let changes = match begun {
            Ok(Ok(changes)) => changes,
            Ok(Err(error)) => return Some(self.refused(&error)),
            Err(_) => return Some(format!("no watch within {patience:?}")),
        };
        futures::pin_mut!(changes);
        self.connected = true;
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.look();
            if closing.is_cancelled() && self.delivery.owed(&self.ledger.read()).is_none() {
                return None;
            }
            tokio::select! {
                _ = ticks.tick() => {}
                change = changes.next() => match change {
                    Some(Ok(change)) => if let Some(error) = self.take(&change) { return Some(error) },
                    Some(Err(error)) => return Some(self.refused(&error)),
                    None => return Some("its server ended it".to_owned()),
                },
            }
        }
    }

    fn take(&mut self, change: &WatchEvent<PartialObjectMeta<ConfigMap>>) -> Option<String> {
        match change {
            WatchEvent::Added(it) | WatchEvent::Modified(it) | WatchEvent::Deleted(it) => {
                self.delivery.change(revision(it).unwrap_or_default(), &self.ledger.read());
                None
            }
            WatchEvent::Bookmark(mark) => {
                let reached = mark.metadata.resource_version.parse().unwrap_or_default();
                self.delivery.reach(reached, &self.ledger.read());
                None
            }
            WatchEvent::Error(status) => Some(self.refused(&kube::Error::Api(status.clone()))),
        }
    }

    /// What a watch met. If the server no longer knows where it stopped, everything is listed anew.
    fn refused(&mut self, error: &kube::Error) -> String {
        if let kube::Error::Api(status) = error
            && status.code == GONE
        {
            self.delivery.listed = 0;
            self.delivery.relisted += 1;
        }
        chain(error)
    }

    fn cut(&mut self, error: String) {
        self.connected = false;
        let owed = self.delivery.owed(&self.ledger.read());
        if self.state == State::Delivers {
            self.gap = Some(owed.unwrap_or_else(Instant::now));
        }
        if self.state != State::Cut {
            self.state = State::Cut;
            self.tell(Some(error));
        }
    }

    /// Looks whether the watch delivers what it should, and tells if that has changed.
    fn look(&mut self) {
        let stall = STALL * self.slowness;
        let owed = {
            let writes = self.ledger.read();
            self.delivery.account(&writes);
            self.delivery.owed(&writes).filter(|since| since.elapsed() > stall)
        };
        match (self.state, owed) {
            (State::Delivers, Some(since)) => {
                (self.state, self.gap) = (State::Stalls, Some(since));
                self.tell(None);
            }
            (State::Cut | State::Stalls, None) if self.connected => {
                self.state = State::Delivers;
                self.tell(None);
                self.gap = None;
            }
            _ if self.told != (self.delivery.missed, self.delivery.repeated) => self.tell(None),
            _ => {}
        }
    }

    fn tell(&mut self, error: Option<String>) {
        let Delivery { latest, delivered, missed, repeated, relisted, .. } = self.delivery;
        self.told = (missed, repeated);
        let state = match self.state {
            State::Delivers => "delivers",
            State::Cut => "cut",
            State::Stalls => "stalls",
        };
        let gap = self.gap.map_or(0.0, |since| (since.elapsed().as_secs_f64() * 1e3).round() / 1e3);
        let state = state.to_owned();
        self.recorder.record(What::Stream {
            state,
            gap,
            revision: latest,
            delivered,
            missed,
            repeated,
            relisted,
            error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(revisions: &[u64]) -> Vec<Acknowledged> {
        let at = Instant::now();
        (1..).zip(revisions).map(|(seq, revision)| Acknowledged { seq, revision: *revision, at }).collect()
    }

    /// What a watch that began at revision 10 makes of changes, each with the number of writes acknowledged by then.
    fn delivered(revisions: &[u64], changes: &[(u64, usize)]) -> (Delivery, usize) {
        let writes = writes(revisions);
        let mut delivery = Delivery::default();
        delivery.list(10, &[]);
        for (revision, acknowledged) in changes {
            delivery.change(*revision, &writes[..*acknowledged]);
        }
        delivery.account(&writes);
        let owed = writes.len() - delivery.accounted;
        (delivery, owed)
    }

    #[test]
    fn every_acknowledged_write_has_to_come_once() {
        type Case<'a> = (&'a str, &'a [u64], &'a [(u64, usize)], (u64, u64, usize));
        let cases: [Case<'_>; 8] = [
            ("all come", &[11, 12, 13], &[(11, 1), (12, 2), (13, 3)], (0, 0, 0)),
            ("before they are acknowledged", &[11, 12, 13], &[(11, 0), (12, 1), (13, 2)], (0, 0, 0)),
            ("what was listed is not owed", &[9, 10, 11], &[(11, 3)], (0, 0, 0)),
            ("changes of others", &[11, 14], &[(11, 1), (12, 1), (14, 2)], (0, 0, 0)),
            ("one is left out", &[11, 12, 13], &[(11, 1), (13, 3)], (1, 0, 0)),
            ("one comes again", &[11, 12], &[(11, 1), (12, 2), (12, 2)], (0, 1, 0)),
            ("one comes from the past", &[11, 12], &[(11, 1), (12, 2), (11, 2)], (0, 1, 0)),
            ("the last is yet to come", &[11, 12], &[(11, 1)], (0, 0, 1)),
        ];
        for (name, revisions, changes, expected) in cases {
            let (delivery, owed) = delivered(revisions, changes);
            assert_eq!((delivery.missed, delivery.repeated, owed), expected, "{name}");
        }
    }

    #[test]
    fn a_bookmark_says_that_all_before_it_has_come() {
        let writes = writes(&[11, 12]);
        let mut delivery = Delivery::default();
        delivery.list(10, &[]);
        delivery.change(11, &writes);
        delivery.reach(20, &writes);
        assert_eq!((delivery.missed, delivery.owed(&writes)), (1, None));
    }

    #[test]
    fn what_was_delivered_is_not_remembered_for_ever() {
        let all: Vec<u64> = (11..2000).collect();
        let changes: Vec<_> = all.iter().map(|revision| (*revision, (*revision - 10) as usize)).collect();
        let (delivery, _) = delivered(&all, &changes);
        assert!(delivery.early.len() <= 1, "{}", delivery.early.len());
    }
}
