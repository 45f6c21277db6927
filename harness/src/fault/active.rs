//! What has befallen machines and lasts, so that it can be undone at the end of a run.

use std::sync::{Mutex, PoisonError};

use crate::scenario::{MachineName, Verb};

/// The faults that last, in the order in which they were begun.
#[derive(Debug, Default)]
pub struct Active(Mutex<Vec<(MachineName, Verb)>>);

impl Active {
    /// A fault is about to befall a machine.
    pub(super) fn begin(&self, machine: &MachineName, verb: &Verb) {
        if verb.undoing().is_some() {
            self.entries().push((machine.clone(), verb.clone()));
        }
    }

    /// A verb was seen to be done. If it heals, what it undoes lasts no longer.
    pub(super) fn end(&self, machine: &MachineName, verb: &Verb) {
        if verb.heals() {
            self.entries().retain(|(on, fault)| on != machine || fault.undoing().as_ref() != Some(verb));
        }
    }

    /// Whether anything that befell a machine lasts.
    pub fn befell(&self, machine: &MachineName) -> bool {
        self.entries().iter().any(|(on, _)| on == machine)
    }

    /// What undoes all that lasts, in the order in which it is to be done: the latest fault first, each heal once.
    pub(super) fn undoings(&self) -> Vec<(MachineName, Verb)> {
        let mut undoings: Vec<(MachineName, Verb)> = Vec::new();
        for (machine, verb) in self.entries().iter().rev() {
            if let Some(undoing) = verb.undoing().map(|undoing| (machine.clone(), undoing))
                && !undoings.contains(&undoing)
            {
                undoings.push(undoing);
            }
        }
        undoings
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<(MachineName, Verb)>> {
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

        active.end(&two, &Verb::Resume);
        assert!(active.befell(&one) && !active.befell(&two));
        active.begin(&one, &Verb::Kill);
        assert_eq!(active.undoings(), expected[1..]);
    }
}
