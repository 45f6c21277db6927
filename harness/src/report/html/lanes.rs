//! One lane a machine: what it did, what befell it, and what the cluster thought of it.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::check::names::{COMPONENT_LEASES, NODES, PODS};
use crate::event::{Event, Phase, What};
use crate::report::span::Span;
use crate::report::told::{Told, begun};

use super::bands::Band;
use super::blind::{Cut, cuts, outdated, unseen};
use super::piece::{Piece, Row, Track, stacked, thinned};

/// A machine with all that is drawn of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// What of a machine has a row of its own, in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Machine,
    Node,
    Etcd,
    Api,
    Lease(String),
    Pod(String),
}

impl Part {
    /// The watch that tells of it. What is asked directly has none.
    fn watch(&self) -> Option<&'static str> {
        match self {
            Part::Node => Some(NODES),
            Part::Lease(_) => Some(COMPONENT_LEASES),
            Part::Pod(_) => Some(PODS),
            Part::Machine | Part::Etcd | Part::Api => None,
        }
    }
}

type Tracks = BTreeMap<String, BTreeMap<Part, Track>>;

/// The lanes of all machines that events tell of. What the cluster was seen to be is drawn for as long as it was watched.
pub(super) fn lanes(events: &[Event], spans: &[Span], bands: &[Band], end: f64) -> Vec<Lane> {
    let watched = watched(events, spans, end);
    let mut tracks = Tracks::new();
    for machine in spans.iter().filter_map(|span| span.machine.as_ref()).chain(bands.iter().map(|band| &band.machine)) {
        tracks.entry(machine.clone()).or_default();
    }
    let told = Told::of(events);
    for event in events {
        turn(&mut tracks, &told, event);
    }
    let cuts = cuts(events, watched);
    let lanes = tracks.into_iter().map(|(name, mut parts)| {
        let machine = cut_off(parts.remove(&Part::Machine).unwrap_or_default(), &name, bands, watched);
        let machine = machine.pieces(Some(&name), watched);
        let off = off(&machine);
        let mut rows = vec![Row { name: "machine".to_owned(), class: "machine".to_owned(), pieces: machine }];
        for (part, mut track) in parts {
            if let Some(of) = part.watch() {
                let cut: Vec<&Cut> = cuts.iter().filter(|cut| cut.of == of).collect();
                track = outdated(unseen(track, &cut, watched), &off, watched);
            }
            let (label, class) = match part {
                Part::Machine => continue,
                Part::Node => ("node".to_owned(), "node"),
                Part::Etcd => ("etcd".to_owned(), "etcd"),
                Part::Api => ("API server".to_owned(), "api-server"),
                Part::Lease(component) => (component, "lease"),
                Part::Pod(owner) => (format!("pod of {owner}"), "pod"),
            };
            rows.push(Row { name: label, class: class.to_owned(), pieces: track.pieces(Some(&name), watched) });
        }
        let befell = bands.iter().filter(|band| band.machine == name).map(|band| {
            let service = band.service.as_ref().map_or(String::new(), |service| format!(" {service}"));
            Piece { short: format!("{}{service}", band.verb), ..band.piece() }
        });
        rows.extend(numbered("faults", "faults", stacked(befell.collect())));
        let work = spans.iter().filter(|span| span.machine.as_ref() == Some(&name));
        rows.extend(numbered("work", "work", stacked(thinned(work.map(|span| worked(span, end)).collect(), end))));
        rows.retain(|row| !row.pieces.is_empty());
        Lane { name, rows }
    });
    lanes.collect()
}

/// A piece of work as a piece of the timeline.
pub(super) fn worked(span: &Span, end: f64) -> Piece {
    let message = span.message.as_ref().map_or(String::new(), |message| format!(": {message}"));
    Piece {
        from: span.start,
        to: span.end.unwrap_or(end),
        class: super::class(span.outcome).to_owned(),
        short: span.title.clone(),
        title: format!("{}, {}{message}", span.title, span.outcome),
        machine: span.machine.clone(),
    }
}

/// Rows of one kind; only the first has the name.
pub(super) fn numbered(name: &str, class: &str, rows: Vec<Vec<Piece>>) -> impl Iterator<Item = Row> {
    rows.into_iter().enumerate().map(move |(at, pieces)| Row {
        name: if at == 0 { name.to_owned() } else { String::new() },
        class: class.to_owned(),
        pieces,
    })
}

/// When the cluster was watched last: observers stop before a run cleans up, and what is seen afterwards is the run's own
/// doing. In a run that never cleaned up, that is its end.
pub(super) fn watched(events: &[Event], spans: &[Span], end: f64) -> f64 {
    let last = events.iter().rfind(|event| is_observed(&event.what)).map_or(0.0, |event| event.at);
    let clean_ups = spans.iter().filter(|span| span.phase == Phase::CleanUp && span.start >= last);
    clean_ups.map(|span| span.start).fold(end, f64::min)
}

