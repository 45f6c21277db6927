//! Debian's source package `kubernetes`, built once with Debian's Go. Newer suites carry only kubectl's part of it, so
//! it is always that of [`SUITE`].

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Context, Outcome, cache};
use crate::artifact::apt::{Apt, SUITE};
use crate::artifact::error::{ArtifactError, remedy_for};
use crate::artifact::folders::{Folders, lock};
use crate::artifact::hex;
use crate::artifact::kubernetes::{BUILD, Kubernetes};
use crate::artifact::script::{Script, as_user};
use crate::artifact::tools;
use crate::artifact::version::{Version, Wanted, of_debian};

/// What the build takes at its largest, with some room: sources, Go's build cache, binaries.
const SPACE: u64 = 5 << 29;

/// The start of the folder's name. It changes with the way in which the package is built.
fn prefix() -> String {
    format!("debian-{}", &hex(&Sha256::digest(BUILD))[..8])
}

pub(super) async fn look(
    wanted: &Wanted,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Outcome<Kubernetes>, ArtifactError> {
    match cache::look(&prefix(), wanted, folders, cancel).await? {
        Outcome::Here(kubernetes) => Ok(Outcome::Here(kubernetes)),
        _ => Ok(Outcome::Unknown),
    }
}

pub(super) async fn work(wanted: &Wanted, context: &Context) -> Result<Outcome<Kubernetes>, ArtifactError> {
    let folder = context.folders.kubernetes();
    let work = folder.join(format!("{}.work", prefix()));
    let Some(apt) = &context.apt else { return Ok(Outcome::No("the host's apt was not asked".into())) };
    let offered = match downloaded(&work) {
        Some(version) => vec![version],
        None => match offered(apt, context).await? {
            Ok(versions) => versions,
            Err(said) => return Ok(Outcome::No(said)),
        },
    };
    let Some(version) = offered.iter().find(|version| wanted.accepts(version)) else {
        let list: Vec<String> = offered.iter().map(ToString::to_string).collect();
        let list = if list.is_empty() { "no source package kubernetes".to_owned() } else { list.join(", ") };
        return Ok(Outcome::No(format!("{SUITE} has {list}")));
    };
    tools::want("to build Kubernetes from Debian's source package", tools::DEBIAN)?;
    context.folders.want_space("build Kubernetes from Debian's source package", SPACE)?;
    let out = folder.join(format!("{}-v{version}", prefix()));
    let script = folder.join(format!("{}.sh", prefix()));
    std::fs::write(&script, BUILD).map_err(ArtifactError::file("write", &script))?;
    let command = as_user(&script, &apt.config, &context.cancel).await;
    let command = command.arg(&work).arg(&out).arg(version.to_string());
    let what = "build Kubernetes from Debian's source package";
    Script { what, name: "build.sh", command, log: context.folders.log("kubernetes") }
        .run(&context.span, &context.cancel)
        .await?;
    Ok(Outcome::Here(cache::open(&out, &context.cancel).await?))
}

/// The version whose sources an interrupted build has already.
fn downloaded(work: &std::path::Path) -> Option<Version> {
    std::fs::read_to_string(work.join("downloads/complete")).ok()?.trim().parse().ok()
}

/// The versions that the mirror has, newest first, or why that cannot be told.
async fn offered(apt: &Apt, context: &Context) -> Result<Result<Vec<Version>, String>, ArtifactError> {
    if apt.mirror.is_none() {
        return Ok(Err(format!("the host's apt has no source for Debian {SUITE}")));
    }
    let _lock = lock(&context.folders.apt().join("lock"), &context.span, &context.cancel).await?;
    context.span.progress("getting Debian's list of source packages");
    let update = apt.program("apt-get").args(["--quiet", "update"]);
    let update = update.deadline(std::time::Duration::from_secs(300)).log(context.folders.log("kubernetes"));
    if let Err(error) = update.run_async(&context.cancel).await {
        if error.is_cancelled() {
            return Err(ArtifactError::Cancelled);
        }
        if error.tail().iter().any(|line| line.contains("No space left")) {
            return Err(ArtifactError::command("get Debian's list of source packages")(error));
        }
        let reason = error.tail().iter().find(|line| remedy_for(line).is_some()).cloned();
        return Ok(Err(format!(
            "no mirror of the host's apt can be reached ({}); see that `apt-get update` works here",
            reason.unwrap_or_else(|| error.to_string())
        )));
    }
    let show = apt.program("apt-cache").args(["showsrc", "--only-source", "kubernetes"]);
    let shown = show.run_async(&context.cancel).await.map(|output| output.stdout).unwrap_or_default();
    let mut versions: Vec<Version> =
        shown.lines().filter_map(|line| of_debian(line.strip_prefix("Version: ")?)).collect();
    versions.sort();
    versions.dedup();
    versions.reverse();
    Ok(Ok(versions))
}
