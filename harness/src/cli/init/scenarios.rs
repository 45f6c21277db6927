//! Every file in `scenarios/` is a test that runs it: passed when `quorate run` says so. The command is the one on the PATH,
//! or that of `QUORATE_BIN`.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::{Arguments, Failed, Trial};

/// Two clusters at a time must not share a network: each of nextest's slots has its own, 172.27.31.0/24 and upwards.
const FIRST: u8 = 31;

fn main() {
    let mut arguments = Arguments::from_args();
    // Without nextest, one cluster at a time.
    arguments.test_threads.get_or_insert(1);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trials = files(&here.join("scenarios")).into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name.clone(), move || passes(here, &name, &file))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

/// The scenarios of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no scenarios in {}", folder.display());
    files
}

fn passes(here: &Path, name: &str, file: &Path) -> Result<(), Failed> {
    let slot = std::env::var("NEXTEST_TEST_GROUP_SLOT").ok().and_then(|slot| slot.parse::<u8>().ok()).unwrap_or(0);
    let network = format!("172.27.{}.0/24", FIRST.saturating_add(slot));
    let summaries = here.join("target/summaries");
    std::fs::create_dir_all(&summaries)?;
    let mut run = Command::new(std::env::var_os("QUORATE_BIN").unwrap_or_else(|| "quorate".into()));
    run.arg("run").arg(file).args(["--verbose", "--network", &network]);
    run.arg("--summary").arg(summaries.join(format!("{name}.md")));
    let baseline = here.join("baselines").join(format!("{name}.yaml"));
    if baseline.exists() {
        run.arg("--baseline").arg(baseline);
    }
    let status = run.status().map_err(|error| format!("quorate cannot be started: {error}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err("failed: the cluster misbehaved".into()),
        Some(2) => Err("broken: nothing is known about the cluster; see `quorate doctor`".into()),
        Some(3) => Err("passed, but worse than the baseline allows".into()),
        _ => Err(format!("it ended with {status}").into()),
    }
}