fn is_observed(what: &What) -> bool {
    matches!(
        what,
        What::Node { .. }
            | What::NodeLease { .. }
            | What::ComponentLease { .. }
            | What::Pod { .. }
            | What::ApiSample { .. }
            | What::Readyz { .. }
            | What::Write { .. }
            | What::Etcd { .. }
            | What::Watch { .. }
    )
}

/// A machine that runs, and that others do not reach, is isolated or partitioned.
fn cut_off(track: Track, name: &str, bands: &[Band], end: f64) -> Track {
    let mut bands: Vec<&Band> = bands.iter().filter(|band| band.machine == name).collect();
    // One whose cable is pulled is isolated, whatever its packet filter does.
    bands.sort_by_key(|band| band.verb != "isolate");
    let covers = bands.into_iter().filter_map(|band| Some((band.from..band.to, (band, band.cut_off()?))));
    track.under(&covers.collect::<Vec<_>>(), end, |state, (band, called)| {
        let title = format!("{name}: {}", band.story);
        (state.class == "up").then(|| ("isolated", (*called).to_owned(), title))
    })
}

/// When a machine did not run, as far as that was seen, and what it was instead.
fn off(machine: &[Piece]) -> Vec<(Range<f64>, String)> {
    let off = machine.iter().filter(|piece| matches!(piece.class.as_str(), "down" | "paused"));
    off.map(|piece| (piece.from..piece.to, piece.short.clone())).collect()
}

fn turn(tracks: &mut Tracks, told: &Told, event: &Event) {
    let at = match &event.what {
        // One that was never made was absent all along.
        What::Machine { machine, state, .. } if state == "absent" && !is_seen(tracks, machine) => 0.0,
        _ => begun(event).unwrap_or(event.at),
    };
    let said = || told.say(&event.what).unwrap_or_default();
    let mut track = |machine: &str, part, class: &str, short: &str, title: String| {
        tracks.entry(machine.to_owned()).or_default().entry(part).or_default().turn(at, class, short, title);
    };
    match &event.what {
        What::Machine { machine, state, .. } => {
            let class = match state.as_str() {
                "running" => "up",
                "paused" => "paused",
                _ => "down",
            };
            track(machine, Part::Machine, class, state, said());
        }
        What::Node { node, ready, reason, .. } => {
            let (class, short) = match ready.as_str() {
                "True" => ("up", "Ready"),
                "absent" => ("", ""),
                _ => ("down", "NotReady"),
            };
            track(node, Part::Node, class, short, format!("node {node} is {short} ({reason})"));
        }
        What::Etcd { machine, healthy, member, leader, .. } => {
            let (class, short) = match (healthy, member.is_some() && member == leader) {
                (true, true) => ("up leads", "leader"),
                (true, false) => ("up", "follows"),
                (false, _) => ("down", "not healthy"),
            };
            track(machine, Part::Etcd, class, short, said());
        }
        What::Readyz { machine, ready, .. } => {
            let (class, short) = if *ready { ("up", "ready") } else { ("down", "not ready") };
            track(machine, Part::Api, class, short, said());
        }
        What::Pod { owner, pod, node: Some(node), phase, ready, terminating, .. } => {
            let (class, short) = match (phase.as_str(), ready, terminating) {
                ("absent", ..) => ("", ""),
                (_, _, true) => ("down", "terminating"),
                (_, true, _) => ("up", "ready"),
                ("Running", ..) => ("down", "not ready"),
                (phase, ..) => ("down", phase),
            };
            // The end of one pod says nothing of the one that came after it.
            if class.is_empty() && !says(tracks, node, owner, pod) {
                return;
            }
            let part = Part::Pod(owner.clone());
            let title = format!("pod {pod} on {node}: {short}");
            tracks.entry(node.clone()).or_default().entry(part).or_default().turn(at, class, short, title);
        }
        What::ComponentLease { component, machine, transitions, .. } => {
            let part = Part::Lease(component.clone());
            for (name, parts) in tracks.iter_mut().filter(|(name, _)| Some(*name) != machine.as_ref()) {
                if let Some(track) = parts.get_mut(&part) {
                    track.turn(at, "", "", format!("{name} no longer leads"));
                }
            }
            if let Some(machine) = machine {
                let title =
                    format!("{component} of {machine} holds the lease, which has changed hands {transitions} times");
                tracks
                    .entry(machine.clone())
                    .or_default()
                    .entry(part)
                    .or_default()
                    .turn(at, "up leads", "leads", title);
            }
        }
        _ => {}
    }
}

