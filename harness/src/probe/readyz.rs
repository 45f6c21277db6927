//! Asks the API server of each master directly whether it is ready, and learns by which certificate it can be known.

use std::time::Duration;

use http::StatusCode;
use quorate_doors::{Door, Line, Unanswered};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::faces::Faces;
use super::{Nudge, watch};
use crate::event::What;
use crate::record::Recorder;

/// The time between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was seen of a server.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    status: Option<u16>,
    error: Option<String>,
}

/// Looks at the server on `machine` until cancelled, and records what changed, or all of it after a nudge.
pub(super) async fn look(
    door: Door,
    machine: String,
    faces: Faces,
    recorder: Recorder,
    mut nudge: Nudge,
    slowness: u32,
    cancel: CancellationToken,
) {
    let patience = PATIENCE * slowness;
    let mut ticks = tokio::time::interval(EVERY * slowness);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut line) = (None, None);
    let mut due = false;
    loop {
        let asked = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            // What is asked already may be answered by what was before, on a connection that is then of no use.
            _ = nudge.changed() => {
                (before, line, due) = (None, if due { None } else { line }, true);
                continue;
            }
            _ = ticks.tick(), if !due => {
                due = true;
                continue;
            }
            asked = tokio::time::timeout(patience, ask(&door, &machine, &faces, &mut line)), if due => asked,
        };
        due = false;
        let seen = match asked {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => Seen { status: None, error: Some(watch::chain(&error)) },
            Err(_) => Seen { status: None, error: Some(format!("no answer within {patience:?}")) },
        };
        if seen.status.is_none() {
            line = None;
        }
        // One that is silent in another way than before is as silent as before.
        let told = |seen: &Seen| (seen.status, seen.error.as_ref().filter(|_| seen.status.is_some()).cloned());
        if before.as_ref().map(told) != Some(told(&seen)) {
            let (ready, Seen { status, error }) = (seen.error.is_none(), seen.clone());
            recorder.record(What::Readyz { machine: machine.clone(), ready, status, error });
            before = Some(seen);
        }
    }
}

async fn ask(door: &Door, machine: &str, faces: &Faces, line: &mut Option<Line>) -> Result<Seen, Unanswered> {
    if let Some(open) = line.as_mut() {
        // The server may have been started anew in between, so the end of an old connection says nothing yet.
        if let Ok((status, body)) = open.get("/readyz").await {
            return Ok(seen(status, &body));
        }
    }
    let mut new = door.open().await?;
    faces.learn(machine, &new);
    let (status, body) = new.get("/readyz").await?;
    *line = Some(new);
    Ok(seen(status, &body))
}

/// The answer is a line for each thing that the server looked at, with `[-]` before what is not well.
/// Source: staging/src/k8s.io/apiserver/pkg/server/healthz/healthz.go of Kubernetes.
fn seen(status: StatusCode, body: &[u8]) -> Seen {
    let body = String::from_utf8_lossy(body);
    let ill: Vec<_> = body.lines().filter_map(|line| line.strip_prefix("[-]")?.split(' ').next()).collect();
    let error = (!status.is_success()).then(|| match ill.is_empty() {
        true => format!("HTTP status {}", status.as_u16()),
        false => format!("HTTP status {}: {}", status.as_u16(), ill.join(", ")),
    });
    Seen { status: Some(status.as_u16()), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_server_from_being_ready_is_named() {
        let body =
            "[+]ping ok\n[-]etcd failed: reason withheld\n[-]shutdown failed: reason withheld\nreadyz check failed";
        for (status, body, error) in [
            (200, "ok", None),
            (500, body, Some("HTTP status 500: etcd, shutdown")),
            (403, "{}", Some("HTTP status 403")),
        ] {
            let seen = seen(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert_eq!((seen.status, seen.error.as_deref()), (Some(status), error));
        }
    }
}
