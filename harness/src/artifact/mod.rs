//! What machines are made of: Kubernetes' programs from one of several sources, and the node image that has them, with
//! everything cached by content.
//!
//! It makes no machine and knows none. What it does on the host, it does in scripts that lie beside the code.

mod apt;
mod error;
mod folders;
mod kubernetes;
mod node;
mod script;
mod source;
pub(crate) mod tools;
mod version;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::apt::Apt;
use self::folders::Folders;
use self::source::Context;
use self::version::Wanted;
use crate::event::{Phase, Verdict, What};
use crate::record::{Recorder, Span, SpanOptions};

pub use self::error::{Answer, ArtifactError};
pub use self::kubernetes::Kubernetes;
pub use self::source::{NotASource, Source};

/// Which Kubernetes is wanted, and where it may come from.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// An exact version as `1.31.2`, a minor one as `1.31` for its newest patch, or none for what the first source has.
    pub version: Option<String>,
    /// Asked in this order; the first that has the version wins. None at all means the cache and then Debian's source package
    /// for a version that is asked for, and otherwise Debian's first: what somebody has tried once is not taken unasked.
    pub sources: Vec<Source>,
}

impl Request {
    fn sources(&self) -> &[Source] {
        match (self.sources.is_empty(), &self.version) {
            (false, _) => &self.sources,
            (true, Some(_)) => &[Source::Cache, Source::Debian],
            (true, None) => &[Source::Debian, Source::Cache],
        }
    }
}

/// What machines become nodes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An image at the docker engine, from which containers start as nodes.
    Image,
    /// An archive of packages, programs and images, which a bare Debian installs without a network.
    Bundle,
}

impl Form {
    fn reference(self, kubernetes: &Kubernetes) -> String {
        match self {
            Self::Image => node::reference(kubernetes),
            Self::Bundle => node::bundle_reference(kubernetes),
        }
    }

