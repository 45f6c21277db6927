//! Watches nodes, their leases, DaemonSets and pods through the balancer, and tells what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Nudge;
use crate::check::names::{COMPONENT_LEASES, DAEMON_SETS, LEASES, NODES, PODS, deployment};
use crate::event::What;
use crate::record::Recorder;

/// How long a watch that was cut waits before it is taken up again.
const PAUSE: Duration = Duration::from_millis(200);

/// Starts a watch for each kind of object.
pub(super) fn start(
    tasks: &mut JoinSet<()>,
    client: &Client,
    recorder: &Recorder,
    nudge: &Nudge,
    cancel: &CancellationToken,
) {
    let watch = |of| Watch { of, recorder: recorder.clone(), nudge: nudge.clone(), cancel: cancel.clone() };
    tasks.spawn(watch(NODES).run(Api::all(client.clone()), node));
    tasks.spawn(watch(LEASES).run(Api::namespaced(client.clone(), "kube-node-lease"), lease));
    tasks.spawn(watch(COMPONENT_LEASES).run(Api::namespaced(client.clone(), "kube-system"), component_lease));
    tasks.spawn(watch(DAEMON_SETS).run(Api::namespaced(client.clone(), "default"), daemon_set));
    tasks.spawn(watch(PODS).run(Api::namespaced(client.clone(), "default"), pod));
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        let words = source.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = source.source();
    }
    text
}

struct Watch {
    of: &'static str,
    recorder: Recorder,
    nudge: Nudge,
    cancel: CancellationToken,
}

/// Makes an event of an object that is there or, with `true`, gone.
type Tell<K> = fn(&K, bool) -> Option<What>;

/// What was last told of each object, and of which object.
struct Known<K> {
    objects: BTreeMap<String, (K, Option<What>)>,
    tell: Tell<K>,
    recorder: Recorder,
}

impl Watch {
    /// Watches until cancelled, and lists everything anew after each nudge and each cut.
    async fn run<K>(mut self, api: Api<K>, tell: Tell<K>)
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
    {
        let mut known = Known { objects: BTreeMap::new(), tell, recorder: self.recorder.clone() };
        while !self.cancel.is_cancelled() {
            let mut stream = watcher(api.clone(), watcher::Config::default()).boxed();
            let mut listed = BTreeSet::new();
            loop {
                let event = tokio::select! {
                    () = self.cancel.cancelled() => return,
                    _ = self.nudge.changed() => break,
                    Some(event) = stream.next() => event,
                    else => break,
                };
                match event {
                    Ok(watcher::Event::Init) => listed.clear(),
                    Ok(watcher::Event::InitApply(object)) => {
                        listed.insert(object.name_any());
                        known.there(object);
                    }
                    Ok(watcher::Event::InitDone) => {
                        known.keep(&listed);
                        self.connected(None);
                    }
                    Ok(watcher::Event::Apply(object)) => known.there(object),
                    Ok(watcher::Event::Delete(object)) => known.gone(&object.name_any()),
                    Err(error) => {
                        self.connected(Some(chain(&error)));
                        tokio::select! {
                            () = self.cancel.cancelled() => return,
                            () = tokio::time::sleep(PAUSE) => {}
                        }
                        // A watch that goes on where it was cut says nothing until something changes: only a new list
                        // tells that it is back.
                        break;
                    }
                }
            }
        }
    }

    fn connected(&self, error: Option<String>) {
        self.recorder.record(What::Watch { of: self.of.into(), connected: error.is_none(), error });
    }
}

impl<K: Resource<DynamicType = ()>> Known<K> {
    fn there(&mut self, object: K) {
        let told = (self.tell)(&object, false);
        let before = self.objects.insert(object.name_any(), (object, told.clone()));
        if let Some(what) = told
            && before.is_none_or(|(_, before)| before.as_ref() != Some(&what))
        {
            self.recorder.record(what);
        }
    }

    fn gone(&mut self, name: &str) {
        if let Some(what) = self.objects.remove(name).and_then(|(object, _)| (self.tell)(&object, true)) {
            self.recorder.record(what);
        }
    }

    /// Forgets all that a new list does not have.
    fn keep(&mut self, listed: &BTreeSet<String>) {
        let gone: Vec<String> = self.objects.keys().filter(|name| !listed.contains(*name)).cloned().collect();
        gone.iter().for_each(|name| self.gone(name));
    }
}

fn node(node: &Node, gone: bool) -> Option<What> {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let condition = conditions.and_then(|all| all.iter().find(|condition| condition.type_ == "Ready"));
    let (ready, reason) = match condition {
        _ if gone => ("absent".to_owned(), String::new()),
        Some(condition) => (condition.status.clone(), condition.reason.clone().unwrap_or_default()),
        None => ("Unknown".to_owned(), "it has no Ready condition".to_owned()),
    };
    let roles = node
        .labels()
        .keys()
        .filter_map(|label| label.strip_prefix("node-role.kubernetes.io/"))
        .map(str::to_owned)
        .collect();
    Some(What::Node { node: node.name_any(), ready, reason, roles })
}

