//! The numbers of a run as rows to read: what each is called, its value, and what explains it. The same wherever they are
//! shown.

use super::api::Api;
use super::numbers::Number;
use super::observed::{Watch, Writes};
use super::summary::Summary;
use super::words::{moment, time};
use crate::event::Phase;

/// A number as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// What it is.
    pub(super) name: String,
    /// The number with its unit.
    pub(super) value: String,
    /// What explains it; often nothing.
    pub(super) more: String,
}

/// All numbers of a run.
pub(super) fn rows(summary: &Summary) -> Vec<Row> {
    let mut rows: Vec<Row> =
        summary.numbers.iter().map(|it| row(&it.to_string(), time(it.seconds), of_step(summary, it))).collect();
    rows.extend(summary.api.iter().flat_map(of_api));
    rows.extend(summary.observed.writes.iter().flat_map(of_writes));
    rows.extend(summary.observed.watch.iter().flat_map(of_watch));
    for (name, count) in [
        ("etcd: leader elections", summary.observed.leader_elections),
        ("cluster watches: interruptions", summary.watch_cuts),
    ] {
        rows.extend((count > 0).then(|| row(name, count.to_string(), "")));
    }
    rows
}

/// From when to when that was which the rows of the API, the writes and their watch are of, and what latencies leave out.
pub(super) fn scope(summary: &Summary) -> Option<String> {
    let steps = || summary.spans.iter().filter(|span| span.phase == Phase::Scenario);
    let from = steps().map(|span| span.start).reduce(f64::min);
    let to = steps().map(|span| span.end.unwrap_or(summary.run.seconds)).reduce(f64::max);
    let of = summary.api.is_some() || summary.observed.writes.is_some() || summary.observed.watch.is_some();
    of.then(|| match (from, to) {
        (Some(from), Some(to)) => format!(
            "API, writes, watch of writes and elections: from {} to {}, as long as steps ran; cluster watches: the whole run",
            moment(from),
            moment(to)
        ),
        _ => "All of it while the cluster was made: no step ran".to_owned(),
    })
}

fn row(name: &str, value: String, more: impl Into<String>) -> Row {
    Row { name: name.to_owned(), value, more: more.into() }
}

/// Which of several numbers with the same name it is.
fn of_step(summary: &Summary, number: &Number) -> String {
    let same = summary.numbers.iter().filter(|it| it.name == number.name && it.machine == number.machine);
    match number.step {
        Some(step) if same.count() > 1 => format!("step {}", step + 1),
        _ => String::new(),
    }
}

fn of_api(api: &Api) -> Vec<Row> {
    let share = format!("{:.1} %", api.failed_percent);
    let by: Vec<String> =
        api.failed_by_server.iter().map(|(server, failed)| format!("{failed} from {server}")).collect();
    let by = if by.is_empty() { String::new() } else { format!("; {}", by.join(", ")) };
    let mut rows = vec![
        row("API: longest outage", time(api.longest_outage), none_answered(api)),
        row("API: failed requests", share, format!("{} of {}{by}", api.failed, api.samples)),
    ];
    rows.extend(api.latency_ms.map(|it| {
        let answered = api.samples - api.failed;
        let more = format!("p95 {:.0}, p99 {:.0}, max {:.0}; of {answered} that were answered", it.p95, it.p99, it.max);
        row("API: median latency", format!("{:.0} ms", it.median), more)
    }));
    rows
}

/// An outage is short where some of several servers answer, however many requests fail.
fn none_answered(api: &Api) -> &'static str {
    if api.failed > 0 { "in which no request was answered" } else { "" }
}

fn of_writes(writes: &Writes) -> [Row; 2] {
    let lost = writes.lost.map_or("not read back".to_owned(), |lost| format!("{lost} lost"));
    let disordered = writes.disordered.filter(|count| *count > 0);
    let disordered = disordered.map_or(String::new(), |count| format!(", {count} out of order"));
    let more = format!("{} not acknowledged, {lost}{disordered}", writes.unacknowledged);
    [
        row("writes: acknowledged", writes.acknowledged.to_string(), more),
        row("writes: longest without one", time(writes.longest_gap), ""),
    ]
}

fn of_watch(watch: &Watch) -> [Row; 2] {
    let relisted = if watch.relisted > 0 { format!(", listed anew {} times", watch.relisted) } else { String::new() };
    let more = format!("{} missed, {} repeated{relisted}", watch.missed, watch.repeated);
    [
        row("watch of writes: interruptions", watch.cuts.to_string(), more),
        row("watch of writes: longest gap", time(watch.longest_gap), ""),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support;

    #[test]
    fn the_writer_and_its_watch_have_rows_that_say_what_was_lost() {
        let mut summary = Summary::of(&support::failed());
        let (acknowledged, unacknowledged, longest_gap) = (480, 3, 12.25);
        let (lost, disordered) = (Some(1), Some(2));
        summary.observed.writes = Some(Writes { acknowledged, unacknowledged, longest_gap, lost, disordered });
        let watch = Watch { cuts: 4, longest_gap: 13.0, missed: 5, repeated: 6, relisted: 1 };
        summary.observed.watch = Some(watch);
        let shown: Vec<_> =
            rows(&summary).iter().map(|it| format!("{} = {} ({})", it.name, it.value, it.more)).collect();
        for expected in [
            "writes: acknowledged = 480 (3 not acknowledged, 1 lost, 2 out of order)",
            "writes: longest without one = 12.2 s ()",
            "watch of writes: interruptions = 4 (5 missed, 6 repeated, listed anew 1 times)",
            "watch of writes: longest gap = 13.0 s ()",
        ] {
            assert!(shown.iter().any(|row| row == expected), "{expected} is not in {shown:?}");
        }
    }
}
