//! How what happened is told, in one line each: members of etcd by their machines, without noise, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::event::{Event, What};

use super::words::{FAULT, fault, time};

/// Seconds after which a watch that is cut in the same way is news again.
const NEWS: f64 = 5.0;

/// What is known of the run by those who tell it.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The machines of etcd's members by their ids.
    members: BTreeMap<String, String>,
    /// What was told last of each thing that is looked at anew for every check, whether or not it has changed.
    said: BTreeMap<String, String>,
    /// When each error cut a watch last.
    cuts: BTreeMap<String, f64>,
}

/// Something that was told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line<'a> {
    /// When it was first, in seconds since the run's start.
    pub(super) at: f64,
    /// What.
    pub(super) text: String,
    /// What it tells of.
    pub(super) what: &'a What,
}

/// The watches that were cut by the same error in a row. Tries to take them up fail after that, for whatever reason.
#[derive(Debug)]
struct Cut {
    /// The place of its line.
    line: usize,
    watches: Vec<String>,
    error: Option<String>,
    times: usize,
    until: f64,
    /// Those that are not back yet.
    open: BTreeSet<String>,
}

impl Cut {
    fn text(&self) -> String {
        let error = self.error.as_ref().map_or(String::new(), |error| format!(": {}", tidy(error)));
        let which = match self.watches.as_slice() {
            [of] => format!("the watch of {of} was cut"),
            several => format!("{} watches were cut ({})", several.len(), several.join(", ")),
        };
        match self.times > self.watches.len() {
            true => format!("{which}{error} × {} until {:.1} s", self.times, self.until),
            false => format!("{which}{error}"),
        }
    }
}

/// What `events` are in lines; what only repeats is folded into the first of it.
pub(super) fn lines<'a>(told: &mut Told, events: impl Iterator<Item = &'a Event>) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut cuts: Vec<Cut> = Vec::new();
    for event in events {
        if let What::Watch { of, connected: true, .. } = &event.what {
            for cut in &mut cuts {
                cut.open.remove(of);
            }
        }
        let What::Watch { of, connected: false, error } = &event.what else {
            let text = told.describe(event);
            lines.extend(text.map(|text| Line { at: begun(event).unwrap_or(event.at), text, what: &event.what }));
            continue;
        };
        let same = |cut: &&mut Cut| cut.open.contains(of) || cut.error == *error && event.at - cut.until <= NEWS;
        let Some(cut) = cuts.iter_mut().rev().find(same) else {
            let (line, watches, error) = (lines.len(), vec![of.clone()], error.clone());
            let cut = Cut { line, watches, error, times: 1, until: event.at, open: BTreeSet::from([of.clone()]) };
            lines.push(Line { at: event.at, text: cut.text(), what: &event.what });
            cuts.push(cut);
            continue;
        };
        if !cut.watches.contains(of) {
            cut.watches.push(of.clone());
        }
        cut.open.insert(of.clone());
        (cut.times, cut.until) = (cut.times + 1, event.at);
        lines[cut.line].text = cut.text();
    }
    lines
}

/// When a fault was begun, or a machine came into its state, in seconds since the run's start. Between that and the event
/// the clock had hardly time to jump; if it did, or if that was before the run, the event is what is left.
pub(super) fn begun(Event { at, wall, what }: &Event) -> Option<f64> {
    let (What::Fault { begun, .. } | What::Machine { since: Some(begun), .. }) = what else { return None };
    let since = wall.duration_since(*begun).as_secs_f64();
    Some(super::words::rounded(if (0.0..=*at).contains(&since) { at - since } else { *at }))
}

/// What is said when what was begun at a moment was seen to be done later, as it is shown.
pub(super) fn done(begun: f64, at: f64) -> String {
    let shown = super::words::moment(at);
    if super::words::moment(begun) == shown { String::new() } else { format!("done at {shown}") }
}

impl Told {
    /// With all that events tell of who is who.
    pub(super) fn of(events: &[Event]) -> Self {
        let mut told = Self::default();
        events.iter().for_each(|event| told.learn(&event.what));
        told
    }

    fn learn(&mut self, what: &What) {
        if let What::Etcd { machine, member: Some(member), .. } = what {
            self.members.insert(member.clone(), machine.clone());
        }
    }

