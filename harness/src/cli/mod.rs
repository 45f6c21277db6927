//! The command: one file a subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod schema;
mod validate;

/// Does failover of your highly available Kubernetes still work?
#[derive(Debug, Parser)]
#[command(name = "quorate", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(validate::Args),
    Schema(schema::Args),
}

/// Runs the command with the process's arguments.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Validate(args) => validate::run(&args),
        Command::Schema(args) => schema::run(&args),
    }
}
