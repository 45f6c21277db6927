//! `quorate plan`: what a run would do.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ipnet::Ipv4Net;

use tokio_util::sync::CancellationToken;

use super::run::{on_network, planned, tell};
use crate::machine::provider;
use crate::plan;
use crate::plan::outline::Outline;

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
    /// Prints it for programs; `quorate schema plan` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let Some((scenario, plan)) = planned(&args.file, &on_network(args.network)) else {
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
    let outline = Outline::of(&scenario, &plan);
    let mut out = anstream::stdout();
    super::written(match args.json {
        true => {
            serde_json::to_string_pretty(&outline).map_err(Into::into).and_then(|text| Ok(writeln!(out, "{text}")?))
        }
        false => write!(out, "{outline}").map_err(Into::into),
    })
}