    /// What a change is, in one line, unless it was told already.
    pub(super) fn describe(&mut self, event: &Event) -> Option<String> {
        let what = &event.what;
        self.learn(what);
        let mut text = self.say(what)?;
        if let What::Watch { error, .. } = what {
            // One that is cut fails again with each try to take it up.
            let last = self.cuts.insert(error.clone().unwrap_or_default(), event.at);
            return last.is_none_or(|last| event.at - last > NEWS).then_some(text);
        }
        if let Some(begun) = begun(event) {
            let seen = done(begun, event.at);
            let done = if matches!(what, What::Machine { .. }) { seen.replace("done at", "seen at") } else { seen };
            if !done.is_empty() {
                text.insert_str(text.len() - 1, &format!("; {done}"));
            }
        }
        let key = match what {
            What::Etcd { machine, .. } => format!("etcd {machine}"),
            What::Readyz { machine, .. } => format!("readyz {machine}"),
            What::Reach { of, .. } => format!("reach {of}"),
            _ => return Some(text),
        };
        (self.said.get(&key) != Some(&text)).then(|| {
            self.said.insert(key, text.clone());
            text
        })
    }

    /// What a change of the cluster or of its machines is, in one line; nothing for what happens all the time.
    pub(super) fn say(&self, what: &What) -> Option<String> {
        let because = |error: &Option<String>| error.as_ref().map_or(String::new(), |it| format!(": {}", tidy(it)));
        Some(match what {
            What::Machine { machine, state, proof, .. } => format!("machine {machine} is {state} ({})", tidy(proof)),
            What::Fault { step, verb, machine, service, heals, detail, proof, .. } => {
                let kind = match (heals, step) {
                    (true, None) => "healed while cleaning up: ",
                    (true, _) => "healed: ",
                    _ => FAULT,
                };
                format!("{kind}{} ({})", fault(verb, service.as_deref(), machine, detail.as_deref()), tidy(proof))
            }
            What::Node { node, ready, reason, .. } => match ready.as_str() {
                "True" => format!("node {node} is Ready"),
                "absent" => format!("node {node} is absent"),
                _ => format!("node {node} is NotReady ({reason})"),
            },
            What::DaemonSet { name, exists: false, .. } => format!("DaemonSet {name} does not exist"),
            What::DaemonSet { name, desired, ready, .. } => {
                format!("DaemonSet {name}: {ready} of {desired} pods ready")
            }
            What::Etcd { machine, healthy: true, leader: Some(leader), .. } => match self.members.get(leader) {
                Some(led) if led == machine => format!("etcd on {machine} is healthy and leads"),
                Some(led) => format!("etcd on {machine} is healthy and follows {led}"),
                None => format!("etcd on {machine} is healthy and follows a member that was not seen yet"),
            },
            What::Etcd { machine, healthy: true, .. } => format!("etcd on {machine} is healthy"),
            What::Etcd { machine, error, .. } => {
                let error = error.as_ref().map(|error| crate::member::named(error, |id| self.members.get(id).cloned()));
                format!("etcd on {machine} is not healthy{}", because(&error))
            }
            What::Readyz { machine, ready: true, .. } => format!("the API server on {machine} is ready"),
            What::Readyz { machine, error, .. } => {
                format!("the API server on {machine} is not ready{}", because(error))
            }
            What::Watch { of, connected: false, error } => format!("the watch of {of} was cut{}", because(error)),
            What::Choice { part, name, machines, why, .. } => {
                let called = name.as_ref().map_or(String::new(), |name| format!(", called {name},"));
                format!("{part}{called} is {} ({why})", machines.join(", "))
            }
            What::ComponentLease { component, machine: Some(machine), .. } => format!("{component} of {machine} leads"),
            What::ComponentLease { component, .. } => format!("nobody holds the lease of {component}"),
            What::Stream { state, gap, .. } if state == "delivers" && *gap > 0.0 => {
                format!("the watch of writes delivers again after {}", time(*gap))
            }
            What::Stream { state, .. } if state == "delivers" => return None,
            What::Stream { state, .. } if state == "stalls" => "the watch of writes stalls".to_owned(),
            What::Stream { error, .. } => format!("the watch of writes was cut{}", because(error)),
            What::WritesAudit { server, acknowledged, lost, disordered, .. } => {
                format!(
                    "{acknowledged} acknowledged writes read back from {server}: {lost} lost, {disordered} out of order"
                )
            }
            What::Reach { of, failed, .. } if !failed.is_empty() => {
                format!("pods of {of} do not reach each other: {}", failed.join("; "))
            }
            What::EtcdHash { revision, hashes } if hashes.values().any(|hash| Some(hash) != hashes.values().next()) => {
                format!("etcd's members differ at revision {revision}")
            }
            What::Violation { invariant, message, .. } => format!("violated {invariant}: {message}"),
            What::Notice { message } => format!("note: {message}"),
            What::Unexplained { message, .. } => format!("unexplained: {message}"),
            _ => return None,
        })
    }
}

