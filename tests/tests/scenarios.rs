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
use quorate::process::is_on_path;
use quorate::scenario::{self, LoadOptions, Rendering, Topology};
use quorate_scenarios::{Bench, workspace};
use tokio_util::sync::CancellationToken;

const QUORATE: &str = env!("CARGO_BIN_EXE_quorate-under-test");

#[tokio::main]
async fn main() {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(1);
    let asked = std::env::var("QUORATE_PROVIDER").ok().filter(|asked| !asked.is_empty());
    let mut trials = Vec::new();
    let mut reasons = BTreeSet::new();
    let providers = provider::all();
    for provider in &providers {
        let hindrance = hindrance(provider.as_ref()).await;
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
    if let Some(unknown) = asked.filter(|asked| providers.iter().all(|provider| provider.name() != asked)) {
        trials.push(failing(format!("provider {unknown}"), format!("QUORATE_PROVIDER is no provider: {unknown}")));
    } else if trials.iter().all(Trial::has_ignored_flag) {
        let reasons = reasons.into_iter().collect::<Vec<_>>().join("\n  ");
        trials.push(failing("a scenario can run here".into(), format!("no scenario can run here:\n  {reasons}")));
    }
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

/// Why a provider cannot be used on this host, in a few words.
async fn hindrance(provider: &dyn Provider) -> Option<String> {
    if !is_on_path("vagrant") {
        return Some("vagrant is not on the PATH".into());
    }
    let unusable = provider.usable(&CancellationToken::new()).await.err()?;
    unusable.to_string().lines().next().map(str::to_owned)
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
    let ignored = |name: String, reason: &str| {
        let reason = format!("{provider_name}: {reason}");
        let told = reason.clone();
        let trial = Trial::test(name, move || Err(told.into())).with_kind(&reason).with_ignored_flag(true);
        Err((trial, reason))
    };
    if asked.is_some_and(|asked| asked != provider_name) {
        return ignored(name, "QUORATE_PROVIDER asks for another");
    }
    let topology = match topology(file) {
        Ok(topology) => topology,
        Err(problems) => return Ok(failing(name, problems)),
    };
    match hindrance.map(str::to_owned).or_else(|| provider.refusal(&topology)) {
        None => {
            let file = file.to_owned();
            Ok(Trial::test(name, move || {
                passes(&file, provider_name);
                Ok(())
            }))
        }
        Some(reason) if asked.is_some() => {
            Ok(failing(name, format!("QUORATE_PROVIDER asks for {provider_name}: {reason}")))
        }
        Some(reason) => ignored(name, &reason),
    }
}

fn topology(file: &Path) -> Result<Topology, String> {
    let loaded = scenario::load(file, &LoadOptions::default());
    loaded.map(|loaded| loaded.scenario.topology).map_err(|problems| problems.render(Rendering::Plain))
}

fn failing(name: String, reason: String) -> Trial {
    Trial::test(name, move || Err(reason.into()))
}

fn passes(file: &Path, provider: &str) {
    let mut bench = Bench::new(QUORATE);
    // A nightly keeps what each scenario leaves, in a folder of its own: runs side by side must not see each other's.
    if let Some(kept) = std::env::var_os("QUORATE_TEST_STATE").filter(|kept| !kept.is_empty()) {
        bench = bench.state_in(Path::new(&kept).join(provider).join(file.file_stem().unwrap()));
    }
    let run = bench.run(file, &["--provider", provider]);
    run.assert(Verdict::Passed).left_nothing(&bench);
}
