//! `quorate doctor`: what is here, what is missing, and how to mend it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use ipnet::Ipv4Net;
use tokio_util::sync::CancellationToken;

use super::run::on_network;
use crate::event::Verdict;
use crate::machine::doctor::{self, Examination};
use crate::machine::finding::Finding;
use crate::machine::host::Host;
use crate::run::store::{Folder, Owner};
use crate::scenario::{self, Rendering};

/// Says what is here, what is missing, too old, or does not go together, for each provider, and how to mend it.
///
/// Looks and changes nothing. A run is hindered by the same before it makes a machine. Exit code 0: a run can begin, with the
/// provider that is asked for or else with the first that can be used; 1: none can; 2: bad input.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scenario or topology that is to be run: its machines need memory and a network. Topology stacked-3 if not said.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Looks at this provider alone: virtualbox, libvirt or docker.
    #[arg(long, env = "QUORATE_PROVIDER", value_name = "NAME")]
    provider: Option<String>,
    /// The network that the machines are to be moved to.
    #[arg(long, env = "QUORATE_NETWORK", value_name = "CIDR")]
    network: Option<Ipv4Net>,
    /// Prints JSON, as `quorate schema doctor` describes it.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> ExitCode {
    let broken = ExitCode::from(Verdict::Broken.exit_code());
    let topology = match scenario::topology_of(args.file.as_deref(), &on_network(args.network)) {
        Ok(topology) => topology,
        Err(problems) => {
            let text = problems.render(Rendering::for_stream(&std::io::stderr()));
            let _ = anstream::stderr().write_all(text.as_bytes());
            return broken;
        }
    };
    let asked = args.provider.as_deref();
    let mut examination = match doctor::examine(&Host::here(), asked, &topology, &CancellationToken::new()).await {
        Ok(examination) => examination,
        Err(error) => return super::complain(&error.to_string()),
    };
    examination.host.extend(earlier_runs());
    match write(&examination, args.json) {
        Ok(()) if examination.takes.is_some() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        // Whoever closed the stream does not want to read; the exit code still tells.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(u8::from(examination.takes.is_none()))
        }
        Err(error) => super::complain(&error.to_string()),
    }
}

fn write(examination: &Examination, json: bool) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    if json { writeln!(out, "{}", serde_json::to_string_pretty(examination)?) } else { write!(out, "{examination}") }
}

/// Runs that were killed hold memory and networks until somebody removes what they left.
fn earlier_runs() -> Option<Finding> {
    let folders = Folder::all().ok()?;
    let orphaned: Vec<&str> =
        folders.iter().filter(|folder| matches!(folder.owner(), Ok(Owner::Orphaned))).map(Folder::run).collect();
    (!orphaned.is_empty()).then(|| Finding::earlier_runs(&orphaned))
}
