//! What machines are made of: Kubernetes' programs from one of several sources, and the node image that has them, with
//! everything cached by content.
//!
//! It makes no machine and knows none. What it does on the host, it does in scripts that lie beside the code.

mod apt;
mod calico;
mod download;
mod error;
mod etcd;
mod folders;
mod kubernetes;
mod node;
mod script;
mod source;
pub(crate) mod tools;
mod unused;
mod version;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::apt::Apt;
use self::etcd::Need;
use self::folders::Folders;
use self::source::Context;
use self::version::Wanted;
use crate::event::{Phase, Verdict, What};
use crate::record::{Recorder, Span, SpanOptions};
use crate::scenario::CalicoRelease;

pub use self::calico::{Calico, CalicoImage};
pub use self::error::{Answer, ArtifactError};
pub use self::etcd::Etcd;
pub use self::kubernetes::Kubernetes;
pub use self::source::{NotASource, Source};
pub use self::unused::{Unused, remove_unused};

/// Where the parts of a cluster may come from. Sources are asked in their order, and the first that has what is wanted wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of Kubernetes. None at all means the cache, Debian's source package and upstream for a version that is asked for. Otherwise
    /// it means Debian's for containers, which need nothing but a mirror of Debian, and upstream's newest for virtual machines
    /// and where Calico is wanted, before the cache: what somebody has tried once is not taken unasked.
    pub kubernetes: Vec<Source>,
    /// Of etcd. None at all means Debian's where the Kubernetes can use it, and then the cache and upstream.
    pub etcd: Vec<Source>,
    /// Of Calico. None at all means the cache and then upstream.
    pub calico: Vec<Source>,
}

/// Which Kubernetes is wanted, with which network plugin, and where its parts may come from.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// An exact version as `1.31.2`, a minor one as `1.31` for its newest patch, or none for what the first source has.
    pub version: Option<String>,
    /// Which Calico connects the pods, if any does.
    pub calico: Option<CalicoRelease>,
    /// Who is asked.
    pub sources: Sources,
}

impl Request {
    fn of_kubernetes(&self, form: Form) -> &[Source] {
        match (self.sources.kubernetes.is_empty(), &self.version, form) {
            (false, ..) => &self.sources.kubernetes,
            (true, Some(_), _) => &[Source::Cache, Source::Debian, Source::Upstream],
            // Debian's is too old for Calico.
            (true, None, Form::Image) if self.calico.is_none() => &[Source::Debian, Source::Cache],
            (true, None, _) => &[Source::Upstream, Source::Cache],
        }
    }

    fn of_etcd(&self) -> &[Source] {
        match self.sources.etcd.is_empty() {
            true => &[Source::Debian, Source::Cache, Source::Upstream],
            false => &self.sources.etcd,
        }
    }

    fn of_calico(&self) -> &[Source] {
        match self.sources.calico.is_empty() {
            true => &[Source::Cache, Source::Upstream],
            false => &self.sources.calico,
        }
    }
}

