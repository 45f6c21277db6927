//! The pods' network: a bridge on each machine, and routes between the machines.
//!
//! Which part of the pods' network a node has is known once it has joined, and nodes get theirs in the order of joining.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};
use minijinja::{Value, context};

use super::context::{ProvisionError, Provisioner, StepError};
use crate::event::SpanId;
use crate::record::Span;
use crate::scenario::Machine;
use crate::template::render;

const DEADLINE: Duration = Duration::from_secs(420);
/// How long to wait before the watch that a joining etcd member cut is taken up again.
const PAUSE: Duration = Duration::from_millis(200);

/// Connects the pods of each machine as soon as it has joined, until all have.
pub(super) async fn connect(provisioner: &Provisioner, initialised: SpanId) -> Result<SpanId, ProvisionError> {
    let work = |span| connect_all(provisioner, span);
    let (span, ()) = provisioner.step("connect the pods of all nodes", None, &[initialised], DEADLINE, work).await?;
    Ok(span)
}

async fn connect_all(provisioner: &Provisioner, span: Arc<Span>) -> Result<(), StepError> {
    let nodes: Vec<&Machine> = provisioner.topology.nodes().collect();
    let api: Api<Node> = Api::all(provisioner.access.through_balancer().await?);
    let mut events = watcher(api, watcher::Config::default()).boxed();
    let mut subnets: BTreeMap<String, String> = BTreeMap::new();
    while subnets.len() < nodes.len() {
        match events.next().await {
            Some(Ok(watcher::Event::Apply(node) | watcher::Event::InitApply(node))) => {
                let Some(subnet) = node.spec.as_ref().and_then(|spec| spec.pod_cidr.clone()) else { continue };
                if subnets.insert(node.name_any(), subnet.clone()).as_ref() != Some(&subnet) {
                    span.progress(format!(
                        "{} of {} nodes have a part of the pods' network",
                        subnets.len(),
                        nodes.len()
                    ));
                    place(provisioner, &nodes, &subnets).await?;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                span.progress(format!("the watch of nodes was cut: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
            None => break,
        }
    }
    Ok(())
}

/// Gives every machine whose part is known its own network and the routes to all others known.
async fn place(
    provisioner: &Provisioner,
    nodes: &[&Machine],
    subnets: &BTreeMap<String, String>,
) -> Result<(), StepError> {
    let known: Vec<(&Machine, &String)> =
        nodes.iter().filter_map(|machine| Some((*machine, subnets.get(machine.name.as_str())?))).collect();
    let places = known.iter().map(|(machine, subnet)| async {
        let others = known.iter().filter(|(other, _)| other.name != machine.name);
        let routes: Vec<Value> =
            others.map(|(other, subnet)| context! { to => subnet.as_str(), via => other.ip.to_string() }).collect();
        let unit = render(include_str!("pod-routes.service"), context! { routes })?;
        let bridge = render(include_str!("bridge.conflist"), context! { pod_cidr => subnet.as_str() })?;
        provisioner.upload(machine, "/etc/systemd/system/pod-routes.service", "644", &unit).await?;
        provisioner.script(machine, "network", include_str!("network.sh"), &[], DEADLINE).await?;
        provisioner.upload(machine, "/etc/cni/net.d/10-quorate.conflist", "644", &bridge).await
    });
    futures::future::try_join_all(places).await.map(drop)
}
