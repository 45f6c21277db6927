//! HAProxy in front of the API servers.

use std::time::Duration;

use super::context::{ProvisionError, Provisioner};
use crate::event::SpanId;
use crate::scenario::Topology;
use crate::template::render;

const DEADLINE: Duration = Duration::from_secs(60);

/// Configures and starts the balancer, and sees that it listens.
pub(super) async fn start(provisioner: &Provisioner, up: SpanId) -> Result<SpanId, ProvisionError> {
    let balancer = provisioner.topology.balancer();
    let work = |_| async {
        let config = haproxy_cfg(&provisioner.topology)?;
        provisioner.upload(balancer, "/etc/haproxy/haproxy.cfg", "644", &config).await?;
        let address = balancer.ip.to_string();
        provisioner.script(balancer, "balancer", include_str!("balancer.sh"), &[&address], DEADLINE).await?;
        Ok(())
    };
    let (span, ()) = provisioner.step("start the load balancer", Some(balancer), &[up], DEADLINE, work).await?;
    Ok(span)
}

/// HAProxy's configuration for a topology.
fn haproxy_cfg(topology: &Topology) -> Result<String, minijinja::Error> {
    let own = topology.load_balancer.template.as_ref().map(|template| template.text.as_str());
    render(own.unwrap_or(include_str!("haproxy.cfg")), topology.load_balancer_variables())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{LoadBalancerCheck, Template};

    #[test]
    fn haproxys_configuration_stays_as_it_is() {
        let mut topology = super::super::support::topology("stacked-3");
        insta::assert_snapshot!("haproxy-tcp", haproxy_cfg(&topology).unwrap());
        topology.load_balancer.check = LoadBalancerCheck::Readyz;
        insta::assert_snapshot!("haproxy-readyz", haproxy_cfg(&topology).unwrap());
    }

    #[test]
    fn a_template_of_the_users_own_takes_the_place_of_ours() {
        let mut topology = super::super::support::topology("external-etcd");
        let text = "# {{ balance }} {{ client_timeout_ms }}\n{% for master in masters %}{{ master.name }}={{ master.ip }} {% endfor %}";
        topology.load_balancer.template = Some(Template { path: "my.cfg".into(), text: text.into() });
        let rendered = haproxy_cfg(&topology).unwrap();
        assert_eq!(rendered, "# roundrobin 5000\nmaster1=172.27.11.10 master2=172.27.11.20 \n");
    }
}
