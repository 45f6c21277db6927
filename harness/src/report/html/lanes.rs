//! One lane a machine: what it did, what befell it, and what the cluster thought of it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::{Event, What};
use crate::report::span::Span;

use super::bands::Band;
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
    Pod(String),
}

type Tracks = BTreeMap<String, BTreeMap<Part, Track>>;

/// The lanes of all machines that events tell of.
pub(super) fn lanes(events: &[Event], spans: &[Span], bands: &[Band], end: f64) -> Vec<Lane> {
    let mut tracks = Tracks::new();
    for machine in spans.iter().filter_map(|span| span.machine.as_ref()).chain(bands.iter().map(|band| &band.machine)) {
        tracks.entry(machine.clone()).or_default();
    }
    for event in events {
        turn(&mut tracks, event);
    }
    let lanes = tracks.into_iter().map(|(name, mut parts)| {
        if let Some(track) = parts.remove(&Part::Machine) {
            parts.insert(Part::Machine, isolated(track, &name, bands, end));
        }
        let mut rows: Vec<Row> = Vec::new();
        for (part, track) in parts {
            let (label, class) = match part {
                Part::Machine => ("machine".to_owned(), "machine"),
                Part::Node => ("node".to_owned(), "node"),
                Part::Etcd => ("etcd".to_owned(), "etcd"),
                Part::Pod(owner) => (format!("pod of {owner}"), "pod"),
            };
            rows.push(Row { name: label, class: class.to_owned(), pieces: track.pieces(Some(&name), end) });
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

/// A machine that runs, and that nobody reaches, is isolated.
fn isolated(track: Track, name: &str, bands: &[Band], end: f64) -> Track {
    let cut: Vec<&Band> = bands.iter().filter(|band| band.machine == name && band.verb == "isolate").collect();
    if cut.is_empty() {
        return track;
    }
    let states = track.pieces(None, end);
    let mut moments: Vec<f64> = states.iter().map(|piece| piece.from).collect();
    moments.extend(cut.iter().flat_map(|band| [band.from, band.to]));
    moments.sort_by(f64::total_cmp);
    let mut track = Track::default();
    for at in moments.into_iter().filter(|at| *at < end) {
        let Some(state) = states.iter().rev().find(|state| state.from <= at) else { continue };
        match cut.iter().find(|band| (band.from..band.to).contains(&at)) {
            Some(band) if state.class == "up" => track.turn(at, "isolated", "isolated", format!("{name}: {}", band.story)),
            _ => track.turn(at, &state.class, &state.short, state.title.clone()),
        }
    }
    track
}

fn turn(tracks: &mut Tracks, event: &Event) {
    let at = event.at;
    let mut track = |machine: &str, part, class: &str, short: &str, title: String| {
        tracks.entry(machine.to_owned()).or_default().entry(part).or_default().turn(at, class, short, title);
    };
    match &event.what {
        What::Machine { machine, state, proof } => {
            let class = match state.as_str() {
                "running" => "up",
                "paused" => "paused",
                "absent" => "",
                _ => "down",
            };
            track(machine, Part::Machine, class, state, format!("machine {machine} is {state}: {proof}"));
        }
        What::Node { node, ready, reason, .. } => {
            let (class, short) = match ready.as_str() {
                "True" => ("up", "Ready"),
                "absent" => ("", ""),
                _ => ("down", "NotReady"),
            };
            track(node, Part::Node, class, short, format!("node {node} is {short} ({reason})"));
        }
        What::Etcd { machine, healthy, member, leader, error, .. } => {
            let (class, short) = match (healthy, member.is_some() && member == leader) {
                (true, true) => ("up leads", "leader"),
                (true, false) => ("up", "follows"),
                (false, _) => ("down", "not healthy"),
            };
            let error = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
            track(machine, Part::Etcd, class, short, format!("etcd on {machine}: {short}{error}"));
        }
        What::Pod { owner, pod, node: Some(node), phase, ready, terminating, .. } => {
            let (class, short) = match (phase.as_str(), ready, terminating) {
                ("absent", ..) => ("", ""),
                (_, _, true) => ("down", "terminating"),
                (_, true, _) => ("up", "ready"),
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
        _ => {}
    }
}

/// Whether what is known of a workload on a node is of this pod.
fn says(tracks: &Tracks, node: &str, owner: &str, pod: &str) -> bool {
    let track = tracks.get(node).and_then(|parts| parts.get(&Part::Pod(owner.to_owned())));
    track.is_some_and(|track| track.told().starts_with(&format!("pod {pod} ")))
}