/// Whether a machine was seen before.
fn is_seen(tracks: &Tracks, machine: &str) -> bool {
    tracks.get(machine).is_some_and(|parts| parts.contains_key(&Part::Machine))
}

/// Whether what is known of a workload on a node is of this pod.
fn says(tracks: &Tracks, node: &str, owner: &str, pod: &str) -> bool {
    let track = tracks.get(node).and_then(|parts| parts.get(&Part::Pod(owner.to_owned())));
    track.is_some_and(|track| track.told().starts_with(&format!("pod {pod} ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Summary;
    use crate::report::html::bands::bands;
    use crate::report::support::{self, Log};

    /// From when to when a piece lasts, and its class.
    type Drawn = (f64, f64, String);

    /// The rows of a machine by their names.
    fn rows(events: &[Event], machine: &str) -> Vec<(String, Vec<Drawn>)> {
        let summary = Summary::of(events);
        let (end, bands) = (summary.run.seconds, bands(events, &summary.faults, summary.run.seconds));
        let lane = lanes(events, &summary.spans, &bands, end).into_iter().find(|lane| lane.name == machine).unwrap();
        let drawn = |row: Row| (row.name, row.pieces.into_iter().map(|it| (it.from, it.to, it.class)).collect());
        lane.rows.into_iter().map(drawn).collect()
    }

    #[test]
    fn a_lane_has_what_the_machine_did_and_what_befell_it() {
        let rows = rows(&support::passed(), "master2");
        let row = |name: &str| rows.iter().find(|row| row.0 == name).unwrap().1.clone();
        let since = "the provider's own times";
        assert_eq!(row("machine"), [(70.2, 116.9, "down".to_owned()), (116.9, 134.3, "up".to_owned())], "{since}");
        assert_eq!(
            row("node"),
            [
                (47.0, 52.0, "down".to_owned()),
                (52.0, 70.2, "up".to_owned()),
                (70.2, 80.0, "outdated".to_owned()),
                (80.0, 116.0, "unknown".to_owned()),
                (116.0, 134.1, "down".to_owned()),
                (134.1, 134.3, "up".to_owned())
            ]
        );
        assert_eq!(row("faults"), [(70.1, 116.9, "fault".to_owned())]);
        assert_eq!(row("work").len(), 2);
    }

    #[test]
    fn who_leads_is_seen_on_one_machine_at_a_time() {
        let mut log = Log::new("leads");
        for (at, machine, leader) in [(1.0, "m1", "a"), (1.0, "m2", "a"), (5.0, "m2", "b"), (6.0, "m1", "b")] {
            log.etcd(at, machine, if machine == "m1" { "a" } else { "b" }, leader);
        }
        for (at, machine) in [(2.0, Some("m1")), (7.0, Some("m2")), (9.0, None)] {
            let (component, holder) = ("kube-scheduler".to_owned(), machine.unwrap_or_default().to_owned());
            let machine = machine.map(str::to_owned);
            log.add(at, What::ComponentLease { component, machine, holder, transitions: 1, acquired: None });
        }
        log.add(10.0, What::Notice { message: String::new() });
        let events = log.finish();
        let leads = |machine| -> Vec<(f64, f64)> {
            let rows = rows(&events, machine).into_iter().flat_map(|row| row.1);
            rows.filter(|it| it.2 == "up leads").map(|it| (it.0, it.1)).collect()
        };
        assert_eq!(leads("m1"), [(1.0, 6.0), (2.0, 7.0)]);
        assert_eq!(leads("m2"), [(5.0, 10.0), (7.0, 9.0)]);
    }

    #[test]
    fn a_machine_that_runs_and_is_cut_off_is_isolated_and_not_up() {
        let mut log = Log::new("isolated");
        for (at, state) in [(1.0, "running"), (6.0, "stopped")] {
            let (machine, state) = ("m1".to_owned(), state.to_owned());
            log.add(at, What::Machine { machine, state, proof: String::new(), since: None });
        }
        log.befall(2.0, "isolate", "m1", false);
        log.befall(4.0, "restore", "m1", true);
        log.befall(5.0, "isolate", "m1", false);
        log.add(9.0, What::Notice { message: String::new() });
        let rows = rows(&log.finish(), "m1");
        let classes: Vec<_> = rows[0].1.iter().map(|it| (it.0, it.2.as_str())).collect();
        assert_eq!(classes, [(1.0, "up"), (2.0, "isolated"), (4.0, "up"), (5.0, "isolated"), (6.0, "down")]);
    }

    #[test]
    fn an_api_server_that_is_asked_directly_has_a_row() {
        let mut log = Log::new("readyz");
        for (at, ready) in [(1.0, false), (2.0, true), (6.0, false)] {
            let error = (!ready).then(|| "no answer within 2s".to_owned());
            log.add(at, What::Readyz { machine: "m1".to_owned(), ready, status: None, error });
        }
        log.add(9.0, What::Notice { message: String::new() });
        let rows = rows(&log.finish(), "m1");
        let drawn = [(1.0, 2.0, "down".to_owned()), (2.0, 6.0, "up".to_owned()), (6.0, 9.0, "down".to_owned())];
        assert_eq!(rows, [("API server".to_owned(), drawn.to_vec())]);
    }

    #[test]
    fn a_partition_is_seen_on_the_machine_and_says_if_it_is_one_way() {
        let mut log = Log::new("partitioned");
        let (machine, state) = ("m1".to_owned(), "running".to_owned());
        log.add(1.0, What::Machine { machine, state, proof: String::new(), since: None });
        log.partition(2.0, "m1", "from m2, m3, both directions");
        log.heal(4.0, "m1", "from partition");
        log.partition(5.0, "m1", "from m2, what comes in");
        log.befall(6.0, "isolate", "m1", false);
        log.befall(7.0, "restore", "m1", true);
        log.add(9.0, What::Notice { message: String::new() });
        let events = log.finish();
        let summary = Summary::of(&events);
        let bands = bands(&events, &summary.faults, 9.0);
        let lanes = lanes(&events, &summary.spans, &bands, 9.0);
        let drawn: Vec<_> = lanes[0].rows[0].pieces.iter().map(|it| (it.from, it.short.as_str())).collect();
        let way = "cut off one way";
        assert_eq!(
            drawn,
            [(1.0, "running"), (2.0, "partitioned"), (4.0, "running"), (5.0, way), (6.0, "isolated"), (7.0, way)]
        );
    }

    #[test]
    fn what_was_seen_last_is_not_drawn_into_the_cleaning_up() {
        let mut log = Log::new("watched");
        let mut turns = |at, machine: &str, state: &str| {
            let (machine, state) = (machine.to_owned(), state.to_owned());
            log.add(at, What::Machine { machine, state, proof: String::new(), since: None });
        };
        turns(1.0, "m1", "running");
        turns(1.0, "m2", "stopped");
        // What is undone while cleaning up is still told.
        turns(9.0, "m2", "running");
        log.node(2.0, "m1", "True");
        log.sample(8.0, true, 4.0);
        log.work(&support::work(Phase::CleanUp, "remove the machines", 8.2, 10.0));
        let mut events = log.finish();
        assert_eq!(rows(&events, "m1")[0].1, [(1.0, 8.2, "up".to_owned())]);
        assert_eq!(rows(&events, "m1")[1].1, [(2.0, 8.2, "up".to_owned())]);
        assert_eq!(rows(&events, "m2")[0].1, [(1.0, 9.0, "down".to_owned()), (9.0, 9.0, "up".to_owned())]);
        events.retain(|event| !matches!(event.what, What::SpanStarted { .. } | What::SpanEnded { .. }));
        assert_eq!(rows(&events, "m1")[1].1, [(2.0, 9.0, "up".to_owned())], "without cleaning up, to the end");
    }

    #[test]
    fn what_a_watch_tells_of_is_not_known_while_it_is_cut() {
        let mut log = Log::new("cut");
        log.node(1.0, "m1", "True");
        log.etcd(1.0, "m1", "a", "a");
        log.watch(4.0, "nodes", Some("refused"));
        log.watch(7.0, "nodes", None);
        log.add(9.0, What::Notice { message: String::new() });
        let rows = rows(&log.finish(), "m1");
        let drawn: Vec<_> = rows[0].1.iter().map(|it| (it.0, it.1, it.2.as_str())).collect();
        assert_eq!(drawn, [(1.0, 4.0, "up"), (4.0, 7.0, "unknown"), (7.0, 9.0, "up")]);
        assert_eq!(rows[1].1, [(1.0, 9.0, "up leads".to_owned())], "members are asked directly");
    }

    #[test]
    fn the_end_of_an_old_pod_does_not_hide_the_new_one() {
        let mut log = Log::new("pods");
        for (at, pod, phase, ready) in
            [(1.0, "old", "Running", true), (2.0, "new", "Running", true), (3.0, "old", "absent", false)]
        {
            let (owner, pod, phase) = ("sh-cgi".to_owned(), pod.to_owned(), phase.to_owned());
            let (node, terminating, address, started) = (Some("m1".to_owned()), false, None, None);
            log.add(at, What::Pod { owner, pod, node, phase, ready, terminating, address, started });
        }
        log.add(9.0, What::Notice { message: String::new() });
        let rows = rows(&log.finish(), "m1");
        let pieces: Vec<_> = rows[0].1.iter().map(|it| (it.0, it.1, it.2.as_str())).collect();
        assert_eq!(pieces, [(1.0, 2.0, "up"), (2.0, 9.0, "up")]);
    }
}
