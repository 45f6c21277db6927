//! The critical path: the chain of spans that the run's length was made of, and what the harness added between them.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::SpanId;

use super::span::Span;
use super::words::rounded;

/// The chain of spans that made a part of the run as long as it was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct CriticalPath {
    /// Seconds from the start to the end of this part of the run.
    pub seconds: f64,
    /// Seconds of it in which no span of the path ran: what the harness added.
    pub overhead: f64,
    /// The same in percent of `seconds`.
    pub overhead_percent: f64,
    /// The spans, in order.
    pub links: Vec<Link>,
    /// Seconds from the last link's end to the end of this part.
    pub tail: f64,
}

/// A span on a critical path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    /// The span.
    pub span: SpanId,
    /// What was done.
    pub title: String,
    /// The machine that it was done on.
    pub machine: Option<String>,
    /// The scenario's step that it carried out, from 0.
    pub step: Option<usize>,
    /// The last that it said of what it did or waited for.
    pub waited_for: Option<String>,
    /// When it started, in seconds since the run's start.
    pub start: f64,
    /// Seconds that it adds to the path.
    pub seconds: f64,
    /// Seconds between the end of the link before it and its start.
    pub gap: f64,
}

/// The critical path between `from` and `to`: from the span that ends last back through what it came after.
pub(super) fn path(spans: &[Span], from: f64, to: f64) -> CriticalPath {
    let end = |span: &Span| span.end.unwrap_or(to);
    let inside = |span: &&Span| end(span) <= to && end(span) > from;
    let last = |one: &&Span, other: &&Span| end(one).total_cmp(&end(other)).then(other.start.total_cmp(&one.start));

    let mut chain = Vec::new();
    let mut seen = HashSet::new();
    let mut current = spans.iter().filter(inside).max_by(last);
    while let Some(span) = current.filter(|span| seen.insert(span.id)) {
        chain.push(span);
        // What waited for nothing by name still came after all that had ended: the harness does one thing after another.
        current = spans
            .iter()
            .filter(inside)
            .filter(|other| match span.after.as_slice() {
                [] => end(other) <= span.start && other.start < span.start,
                after => after.contains(&other.id),
            })
            .max_by(last);
    }
    chain.reverse();
    measure(&chain, from, to)
}

fn measure(chain: &[&Span], from: f64, to: f64) -> CriticalPath {
    let mut clock = from;
    let mut overhead = 0.0;
    let mut links = Vec::new();
    for span in chain {
        let gap = (span.start - clock).max(0.0);
        let start = span.start.max(clock);
        let end = span.end.unwrap_or(to).max(start);
        overhead += gap;
        clock = end;
        links.push(Link {
            span: span.id,
            title: span.title.clone(),
            machine: span.machine.clone(),
            step: span.step,
            waited_for: span.waited_for.clone(),
            start: span.start,
            seconds: rounded(end - start),
            gap: rounded(gap),
        });
    }
    let tail = (to - clock).max(0.0);
    overhead += tail;
    let seconds = to - from;
    let overhead_percent = if seconds > 0.0 { 100.0 * overhead / seconds } else { 0.0 };
    CriticalPath {
        seconds: rounded(seconds),
        overhead: rounded(overhead),
        overhead_percent: (overhead_percent * 10.0).round() / 10.0,
        links,
        tail: rounded(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;
    use crate::report::span::Outcome;

    /// A span by id, start, end and what it came after.
    type Row<'a> = (u32, f64, Option<f64>, &'a [u32]);

    fn path_of(rows: &[Row<'_>], from: f64, to: f64) -> (Vec<u32>, f64, f64) {
        let spans: Vec<Span> = rows
            .iter()
            .map(|(id, start, end, after)| Span {
                id: SpanId(*id),
                phase: Phase::BringUp,
                title: format!("span {id}"),
                machine: None,
                step: None,
                after: after.iter().copied().map(SpanId).collect(),
                start: *start,
                end: *end,
                seconds: 0.0,
                deadline: None,
                outcome: Outcome::Passed,
                waited_for: None,
                message: None,
                critical: false,
            })
            .collect();
        let path = path(&spans, from, to);
        let busy: f64 = path.links.iter().map(|link| link.seconds).sum();
        assert!((busy + path.overhead - path.seconds).abs() < 1e-3, "links and overhead make the whole: {path:?}");
        (path.links.iter().map(|link| link.span.0).collect(), path.overhead, path.overhead_percent)
    }

    #[test]
    fn the_path_goes_back_through_whatever_ended_last() {
        type Case<'a> = (&'a str, &'a [Row<'a>], f64, f64, (&'a [u32], f64, f64));
        let cases: [Case<'_>; 9] = [
            ("nothing ran", &[], 0.0, 10.0, (&[], 10.0, 100.0)),
            ("no time at all", &[], 0.0, 0.0, (&[], 0.0, 0.0)),
            (
                "the longer of two parallel spans",
                &[(1, 0.0, Some(2.0), &[]), (2, 0.0, Some(5.0), &[]), (3, 5.0, Some(10.0), &[1, 2])],
                0.0,
                10.0,
                (&[2, 3], 0.0, 0.0),
            ),
            (
                "gaps before, between and behind",
                &[(1, 1.0, Some(4.0), &[]), (2, 5.0, Some(8.0), &[1])],
                0.0,
                10.0,
                (&[1, 2], 4.0, 40.0),
            ),
            (
                "what is named counts, not what merely ended later",
                &[(1, 0.0, Some(2.0), &[]), (2, 0.0, Some(3.0), &[]), (3, 4.0, Some(10.0), &[1])],
                0.0,
                10.0,
                (&[1, 3], 2.0, 20.0),
            ),
            (
                "without a name, what ended last before",
                &[(1, 0.0, Some(4.0), &[]), (2, 0.0, Some(3.0), &[]), (3, 4.0, Some(10.0), &[])],
                0.0,
                10.0,
                (&[1, 3], 0.0, 0.0),
            ),
            (
                "a nested span that ends with its parent is not taken for it",
                &[(1, 0.0, Some(10.0), &[]), (2, 3.0, Some(10.0), &[])],
                0.0,
                10.0,
                (&[1], 0.0, 0.0),
            ),
            (
                "a span that never ended lasts until the end",
                &[(1, 0.0, Some(4.0), &[]), (2, 4.0, None, &[1])],
                0.0,
                10.0,
                (&[1, 2], 0.0, 0.0),
            ),
            (
                "what reaches in from before counts from the part's start",
                &[(1, 0.0, Some(7.0), &[]), (2, 5.0, Some(6.0), &[]), (3, 7.0, Some(10.0), &[1])],
                5.0,
                10.0,
                (&[1, 3], 0.0, 0.0),
            ),
        ];
        for (name, rows, from, to, (links, overhead, percent)) in cases {
            assert_eq!(path_of(rows, from, to), (links.to_vec(), overhead, percent), "{name}");
        }
    }

    #[test]
    fn a_log_whose_spans_wait_for_each_other_in_a_circle_still_has_a_path() {
        let (links, ..) = path_of(&[(1, 0.0, Some(5.0), &[2]), (2, 0.0, Some(5.0), &[1])], 0.0, 5.0);
        assert_eq!(links.len(), 2);
    }
}
