//! Every scenario that ships, on every provider: one test each, as `docker::kill-master2`.
//!
//! A provider that cannot be used here has its tests ignored, with the reason before their names. If
//! `QUORATE_PROVIDER` asks for it, they fail. No usable provider at all is a failing test too: what could not be run
//! has not passed.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Trial};
use quorate::event::Verdict;
use quorate::machine::provider::{self, Provider};
use quorate::plan;
use quorate::scenario::{self, LoadOptions, Rendering, Topology};
use quorate_scenarios::trials::{self, failing};
use quorate_scenarios::{Bench, workspace};
use tokio_util::sync::CancellationToken;

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let asked = trials::asked();
    let mut trials = Vec::new();
    let mut reasons = BTreeSet::new();
    let providers = provider::all();
    for provider in &providers {
        let hindrance = trials::hindrance(provider.as_ref()).await;
        for file in files() {
            let hindrance = match &hindrance {
                None => impossible(provider.as_ref(), &file).await,
                known => known.clone(),
            };
            let name = format!("{}::{}", provider.name(), file.file_stem().unwrap().to_string_lossy());
            match trial(name, provider.as_ref(), &file, hindrance.as_deref(), asked.as_deref()) {
                Ok(runs) => trials.push(runs),
                Err((ignored, reason)) => {
                    trials.push(ignored);
                    reasons.insert(reason);
                }
            }
        }
    }
    trials::complete(&mut trials, asked.as_deref(), reasons, "a scenario can run here");
    // The runtime must not be waited in by a test that blocks.
    tokio::task::spawn_blocking(move || libtest_mimic::run(&arguments, trials).exit()).await.unwrap();
}

/// The scenarios that ship, sorted.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(workspace().join("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no scenarios");
    files
}

/// What the provider, or this host, cannot do of a scenario, in a few words.
async fn impossible(provider: &dyn Provider, file: &Path) -> Option<String> {
    // A file that is bad is a test that fails.
    let loaded = scenario::load(file, &LoadOptions::default()).ok()?;
    let refusals = plan::refusals(&loaded.scenario, provider, &CancellationToken::new()).await;
    refusals.into_iter().next().map(|refusal| refusal.problem)
}

/// The test of a scenario on a provider; the error is one that is ignored, with the reason.
fn trial(
    name: String,
    provider: &dyn Provider,
    file: &Path,
    hindrance: Option<&str>,
    asked: Option<&str>,
) -> Result<Trial, (Trial, String)> {
    let provider_name = provider.name();
    let topology = match topology(file) {
        Ok(topology) => topology,
        Err(problems) => return Ok(failing(name, problems)),
    };
    let hindrance = hindrance.map(str::to_owned).or_else(|| provider.refusal(&topology));
    let file = file.to_owned();
    trials::on(name, provider_name, hindrance.as_deref(), asked, move || {
        passes(&file, provider_name);
        Ok(())
    })
}

fn topology(file: &Path) -> Result<Topology, String> {
    let loaded = scenario::load(file, &LoadOptions::default());
    loaded.map(|loaded| loaded.scenario.topology).map_err(|problems| problems.render(Rendering::Plain))
}

fn passes(file: &Path, provider: &str) {
    let mut bench = Bench::new(QUORATE);
    // A nightly keeps what each scenario leaves, in a folder of its own: runs side by side must not see each other's.
    if let Some(kept) = std::env::var_os("QUORATE_TEST_STATE").filter(|kept| !kept.is_empty()) {
        bench = bench.state_in(Path::new(&kept).join(provider).join(file.file_stem().unwrap()));
    } else {
        bench = bench.sharing();
    }
    let mut args = vec!["--provider", provider];
    args.extend(bench.shares().then_some("--reuse"));
    let run = bench.run(file, &args);
    run.assert(Verdict::Passed);
    if bench.shares() { run.left_its_cluster(&bench) } else { run.left_nothing(&bench) }
}