fn lease(lease: &Lease, gone: bool) -> Option<What> {
    let renewed = lease.spec.as_ref()?.renew_time.as_ref()?.0;
    (!gone).then(|| What::NodeLease { node: lease.name_any(), renewed })
}

/// Holders call themselves by their host's name, an underscore, and a random id.
/// Source: cmd/kube-scheduler/app/server.go and cmd/kube-controller-manager/app/controllermanager.go of Kubernetes.
fn component_lease(lease: &Lease, gone: bool) -> Option<What> {
    let spec = lease.spec.as_ref()?;
    let holder = spec.holder_identity.clone().filter(|holder| !gone && !holder.is_empty());
    let machine = holder.as_deref().and_then(|holder| holder.rsplit_once('_')).map(|(host, _)| host);
    Some(What::ComponentLease {
        component: lease.name_any(),
        machine: machine.map(|host| host.split('.').next().unwrap_or(host).to_owned()),
        holder: holder.unwrap_or_default(),
        transitions: spec.lease_transitions.unwrap_or_default(),
        acquired: spec.acquire_time.as_ref().map(|time| time.0),
    })
}

fn daemon_set(daemon_set: &DaemonSet, gone: bool) -> Option<What> {
    let status = daemon_set.status.as_ref();
    let desired = status.map_or(0, |status| status.desired_number_scheduled);
    let ready = status.map_or(0, |status| status.number_ready);
    Some(What::DaemonSet { name: daemon_set.name_any(), exists: !gone, desired, ready })
}

fn pod(pod: &Pod, gone: bool) -> Option<What> {
    let owner = pod.owner_references().iter().find_map(|owner| match owner.kind.as_str() {
        "DaemonSet" => Some(owner.name.clone()),
        // A Deployment's ReplicaSet is named by it and by the hash of its template.
        "ReplicaSet" => {
            let hash = pod.labels().get("pod-template-hash")?;
            owner.name.strip_suffix(hash.as_str())?.strip_suffix('-').map(deployment)
        }
        _ => None,
    })?;
    let status = pod.status.as_ref();
    let phase = if gone { Some("absent".to_owned()) } else { status.and_then(|status| status.phase.clone()) };
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ready = conditions
        .is_some_and(|all| all.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"));
    let containers = status.and_then(|status| status.container_statuses.as_ref());
    let started = containers
        .into_iter()
        .flatten()
        .filter_map(|container| Some(container.state.as_ref()?.running.as_ref()?.started_at.as_ref()?.0));
    Some(What::Pod {
        owner,
        pod: pod.name_any(),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        phase: phase.unwrap_or_else(|| "Unknown".to_owned()),
        ready,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        address: status.and_then(|status| status.pod_ip.clone()),
        started: started.max(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    fn owner_of(kind: &str, name: &str, hash: Option<&str>) -> Option<String> {
        let described: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {
                "name": "x",
                "labels": hash.map(|hash| [("pod-template-hash", hash)].into_iter().collect::<BTreeMap<_, _>>()),
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1" }],
            },
        }))
        .unwrap();
        match pod(&described, false)? {
            What::Pod { owner, .. } => Some(owner),
            other => panic!("{other:?}"),
        }
    }

    /// An API server without any nodes that refuses the first watch of them and holds the next ones.
    fn refuses_once() -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut held = Vec::new();
            let mut refused = false;
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let head: Vec<String> = lines.collect();
                let is_watch = head.first().is_some_and(|line| line.contains("watch=true"));
                let (status, body) = match (is_watch, refused) {
                    (true, true) => {
                        held.push(stream);
                        continue;
                    }
                    (true, false) => {
                        ("403 Forbidden", r#"{"status":"Failure","message":"not now","reason":"Forbidden","code":403}"#)
                    }
                    (false, _) => (
                        "200 OK",
                        r#"{"kind":"NodeList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}"#,
                    ),
                };
                refused |= is_watch;
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn a_watch_that_was_cut_says_when_it_is_back() {
        let (_sender, nudge) = tokio::sync::watch::channel(0);
        let (recorder, cancel) = (Recorder::unwritten(), CancellationToken::new());
        let mut events = recorder.follow();
        let watch = Watch { of: NODES, recorder, nudge, cancel: cancel.clone() };
        let watching = tokio::spawn(watch.run(Api::all(refuses_once()), node));
        let mut told = Vec::new();
        while told.len() < 3 {
            let event = tokio::time::timeout(Duration::from_secs(30), events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("nothing after {told:?}")).unwrap();
            told.extend(if let What::Watch { connected, .. } = event.what { Some(connected) } else { None });
        }
        assert_eq!(told, [true, false, true]);
        cancel.cancel();
        watching.await.unwrap();
    }

    #[test]
    fn pods_belong_to_daemonsets_and_deployments() {
        assert_eq!(owner_of("DaemonSet", "sh-cgi", None).as_deref(), Some("sh-cgi"));
        assert_eq!(owner_of("ReplicaSet", "web-1-5d8f", Some("5d8f")).as_deref(), Some("deployment/web-1"));
        // A ReplicaSet that no Deployment made.
        assert_eq!(owner_of("ReplicaSet", "web", None), None);
        assert_eq!(owner_of("Job", "web", None), None);
    }
}
