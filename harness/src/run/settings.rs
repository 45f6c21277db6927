//! What a run is to be made of, as far as it could matter to its numbers, so that two runs can say how they differ.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::scenario::{Kubernetes, LoadBalancer, Machine, Scenario, Topology, Workload, format_duration, format_size};

/// The settings of a run of `scenario` on this host. Addresses are left out: they say where a run was and not how.
pub(super) fn of(scenario: &Scenario) -> BTreeMap<String, String> {
    // Taken apart in full, so that a new setting cannot be forgotten here.
    let Topology { name, network: _, domain: _, machines, kubernetes, load_balancer, workload } = &scenario.topology;
    let Kubernetes { version: _, pod_subnet: _, runtime, network_plugin } = kubernetes;
    let LoadBalancer { check, fall, rise, balance, retries, connect_timeout, client_timeout, server_timeout, template } =
        load_balancer;
    let mut settings = BTreeMap::new();
    let mut set = |name: &str, value: String| settings.insert(name.to_owned(), value);
    set("scenario.sha256", digest(&scenario.text));
    set("topology", name.clone());
    for Machine { name, role, ip: _, memory, cpus } in machines.values() {
        set(&format!("machines.{name}"), format!("{}, {cpus} CPUs, {}", word(role), format_size(*memory)));
    }
    set("kubernetes.runtime", word(runtime));
    set("kubernetes.network-plugin", network_plugin.to_string());
    set("load-balancer.check", word(check));
    set("load-balancer.fall", fall.to_string());
    set("load-balancer.rise", rise.to_string());
    set("load-balancer.balance", word(balance));
    set("load-balancer.retries", retries.to_string());
    set("load-balancer.connect-timeout", format_duration(*connect_timeout));
    set("load-balancer.client-timeout", format_duration(*client_timeout));
    set("load-balancer.server-timeout", format_duration(*server_timeout));
    if let Some(template) = template {
        set("load-balancer.template", format!("sha256 {}", digest(&template.text)));
    }
    set(
        "workload",
        match workload {
            Workload::ShCgi => "sh-cgi".to_owned(),
            Workload::Manifest { text, .. } => format!("sha256 {}", digest(text)),
        },
    );
    if let Ok(cpus) = std::thread::available_parallelism() {
        set("host.cpus", cpus.to_string());
    }
    settings
}

/// A choice as it is written in files.
fn word(choice: &impl Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The beginning of a text's SHA-256 sum.
fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
