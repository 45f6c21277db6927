//! Proves that a new cluster works and does not only say so, before anything is done to it.

use std::time::Duration;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1 as api;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::failure::Failure;
use crate::event::{Phase, SpanId};
use crate::machine::Fleet;
use crate::probe::Observers;
use crate::record::{Span, SpanOptions};
use crate::scenario::{Check, Keeper, Machine, NetworkPlugin, Service, Topology};

const READY: Duration = Duration::from_secs(180);
const RECONCILED: Duration = Duration::from_secs(45);
const COMPLETE: Duration = Duration::from_secs(120);
/// How far a machine's clock may be from the host's. Certificates, leases and whoever reads the logs of several machines
/// can live with this.
const SKEW: Duration = Duration::from_secs(5);
/// How long to wait before a request that failed is made again.
const PAUSE: Duration = Duration::from_millis(500);
const PROBE: &str = "quorate-gate";
/// The DaemonSet in Calico's manifest that connects the pods of a node.
const CALICO_NODE: &str = "calico-node";

/// Waits until every node is believed, etcd agrees with itself and its members hear each other, the controllers are seen to do
/// their work, Calico is ready where it is, and clocks are right.
pub(super) async fn pass(
    engine: &Engine,
    observers: &Observers,
    client: Client,
    after: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let agreed = Check::EtcdHealthy { members: engine.scenario.topology.members().count() };
    let nodes = engine.wait_in_bring_up("all nodes are Ready", &Check::NodesReady, READY, observers, after);
    let etcd = engine.wait_in_bring_up("all etcd members agree", &agreed, READY, observers, after);
    let api =
        engine.wait_in_bring_up("the API answers through the balancer", &Check::ApiReachable, READY, observers, after);
    let reconciled = engine.bring_up("the controllers reconcile a new Service", after, RECONCILED, async |span| {
        reconcile(client.clone(), span).await;
    });
    let clocks = clocks(engine, after);
    let (nodes, etcd, api, reconciled, clocks) =
        futures::future::try_join5(nodes, etcd, api, reconciled, clocks).await?;
    let proven = Vec::from_iter([nodes, etcd, api, reconciled].into_iter().chain(clocks));
    let topology = &engine.scenario.topology;
    let complete = engine.bring_up("all control planes are complete", &proven, COMPLETE, async |span| {
        control_planes(&engine.fleet, topology, span).await;
    });
    let heard = engine.bring_up("etcd's members hear each other at once", &proven, COMPLETE, async |span| {
        let each = topology.members().map(|machine| peers(&engine.fleet, machine, span));
        futures::future::join_all(each).await;
    });
    let connected = connected(engine, client.clone(), &proven);
    let (complete, heard, connected) = futures::future::try_join3(complete, heard, connected).await?;
    Ok([complete, heard].into_iter().chain(connected).collect())
}

/// Waits until Calico calls itself ready on every node, where it connects the pods: a node is Ready without it.
async fn connected(engine: &Engine, client: Client, after: &[SpanId]) -> Result<Option<SpanId>, Failure> {
    if engine.scenario.topology.kubernetes.network_plugin == NetworkPlugin::Bridge {
        return Ok(None);
    }
    let nodes = engine.scenario.topology.nodes().count();
    let sets: Api<DaemonSet> = Api::namespaced(client, "kube-system");
    let span = engine.bring_up("Calico is ready on every node", after, READY, async |span| {
        insist(span, || async {
            let set = sets.get_opt(CALICO_NODE).await.map_err(|error| format!("it cannot be asked for: {error}"))?;
            let status = set.and_then(|set| set.status).unwrap_or_default();
            let (ready, current) = (status.number_ready, status.updated_number_scheduled.unwrap_or_default());
            match [ready, current].iter().all(|count| usize::try_from(*count) == Ok(nodes)) {
                true => Ok(()),
                false => Err(format!(
                    "{CALICO_NODE} is ready on {ready} of {nodes} nodes, and of its newest kind on {current}"
                )),
            }
        })
        .await;
    });
    span.await.map(Some)
}

