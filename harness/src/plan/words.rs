//! Steps, faults, checks and invariants as a person would say them.

use std::fmt;

use crate::scenario::{
    Action, Check, Direction, Fault, Invariant, LoadBalancer, MachineName, NodeState, Peers, Placement, Step, Target,
    Verb, Workload, format_duration, format_rate, format_size,
};

impl fmt::Display for LoadBalancer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, fall, rise, balance, retries, connect_timeout, client_timeout, server_timeout, template } =
            self;
        if let Some(template) = template {
            write!(f, "{}, with ", template.path.display())?;
        }
        let [connect, client, server] =
            [connect_timeout, client_timeout, server_timeout].map(|it| format_duration(*it));
        let (check, balance) = (check.as_str(), balance.as_str());
        write!(
            f,
            "check {check}, fall {fall}, rise {rise}, balance {balance}, retries {retries}, timeouts {connect} to connect, \
             {client} of clients, {server} of servers"
        )
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShCgi => f.write_str("DaemonSet sh-cgi"),
            Self::Manifest { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.action {
            Action::Expect { check, within } => write!(f, "expect {check} within {}", format_duration(*within)),
            Action::Hold { check: None, time } => write!(f, "hold for {}", format_duration(*time)),
            Action::Hold { check: Some(check), time } => write!(f, "hold {check} for {}", format_duration(*time)),
            Action::Fault(fault) => write!(f, "{fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, on } = self;
        match verb.service() {
            Some(service) => write!(f, "{} {} on {on}", verb.as_str(), service.as_str()),
            None => write!(f, "{} {on}{}", verb.as_str(), particulars(verb)),
        }
    }
}

/// What a verb says beside itself, each with a space before it.
fn particulars(verb: &Verb) -> String {
    match verb {
        Verb::Partition { from, direction } => format!(" from {from}{}", only(*direction)),
        Verb::Block { ports, direction } => {
            let ports = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!(" at port {ports}{}", only(*direction))
        }
        Verb::Slow { rate, delay, loss } => [
            rate.map(|rate| format!(" to {}", format_rate(rate))),
            delay.map(|delay| format!(" by {}", format_duration(delay))),
            loss.map(|loss| format!(" losing {loss}%")),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Verb::FillDisk { leave } if *leave > 0 => format!(" but for {}", format_size(*leave)),
        Verb::SlowDisk { rate } => format!(" to {} a second", format_size(*rate)),
        Verb::SkewClock { by } => {
            format!(" by {}{}", if by.is_negative() { "-" } else { "" }, format_duration(by.unsigned_abs()))
        }
        _ => String::new(),
    }
}

fn only(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "",
        Direction::In => ", what comes in alone",
        Direction::Out => ", what goes out alone",
    }
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others => f.write_str("all others"),
            Self::OtherMasters => f.write_str("the other masters"),
            Self::Machines(machines) => Target::Machines(machines.clone()).fmt(f),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machines(machines) => {
                f.write_str(&machines.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", "))
            }
            Self::Part(part, None) => f.write_str(part.as_str()),
            Self::Part(part, Some(name)) => write!(f, "{} as {name}", part.as_str()),
            Self::Chosen(None) => f.write_str("what was chosen"),
            Self::Chosen(Some(name)) => f.write_str(name),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodesReady => write!(f, "all nodes Ready"),
            Self::Node { node, is: NodeState::Ready } => write!(f, "{node} Ready"),
            Self::Node { node, is: NodeState::NotReady } => write!(f, "{node} NotReady"),
            Self::DaemonSet { name, pods: Placement::OnePerMaster } => write!(f, "one pod of {name} on every master"),
            Self::DaemonSet { name, pods: Placement::OnePerNode } => write!(f, "one pod of {name} on every node"),
            Self::Deployment { name, pods, on } => {
                let on = on.iter().map(MachineName::as_str).collect::<Vec<_>>().join(", ");
                write!(f, "{pods} {} of {name} on {on}", if *pods == 1 { "pod" } else { "pods" })
            }
            Self::EtcdHealthy { members } => write!(f, "etcd healthy with {members} members"),
            Self::EtcdLeaderless => write!(f, "etcd without a leader"),
            Self::EtcdAlarmed => write!(f, "an alarm of etcd"),
            Self::ServerReady { on, ready: true } => write!(f, "the API server on {on} ready"),
            Self::ServerReady { on, ready: false } => write!(f, "the API server on {on} not ready"),
            Self::WritesAcknowledged => write!(f, "writes through the balancer acknowledged"),
            Self::WritesStopped => write!(f, "no write through the balancer acknowledged"),
            Self::WritesPresent => write!(f, "all acknowledged writes there"),
            Self::LeaseMoved { component } => write!(f, "the lease of {} moved", component.as_str()),
            Self::PodsConnected { of, port: 8080 } => write!(f, "the pods of {of} connected"),
            Self::PodsConnected { of, port } => write!(f, "the pods of {of} connected on port {port}"),
            Self::ApiReachable => write!(f, "the API reachable through the balancer"),
            Self::ApiUnreachable => write!(f, "the API unreachable through the balancer"),
            Self::ApiBalanced { on } => write!(f, "the API balanced over {on}"),
            // Two negatives would read as nonsense.
            Self::Not(check) => match check.as_ref() {
                Self::WritesStopped => write!(f, "some write through the balancer acknowledged"),
                Self::EtcdLeaderless => write!(f, "a leader of etcd"),
                Self::EtcdAlarmed => write!(f, "no alarm of etcd"),
                Self::ApiUnreachable => write!(f, "the API not unreachable through the balancer"),
                check => write!(f, "not {check}"),
            },
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiOutageBelow(bound) => {
                write!(f, "outages of the API through the balancer stay below {}", format_duration(*bound))
            }
            Self::ApiErrorShareBelow(bound) => write!(f, "less than {bound} of the requests to the API fail"),
            Self::ApiLatencyBelow(bound) => {
                write!(f, "99 of 100 good answers of the API come within less than {}", format_duration(*bound))
            }
            Self::WritesNoneLost => write!(f, "no acknowledged write is lost or out of order"),
            Self::WatchNoneMissed => write!(f, "a watch through the balancer misses no acknowledged write"),
            Self::WatchNoneRepeated => write!(f, "a watch through the balancer repeats nothing"),
            Self::WatchGapBelow(bound) => {
                write!(f, "gaps of a watch through the balancer stay below {}", format_duration(*bound))
            }
            Self::Stays(check) => write!(f, "always {check}"),
        }
    }
}
