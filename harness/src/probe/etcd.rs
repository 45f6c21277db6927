//! Asks each etcd member directly, through the JSON gateway that every member has, how it is.
//!
//! The gateway's paths and fields: <https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Nudge;
use crate::event::What;
use crate::record::Recorder;

/// The time between two looks at a member.
const EVERY: Duration = Duration::from_millis(250);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
struct Header {
    member_id: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    header: Header,
    #[serde(default)]
    leader: String,
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Members {
    members: Vec<serde_json::Value>,
}

/// What is recorded of a member when it changes.
#[derive(Debug, Clone)]
struct Seen {
    member: Option<String>,
    leader: Option<String>,
    members: Option<usize>,
    error: Option<String>,
}

impl Seen {
    /// Whether another look told the same. A member that is silent in another way than before is as silent as before.
    fn same(&self, other: &Self) -> bool {
        let told = |seen: &Self| (seen.member.clone(), seen.leader.clone(), seen.members, seen.error.is_some());
        told(self) == told(other)
    }
}

/// Looks at the member on `machine` until cancelled, and records what changed, or all of it after a nudge.
pub(super) async fn look(
    client: Client,
    machine: String,
    recorder: Recorder,
    mut nudge: Nudge,
    cancel: CancellationToken,
) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = ticks.tick() => {}
            _ = nudge.changed() => before = None,
        }
        let asked = tokio::select! {
            () = cancel.cancelled() => break,
            asked = tokio::time::timeout(PATIENCE, ask(&client)) => asked,
        };
        let seen = match asked {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => silent(super::watch::chain(&error)),
            Err(_) => silent(format!("no answer within {PATIENCE:?}")),
        };
        if !before.as_ref().is_some_and(|before: &Seen| before.same(&seen)) {
            record(&recorder, &machine, seen.clone());
            before = Some(seen);
        }
    }
}

fn silent(error: String) -> Seen {
    Seen { member: None, leader: None, members: None, error: Some(error) }
}

fn record(recorder: &Recorder, machine: &str, seen: Seen) {
    let Seen { member, leader, members, error } = seen;
    let healthy = error.is_none() && leader.is_some();
    recorder.record(What::Etcd { machine: machine.to_owned(), healthy, member, leader, members, error });
}

async fn ask(client: &Client) -> Result<Seen, kube::Error> {
    let status: Status = post(client, "/v3/maintenance/status").await?;
    let members: Members = post(client, "/v3/cluster/member/list").await?;
    Ok(Seen {
        member: hexadecimal(&status.header.member_id),
        leader: hexadecimal(&status.leader),
        members: Some(members.members.len()),
        error: (!status.errors.is_empty()).then(|| status.errors.join("; ")),
    })
}

/// Ids are decimal in the gateway's JSON and hexadecimal everywhere else; zero means none.
fn hexadecimal(id: &str) -> Option<String> {
    id.parse::<u64>().ok().filter(|id| *id != 0).map(|id| format!("{id:x}"))
}

async fn post<T: DeserializeOwned>(client: &Client, path: &str) -> Result<T, kube::Error> {
    client.request(Request::post(path).body(b"{}".to_vec()).map_err(kube::Error::HttpError)?).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_as_etcdctl_shows_them() {
        assert_eq!(hexadecimal("10276657743932975437").as_deref(), Some("8e9e05c52164694d"));
        assert_eq!(hexadecimal("0"), None);
        assert_eq!(hexadecimal(""), None);
    }
}