    /// The SHA-256 sum of what has this name, if it is there.
    async fn there(
        self,
        reference: &str,
        folders: &Folders,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ArtifactError> {
        match self {
            Self::Image => {
                let id = node::image_id(reference, cancel).await?;
                Ok(id.map(|id| id.trim_start_matches("sha256:").to_owned()))
            }
            Self::Bundle => Ok(node::bundle_checksum(folders, reference)),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Image => "node image",
            Self::Bundle => "bundle of virtual machines",
        }
    }
}

/// What the machines of a run become nodes from.
#[derive(Debug, Clone)]
pub struct NodeImage {
    /// Its name: of an image at the docker engine, as `quorate/node:0123456789abcdef`, or of a bundle.
    pub reference: String,
    /// The file of a bundle.
    pub bundle: Option<PathBuf>,
    /// The Kubernetes inside.
    pub kubernetes: Kubernetes,
}

/// Makes sure that there is what machines become nodes of a Kubernetes from, and says what it is.
///
/// Takes under a tenth of a second when nothing is to be done. Otherwise it gets Kubernetes and makes the machines'
/// tree side by side; all of it is kept in the cache as it comes, so an interrupted call goes on when it is repeated.
pub async fn node_image(
    form: Form,
    request: &Request,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<NodeImage, ArtifactError> {
    let (wanted, folders) = (wanted(request)?, Folders::of_user()?);
    let at_hand = source::at_hand(&wanted, request.sources(), &folders, cancel).await?;
    // Asked for even if unknown so far: a missing engine should be seen before Kubernetes is built.
    let reference = at_hand.as_ref().map_or_else(|| "quorate/node:none".to_owned(), |it| form.reference(it));
    let known = form.there(&reference, &folders, cancel).await?;
    let (kubernetes, reference, checksum) = match (at_hand, known) {
        (Some(kubernetes), Some(checksum)) => (kubernetes, reference, checksum),
        (at_hand, _) => make(form, &wanted, request, at_hand, &folders, recorder, cancel).await?,
    };
    record_kubernetes(&kubernetes, recorder);
    let version = reference.rsplit([':', '-']).next().unwrap_or_default().to_owned();
    let (name, source) =
        (form.title().replace(' ', "-"), format!("Debian {} and Kubernetes {}", apt::SUITE, kubernetes.version));
    let sha256 = [(reference.clone(), checksum)].into();
    recorder.record(What::Artifact { name, version, source, sha256 });
    let bundle = (form == Form::Bundle).then(|| node::bundle_file(&folders, &reference));
    Ok(NodeImage { reference, bundle, kubernetes })
}

async fn make(
    form: Form,
    wanted: &Wanted,
    request: &Request,
    at_hand: Option<Kubernetes>,
    folders: &Folders,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<(Kubernetes, String, String), ArtifactError> {
    let apt = Apt::derive(&folders.apt(), cancel).await?;
    if at_hand.is_none() && request.sources().contains(&Source::Debian) {
        folders.want_space("build Kubernetes and the node image", BUILD_SPACE)?;
    }
    let stop = cancel.child_token();
    let get = async {
        match at_hand {
            Some(kubernetes) => Ok(kubernetes),
            None => obtain(wanted, request, folders, &apt, recorder, &stop).await,
        }
    };
    let tree = async {
        let span = start("machines' tree of files", recorder);
        ended(&span, node::tree(folders, &apt, &span, &stop).await)
    };
    let (kubernetes, tree) = tokio::join!(stopping(&stop, get), stopping(&stop, tree));
    let (kubernetes, tree) = match (kubernetes, tree) {
        (Ok(kubernetes), Ok(tree)) => (kubernetes, tree),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
        // The second error is only the interruption that the first one caused.
        (Err(first), Err(second)) => return Err(if first.is_cancelled() { second } else { first }),
    };
    let reference = form.reference(&kubernetes);
    let checksum = pack(form, &reference, &tree, &kubernetes, (folders, &apt), recorder, cancel).await?;
    Ok((kubernetes, reference, checksum))
}

/// Free space that is wanted before a build from nothing: what the cache holds at its largest, and the image.
const BUILD_SPACE: u64 = 5 << 30;

async fn obtain(
    wanted: &Wanted,
    request: &Request,
    folders: &Folders,
    apt: &Apt,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<Kubernetes, ArtifactError> {
    let span = start("Kubernetes", recorder);
    let context =
        Context { folders: folders.clone(), apt: apt.clone(), span: Arc::clone(&span), cancel: cancel.clone() };
    ended(&span, source::obtain(wanted, request.sources(), &context).await)
}

async fn pack(
    form: Form,
    reference: &str,
    tree: &std::path::Path,
    kubernetes: &Kubernetes,
    cached: (&Folders, &Apt),
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<String, ArtifactError> {
    if let Some(checksum) = form.there(reference, cached.0, cancel).await? {
        return Ok(checksum);
    }
    let span = start(form.title(), recorder);
    let made = match form {
        Form::Image => node::image(reference, tree, kubernetes, cached, &span, cancel).await,
        Form::Bundle => node::bundle(reference, tree, kubernetes, cached, &span, cancel).await,
    };
    ended(&span, made)?;
    form.there(reference, cached.0, cancel).await?.ok_or_else(|| ArtifactError::Host {
        problem: format!("{reference}, which was just made, is not there any more"),
        remedy: "see that nobody removes such at the same time, and start again".into(),
    })
}

fn wanted(request: &Request) -> Result<Wanted, ArtifactError> {
    let wanted = Wanted::parse(request.version.as_deref()).map_err(|error| ArtifactError::Host {
        problem: error.to_string(),
        remedy: "write it as major.minor.patch, or as major.minor for the newest patch".into(),
    })?;
    if wanted.is_too_new() { Err(ArtifactError::TooNew { wanted: wanted.to_string() }) } else { Ok(wanted) }
}

fn start(title: &str, recorder: &Recorder) -> Arc<Span> {
    Arc::new(recorder.span(Phase::Prepare, title, SpanOptions::default()))
}

/// Ends a span as its work ended.
fn ended<T>(span: &Span, result: Result<T, ArtifactError>) -> Result<T, ArtifactError> {
    match &result {
        Ok(_) => span.end(Verdict::Passed, None),
        Err(error) if error.is_cancelled() => span.end(Verdict::Interrupted, None),
        Err(error) => span.end(Verdict::Broken, Some(error.to_string())),
    }
    result
}

/// Stops what goes on beside this work when it fails.
async fn stopping<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, ArtifactError>>,
) -> Result<T, ArtifactError> {
    let result = work.await;
    if result.is_err() {
        stop.cancel();
    }
    result
}

fn record_kubernetes(kubernetes: &Kubernetes, recorder: &Recorder) {
    let Kubernetes { version, source, sha256, .. } = kubernetes.clone();
    recorder.record(What::Artifact { name: "kubernetes".into(), version, source, sha256 });
}

/// Lower-case hexadecimal.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_once_is_not_taken_unless_it_is_asked_for() {
        let first = |version: Option<&str>, sources: Vec<Source>| {
            let request = Request { version: version.map(str::to_owned), sources };
            request.sources()[0].clone()
        };
        assert_eq!(first(None, Vec::new()), Source::Debian);
        assert_eq!(first(Some("1.22"), Vec::new()), Source::Cache);
        assert_eq!(first(None, vec![Source::Cache]), Source::Cache);
    }
}
