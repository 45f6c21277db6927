//! How events and times are said, the same wherever they are shown.

use jiff::{SignedDuration, Timestamp};

use crate::event::{Phase, Verdict};

use super::span::Outcome;
use super::summary::Run;

/// A time to a tenth of a millisecond, which is what events are stamped to.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 1e4
}

/// A time that was measured, as `0.4 s` or `2m03s`.
pub fn time(seconds: f64) -> String {
    if seconds < 99.95 { format!("{:.1} s", seconds.max(0.0)) } else { clock(seconds) }
}

/// How many there are of something, as `1 request` or `2 requests`.
pub(super) fn count(many: usize, what: &str) -> String {
    let plural = if many == 1 { "" } else { "s" };
    format!("{many} {what}{plural}")
}

/// A moment of the run, always to a tenth of a second.
pub(super) fn moment(at: f64) -> String {
    format!("{at:.1} s")
}

/// What the host's clock showed at a moment of a run that started then, in UTC.
pub(super) fn wall(started: Timestamp, at: f64, format: &str) -> String {
    (started + SignedDuration::from_micros((at * 1e6).round() as i64)).strftime(format).to_string()
}

/// When a run began, by the host's clock.
pub(super) fn began(run: &Run) -> String {
    run.started.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment of a run with what the host's clock showed.
pub(super) fn moment_and_wall(run: &Run, at: f64) -> String {
    format!("{} ({} UTC)", moment(at), wall(run.started, at, "%H:%M:%S"))
}

/// What a verdict blames, where it is not that all held. `judged` is whether the whole run was judged, and found good.
pub(super) fn blame(verdict: Verdict, judged: bool) -> Option<&'static str> {
    match verdict {
        Verdict::Passed => None,
        Verdict::Broken if judged => {
            Some("All that was expected held, but afterwards Quorate or its host could not do their part.")
        }
        Verdict::Failed => Some("The cluster did not do what its scenario expects."),
        Verdict::Broken => Some("Quorate or its host could not do their part: the cluster was not judged."),
        Verdict::Interrupted => Some("The run was ended before its time: the cluster was not judged."),
    }
}

/// What a log without an end leaves open, and who knows it.
pub(super) fn left(run: &Run) -> Option<&'static str> {
    const LEFT: &str = "whether its machines are still there is not in the log: `quorate ls` shows them, and `quorate clean` removes them";
    (!run.ended).then_some(LEFT)
}

/// The first line of a message, without what leads over to the output of a program below it.
pub(super) fn first_line(message: &str) -> &str {
    let line = message.trim_start().lines().next().unwrap_or_default().trim_end_matches(':');
    line.strip_suffix("; its last output").unwrap_or(line)
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
