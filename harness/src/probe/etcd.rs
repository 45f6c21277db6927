//! Asks each etcd member directly, through the JSON gateway that every member has, how it is.
//!
//! The gateway's paths and fields: <https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/>.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_doors::{Door, Line, Unanswered};
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

/// How long a member's list of members is believed.
const LISTED: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
struct Header {
    member_id: String,
    #[serde(default)]
    revision: String,
    #[serde(default)]
    raft_term: String,
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
#[derive(Debug, Clone, Default)]
struct Seen {
    member: Option<String>,
    leader: Option<String>,
    members: Option<usize>,
    term: Option<u64>,
    revision: Option<u64>,
    alarms: Vec<String>,
    error: Option<String>,
}

impl Seen {
    /// Whether another look told the same. A member that is silent in another way than before is as silent as before,
    /// and revisions grow with every write.
    fn same(&self, other: &Self) -> bool {
        let told = |seen: &Self| {
            let Self { member, leader, members, term, alarms, error, .. } = seen.clone();
            (member, leader, members, term, alarms, error.is_some())
        };
        told(self) == told(other)
    }
}

/// Looks at the member on `machine` until cancelled, and records what changed, or all of it after a nudge.
pub(super) async fn look(
    door: Door,
    machine: String,
    recorder: Recorder,
    mut nudge: Nudge,
    slowness: u32,
    cancel: CancellationToken,
) {
    let patience = PATIENCE * slowness;
    let mut ticks = tokio::time::interval(EVERY * slowness);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut members, mut line) = (None, None, None);
    let mut due = false;
    loop {
        let asked = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            // What is asked already may be answered by what was before, on a connection that is then of no use.
            _ = nudge.changed() => {
                (before, members, line, due) = (None, None, if due { None } else { line }, true);
                continue;
            }
            _ = ticks.tick(), if !due => {
                due = true;
                continue;
            }
            asked = tokio::time::timeout(patience, ask(&door, &mut line, &mut members)), if due => asked,
        };
        due = false;
        let seen = match asked {
            Ok(Ok(seen)) => seen,
            Ok(Err(error)) => silent(super::watch::chain(&error)),
            Err(_) => silent(format!("no answer within {patience:?}")),
        };
        if seen.member.is_none() {
            line = None;
        }
        if !before.as_ref().is_some_and(|before: &Seen| before.same(&seen)) {
            record(&recorder, &machine, seen.clone());
            before = Some(seen);
        }
    }
}

fn silent(error: String) -> Seen {
    Seen { error: Some(error), ..Seen::default() }
}

fn record(recorder: &Recorder, machine: &str, seen: Seen) {
    let Seen { member, leader, members, term, revision, alarms, error } = seen;
    let (machine, healthy) = (machine.to_owned(), error.is_none() && leader.is_some());
    recorder.record(What::Etcd { machine, healthy, member, leader, members, term, revision, alarms, error });
}

async fn ask(door: &Door, open: &mut Option<Line>, listed: &mut Option<(Instant, usize)>) -> Result<Seen, Unanswered> {
    let line = match open.take() {
        Some(line) if !line.is_closed() => open.insert(line),
        _ => open.insert(door.open().await?),
    };
    let status: Status = post(line, "/v3/maintenance/status").await?;
    let members = match listed.filter(|(at, _)| at.elapsed() < LISTED) {
        Some((_, members)) => members,
        None => {
            let list: Members = post(line, "/v3/cluster/member/list").await?;
            listed.insert((Instant::now(), list.members.len())).1
        }
    };
    Ok(Seen {
        member: hexadecimal(&status.header.member_id),
        leader: hexadecimal(&status.leader),
        members: Some(members),
        term: number(&status.header.raft_term),
        revision: number(&status.header.revision),
        alarms: alarms(&status.errors),
        error: (!status.errors.is_empty()).then(|| status.errors.join("; ").trim().to_owned()),
    })
}

/// The revision that a member has reached.
pub(super) async fn revision_of(door: &Door) -> Result<u64, Unanswered> {
    let status: Status = post(&mut door.open().await?, "/v3/maintenance/status").await?;
    Ok(number(&status.header.revision).unwrap_or_default())
}

/// The alarms among a member's errors, which names them as `memberID:1234 alarm:NOSPACE`. To ask for alarms by their own
/// call would need a leader. Source: server/etcdserver/api/v3rpc/maintenance.go of etcd.
fn alarms(errors: &[String]) -> Vec<String> {
    let words = errors.iter().flat_map(|error| error.split_whitespace());
    words.filter_map(|word| word.strip_prefix("alarm:")).map(str::to_owned).collect()
}

/// The gateway tells 64-bit numbers as text.
fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

/// Ids are decimal in the gateway's JSON and hexadecimal everywhere else; zero means none.
fn hexadecimal(id: &str) -> Option<String> {
    id.parse::<u64>().ok().filter(|id| *id != 0).map(|id| format!("{id:x}"))
}

/// The answer of a member to a call without arguments.
async fn post<T: DeserializeOwned>(line: &mut Line, path: &str) -> Result<T, Unanswered> {
    let (status, body) = line.post(path, Bytes::from_static(b"{}")).await?;
    if !status.is_success() {
        return Err(Unanswered::Status(status.as_u16()));
    }
    Ok(serde_json::from_slice(&body)?)
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

    #[test]
    fn alarms_are_named_and_other_errors_are_not() {
        let errors = ["memberID:10276657743932975437 alarm:NOSPACE ".to_owned(), "etcdserver: no leader".to_owned()];
        assert_eq!(alarms(&errors), ["NOSPACE"]);
        assert_eq!(alarms(&errors[1..]), Vec::<String>::new());
    }

    #[test]
    fn a_status_of_etcd_3_4_is_read() {
        let text = r#"{"header":{"cluster_id":"1","member_id":"255","revision":"812","raft_term":"4"},"version":"3.4.23",
            "dbSize":"20480","leader":"16","raftIndex":"901","raftTerm":"4","raftAppliedIndex":"901","dbSizeInUse":"1"}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!((number(&status.header.revision), number(&status.header.raft_term)), (Some(812), Some(4)));
        assert_eq!(hexadecimal(&status.leader).as_deref(), Some("10"));
    }
}
