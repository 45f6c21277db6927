//! `quorate ls`: what runs have left or use on this host.

use std::io::Write;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::run::store::{Folder, Owner, StoreError};
use crate::run::sysctl;

/// Lists what runs use, keep or left behind on this host.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_args: Args) -> ExitCode {
    match list().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::complain(&error.to_string()),
    }
}

async fn list() -> Result<(), StoreError> {
    let mut out = anstream::stdout();
    let mut empty = true;
    let mut busy = false;
    let mut unseen = None;
    for folder in Folder::all()? {
        let owner = folder.owner()?;
        if owner == Owner::Nothing {
            continue;
        }
        empty = false;
        busy |= owner != Owner::Orphaned;
        let card = folder.card();
        let scenario = card.as_ref().map_or("?", |card| card.scenario.as_str());
        let age = card.as_ref().map_or_else(|| "?".to_owned(), |card| age(card.started));
        let _ = writeln!(out, "{}  {owner:<9} {scenario}, started {age} ago", folder.run());
        match folder.remains().await {
            Ok(remains) => remains.iter().for_each(|thing| drop(writeln!(out, "    {thing}"))),
            // What another run left is listed all the same.
            Err(error) => {
                let _ = writeln!(out, "    what of it is there is not known");
                unseen = unseen.or(Some(error));
            }
        }
    }
    let settings = sysctl::pending().unwrap_or_default();
    if !busy && !settings.is_empty() {
        empty = false;
        let _ = writeln!(out, "settings of this host that kubelet changed: sudo sysctl -w {}", settings.join(" "));
    }
    if empty {
        let _ = writeln!(out, "nothing: no run uses or left anything here");
    }
    unseen.map_or(Ok(()), Err)
}

fn age(started: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(started).as_secs();
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