/// Holds the machines' clocks against the host's, where they have clocks of their own.
async fn clocks(engine: &Engine, after: &[SpanId]) -> Result<Option<SpanId>, Failure> {
    if !engine.fleet.has_clocks(&engine.cancel).await {
        return Ok(None);
    }
    let options = SpanOptions { after, ..SpanOptions::default() };
    let span = engine.recorder.span(Phase::BringUp, "the clocks are right", options);
    let each = engine.fleet.machines().map(|machine| async {
        let clock = engine.fleet.clock(&machine.name, &engine.cancel).await.map_err(|error| error.to_string())?;
        span.progress(format!("{}: {clock}", machine.name));
        match clock.is_wrong(SKEW) {
            true => Err(format!("the clock of {} is {clock}", machine.name)),
            false => Ok(()),
        }
    });
    let wrong: Vec<String> = futures::future::join_all(each).await.into_iter().filter_map(Result::err).collect();
    let ended = match wrong.as_slice() {
        _ if engine.cancel.is_cancelled() => Err(Failure::Interrupted),
        [] => Ok(()),
        wrong => Err(Failure::Broken(format!("the cluster does not work: {}", wrong.join("; ")))),
    };
    engine.end(&span, &ended);
    ended.map(|()| Some(span.id()))
}

/// Waits until the processes of all control planes and etcd members run, by looking for them on their machines.
async fn control_planes(fleet: &Fleet, topology: &Topology, span: &Span) {
    let each = topology.machines.values().map(|machine| async move {
        let names = static_pods(topology, machine);
        if names.is_empty() {
            return;
        }
        wait_on(fleet, machine, ("control-plane.sh", include_str!("control-plane.sh")), &names, span).await;
    });
    futures::future::join_all(each).await;
}

/// Waits until a member's connections to the others deliver at once.
async fn peers(fleet: &Fleet, machine: &Machine, span: &Span) {
    wait_on(fleet, machine, ("peers.sh", include_str!("peers.sh")), &[], span).await;
}

/// Runs a script on a machine until it is content.
async fn wait_on(fleet: &Fleet, machine: &Machine, (name, script): (&str, &str), args: &[&str], span: &Span) {
    insist(span, || async {
        let way = fleet.ssh(&machine.name).map_err(|error| error.to_string())?;
        let script = way.script(script, args).label(name).deadline(fleet.patience(COMPLETE));
        let ran = script.run_async(&CancellationToken::new()).await;
        ran.map(drop).map_err(|error| format!("{}: {error}", machine.name))
    })
    .await;
}

/// The services that a machine runs as static pods.
fn static_pods(topology: &Topology, machine: &Machine) -> Vec<&'static str> {
    let external = topology.external_etcd();
    let here =
        |service: &Service| service.keeper() == Keeper::StaticPod && service.roles(external).contains(&machine.role);
    Service::ALL.into_iter().filter(here).map(Service::as_str).collect()
}

/// Makes a Service and waits for its Endpoints, which the controller manager makes if its watches work.
async fn reconcile(client: Client, span: &Span) {
    let services: Api<api::Service> = Api::namespaced(client.clone(), "default");
    let endpoints: Api<api::Endpoints> = Api::namespaced(client, "default");
    let service = api::Service {
        metadata: ObjectMeta { name: Some(PROBE.into()), ..ObjectMeta::default() },
        spec: Some(api::ServiceSpec {
            selector: Some([("app".to_owned(), PROBE.to_owned())].into()),
            ports: Some(vec![api::ServicePort { port: 80, ..api::ServicePort::default() }]),
            ..api::ServiceSpec::default()
        }),
        ..api::Service::default()
    };
    insist(span, || async {
        match services.create(&PostParams::default(), &service).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop).map_err(|error| format!("the Service cannot be made: {error}")),
        }
    })
    .await;
    insist(span, || async {
        let there = await_condition(endpoints.clone(), PROBE, |endpoints: Option<&api::Endpoints>| endpoints.is_some());
        there.await.map(drop).map_err(|error| format!("its Endpoints cannot be watched: {error}"))
    })
    .await;
    insist(span, || async {
        match services.delete(PROBE, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => other.map(drop).map_err(|error| format!("the Service cannot be removed: {error}")),
        }
    })
    .await;
    // Who asks next must not be answered by what is left.
    insist(span, || async {
        let gone = await_condition(endpoints.clone(), PROBE, |endpoints: Option<&api::Endpoints>| endpoints.is_none());
        gone.await.map(drop).map_err(|error| format!("its Endpoints cannot be watched: {error}"))
    })
    .await;
}

/// Tries until it succeeds, and tells the span why it does not; whoever calls bounds the time. etcd may change its leader
/// once more after the last member has joined, and requests fail while it does.
pub(super) async fn insist<F: Future<Output = Result<(), String>>>(span: &Span, mut attempt: impl FnMut() -> F) {
    while let Err(reason) = attempt().await {
        span.progress(reason);
        tokio::time::sleep(PAUSE).await;
    }
}
