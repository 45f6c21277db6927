//! The service family: static pods by their manifests, units by systemd. Each script proves what it did.

use std::time::Duration;

use jiff::Timestamp;

use super::{FaultError, Hand, Seen};
use crate::process::Command;
use crate::scenario::{MachineName, Service};

const DEADLINE: Duration = Duration::from_secs(90);

/// Stops a service; it stays down until it is started.
pub(super) async fn stop(hand: &Hand<'_>, machine: &MachineName, service: Service) -> Result<Seen, FaultError> {
    let (begun, proof) = run(hand, machine, service, "stop").await?;
    Ok(Seen { verb: "stop-service", service: Some(service), heals: false, begun, proof })
}

/// Starts a service that was stopped.
pub(super) async fn start(hand: &Hand<'_>, machine: &MachineName, service: Service) -> Result<Seen, FaultError> {
    let (begun, proof) = run(hand, machine, service, "start").await?;
    Ok(Seen { verb: "start-service", service: Some(service), heals: true, begun, proof })
}

async fn run(
    hand: &Hand<'_>,
    machine: &MachineName,
    service: Service,
    verb: &str,
) -> Result<(Timestamp, String), FaultError> {
    let way = hand.fleet.ssh(machine)?;
    let name = service.as_str();
    let command: Command = match service {
        Service::Etcd => way.script(include_str!("static-pod.sh"), &[verb, name, "etcd"]),
        Service::Kubelet | Service::Haproxy => way.script(include_str!("unit.sh"), &[verb, name]),
    };
    let begun = Timestamp::now();
    let output = command.label(format!("{verb} {name}")).deadline(DEADLINE).run_async(hand.cancel).await;
    let output = output.map_err(|source| FaultError::Process { machine: machine.to_string(), source })?;
    Ok((begun, output.stdout.trim().to_owned()))
}
