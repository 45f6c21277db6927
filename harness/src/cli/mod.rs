//! The command: one file a subcommand.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::event::Verdict;

mod baseline;
mod clean;
mod compare;
mod doctor;
mod evidence;
mod fetch;
mod init;
mod logs;
mod ls;
mod plan;
mod report;
mod run;
mod runs;
mod schema;
mod series;
mod sources;
mod ssh;
mod validate;
mod which;

/// Does failover of your highly available Kubernetes still work?
#[derive(Debug, Parser)]
#[command(name = "quorate", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Doctor(doctor::Args),
    Init(init::Args),
    Fetch(fetch::Args),
    Validate(validate::Args),
    Plan(plan::Args),
    Schema(schema::Args),
    Report(report::Args),
    Runs(runs::Args),
    Logs(logs::Args),
    Baseline(baseline::Args),
    Compare(compare::Args),
    Ls(ls::Args),
    Clean(clean::Args),
    Ssh(ssh::Args),
}

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    log_if_asked();
    match Cli::parse().command {
        Command::Run(args) => wait(run::run(args)),
        Command::Doctor(args) => wait(doctor::run(args)),
        Command::Init(args) => init::run(&args),
        Command::Fetch(args) => wait(fetch::run(args)),
        Command::Validate(args) => validate::run(&args),
        Command::Plan(args) => wait(plan::run(args)),
        Command::Schema(args) => schema::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Logs(args) => logs::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Ls(args) => wait(ls::run(args)),
        Command::Clean(args) => wait(clean::run(args)),
        Command::Ssh(args) => ssh::run(&args),
    }
}

/// Tells on standard error what Quorate itself does, where `QUORATE_LOG` asks for it, as `debug` or `quorate=debug`.
fn log_if_asked() {
    if let Ok(filter) = EnvFilter::try_from_env("QUORATE_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

fn wait(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => complain(&format!("no runtime can be had: {error}")),
    }
}

/// Says what is wrong on standard error. The exit code is that of what is broken.
fn complain(message: &str) -> ExitCode {
    let _ = writeln!(anstream::stderr(), "error: {message}");
    ExitCode::from(Verdict::Broken.exit_code())
}

/// The exit code of a command that only writes. A reader that has seen enough, as `head`, is no failure.
fn written(result: Result<(), Box<dyn Error>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if closed(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => complain(&error.to_string()),
    }
}

fn closed(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn every_command_can_be_parsed() {
        super::Cli::command().debug_assert();
    }
}
