//! When nobody saw: what a watch tells of is not known while it is cut, whatever was seen of it last.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::check::names::{COMPONENT_LEASES, NODES, PODS};
use crate::event::{Event, What};

use super::piece::Track;

/// Seconds below which a watch that was cut is no gap in what is known: it is taken up again within a few tenths.
const SHORT: f64 = 1.0;

/// A watch that was cut for a while.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    /// What is watched.
    pub(super) of: &'static str,
    /// In seconds since the run's start.
    pub(super) from: f64,
    pub(super) to: f64,
}

/// The cuts that lasted, up to the `end` of watching. A watch is back when it says so, or tells of anything.
pub(super) fn cuts(events: &[Event], end: f64) -> Vec<Cut> {
    let mut open: BTreeMap<&'static str, f64> = BTreeMap::new();
    let mut cuts = Vec::new();
    for event in events.iter().filter(|event| event.at <= end) {
        let Some((of, is_cut)) = watch(&event.what) else { continue };
        if is_cut {
            open.entry(of).or_insert(event.at);
        } else if let Some(from) = open.remove(of) {
            cuts.push(Cut { of, from, to: event.at });
        }
    }
    cuts.extend(open.into_iter().map(|(of, from)| Cut { of, from, to: end }));
    cuts.retain(|cut| cut.to - cut.from >= SHORT);
    cuts
}

/// The watch that an event is of, and whether it is cut.
fn watch(what: &What) -> Option<(&'static str, bool)> {
    match what {
        What::Watch { of, connected, .. } => {
            let of = [NODES, PODS, COMPONENT_LEASES].into_iter().find(|one| one == of)?;
            Some((of, !connected))
        }
        What::Node { .. } => Some((NODES, false)),
        What::Pod { .. } => Some((PODS, false)),
        What::ComponentLease { .. } => Some((COMPONENT_LEASES, false)),
        _ => None,
    }
}

/// The track, with what was not seen as that.
pub(super) fn unseen(track: Track, cuts: &[&Cut], end: f64) -> Track {
    let covers: Vec<_> = cuts.iter().map(|cut| (cut.from..cut.to, cut.of)).collect();
    track.under(&covers, end, |state, of| {
        let title = format!("not known, since the watch of {of} is cut; last seen: {}", state.title);
        Some(("unknown", "not known".to_owned(), title))
    })
}

/// The track of what the API tells of a machine, with what it still says while the machine is `off` as that: a range of
/// time, and the state of the machine.
pub(super) fn outdated(track: Track, off: &[(Range<f64>, String)], end: f64) -> Track {
    track.under(off, end, |state, off| {
        let title = format!("the API still says: {}; but the machine is {off}", state.title);
        state.class.starts_with("up").then(|| ("outdated", format!("{}?", state.short), title))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    #[test]
    fn a_watch_is_cut_until_it_is_back_or_tells_of_anything() {
        let mut log = Log::new("cuts");
        log.watch(2.0, NODES, Some("refused"));
        log.watch(2.0, PODS, Some("refused"));
        log.watch(2.0, "daemonsets", Some("refused"));
        log.watch(3.0, NODES, Some("refused"));
        log.watch(4.0, NODES, None);
        log.watch(5.0, NODES, Some("too short to be seen"));
        log.watch(5.5, NODES, None);
        log.watch(6.0, NODES, Some("refused"));
        log.node(8.0, "m1", "True");
        let cut = |of, from, to| Cut { of, from, to };
        assert_eq!(cuts(&log.finish(), 9.0), [cut(NODES, 2.0, 4.0), cut(NODES, 6.0, 8.0), cut(PODS, 2.0, 9.0)]);
    }

    #[test]
    fn what_is_not_seen_is_not_known_and_what_is_not_drawn_stays_so() {
        let mut track = Track::default();
        for (at, class) in [(1.0, "up"), (4.0, "down"), (6.0, ""), (8.0, "up")] {
            track.turn(at, class, class, format!("it is {class}"));
        }
        let cut = Cut { of: NODES, from: 3.0, to: 7.0 };
        let pieces = unseen(track, &[&cut], 9.0).pieces(None, 9.0);
        let drawn: Vec<_> = pieces.iter().map(|it| (it.from, it.to, it.class.as_str())).collect();
        let unknown = [(3.0, 4.0, "unknown"), (4.0, 6.0, "unknown")];
        assert_eq!(drawn, [(1.0, 3.0, "up"), unknown[0], unknown[1], (8.0, 9.0, "up")]);
        assert_eq!(pieces[1].title, "not known, since the watch of nodes is cut; last seen: it is up");
    }
}
