//! `quorate plan`: what a run would do.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ipnet::Ipv4Net;

use tokio_util::sync::CancellationToken;

use super::run::{load_options, planned, tell};
use crate::machine::provider;
use crate::plan;
use crate::scenario::{format_duration, format_size};

/// Prints what a run of a scenario would do, and touches nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The scenario's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Moves all machines to another network of the same size.
    #[arg(long, value_name = "CIDR")]
    network: Option<Ipv4Net>,
    /// Says as well what this provider cannot do on this host: virtualbox, libvirt or docker.
    #[arg(long, env = "QUORATE_PROVIDER", value_name = "NAME")]
    provider: Option<String>,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let Some((scenario, plan)) = planned(&args.file, &load_options(args.network, None)) else {
        return ExitCode::from(2);
    };
    if let Some(name) = &args.provider {
        let Some(provider) = provider::by_name(name) else {
            return super::complain(&format!("there is no provider `{name}`"));
        };
        let refusals = plan::refusals(&scenario, provider.as_ref(), &CancellationToken::new()).await;
        if !refusals.is_empty() {
            tell(&plan::told(&refusals));
            return ExitCode::from(2);
        }
    }
    let mut out = anstream::stdout();
    let topology = &scenario.topology;
    let version = topology.kubernetes.version.as_deref().unwrap_or("whatever the first source has");
    let _ = writeln!(
        out,
        "{}\n\nmachines ({}, on {}; Kubernetes: {version})",
        scenario.name, topology.name, topology.network
    );
    for machine in topology.machines.values() {
        let role = format!("{:?}", machine.role).to_lowercase();
        let (ip, cpus, memory) = (machine.ip.to_string(), machine.cpus, format_size(machine.memory));
        let _ = writeln!(out, "  {:<12} {role:<9} {ip:<15} {cpus} cpus, {memory}", machine.name);
    }
    let _ = writeln!(out, "load balancer: {}", topology.load_balancer);
    let _ = writeln!(out, "workload: {}", topology.workload);
    if !scenario.always.is_empty() {
        let _ = writeln!(out, "\nalways, from the first expectation that holds");
    }
    for always in &scenario.always {
        let _ = writeln!(out, "  {} (line {})", always.invariant, always.line);
    }
    let _ = writeln!(out, "\nsteps");
    for (index, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(
            out,
            "  {:>2}. {} (line {}, at most {})",
            index + 1,
            step.title,
            step.line,
            format_duration(step.deadline)
        );
    }
    for note in &plan.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    ExitCode::SUCCESS
}