/// A proof or an error without what helps nobody: times to the nanosecond, an end that has not come, the layers of a client.
pub(super) fn tidy(text: &str) -> String {
    const LAYERS: [&str; 5] = [
        "failed to start watching object: ",
        "failed to perform initial object list: ",
        "ServiceError: ",
        "client error (Connect): ",
        "client error (SendRequest): ",
    ];
    // What the API said is told once more behind it, field by field.
    let text = text.split_once(" (Status {").map_or(text, |(said, _)| said);
    let plain = LAYERS.iter().fold(text.to_owned(), |text, layer| text.replace(layer, ""));
    let running = plain.starts_with("container is running") || plain.starts_with("container is paused");
    let parts = plain.split(", ").filter(|part| !(running && is_of_an_end(part)));
    let plain = parts.collect::<Vec<_>>().join(", ");
    let words = plain.split(' ').filter(|word| !word.starts_with("https://docs.rs/"));
    words.map(short).collect::<Vec<_>>().join(" ").trim_end_matches([':', ' ']).to_owned()
}

fn is_of_an_end(part: &str) -> bool {
    part.starts_with("finished ") || part.starts_with("exit code ")
}

/// A time to the millisecond; other words as they are.
fn short(word: &str) -> String {
    let bare = word.trim_end_matches([',', ';', ')']);
    let time: Option<Timestamp> = Some(bare).filter(|it| it.contains('T')).and_then(|it| it.parse().ok());
    time.map_or(word.to_owned(), |time| format!("{}{}", time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), &word[bare.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    fn told(log: Log) -> Vec<String> {
        let events = log.finish();
        let lines = lines(&mut Told::of(&events), events.iter());
        lines.into_iter().map(|line| format!("{:.1} {}", line.at, line.text)).collect()
    }

    #[test]
    fn watches_that_are_cut_by_the_same_error_are_one_line() {
        let mut log = Log::new("cuts");
        for tenth in 0..10_u32 {
            for of in ["nodes", "pods"] {
                let error =
                    Some("failed to start watching object: ServiceError: client error (Connect): refused".into());
                let at = 54.5 + f64::from(tenth);
                log.add(at, What::Watch { of: of.to_owned(), connected: false, error });
            }
        }
        log.watch(70.0, "pods", Some("another reason"));
        log.watch(80.0, "pods", None);
        log.add(90.0, What::Watch { of: "pods".to_owned(), connected: false, error: None });
        assert_eq!(
            told(log),
            ["54.5 2 watches were cut (nodes, pods): refused × 21 until 70.0 s", "90.0 the watch of pods was cut"],
            "it was back in between"
        );
    }

    #[test]
    fn members_are_called_by_their_machines_and_alarms_by_whose_they_are() {
        let mut log = Log::new("members");
        log.etcd(1.0, "master1", "a1", "a1");
        log.etcd(1.1, "master2", "b2", "a1");
        log.etcd(1.2, "master2", "b2", "c3");
        let (machine, member) = ("master2".to_owned(), Some("b2".to_owned()));
        let (leader, members, term, revision) = (member.clone(), None, None, None);
        let error = Some("memberID:161 alarm:NOSPACE ".to_owned());
        let alarms = vec!["NOSPACE".to_owned()];
        log.add(2.0, What::Etcd { machine, healthy: false, member, leader, members, term, revision, alarms, error });
        assert_eq!(
            told(log),
            [
                "1.0 etcd on master1 is healthy and leads",
                "1.1 etcd on master2 is healthy and follows master1",
                "1.2 etcd on master2 is healthy and follows a member that was not seen yet",
                "2.0 etcd on master2 is not healthy: alarm NOSPACE of master1"
            ]
        );
    }

    #[test]
    fn proofs_and_errors_lose_what_helps_nobody() {
        for (text, tidied) in [
            (
                "container is running, exit code 0, started 2026-11-23T16:46:16.963118303Z, finished 0001-01-01T00:00:00Z",
                "container is running, started 2026-11-23T16:46:16.963Z",
            ),
            (
                "container is exited, exit code 137, finished 2026-11-23T16:47:46.17429198Z",
                "container is exited, exit code 137, finished 2026-11-23T16:47:46.174Z",
            ),
            (
                "ServiceError: client error (SendRequest): peer closed: https://docs.rs/rustls/latest/x.html#eof",
                "peer closed",
            ),
            (
                "ApiError: too old resource version: 530 (539): Expired (Status { status: Some(Failure), code: 410 })",
                "ApiError: too old resource version: 530 (539): Expired",
            ),
            ("the container exited with 137", "the container exited with 137"),
        ] {
            assert_eq!(tidy(text), tidied);
        }
    }
}
