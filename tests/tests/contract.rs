//! The contract of a provider, held against real machines: one test each, as `docker::contract`, which tells of every
//! point. `docker::lies` shows that each kind of breach is found, `libvirt::lies` those of snapshots.
//!
//! Which of them run is decided as for scenarios: a provider that cannot be used here has its test ignored, with the
//! reason before its name, and failing if `QUORATE_PROVIDER` asks for it.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::future::Future;

use libtest_mimic::{Arguments, Failed};
use quorate::machine::provider;
use quorate_scenarios::{contract, trials};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let asked = trials::asked();
    let mut all = Vec::new();
    let mut reasons = BTreeSet::new();
    for provider in provider::all() {
        let name = provider.name();
        let hindrance = trials::hindrance(provider.as_ref()).await;
        let mut add = |test: Result<_, (_, String)>| match test {
            Ok(runs) => all.push(runs),
            Err((ignored, reason)) => {
                all.push(ignored);
                reasons.insert(reason);
            }
        };
        let contract = move || blocking(holds(name));
        add(trials::on(format!("{name}::contract"), name, hindrance.as_deref(), asked.as_deref(), contract));
        let lies = move || blocking(lies_are_found(name));
        add(trials::on(format!("{name}::lies"), name, hindrance.as_deref(), asked.as_deref(), lies));
    }
    trials::complete(&mut all, asked.as_deref(), reasons, "a provider can be held to its contract here");
    // The runtime must not be waited in by a test that blocks.
    tokio::task::spawn_blocking(move || libtest_mimic::run(&arguments, all).exit()).await.unwrap();
}

async fn holds(provider: &str) -> Result<(), Failed> {
    let found = contract::hold(provider, &interrupted()).await;
    if !found.kept() {
        return Err(format!("{provider} does not keep the contract\n{found}").into());
    }
    println!("{found}");
    Ok(())
}

async fn lies_are_found(provider: &str) -> Result<(), Failed> {
    let story = contract::caught(provider, &interrupted()).await?;
    println!("each of these was found:\n{story}");
    Ok(())
}

/// A test that somebody ends removes its machines first.
fn interrupted() -> CancellationToken {
    let cancel = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signal, cancel) = (signal(kind).unwrap(), cancel.clone());
        tokio::spawn(async move {
            signal.recv().await;
            cancel.cancel();
        });
    }
    cancel
}

fn blocking(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Runtime::new().unwrap().block_on(test)
}
