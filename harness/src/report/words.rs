//! How events and times are said, the same wherever they are shown.

use std::collections::BTreeMap;

use crate::event::{Phase, What};

use super::span::Outcome;

/// A time to a tenth of a millisecond, which is what events are stamped to.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

/// A time that was measured, as `0.4 s` or `2m03s`.
pub fn time(seconds: f64) -> String {
    if seconds < 99.95 { format!("{:.1} s", seconds.max(0.0)) } else { clock(seconds) }
}

/// A moment of the run, always to a tenth of a second.
pub(super) fn moment(at: f64) -> String {
    format!("{at:.1} s")
}

/// A time that somebody set, as `90s`, `5m` or `2m30s`: as it is written in a scenario.
pub(super) fn limit(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{:.0}ms", seconds * 1e3);
    }
    if seconds.round() <= 90.0 { format!("{seconds:.0}s") } else { clock(seconds).replace("m00s", "m") }
}

fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("{hours}h{minutes:02}m") } else { format!("{minutes}m{seconds:02}s") }
}

/// A phase as a heading.
pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Prepare => "Prepare",
        Phase::BringUp => "Bring up",
        Phase::Scenario => "Scenario",
        Phase::CleanUp => "Clean up",
    }
}

/// What stands before something that came out so. One column wide in every terminal.
pub(super) fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✓",
        Outcome::Failed => "✗",
        Outcome::Broken => "!",
        Outcome::Interrupted | Outcome::Unfinished => "~",
        Outcome::NotReached => "·",
    }
}

/// How the line of a fault begins.
pub(super) const FAULT: &str = "fault: ";

/// A fault as a person would say it, without its proof.
pub(super) fn fault(verb: &str, service: Option<&str>, machine: &str, detail: Option<&str>) -> String {
    let detail = detail.map_or(String::new(), |detail| format!(" {detail}"));
    match service {
        Some(service) => format!("{verb} {service} on {machine}{detail}"),
        None => format!("{verb} {machine}{detail}"),
    }
}

/// What a change of the cluster or of its machines is, in one line; nothing for what happens all the time.
pub(super) fn describe(what: &What) -> Option<String> {
    let because = |error: &Option<String>| error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    Some(match what {
        What::Machine { machine, state, proof } => format!("machine {machine} is {state} ({proof})"),
        What::Fault { verb, machine, service, heals, detail, proof, .. } => {
            let kind = if *heals { "healed: " } else { FAULT };
            format!("{kind}{} ({proof})", fault(verb, service.as_deref(), machine, detail.as_deref()))
        }
        What::Node { node, ready, reason, .. } => match ready.as_str() {
            "True" => format!("node {node} is Ready"),
            "absent" => format!("node {node} is absent"),
            _ => format!("node {node} is NotReady ({reason})"),
        },
        What::DaemonSet { name, exists: false, .. } => format!("DaemonSet {name} does not exist"),
        What::DaemonSet { name, desired, ready, .. } => format!("DaemonSet {name}: {ready} of {desired} pods ready"),
        What::Etcd { machine, healthy: true, leader: Some(leader), .. } => {
            format!("etcd on {machine} is healthy and follows {leader}")
        }
        What::Etcd { machine, healthy: true, .. } => format!("etcd on {machine} is healthy"),
        What::Etcd { machine, error, .. } => format!("etcd on {machine} is not healthy{}", because(error)),
        What::Readyz { machine, ready: true, .. } => format!("the API server on {machine} is ready"),
        What::Readyz { machine, error, .. } => format!("the API server on {machine} is not ready{}", because(error)),
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
        What::Violation { invariant, message } => format!("violated {invariant}: {message}"),
        What::Notice { message } => format!("note: {message}"),
        What::Unexplained { message, .. } => format!("unexplained: {message}"),
        _ => return None,
    })
}

/// What was told last of each thing that is looked at anew for every check, whether or not it has changed.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<String, String>);

impl Told {
    /// What a change is, in one line, unless it was told already.
    pub(super) fn describe(&mut self, what: &What) -> Option<String> {
        if let What::Watch { of, connected, .. } = what {
            // One that is cut fails again with each try to take it up.
            let key = format!("watch {of}");
            let known = if *connected { self.0.remove(&key) } else { self.0.insert(key, String::new()) };
            return describe(what).filter(|_| known.is_none());
        }
        let text = describe(what)?;
        let key = match what {
            What::Etcd { machine, .. } => format!("etcd {machine}"),
            What::Readyz { machine, .. } => format!("readyz {machine}"),
            What::Reach { of, .. } => format!("reach {of}"),
            _ => return Some(text),
        };
        (self.0.get(&key) != Some(&text)).then(|| {
            self.0.insert(key, text.clone());
            text
        })
    }
}

/// A step in a column of so many: its number is as wide as the widest.
pub(super) fn numbered(step: usize, of: usize, title: &str) -> String {
    let digits = of.max(step + 1).to_string().len();
    format!("step {:>digits$}  {title}", step + 1)
}

/// How a span is called: by its step, or by its machine.
pub(super) fn label(step: Option<usize>, machine: Option<&str>, title: &str) -> String {
    match (step, machine) {
        (Some(step), _) => format!("step {}  {title}", step + 1),
        (None, Some(machine)) => format!("{machine}: {title}"),
        (None, None) => title.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_the_unit_that_fits() {
        for (seconds, measured, set) in [
            (0.0, "0.0 s", "0ms"),
            (0.25, "0.2 s", "250ms"),
            (12.34, "12.3 s", "12s"),
            (90.0, "90.0 s", "90s"),
            (99.97, "1m40s", "1m40s"),
            (300.0, "5m00s", "5m"),
            (150.0, "2m30s", "2m30s"),
            (3725.0, "1h02m", "1h02m"),
        ] {
            assert_eq!((time(seconds).as_str(), limit(seconds).as_str()), (measured, set));
        }
    }
}
