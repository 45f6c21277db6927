//! What has befallen machines and lasts, so that it can be undone at the end of a run and be told from what nobody asked
//! for.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::scenario::{MachineName, Verb};

/// The faults that last, in the order in which they were begun.
#[derive(Debug, Default)]
pub struct Active(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    lasting: Vec<(MachineName, Verb)>,
    /// When a fault was last begun or seen to be done, and whether it is under way.
    touched: BTreeMap<MachineName, (Instant, bool)>,
}

impl Active {
    /// A fault is about to befall a machine.
    pub(super) fn begin(&self, machine: &MachineName, verb: &Verb) {
        let mut known = self.known();
        known.touched.insert(machine.clone(), (Instant::now(), true));
        if verb.undoing().is_some() {
            known.lasting.push((machine.clone(), verb.clone()));
        }
    }

    /// A verb was seen to be done. What it undoes lasts no longer.
    pub(super) fn end(&self, machine: &MachineName, verb: &Verb) {
        let mut known = self.known();
        known.touched.insert(machine.clone(), (Instant::now(), false));
        known.lasting.retain(|(on, fault)| on != machine || !verb.ends(fault));
    }

    /// Whether a fault or a heal of a machine is under way, or was seen to be done less than so long ago.
    pub fn touched(&self, machine: &MachineName, within: Duration) -> bool {
        self.known().touched.get(machine).is_some_and(|(at, under_way)| *under_way || at.elapsed() < within)
    }

    /// Whether nothing lasts or is under way anywhere, and nothing was seen to be done less than so long ago.
    pub fn quiet(&self, within: Duration) -> bool {
        let known = self.known();
        known.lasting.is_empty() && known.touched.values().all(|(at, under_way)| !under_way && at.elapsed() >= within)
    }

    /// Whether a step switched a machine off, or may do so right now.
    pub fn switched_off(&self, machine: &MachineName) -> bool {
        self.touched(machine, Duration::ZERO) || self.lasts(machine, |verb| matches!(verb, Verb::Kill | Verb::Stop))
    }

    /// Whether a step froze a machine, or may do so right now.
    pub fn paused(&self, machine: &MachineName) -> bool {
        self.touched(machine, Duration::ZERO) || self.lasts(machine, |verb| matches!(verb, Verb::Pause))
    }

    /// One fault of a machine was undone.
    pub(super) fn forget(&self, machine: &MachineName, verb: &Verb) {
        self.known().lasting.retain(|(on, fault)| on != machine || fault != verb);
    }

    /// What of the network, the disk and the clock lasts on a machine, the latest first.
    pub(super) fn restorable(&self, machine: &MachineName) -> Vec<Verb> {
        let known = self.known();
        let mine = known.lasting.iter().rev().filter(|(on, fault)| on == machine && fault.is_restorable());
        mine.map(|(_, fault)| fault.clone()).collect()
    }

    /// The fault that lasts on a machine because of which another one would not do what it says.
    pub(super) fn in_the_way(&self, machine: &MachineName, verb: &Verb) -> Option<Verb> {
        let known = self.known();
        let mine = known.lasting.iter().filter(|(on, _)| on == machine).map(|(_, fault)| fault);
        mine.into_iter().find(|fault| fault.is_in_the_way_of(verb)).cloned()
    }

    /// Whether something lasts on a machine for which its etcd member is of no use to the others.
    pub(super) fn lacks_etcd(&self, machine: &MachineName) -> bool {
        self.lasts(machine, Verb::takes_etcd)
    }

    /// Whether anything that befell a machine lasts.
    pub fn befell(&self, machine: &MachineName) -> bool {
        self.lasts(machine, |_| true)
    }

    /// What undoes all that lasts, in the order in which it is to be done: the latest fault first, each heal once.
    pub(super) fn undoings(&self) -> Vec<(MachineName, Verb)> {
        let mut undoings: Vec<(MachineName, Verb)> = Vec::new();
        for (machine, verb) in self.known().lasting.iter().rev() {
            if let Some(undoing) = verb.undoing().map(|undoing| (machine.clone(), undoing))
                && !undoings.contains(&undoing)
            {
                undoings.push(undoing);
            }
        }
        undoings
    }

    /// Whether something lasts on a machine that this undoes.
    pub(super) fn awaits(&self, machine: &MachineName, undoing: &Verb) -> bool {
        self.lasts(machine, |verb| verb.undoing().as_ref() == Some(undoing))
    }

    fn lasts(&self, machine: &MachineName, meant: impl Fn(&Verb) -> bool) -> bool {
        self.known().lasting.iter().any(|(on, verb)| on == machine && meant(verb))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Service;

    #[test]
    fn what_lasts_is_undone_once_and_the_latest_first() {
        let active = Active::default();
        let [one, two] = ["master1", "master2"].map(|name| MachineName(name.to_owned()));
        let stop = Verb::StopService(Service::Etcd);
        for (machine, verb) in [(&one, &stop), (&one, &Verb::Kill), (&two, &Verb::Pause), (&two, &Verb::Reboot)] {
            active.begin(machine, verb);
            active.end(machine, verb);
        }
        let expected =
            [(two.clone(), Verb::Resume), (one.clone(), Verb::Start), (one.clone(), Verb::StartService(Service::Etcd))];
        assert_eq!(active.undoings(), expected);

        assert_eq!(active.in_the_way(&one, &Verb::Isolate), None);
        active.begin(&two, &Verb::Isolate);
        active.begin(&two, &Verb::Wipe);
        assert_eq!(active.restorable(&two), [Verb::Wipe, Verb::Isolate]);
        assert_eq!(active.in_the_way(&two, &Verb::Kill), Some(Verb::Isolate));
        assert_eq!(active.undoings()[0], (two.clone(), Verb::Restore));
        active.forget(&two, &Verb::Wipe);
        active.forget(&two, &Verb::Isolate);

        active.end(&two, &Verb::Resume);
        assert!(active.befell(&one) && !active.befell(&two));
        active.begin(&one, &Verb::Kill);
        assert_eq!(active.undoings(), expected[1..]);
    }

    #[test]
    fn a_machine_that_starts_anew_starts_its_units_and_not_its_static_pods() {
        for starts in [Verb::Start, Verb::Reboot] {
            let active = Active::default();
            let one = MachineName("master1".to_owned());
            let [kubelet, etcd] = [Service::Kubelet, Service::Etcd].map(Verb::StopService);
            for verb in [&etcd, &kubelet, &starts] {
                active.begin(&one, verb);
                active.end(&one, verb);
            }
            assert!(!active.awaits(&one, &Verb::StartService(Service::Kubelet)));
            assert_eq!(active.undoings(), [(one, Verb::StartService(Service::Etcd))]);
        }
    }

    #[test]
    fn only_what_a_step_did_or_does_is_explained() {
        let active = Active::default();
        let one = MachineName("master1".to_owned());
        assert!(!active.switched_off(&one) && !active.paused(&one) && !active.touched(&one, Duration::MAX));
        active.begin(&one, &Verb::Reboot);
        assert!(active.switched_off(&one) && active.paused(&one), "a reboot is under way");
        active.end(&one, &Verb::Reboot);
        assert!(!active.switched_off(&one) && active.touched(&one, Duration::MAX));
        active.begin(&one, &Verb::Pause);
        active.end(&one, &Verb::Pause);
        assert!(!active.switched_off(&one) && active.paused(&one));
    }
}
