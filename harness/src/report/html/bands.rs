//! Faults as what they are to a reader: times that last from the fault to its healing.

use crate::event::{Event, What};
use crate::report::faults::is_momentary;
use crate::report::summary::Fault;
use crate::report::told::{begun, tidy};
use crate::report::words::fault as called;

use super::piece::Piece;

/// A fault with its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    /// What it is called.
    pub(super) name: String,
    pub(super) machine: String,
    pub(super) verb: String,
    pub(super) service: Option<String>,
    /// Its particulars.
    pub(super) detail: Option<String>,
    /// From when it was begun until it was seen to be healed, or to the end of the run.
    pub(super) from: f64,
    pub(super) to: f64,
    /// Whether it was healed, or over by itself.
    pub(super) healed: bool,
    /// All that is known of it.
    pub(super) story: String,
}

impl Band {
    /// How a machine that runs is called while this lasts, if others do not reach it.
    pub(super) fn cut_off(&self) -> Option<&'static str> {
        let one_way = |detail: &String| !detail.ends_with("both directions");
        match self.verb.as_str() {
            "isolate" => Some("isolated"),
            "partition" if self.detail.as_ref().is_some_and(one_way) => Some("cut off one way"),
            "partition" => Some("partitioned"),
            _ => None,
        }
    }

    pub(super) fn piece(&self) -> Piece {
        let class = if self.healed { "fault" } else { "fault open" };
        Piece {
            from: self.from,
            to: self.to,
            class: class.to_owned(),
            short: self.name.clone(),
            title: self.story.clone(),
            machine: Some(self.machine.clone()),
        }
    }
}

/// What befalls a machine as a whole, and is over once it runs.
const POWER: [&str; 3] = ["kill", "stop", "pause"];

/// When a machine that a fault has switched off, or paused, was seen to run again.
fn runs_again(events: &[Event], band: &Band) -> Option<f64> {
    let states = events.iter().filter_map(|event| match &event.what {
        What::Machine { machine, state, .. } if *machine == band.machine => {
            Some((begun(event).unwrap_or(event.at), state == "running"))
        }
        _ => None,
    });
    let mut since = states.filter(|(at, _)| *at >= band.from).skip_while(|(_, runs)| *runs);
    since.find(|(_, runs)| *runs).map(|(at, _)| at)
}

/// The faults that this undoes; of verbs that are not known here, all that befell the machine itself.
fn undone_by(heal: &Fault, band: &Band) -> bool {
    let verb = band.verb.as_str();
    heal.machine == band.machine
        && match heal.verb.as_str() {
            "start" | "resume" => POWER.contains(&verb),
            "restore" => heal.detail.as_deref() == Some(&format!("from {verb}")),
            "start-service" | "restart-service" => heal.service == band.service && verb == "stop-service",
            same if same == verb => heal.service == band.service,
            other => heal.service == band.service && !POWER.contains(&verb) && other != "reboot",
        }
}

/// All faults, in the order in which they were begun. What heals nothing that is open is a fault of its own. A machine that
/// runs again is healed then, whenever a step that does that is done or given up.
pub(super) fn bands(events: &[Event], faults: &[Fault], end: f64) -> Vec<Band> {
    let mut bands: Vec<Band> = Vec::new();
    for fault in faults {
        let mut heals = false;
        let same = bands.iter().any(|band| !band.healed && band.verb == fault.verb && undone_by(fault, band));
        if fault.heals || fault.verb == "restart-service" {
            for band in bands.iter_mut().filter(|band| !band.healed && undone_by(fault, band)) {
                // The undoing of one fault by its own name leaves the others.
                if same && band.verb != fault.verb {
                    continue;
                }
                heals = true;
                (band.to, band.healed) = (fault.at, true);
                let name = called(&fault.verb, fault.service.as_deref(), &fault.machine, fault.detail.as_deref());
                band.story.push_str(&format!(
                    ". Healed: {name}, begun at {:.3} s, seen at {:.3} s: {}",
                    fault.begun,
                    fault.at,
                    tidy(&fault.proof)
                ));
            }
        }
        if !fault.heals || !heals {
            let momentary = fault.heals || is_momentary(&fault.verb);
            bands.push(band(fault, if momentary { fault.at } else { end }, momentary));
        }
    }
    for band in bands.iter_mut().filter(|band| POWER.contains(&band.verb.as_str())) {
        if let Some(at) = runs_again(events, band).filter(|at| *at < band.to) {
            (band.to, band.healed) = (at, true);
            band.story.push_str(&format!(". It runs again at {at:.3} s"));
        }
    }
    bands.sort_by(|one, other| one.from.total_cmp(&other.from));
    bands
}

