//! The API through the balancer: how long each request took, over the whole run, and when none was answered.

use serde::Serialize;

use crate::event::{Event, What};
use crate::report::api::Api;
use crate::report::told::tidy;

use super::piece::Piece;

/// The height of the drawing, in its own units; the width is [`WIDE`].
const HIGH: f64 = 100.0;
const WIDE: f64 = 10_000.0;
/// More requests than this are drawn as the fastest and the slowest of each part of the run.
const MANY: usize = 4000;
const PARTS: f64 = 3000.0;
/// The lowest latency that is drawn, in milliseconds. The axis is logarithmic.
const FLOOR: f64 = 1.0;

/// What the template draws, and what the script tells of single requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Chart {
    /// The path of the requests that were answered well.
    pub(super) good: String,
    /// The path of those that failed, a line each: up where it was made, and along for as long as it waited.
    pub(super) bad: String,
    pub(super) outages: Vec<Piece>,
    pub(super) levels: Vec<Level>,
    /// The power of ten of the highest latency that is drawn, in milliseconds.
    pub(super) top: f64,
    pub(super) samples: Samples,
}

/// A line across the drawing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Level {
    pub(super) label: String,
    /// In percent from the top.
    pub(super) top: f64,
}

/// Every request, in the order of the log, in few bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct Samples {
    /// Milliseconds of the run at which each was done, each but the first as what it is later than the one before.
    at: Vec<i64>,
    /// How long each took, in tenths of a millisecond.
    took: Vec<i64>,
    /// Those that failed, with the place of what they met in `errors`.
    bad: Vec<(usize, usize)>,
    errors: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Request {
    made: f64,
    latency: f64,
    ok: bool,
}

/// The chart of all requests, if there was one.
pub(super) fn chart(events: &[Event], api: Option<&Api>, end: f64) -> Option<Chart> {
    let mut requests: Vec<Request> = events.iter().filter_map(request).collect();
    if requests.is_empty() {
        return None;
    }
    requests.sort_by(|one, other| one.made.total_cmp(&other.made));
    let slowest = requests.iter().map(|request| request.latency).fold(1000.0, f64::max);
    let top = slowest.log10().ceil();
    let place = Place { end, top };
    let outages = api.map_or(&[][..], |api| &api.outages);
    Some(Chart {
        good: good(&requests, place),
        bad: bad(&requests, place),
        outages: outages
            .iter()
            .map(|outage| Piece {
                from: outage.start,
                to: outage.end,
                class: "outage".to_owned(),
                short: String::new(),
                title: format!(
                    "outage of the API for {:.3} s: {} failed in a row{}",
                    outage.seconds(),
                    if outage.failed == 1 { "1 request".to_owned() } else { format!("{} requests", outage.failed) },
                    if outage.open { ", and no good answer came any more" } else { "" }
                ),
                machine: None,
            })
            .collect(),
        levels: levels(place),
        top,
        samples: samples(events),
    })
}

fn request(event: &Event) -> Option<Request> {
    let What::ApiSample { ok, latency_ms, .. } = event.what else { return None };
    Some(Request { made: (event.at - latency_ms / 1e3).max(0.0), latency: latency_ms, ok })
}

#[derive(Debug, Clone, Copy)]
struct Place {
    end: f64,
    /// The power of ten of the highest latency.
    top: f64,
}

impl Place {
    fn x(self, at: f64) -> f64 {
        WIDE * (at / self.end).clamp(0.0, 1.0)
    }

    fn y(self, latency: f64) -> f64 {
        let share = latency.max(FLOOR).log10() / self.top;
        HIGH * (1.0 - share.clamp(0.0, 1.0))
    }
}

fn levels(place: Place) -> Vec<Level> {
    (0..=place.top as u32)
        .map(|power| {
            let latency = 10_f64.powi(power as i32);
            let label = if power < 3 { format!("{latency:.0} ms") } else { format!("{:.0} s", latency / 1e3) };
            Level { label, top: place.y(latency) }
        })
        .collect()
}

fn good(requests: &[Request], place: Place) -> String {
    let (mut path, mut pen_is_up) = (String::new(), true);
    let mut draw = |request: &Request| {
        if request.ok {
            let step = if pen_is_up { 'M' } else { 'L' };
            path.push_str(&format!("{step}{:.1} {:.1}", place.x(request.made), place.y(request.latency)));
        }
        pen_is_up = !request.ok;
    };
    if requests.len() <= MANY {
        requests.iter().for_each(draw);
        return path;
    }
    let part = |request: &Request| (PARTS * request.made / place.end) as u64;
    for group in requests.chunk_by(|one, other| part(one) == part(other) && one.ok == other.ok) {
        let by_latency = |one: &&Request, other: &&Request| one.latency.total_cmp(&other.latency);
        let (least, most) = (group.iter().min_by(by_latency), group.iter().max_by(by_latency));
        least.into_iter().chain(most).for_each(&mut draw);
    }
    path
}