/// The programs that machines are made with beyond Debian's.
struct Parts {
    kubernetes: Kubernetes,
    etcd: Etcd,
    /// If one was asked for.
    calico: Option<Calico>,
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
    fn reference(self, parts: &Parts) -> String {
        match self {
            Self::Image => node::reference(parts),
            Self::Bundle => node::bundle_reference(parts),
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
    /// The etcd inside.
    pub etcd: Etcd,
    /// The Calico whose images are inside, if one was asked for.
    pub calico: Option<Calico>,
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
    let of_kubernetes = request.of_kubernetes(form);
    let kubernetes = source::at_hand(&wanted, of_kubernetes, &folders, cancel).await?;
    let at_hand = match kubernetes {
        Some(kubernetes) => parts_at_hand(kubernetes, request, &folders, cancel).await?.map_err(Some),
        None => Err(None),
    };
    let at_hand = match at_hand {
        // What is only downloaded may be in an image or a bundle that is there, which then takes no tree and no apt.
        Err(kubernetes) if !of_kubernetes.contains(&Source::Debian) => {
            let context = |span: &Arc<Span>| context(&folders, None, span, cancel);
            Ok(obtain((&wanted, of_kubernetes), kubernetes, request, context, recorder).await?)
        }
        at_hand => at_hand,
    };
    // Asked for even if unknown so far: a missing engine should be seen before Kubernetes is built.
    let reference = at_hand.as_ref().map_or_else(|_| "quorate/node:none".to_owned(), |parts| form.reference(parts));
    let known = form.there(&reference, &folders, cancel).await?;
    let (parts, checksum) = match (at_hand, known) {
        (Ok(parts), Some(checksum)) => (parts, checksum),
        (at_hand, _) => make(form, &wanted, request, at_hand, &folders, recorder, cancel).await?,
    };
    let reference = form.reference(&parts);
    in_use(&folders, Some(&parts), std::slice::from_ref(&reference), recorder);
    let Parts { kubernetes, etcd, calico } = parts;
    record("kubernetes", &kubernetes.version, &kubernetes.source, &kubernetes.sha256, recorder);
    record("etcd", &etcd.version, &etcd.source, &etcd.sha256, recorder);
    if let Some(calico) = &calico {
        record("calico", &calico.version, &calico.source, &calico.sha256, recorder);
    }
    let version = reference.rsplit([':', '-']).next().unwrap_or_default().to_owned();
    let (name, source) =
        (form.title().replace(' ', "-"), format!("Debian {} and Kubernetes {}", apt::SUITE, kubernetes.version));
    record(&name, &version, &source, &[(reference.clone(), checksum)].into(), recorder);
    let bundle = (form == Form::Bundle).then(|| node::bundle_file(&folders, &reference));
    Ok(NodeImage { reference, bundle, kubernetes, etcd, calico })
}

/// What goes with a Kubernetes, if all of it can be had at once; the Kubernetes if not.
async fn parts_at_hand(
    kubernetes: Kubernetes,
    request: &Request,
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Result<Parts, Kubernetes>, ArtifactError> {
    if request.calico.is_some() {
        calico::fits(&kubernetes)?;
    }
    let Some(etcd) = source::at_hand(&Need::of(&kubernetes), request.of_etcd(), folders, cancel).await? else {
        return Ok(Err(kubernetes));
    };
    let calico = match &request.calico {
        Some(release) => match source::at_hand(release, request.of_calico(), folders, cancel).await? {
            None => return Ok(Err(kubernetes)),
            found => found,
        },
        None => None,
    };
    Ok(Ok(Parts { kubernetes, etcd, calico }))
}

/// Makes what machines become nodes from, of parts that are at hand, or else of a Kubernetes that is or is not.
async fn make(
    form: Form,
    wanted: &Wanted,
    request: &Request,
    at_hand: Result<Parts, Option<Kubernetes>>,
    folders: &Folders,
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<(Parts, String), ArtifactError> {
    let apt = Apt::derive(&folders.apt(), cancel).await?;
    if matches!(at_hand, Err(None)) && request.of_kubernetes(form).contains(&Source::Debian) {
        folders.want_space("build Kubernetes and the node image", BUILD_SPACE)?;
    }
    in_use(folders, at_hand.as_ref().ok(), &node::made_with(), recorder);
    let stop = cancel.child_token();
    let get = async {
        match at_hand {
            Ok(parts) => Ok(parts),
            Err(kubernetes) => {
                let context = |span: &Arc<Span>| context(folders, Some(&apt), span, &stop);
                let sources = request.of_kubernetes(form);
                obtain((wanted, sources), kubernetes, request, context, recorder).await
            }
        }
    };
    let tree = async {
        let span = start("machines' tree of files", recorder);
        ended(&span, node::tree(folders, &apt, &span, &stop).await)
    };
    let (parts, tree) = tokio::join!(stopping(&stop, get), stopping(&stop, tree));
    let (parts, tree) = match (parts, tree) {
        (Ok(parts), Ok(tree)) => (parts, tree),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
        // The second error is only the interruption that the first one caused.
        (Err(first), Err(second)) => return Err(if first.is_cancelled() { second } else { first }),
    };
    in_use(folders, Some(&parts), &[], recorder);
    let checksum = pack(form, &tree, &parts, (folders, &apt), recorder, cancel).await?;
    Ok((parts, checksum))
}

/// Free space that is wanted before a build from nothing: what the cache holds at its largest, and the image.
const BUILD_SPACE: u64 = 5 << 30;

fn context(folders: &Folders, apt: Option<&Apt>, span: &Arc<Span>, cancel: &CancellationToken) -> Context {
    Context { folders: folders.clone(), apt: apt.cloned(), span: Arc::clone(span), cancel: cancel.clone() }
}

/// Marks parts and other things of the cache as used now. Where that cannot be, only their removal suffers.
fn in_use(folders: &Folders, parts: Option<&Parts>, others: &[String], recorder: &Recorder) {
    let of = |parts: &Parts| {
        let calico = parts.calico.as_ref().map(|calico| calico.folder.clone());
        [Some(parts.kubernetes.folder.clone()), parts.etcd.folder.clone(), calico]
    };
    let parts = parts.map(of).into_iter().flatten().flatten().filter_map(|folder| folders.name_of(&folder));
    let names: Vec<String> = parts.chain(others.iter().cloned()).collect();
    if let Err(error) = unused::mark(folders, &names) {
        recorder.notice(format!("`quorate clean --unused-for` will not know what is used now: {error}"));
    }
}

/// Gets Kubernetes, unless it is there already, and what goes with it.
async fn obtain(
    (wanted, sources): (&Wanted, &[Source]),
    kubernetes: Option<Kubernetes>,
    request: &Request,
    context: impl Fn(&Arc<Span>) -> Context,
    recorder: &Recorder,
) -> Result<Parts, ArtifactError> {
    let kubernetes = match kubernetes {
        Some(kubernetes) => kubernetes,
        None => {
            let span = start("Kubernetes", recorder);
            ended(&span, source::obtain(wanted, sources, &context(&span)).await)?
        }
    };
    if request.calico.is_some() {
        calico::fits(&kubernetes)?;
    }
    let span = start("etcd", recorder);
    let etcd = ended(&span, source::obtain(&Need::of(&kubernetes), request.of_etcd(), &context(&span)).await)?;
    let calico = match &request.calico {
        Some(release) => {
            let span = start("Calico", recorder);
            let got = source::obtain(release, request.of_calico(), &context(&span)).await;
            Some(ended(&span, got)?)
        }
        None => None,
    };
    Ok(Parts { kubernetes, etcd, calico })
}

async fn pack(
    form: Form,
    tree: &std::path::Path,
    parts: &Parts,
    cached: (&Folders, &Apt),
    recorder: &Recorder,
    cancel: &CancellationToken,
) -> Result<String, ArtifactError> {
    let reference = &form.reference(parts);
    if let Some(checksum) = form.there(reference, cached.0, cancel).await? {
        return Ok(checksum);
    }
    let span = start(form.title(), recorder);
    let made = match form {
        Form::Image => node::image(reference, tree, parts, cached, &span, cancel).await,
        Form::Bundle => node::bundle(reference, tree, parts, cached, &span, cancel).await,
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

fn record(name: &str, version: &str, source: &str, sha256: &BTreeMap<String, String>, recorder: &Recorder) {
    let (name, version, source) = (name.to_owned(), version.to_owned(), source.to_owned());
    recorder.record(What::Artifact { name, version, source, sha256: sha256.clone() });
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
        let first = |form, version: Option<&str>, sources: Vec<Source>| {
            let sources = Sources { kubernetes: sources, ..Sources::default() };
            let request = Request { version: version.map(str::to_owned), calico: None, sources };
            request.of_kubernetes(form)[0].clone()
        };
        let calico = Some(CalicoRelease { version: "3.32.1".into(), sha256: None });
        let with_calico = Request { calico, ..Request::default() };
        assert_eq!(with_calico.of_kubernetes(Form::Image)[0], Source::Upstream);
        assert_eq!(Request::default().of_etcd(), [Source::Debian, Source::Cache, Source::Upstream]);
        assert_eq!(first(Form::Image, None, Vec::new()), Source::Debian);
        assert_eq!(first(Form::Bundle, None, Vec::new()), Source::Upstream);
        for form in [Form::Image, Form::Bundle] {
            assert_eq!(first(form, Some("1.22"), Vec::new()), Source::Cache);
            assert_eq!(first(form, None, vec![Source::Cache]), Source::Cache);
        }
    }
}