fn band(fault: &Fault, to: f64, healed: bool) -> Band {
    let name = called(&fault.verb, fault.service.as_deref(), &fault.machine, fault.detail.as_deref());
    let story = format!("{name}, begun at {:.3} s, seen at {:.3} s: {}", fault.begun, fault.at, tidy(&fault.proof));
    let (machine, verb, service) = (fault.machine.clone(), fault.verb.clone(), fault.service.clone());
    let detail = fault.detail.clone();
    Band { name, machine, verb, service, detail, from: fault.begun, to, healed, story }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Faults as (verb, machine, service, heals), a second apart from 10 s on, each seen 0.5 s after it was begun.
    fn drawn(faults: &[(&str, &str, &str, bool)]) -> Vec<(String, f64, f64, bool)> {
        let faults: Vec<Fault> = faults
            .iter()
            .zip(10..)
            .map(|((verb, machine, service, heals), begun)| Fault {
                at: f64::from(begun) + 0.5,
                begun: f64::from(begun),
                step: None,
                verb: (*verb).to_owned(),
                machine: (*machine).to_owned(),
                service: (!service.is_empty()).then(|| (*service).to_owned()),
                detail: (*verb == "restore").then(|| "from isolate".to_owned()),
                heals: *heals,
                proof: "seen".to_owned(),
            })
            .collect();
        bands(&[], &faults, 99.0).into_iter().map(|it| (it.name, it.from, it.to, it.healed)).collect()
    }

    fn bar(name: &str, from: f64, to: f64, healed: bool) -> (String, f64, f64, bool) {
        (name.to_owned(), from, to, healed)
    }

    #[test]
    fn a_fault_lasts_until_the_same_machine_is_healed() {
        assert_eq!(
            drawn(&[("kill", "m1", "", false), ("kill", "m2", "", false), ("start", "m1", "", true)]),
            [bar("kill m1", 10.0, 12.5, true), bar("kill m2", 11.0, 99.0, false)]
        );
    }

    #[test]
    fn a_machine_is_off_until_it_runs_however_long_the_step_that_starts_it_takes() {
        let mut log = crate::report::support::Log::new("runs again");
        log.befall(11.0, "kill", "m1", false);
        for (at, state) in [(9.0, "running"), (11.0, "stopped"), (14.0, "running")] {
            let (machine, state) = ("m1".to_owned(), state.to_owned());
            log.add(at, What::Machine { machine, state, proof: String::new(), since: None });
        }
        log.befall(20.0, "start", "m1", true);
        let events = log.finish();
        let bands = bands(&events, &crate::report::Summary::of(&events).faults, 99.0);
        assert_eq!(bands.len(), 1);
        assert_eq!((bands[0].to, bands[0].healed), (14.0, true));
        assert!(bands[0].story.contains("Healed: start m1") && bands[0].story.ends_with("runs again at 14.000 s"));
    }

    #[test]
    fn a_healing_ends_only_what_it_undoes() {
        assert_eq!(
            drawn(&[
                ("stop-service", "m1", "etcd", false),
                ("stop-service", "m1", "kubelet", false),
                ("isolate", "m1", "", false),
                ("start-service", "m1", "etcd", true),
                ("restore", "m1", "", true),
                ("restart-service", "m1", "kubelet", false),
            ]),
            [
                bar("stop-service etcd on m1", 10.0, 13.5, true),
                bar("stop-service kubelet on m1", 11.0, 15.5, true),
                bar("isolate m1", 12.0, 14.5, true),
                bar("restart-service kubelet on m1", 15.0, 15.5, true),
            ]
        );
    }

    #[test]
    fn verbs_that_are_not_known_make_bands_as_well() {
        assert_eq!(
            drawn(&[
                ("freeze-disk", "m1", "", false),
                ("confuse", "m1", "", false),
                ("freeze-disk", "m1", "", true),
                ("soothe", "m1", "", true),
            ]),
            [bar("freeze-disk m1", 10.0, 12.5, true), bar("confuse m1", 11.0, 13.5, true)]
        );
    }

    #[test]
    fn what_is_over_at_once_has_no_long_band_and_what_heals_nothing_is_seen() {
        assert_eq!(
            drawn(&[("reboot", "m1", "", false), ("start", "m2", "", true)]),
            [bar("reboot m1", 10.0, 10.5, true), bar("start m2", 11.0, 11.5, true)]
        );
    }
}
