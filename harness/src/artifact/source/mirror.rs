//! A site laid out like the upstream download site: `URL/release/v1.31.2/bin/linux/amd64/kubeadm`, with `.sha256`
//! beside each file, and `URL/release/stable.txt` that names the newest version.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_RANGE, RANGE};

use super::{Context, Outcome, cache};
use crate::artifact::error::ArtifactError;
use crate::artifact::folders::{Folders, lock};
use crate::artifact::hex;
use crate::artifact::kubernetes::{BINARIES, checksums};
use crate::artifact::version::{Version, Wanted};
use crate::record::Span;

/// What the binaries of a release take, with some room.
const SPACE: u64 = 1 << 30;
const CONNECT: Duration = Duration::from_secs(15);
/// How long a mirror may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 256 << 10;

fn prefix(url: &str) -> String {
    format!("mirror-{}", &hex(&Sha256::digest(url))[..8])
}

pub(super) async fn look(
    url: &str,
    wanted: &Wanted,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Outcome, ArtifactError> {
    if matches!(wanted, Wanted::Exact(_))
        && let Outcome::Here(kubernetes) = cache::look(&prefix(url), wanted, folders, cancel).await?
    {
        return Ok(Outcome::Here(kubernetes));
    }
    Ok(Outcome::Unknown)
}

pub(super) async fn work(url: &str, wanted: &Wanted, context: &Context) -> Result<Outcome, ArtifactError> {
    let version = match newest(url, wanted, context).await? {
        Ok(version) => version,
        Err(said) => return Ok(Outcome::No(said)),
    };
    let folder = context.folders.kubernetes();
    let out = folder.join(format!("{}-v{version}", prefix(url)));
    let part = folder.join(format!("{}-v{version}.part", prefix(url)));
    let _lock = lock(&folder.join(format!("{}.lock", prefix(url))), &context.span, &context.cancel).await?;
    if !out.is_dir() {
        context.folders.want_space(&format!("download Kubernetes {version}"), SPACE)?;
        std::fs::create_dir_all(&part).map_err(ArtifactError::file("make", &part))?;
        for name in BINARIES {
            let from = format!("{url}/release/v{version}/bin/linux/{}/{name}", architecture());
            if let Err(said) = fetch(&from, &part.join(name), context).await? {
                return Ok(Outcome::No(said));
            }
        }
        let origin = part.join("origin");
        std::fs::write(&origin, format!("release mirror {url}")).map_err(ArtifactError::file("write", &origin))?;
        std::fs::rename(&part, &out).map_err(ArtifactError::file("rename", &part))?;
    }
    Ok(Outcome::Here(cache::open(&out, &context.cancel).await?))
}

/// The exact version that a request means at this mirror, or what the mirror said.
async fn newest(url: &str, wanted: &Wanted, context: &Context) -> Result<Result<Version, String>, ArtifactError> {
    let name = match wanted {
        Wanted::Exact(version) => return Ok(Ok(version.clone())),
        Wanted::Minor(major, minor) => format!("stable-{major}.{minor}.txt"),
        Wanted::Any => "stable.txt".to_owned(),
    };
    let from = format!("{url}/release/{name}");
    Ok(text(from.clone(), context).await?.and_then(|text| {
        let version = text.trim().parse::<Version>().map_err(|error| format!("{from}: {error}"))?;
        if version.is_too_new() {
            return Err(format!("{from} names {version}, which is too new: ask for 1.32 or older"));
        }
        if wanted.accepts(&version) { Ok(version) } else { Err(format!("{from} names {version}")) }
    }))
}

/// Downloads a file and holds it against its published checksum, unless it is there already.
async fn fetch(from: &str, to: &Path, context: &Context) -> Result<Result<(), String>, ArtifactError> {
    if to.is_file() {
        return Ok(Ok(()));
    }
    let published = match text(format!("{from}.sha256"), context).await? {
        Ok(text) => text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase(),
        Err(said) => return Ok(Err(said)),
    };
    let part = to.with_extension("part");
    let download = Download { from: from.to_owned(), part: part.clone() };
    if let Err(said) = download.run(context).await? {
        return Ok(Err(said));
    }
    let found = checksums(std::slice::from_ref(&part), &context.cancel).await?.into_values().next().unwrap_or_default();
    if found != published {
        std::fs::remove_file(&part).map_err(ArtifactError::file("remove", &part))?;
        return Err(ArtifactError::Checksum { url: from.to_owned(), expected: published, found });
    }
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&part, executable).map_err(ArtifactError::file("make executable", &part))?;
    std::fs::rename(&part, to).map_err(ArtifactError::file("rename", &part))?;
    Ok(Ok(()))
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_connect(Some(CONNECT));
    config.timeout_per_read(Some(SILENCE)).timeout_recv_response(Some(SILENCE)).build().into()
}

