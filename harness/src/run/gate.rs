//! Proves that a new cluster works and does not only say so, before anything is done to it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Endpoints, Service};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};

use super::Failure;
use super::engine::Engine;
use crate::event::SpanId;
use crate::probe::Observers;
use crate::scenario::Check;

const READY: Duration = Duration::from_secs(180);
const RECONCILED: Duration = Duration::from_secs(45);
const PROBE: &str = "quorate-gate";

/// Waits until every node is believed, etcd agrees with itself, and the controllers are seen to do their work.
pub(super) async fn pass(
    engine: &Engine,
    observers: &Observers,
    client: Client,
    after: &[SpanId],
) -> Result<Vec<SpanId>, Failure> {
    let agreed = Check::EtcdHealthy { members: engine.scenario.topology.masters().count() };
    let nodes = engine.wait_in_bring_up("all nodes are Ready", &Check::NodesReady, READY, observers, after);
    let etcd = engine.wait_in_bring_up("all etcd members agree", &agreed, READY, observers, after);
    let api =
        engine.wait_in_bring_up("the API answers through the balancer", &Check::ApiReachable, READY, observers, after);
    let controllers = engine.bring_up("the controllers reconcile a new Service", after, RECONCILED, reconcile(client));
    let (nodes, etcd, api, controllers) = futures::future::try_join4(nodes, etcd, api, controllers).await?;
    Ok(vec![nodes, etcd, api, controllers])
}

/// Makes a Service and waits for its Endpoints, which the controller manager makes if its watches work.
async fn reconcile(client: Client) -> Result<(), String> {
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let endpoints: Api<Endpoints> = Api::namespaced(client, "default");
    let service = serde_json::from_value(serde_json::json!({
        "metadata": { "name": PROBE },
        "spec": { "selector": { "app": PROBE }, "ports": [{ "port": 80 }] },
    }));
    let service: Service = service.map_err(|error| error.to_string())?;
    services
        .create(&PostParams::default(), &service)
        .await
        .map_err(|error| format!("a Service cannot be made: {error}"))?;
    let there = await_condition(endpoints, PROBE, |endpoints: Option<&Endpoints>| endpoints.is_some());
    there.await.map_err(|error| format!("its Endpoints cannot be watched: {error}"))?;
    services
        .delete(PROBE, &DeleteParams::default())
        .await
        .map_err(|error| format!("the Service cannot be removed: {error}"))?;
    Ok(())
}
