//! Downloads from sites that publish checksums: small texts, and large files that go on from where they broke off.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_RANGE, RANGE};

use super::error::ArtifactError;
use super::hex;
use super::kubernetes::checksums;
use super::source::Context;
use crate::record::Span;

const CONNECT: Duration = Duration::from_secs(15);
/// How long a site may be silent before it counts as gone.
const SILENCE: Duration = Duration::from_secs(60);
const CHUNK: usize = 256 << 10;
/// The longest text that is read: a list of checksums, not a page.
const TEXT: u64 = 64 << 10;

/// This host's architecture as releases name it.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What folders of what came from a site begin with.
pub(super) fn site_name(url: &str) -> String {
    format!("mirror-{}", &hex(&Sha256::digest(url))[..8])
}

/// Downloads a file, goes on from where an earlier attempt ended, and holds it against its published SHA-256 sum
/// in lower-case hexadecimal. `to` appears only when complete, with this mode. A site that does not give the file is an answer;
/// another sum is an error, and what was received is removed. What an earlier attempt left at `to` is held against the sum as well.
pub(super) async fn fetch(
    from: &str,
    to: &Path,
    published: &str,
    mode: u32,
    context: &Context,
) -> Result<Result<(), String>, ArtifactError> {
    if to.is_file() {
        if checksum(to, context).await? == published {
            return Ok(Ok(()));
        }
        std::fs::remove_file(to).map_err(ArtifactError::file("remove", to))?;
    }
    let part = to.with_extension("part");
    let download = Download { from: from.to_owned(), part: part.clone() };
    if let Err(said) = download.run(context).await? {
        return Ok(Err(said));
    }
    let found = checksum(&part, context).await?;
    if found != published {
        std::fs::remove_file(&part).map_err(ArtifactError::file("remove", &part))?;
        return Err(ArtifactError::Checksum { url: from.to_owned(), expected: published.to_owned(), found });
    }
    std::fs::set_permissions(&part, std::fs::Permissions::from_mode(mode))
        .map_err(ArtifactError::file("set the mode of", &part))?;
    std::fs::rename(&part, to).map_err(ArtifactError::file("rename", &part))?;
    Ok(Ok(()))
}

async fn checksum(file: &Path, context: &Context) -> Result<String, ArtifactError> {
    Ok(checksums(&[file.to_owned()], &context.cancel).await?.into_values().next().unwrap_or_default())
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_connect(Some(CONNECT));
    config.timeout_per_read(Some(SILENCE)).timeout_recv_response(Some(SILENCE)).build().into()
}

/// A small file, or what the site said instead.
pub(super) async fn text(from: String, context: &Context) -> Result<Result<String, String>, ArtifactError> {
    blocking(&context.cancel, move || {
        let mut response = match agent().get(&from).call() {
            Ok(response) => response,
            Err(error) => return Ok(Err(format!("{from} cannot be reached: {error}"))),
        };
        if !response.status().is_success() {
            return Ok(Err(format!("{from} answers {}", response.status())));
        }
        Ok(response.body_mut().with_config().limit(TEXT).read_to_string().map_err(|error| format!("{from}: {error}")))
    })
    .await
}

/// The lower-case hexadecimal SHA-256 sum that `SHA256SUMS` of a folder has for a file in it, or what is wrong with it.
pub(super) async fn published(
    folder: &str,
    name: &str,
    context: &Context,
) -> Result<Result<String, String>, ArtifactError> {
    let sums = match text(format!("{folder}/SHA256SUMS"), context).await? {
        Ok(sums) => sums,
        Err(said) => return Ok(Err(said)),
    };
    let published = sums.lines().find_map(|line| {
        let (sum, of) = line.split_once(char::is_whitespace)?;
        (of.trim_start_matches([' ', '*']) == name).then(|| sum.to_ascii_lowercase())
    });
    Ok(published.ok_or_else(|| format!("{folder}/SHA256SUMS names no {name}")))
}

/// Runs what blocks on a thread of its own, and gives up on it when it is interrupted.
pub(super) async fn blocking<T: Send + 'static>(
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
    part: PathBuf,
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
pub(super) mod site;