/// A small file, or what the mirror said instead.
async fn text(from: String, context: &Context) -> Result<Result<String, String>, ArtifactError> {
    blocking(&context.cancel, move || {
        let mut response = match agent().get(&from).call() {
            Ok(response) => response,
            Err(error) => return Ok(Err(format!("{from} cannot be reached: {error}"))),
        };
        if !response.status().is_success() {
            return Ok(Err(format!("{from} answers {}", response.status())));
        }
        Ok(response.body_mut().with_config().limit(4096).read_to_string().map_err(|error| format!("{from}: {error}")))
    })
    .await
}

async fn blocking<T: Send + 'static>(
    cancel: &CancellationToken,
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::select! {
        // The thread of an interrupted request ends with the request's own time-out.
        () = cancel.cancelled() => Err(ArtifactError::Cancelled),
        result = tokio::task::spawn_blocking(work) => result.unwrap_or_else(|panic| {
            let problem = format!("a download ended badly: {panic}");
            Err(ArtifactError::Host { problem, remedy: "this is a bug of Quorate's; report it".into() })
        }),
    }
}

/// A large file that goes on from where an earlier attempt ended.
struct Download {
    from: String,
    part: std::path::PathBuf,
}

impl Download {
    async fn run(self, context: &Context) -> Result<Result<(), String>, ArtifactError> {
        let (span, cancel) = (Arc::clone(&context.span), context.cancel.clone());
        blocking(&context.cancel, move || self.receive(&span, &cancel)).await
    }

    fn receive(&self, span: &Span, cancel: &CancellationToken) -> Result<Result<(), String>, ArtifactError> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.part)
            .map_err(ArtifactError::file("open", &self.part))?;
        let have = file.metadata().map_err(ArtifactError::file("look at", &self.part))?.len();
        let request = agent().get(&self.from);
        let request = if have > 0 { request.header(RANGE, format!("bytes={have}-")) } else { request };
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Err(format!("{} cannot be reached: {error}", self.from))),
        };
        let have = match response.status() {
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(Ok(())),
            StatusCode::PARTIAL_CONTENT if starts_at(response.headers().get(CONTENT_RANGE), have) => have,
            StatusCode::OK => {
                file.set_len(0).map_err(ArtifactError::file("empty", &self.part))?;
                0
            }
            status => return Ok(Err(format!("{} answers {status}", self.from))),
        };
        let total = response.body().content_length().map(|rest| have + rest);
        let mut reader = response.body_mut().with_config().limit(u64::MAX).reader();
        self.copy(&mut reader, &mut file, (have, total), span, cancel)
    }

    fn copy(
        &self,
        reader: &mut dyn Read,
        file: &mut File,
        (mut have, total): (u64, Option<u64>),
        span: &Span,
        cancel: &CancellationToken,
    ) -> Result<Result<(), String>, ArtifactError> {
        let name = self.from.rsplit('/').next().unwrap_or_default();
        let mut buffer = vec![0; CHUNK];
        let mut shown = None;
        loop {
            if cancel.is_cancelled() {
                return Err(ArtifactError::Cancelled);
            }
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(Ok(())),
                Ok(count) => count,
                Err(error) => return Ok(Err(format!("{} broke off after {have} bytes: {error}", self.from))),
            };
            file.write_all(&buffer[..count]).map_err(ArtifactError::file("write", &self.part))?;
            have += count as u64;
            let percent = total.map(|total| have * 100 / total.max(1));
            if shown != percent {
                span.advance(format!("downloading {name}"), have, total, "bytes");
                shown = percent;
            }
        }
    }
}

fn starts_at(range: Option<&ureq::http::HeaderValue>, offset: u64) -> bool {
    range.and_then(|range| range.to_str().ok()).is_some_and(|range| range.starts_with(&format!("bytes {offset}-")))
}

#[cfg(test)]
mod tests;
