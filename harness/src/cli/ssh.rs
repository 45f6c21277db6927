//! `quorate ssh`: a shell on a machine of a run.

use std::process::ExitCode;

use crate::process::Command;
use crate::run::store::{Folder, Owner, StoreError};

/// Opens a shell, or runs a command, on a machine of a run that goes on or was kept.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The machine, as master1.
    #[arg(value_name = "MACHINE")]
    machine: String,
    /// The run; the newest that has machines if not said.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// A command to run there instead of a shell.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    let error = match find(args.run.as_deref()) {
        Ok(Some(folder)) => {
            let config = folder.path().join("ssh").join(format!("{}.conf", args.machine));
            if config.is_file() {
                let ssh = Command::new("ssh").arg("-F").arg(config).arg(&args.machine).args(&args.command);
                format!("ssh cannot be started: {}", ssh.replace())
            } else {
                format!("run {} has no machine `{}` that can be entered", folder.run(), args.machine)
            }
        }
        Ok(None) => "no such run has machines; `quorate ls` lists those that have".to_owned(),
        Err(error) => error.to_string(),
    };
    super::complain(&error)
}

fn find(run: Option<&str>) -> Result<Option<Folder>, StoreError> {
    for folder in Folder::all()?.into_iter().rev() {
        let meant = run.is_none_or(|run| run == folder.run());
        if meant && (run.is_some() || has_machines(&folder)) && folder.owner()? != Owner::Nothing {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// Whether a way into a machine was ever found. A run on a cluster that another one left has no machines of its own.
fn has_machines(folder: &Folder) -> bool {
    let ways = std::fs::read_dir(folder.path().join("ssh")).into_iter().flatten().flatten();
    ways.map(|entry| entry.path()).any(|path| path.extension().is_some_and(|end| end == "conf"))
}
