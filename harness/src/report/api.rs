//! What clients of the API met, from the samples that the probe took through the balancer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Event, What};

use super::words::rounded;

/// The API through the balancer as clients met it while the scenario ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Api {
    /// How many requests were made.
    pub samples: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many of them failed at a server that was reached, by the machine that it is on.
    #[serde(default)]
    pub failed_by_server: BTreeMap<String, usize>,
    /// The share of failed requests, in percent.
    pub failed_percent: f64,
    /// Seconds of the longest time without a good answer.
    pub longest_outage: f64,
    /// All times without a good answer, in order.
    pub outages: Vec<Outage>,
    /// Milliseconds until good answers were complete. Absent when there was none.
    pub latency_ms: Option<Latency>,
}

/// A time in which every request failed. In seconds since the run's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Outage {
    /// When the first request that failed was made.
    pub start: f64,
    /// When the next good answer was complete, or the end of what was watched.
    pub end: f64,
    /// How many requests failed in a row.
    pub failed: usize,
    /// Whether no good answer came any more.
    pub open: bool,
}

impl Outage {
    /// Its length.
    pub fn seconds(&self) -> f64 {
        rounded(self.end - self.start)
    }
}

/// How latencies are spread, in milliseconds. Percentiles are nearest-rank: each is a latency that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Latency {
    /// Half of all were at most this.
    pub median: f64,
    /// 95 % were at most this.
    pub p95: f64,
    /// 99 % were at most this.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// One request: when it was made and answered, and whether well.
#[derive(Debug, Clone, Copy)]
struct Sample {
    start: f64,
    end: f64,
    ok: bool,
}

/// The figures of the samples among `events` that ended from `from` to `to`.
pub(super) fn api(events: &[Event], from: f64, to: f64) -> Option<Api> {
    let mut samples: Vec<Sample> = events
        .iter()
        .filter(|event| (from..=to).contains(&event.at))
        .filter_map(|event| match event.what {
            What::ApiSample { ok, latency_ms, .. } => {
                Some(Sample { start: (event.at - latency_ms / 1e3).max(from), end: event.at, ok })
            }
            _ => None,
        })
        .collect();
    if samples.is_empty() {
        return None;
    }
    // One that hangs is recorded long after those that were made later and answered at once.
    samples.sort_by(|one, other| one.start.total_cmp(&other.start));
    let failed = samples.iter().filter(|sample| !sample.ok).count();
    let outages = outages(&samples, to);
    let longest = outages.iter().map(Outage::seconds).fold(0.0, f64::max);
    let good = events.iter().filter(|event| (from..=to).contains(&event.at)).filter_map(|event| match event.what {
        What::ApiSample { ok: true, latency_ms, .. } => Some(latency_ms),
        _ => None,
    });
    Some(Api {
        samples: samples.len(),
        failed,
        failed_by_server: by_server(events, from, to),
        failed_percent: (1e4 * failed as f64 / samples.len() as f64).round() / 1e2,
        longest_outage: longest,
        outages,
        latency_ms: latency(good.collect()),
    })
}

fn by_server(events: &[Event], from: f64, to: f64) -> BTreeMap<String, usize> {
    let mut failed = BTreeMap::new();
    for event in events.iter().filter(|event| (from..=to).contains(&event.at)) {
        if let What::ApiSample { ok: false, server: Some(server), .. } = &event.what {
            *failed.entry(server.clone()).or_default() += 1;
        }
    }
    failed
}

fn outages(samples: &[Sample], end: f64) -> Vec<Outage> {
    let mut outages: Vec<Outage> = Vec::new();
    for sample in samples {
        match (outages.last_mut().filter(|outage| outage.open), sample.ok) {
            (Some(outage), true) => (outage.end, outage.open) = (sample.end, false),
            (Some(outage), false) => outage.failed += 1,
            (None, false) => outages.push(Outage { start: rounded(sample.start), end, failed: 1, open: true }),
            (None, true) => {}
        }
    }
    outages
}

fn latency(mut latencies: Vec<f64>) -> Option<Latency> {
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| percentile(&latencies, share);
    Some(Latency { median: at(0.5)?, p95: at(0.95)?, p99: at(0.99)?, max: at(1.0)? })
}