fn bad(requests: &[Request], place: Place) -> String {
    let failed = requests.iter().filter(|request| !request.ok);
    let over = |it: &Request| (place.x(it.made), place.y(it.latency.max(10.0)), place.x(it.made + it.latency / 1e3));
    failed.map(over).map(|(made, high, given_up)| format!("M{made:.1} {HIGH}V{high:.1}H{given_up:.1}")).collect()
}

fn samples(events: &[Event]) -> Samples {
    let (mut samples, mut before) = (Samples::default(), 0);
    for event in events {
        let What::ApiSample { ok, latency_ms, status, server, error } = &event.what else { continue };
        if !ok {
            let error = match (error, status) {
                (Some(error), _) => error.clone(),
                (None, Some(status)) => format!("HTTP status {status}"),
                (None, None) => "no answer".to_owned(),
            };
            let error = server.as_ref().map_or(tidy(&error), |server| format!("{}, from {server}", tidy(&error)));
            let known = samples.errors.iter().position(|other| *other == error);
            let place = known.unwrap_or_else(|| {
                samples.errors.push(error);
                samples.errors.len() - 1
            });
            samples.bad.push((samples.at.len(), place));
        }
        let at = (event.at * 1e3).round() as i64;
        samples.at.push(at - before);
        samples.took.push((latency_ms * 10.0).round() as i64);
        before = at;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::api::api;
    use crate::report::support::Log;

    fn drawn(samples: &[(f64, bool, f64)], end: f64) -> Chart {
        let mut log = Log::new("chart");
        for (at, ok, latency) in samples {
            log.sample(*at, *ok, *latency);
        }
        let events = log.finish();
        chart(&events, api(&events, 0.0, end).as_ref(), end).unwrap()
    }

    #[test]
    fn requests_lie_where_they_were_made_and_as_high_as_they_were_slow() {
        let chart = drawn(&[(1.01, true, 10.0), (2.1, true, 100.0), (3.5, false, 1000.0), (5.001, true, 1.0)], 10.0);
        assert_eq!(chart.good, "M1000.0 66.7L2000.0 33.3M5000.0 100.0");
        assert_eq!(chart.bad, "M2500.0 100V0.0H3500.0");
        let outages: Vec<_> = chart.outages.iter().map(|it| (it.from, it.to)).collect();
        assert_eq!(outages, [(2.5, 5.001)]);
        let labels: Vec<_> = chart.levels.iter().map(|level| level.label.as_str()).collect();
        assert_eq!(labels, ["1 ms", "10 ms", "100 ms", "1 s"]);
    }

    #[test]
    fn single_requests_can_be_told_from_what_is_embedded() {
        let Samples { at, took, bad, errors } =
            drawn(&[(1.0, true, 10.5), (2.5, false, 7.0), (2.4, false, 7.0)], 3.0).samples;
        assert_eq!((at, took), (vec![1000, 1400, 100], vec![105, 70, 70]));
        assert_eq!((bad, errors), (vec![(1, 0), (2, 0)], vec!["connection reset by peer".to_owned()]));
    }

    #[test]
    fn a_request_that_failed_names_the_server_that_was_reached() {
        let mut log = Log::new("servers");
        for (at, server) in [(1.0, Some("master1")), (2.0, None)] {
            let (server, status, latency_ms) = (server.map(str::to_owned), Some(500), 5.0);
            log.add(at, What::ApiSample { ok: false, status, latency_ms, server, error: None });
        }
        assert_eq!(samples(&log.finish()).errors, ["HTTP status 500, from master1", "HTTP status 500"]);
    }

    #[test]
    fn of_many_requests_the_extremes_and_all_failures_are_drawn() {
        let many: Vec<_> = (0..50_000)
            .map(|n| {
                (f64::from(n) * 0.07, n % 10_000 != 5_000, if n == 12_345 { 900.0 } else { 5.0 + f64::from(n % 3) })
            })
            .collect();
        let chart = drawn(&many, 3600.0);
        assert!(chart.good.len() < 200_000, "{}", chart.good.len());
        assert_eq!(chart.bad.matches('M').count(), 5);
        let slow = HIGH * (1.0 - 900_f64.log10() / 3.0);
        assert!(chart.good.contains(&format!(" {slow:.1}")), "the slowest request is seen");
        assert_eq!(chart.samples.at.len(), 50_000);
    }
}
