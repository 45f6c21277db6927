//! Looks whether every acknowledged write is there, by a read that a quorum of etcd answers, past the balancer.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::writer::{Acknowledged, KEY, NAMESPACE, REGISTER, object, revision};
use crate::event::What;

/// How many objects are read at a time.
const PAGE: u32 = 500;
/// How many writes are named of those that something is wrong with.
const NAMED: usize = 5;

/// What was read.
#[derive(Debug, Default)]
struct Found {
    /// The revision of each object that is written once.
    objects: BTreeMap<String, u64>,
    /// The number of the write that the register holds.
    register: u64,
}

/// Reads all that was written and holds it against what was acknowledged before.
pub(super) async fn read(client: Client, server: &str, writes: Vec<Acknowledged>) -> Result<What, kube::Error> {
    let found = find(client).await?;
    let (lost, disordered) = compare(&writes, &found);
    let name = |writes: &[u64]| writes.iter().take(NAMED).map(|seq| format!("write {seq}")).collect::<Vec<_>>();
    Ok(What::WritesAudit {
        server: server.to_owned(),
        acknowledged: writes.len(),
        last: writes.last().map_or(0, |write| write.seq),
        lost: lost.len(),
        disordered: disordered.len(),
        examples: [name(&lost), name(&disordered)].concat(),
    })
}

/// A list without a revision is read from etcd with a quorum, and all its pages are of one revision.
async fn find(client: Client) -> Result<Found, kube::Error> {
    let objects: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let mut found = Found::default();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = objects.list(&page).await?;
        for it in &list.items {
            let name = it.name_any();
            if name == REGISTER {
                let held = it.data.as_ref().and_then(|data| data.get(KEY)?.parse().ok());
                found.register = held.unwrap_or_default();
            } else {
                found.objects.insert(name, revision(it).unwrap_or_default());
            }
        }
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(found),
        }
    }
}

/// The writes that are not there, and those whose revision is not what was acknowledged or does not grow.
fn compare(writes: &[Acknowledged], found: &Found) -> (Vec<u64>, Vec<u64>) {
    let (mut lost, mut disordered) = (Vec::new(), Vec::new());
    let mut before = 0;
    for write in writes {
        let name = object(write.seq);
        let there = if name == REGISTER { found.register >= write.seq } else { found.objects.contains_key(&name) };
        let same = found.objects.get(&name).is_none_or(|revision| *revision == write.revision);
        if !there {
            lost.push(write.seq);
        } else if !same || write.revision <= before {
            disordered.push(write.seq);
        }
        before = write.revision;
    }
    (lost, disordered)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_is_lost_and_what_is_out_of_order_is_named() {
        type Case<'a> = (&'a str, &'a [(u64, u64)], &'a [(u64, u64)], u64, &'a [u64], &'a [u64]);
        let cases: [Case<'_>; 7] = [
            ("nothing was written", &[], &[], 0, &[], &[]),
            ("all there", &[(1, 10), (2, 11), (3, 15)], &[(1, 10), (3, 15)], 2, &[], &[]),
            ("more there than was acknowledged", &[(1, 10)], &[(1, 10), (3, 12)], 4, &[], &[]),
            ("an object is gone", &[(1, 10), (3, 12)], &[(3, 12)], 0, &[1], &[]),
            ("the register is back at an older write", &[(2, 10), (4, 12)], &[], 2, &[4], &[]),
            ("an object was made anew", &[(1, 10), (3, 12)], &[(1, 30), (3, 12)], 0, &[], &[1]),
            ("revisions went back", &[(1, 10), (3, 9)], &[(1, 10), (3, 9)], 0, &[], &[3]),
        ];
        for (name, writes, objects, register, lost, disordered) in cases {
            let at = Instant::now();
            let writes: Vec<_> =
                writes.iter().map(|(seq, revision)| Acknowledged { seq: *seq, revision: *revision, at }).collect();
            let objects = objects.iter().map(|(seq, revision)| (object(*seq), *revision)).collect();
            let compared = compare(&writes, &Found { objects, register });
            assert_eq!(compared, (lost.to_vec(), disordered.to_vec()), "{name}");
        }
    }
}