/// The nearest-rank percentile of sorted values.
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::support::Log;

    /// Samples as (time it ended, ok, latency in milliseconds).
    fn figures(samples: &[(f64, bool, f64)], from: f64, to: f64) -> Option<Api> {
        let mut log = Log::new("outages");
        for (at, ok, latency_ms) in samples {
            log.sample(*at, *ok, *latency_ms);
        }
        api(&log.finish(), from, to)
    }

    #[test]
    fn an_outage_lasts_from_the_first_failed_request_to_the_next_good_answer() {
        type Case<'a> = (&'a str, &'a [(f64, bool, f64)], &'a [(f64, f64, usize)]);
        let cases: [Case<'_>; 6] = [
            ("all well", &[(1.0, true, 5.0), (1.25, true, 5.0)], &[]),
            ("one failure", &[(1.0, true, 5.0), (1.25, false, 50.0), (1.5, true, 5.0)], &[(1.2, 1.5, 1)]),
            (
                "two outages",
                &[(1.0, false, 0.0), (2.0, true, 0.0), (3.0, false, 0.0), (4.0, false, 0.0), (9.0, true, 0.0)],
                &[(1.0, 2.0, 1), (3.0, 9.0, 2)],
            ),
            ("never ends", &[(1.0, true, 0.0), (2.0, false, 0.0)], &[(2.0, 10.0, 1)]),
            ("outside of what is watched", &[(0.2, false, 0.0), (1.0, true, 0.0), (11.0, false, 0.0)], &[]),
            (
                "one of several masters hangs while the others answer",
                &[(1.3, true, 50.0), (1.55, true, 50.0), (6.0, false, 5000.0)],
                &[(1.0, 1.3, 1)],
            ),
        ];
        for (name, samples, expected) in cases {
            let outages = figures(samples, 0.5, 10.0).unwrap().outages;
            let outages: Vec<_> = outages.iter().map(|outage| (outage.start, outage.end, outage.failed)).collect();
            assert_eq!(outages, expected, "{name}");
        }
    }

    #[test]
    fn shares_and_latencies_are_of_what_was_watched() {
        let mut samples: Vec<_> = (1..=100).map(|n| (1.0 + f64::from(n) / 100.0, true, f64::from(n))).collect();
        samples.push((2.5, false, 900.0));
        let api = figures(&samples, 0.0, 10.0).unwrap();
        assert_eq!((api.samples, api.failed, api.failed_percent), (101, 1, 0.99));
        assert_eq!(api.latency_ms, Some(Latency { median: 50.0, p95: 95.0, p99: 99.0, max: 100.0 }));
    }

    #[test]
    fn failed_requests_are_counted_by_the_server_that_was_reached() {
        let mut log = Log::new("servers");
        for (at, ok, server) in
            [(1.0, false, Some("m1")), (2.0, true, Some("m1")), (3.0, false, None), (9.0, false, Some("m2"))]
        {
            let (server, status) = (server.map(str::to_owned), (!ok).then_some(500));
            log.add(at, What::ApiSample { ok, status, latency_ms: 5.0, server, error: None });
        }
        let failed = api(&log.finish(), 0.0, 5.0).unwrap().failed_by_server;
        assert_eq!(failed, BTreeMap::from([("m1".to_owned(), 1)]));
    }

    #[test]
    fn without_good_answers_there_is_no_latency_and_without_samples_nothing() {
        assert_eq!(figures(&[(1.0, false, 1.0)], 0.0, 2.0).unwrap().latency_ms, None);
        assert_eq!(figures(&[], 0.0, 2.0), None);
    }

    #[test]
    fn percentiles_are_nearest_rank() {
        for (values, share, expected) in [
            (&[][..], 0.5, None),
            (&[7.0], 0.5, Some(7.0)),
            (&[7.0], 0.99, Some(7.0)),
            (&[1.0, 2.0], 0.5, Some(1.0)),
            (&[1.0, 2.0, 3.0], 0.5, Some(2.0)),
            (&[1.0, 2.0, 3.0], 0.95, Some(3.0)),
            (&[1.0, 2.0, 3.0], 1.0, Some(3.0)),
        ] {
            assert_eq!(percentile(values, share), expected, "{values:?} {share}");
        }
    }
}
