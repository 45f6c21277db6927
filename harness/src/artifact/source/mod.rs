//! Where parts of machines come from: sources that are asked in order, until one has what is wanted. Kubernetes is here; etcd and
//! Calico are sought in the same way.

mod cache;
mod debian;
mod folder;
mod mirror;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::apt::Apt;
use super::error::{Answer, ArtifactError};
use super::folders::Folders;
use super::kubernetes::Kubernetes;
use super::version::{Version, Wanted};
use crate::record::Span;

/// <https://kubernetes.io/releases/download/#binaries>
const UPSTREAM: &str = "https://dl.k8s.io";

/// Something that has Kubernetes, etcd or Calico.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder of the user's, with all binaries.
    Folder(PathBuf),
    /// What earlier runs downloaded or built.
    Cache,
    /// The URL of a site that is laid out like the upstream one.
    Mirror(String),
    /// Where the project itself publishes its releases.
    Upstream,
    /// Debian's source package `kubernetes`, built with Debian's Go, and Debian's package of etcd.
    Debian,
}

/// A text that names no source.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no source; there are folder:PATH, cache, mirror:URL, upstream and debian")]
pub struct NotASource(String);

impl FromStr for Source {
    type Err = NotASource;

    fn from_str(text: &str) -> Result<Self, NotASource> {
        match text.split_once(':') {
            None if text == "cache" => Ok(Self::Cache),
            None if text == "upstream" => Ok(Self::Upstream),
            None if text == "debian" => Ok(Self::Debian),
            Some(("folder", path)) if !path.is_empty() => Ok(Self::Folder(path.into())),
            Some(("mirror", url)) if url.starts_with("http://") || url.starts_with("https://") => {
                Ok(Self::Mirror(url.trim_end_matches('/').to_owned()))
            }
            _ => Err(NotASource(text.to_owned())),
        }
    }
}

impl Source {
    /// The address of a source that has releases; `upstream` is that of the project.
    pub(super) fn site<'a>(&'a self, upstream: &'a str) -> Option<&'a str> {
        match self {
            Self::Mirror(url) => Some(url),
            Self::Upstream => Some(upstream),
            Self::Folder(_) | Self::Cache | Self::Debian => None,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            Self::Cache => f.write_str("cache"),
            Self::Mirror(url) => write!(f, "mirror:{url}"),
            Self::Upstream => f.write_str("upstream"),
            Self::Debian => f.write_str("debian"),
        }
    }
}

/// What a source says when it is asked.
pub(super) enum Outcome<T> {
    /// It has what is wanted, and here it is.
    Here(T),
    /// It does not have it, and says why.
    No(String),
    /// Only work would tell.
    Unknown,
}

/// What every source works with.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) folders: Folders,
    /// What Debian's packages come by; none where no source needs it.
    pub(super) apt: Option<Apt>,
    pub(super) span: Arc<Span>,
    pub(super) cancel: CancellationToken,
}

/// A part of machines that sources may have.
#[async_trait]
pub(super) trait Sought: Sync {
    /// What a source has of it.
    type Found: Send;

    /// What it is, and what to do where no source has it.
    fn told(&self) -> (String, String);

    /// Asks a source for what can be had of it at once, without a network and without building.
    async fn look(
        &self,
        source: &Source,
        folders: &Folders,
        cancel: &CancellationToken,
    ) -> Result<Outcome<Self::Found>, ArtifactError>;

    /// Gets it from a source of which only work tells whether it has it.
    async fn work(&self, source: &Source, context: &Context) -> Result<Outcome<Self::Found>, ArtifactError>;

    /// Why what a source has cannot be used, and no other source is asked.
    fn refusal(&self, _found: &Self::Found, _source: &Source) -> Option<ArtifactError> {
        None
    }
}

/// What can be had at once, if the order of sources allows to say.
pub(super) async fn at_hand<S: Sought>(
    sought: &S,
    sources: &[Source],
    folders: &Folders,
    cancel: &CancellationToken,
) -> Result<Option<S::Found>, ArtifactError> {
    for source in sources {
        match sought.look(source, folders, cancel).await? {
            Outcome::Here(found) if sought.refusal(&found, source).is_some() => return Ok(None),
            Outcome::Here(found) => return Ok(Some(found)),
            Outcome::No(_) => {}
            Outcome::Unknown => return Ok(None),
        }
    }
    Ok(None)
}

/// Gets a part from the first source that has it.
pub(super) async fn obtain<S: Sought>(
    sought: &S,
    sources: &[Source],
    context: &Context,
) -> Result<S::Found, ArtifactError> {
    let mut answers = Vec::new();
    for source in sources {
        let outcome = match sought.look(source, &context.folders, &context.cancel).await? {
            Outcome::Unknown => sought.work(source, context).await?,
            outcome => outcome,
        };
        match outcome {
            Outcome::Here(found) => return sought.refusal(&found, source).map_or(Ok(found), Err),
            Outcome::No(said) => {
                context.span.progress(format!("{source}: {said}"));
                answers.push(Answer { source: source.to_string(), said });
            }
            Outcome::Unknown => {}
        }
    }
    let (wanted, remedy) = sought.told();
    Err(ArtifactError::NotFound { wanted, answers, remedy })
}

#[async_trait]
impl Sought for Wanted {
    type Found = Kubernetes;

    fn told(&self) -> (String, String) {
        let example = if *self == Self::Any { "Kubernetes" } else { "that version" };
        let remedy =
            format!("add a source that has {example}, as with `--kubernetes-from upstream`, mirror:URL or folder:PATH");
        (format!("Kubernetes {self}"), remedy)
    }

    async fn look(
        &self,
        source: &Source,
        folders: &Folders,
        cancel: &CancellationToken,
    ) -> Result<Outcome<Kubernetes>, ArtifactError> {
        match (source, source.site(UPSTREAM)) {
            (_, Some(url)) => mirror::look(url, self, folders, cancel).await,
            (Source::Folder(path), None) => folder::look(path, self, folders, cancel).await,
            (Source::Debian, None) => debian::look(self, folders, cancel).await,
            (_, None) => cache::look("", self, folders, cancel).await,
        }
    }

    async fn work(&self, source: &Source, context: &Context) -> Result<Outcome<Kubernetes>, ArtifactError> {
        match (source, source.site(UPSTREAM)) {
            (_, Some(url)) => mirror::work(url, self, context).await,
            (Source::Debian, None) => debian::work(self, context).await,
            (_, None) => Ok(Outcome::Unknown),
        }
    }

    /// A folder of the user's, or what a mirror calls its newest, was not asked for by its version.
    fn refusal(&self, found: &Kubernetes, source: &Source) -> Option<ArtifactError> {
        let is_too_new = found.version.parse::<Version>().is_ok_and(|version| version.is_too_new());
        is_too_new.then(|| ArtifactError::TooNew { wanted: format!("{} of {source}", found.version) })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::kubernetes::tests::fake_binaries;
    use super::*;
    use crate::event::Phase;
    use crate::record::{Recorder, SpanOptions};

    pub(in crate::artifact) fn context(folders: &Folders) -> Context {
        let span = Arc::new(Recorder::unwritten().span(Phase::Prepare, "test", SpanOptions::default()));
        Context { folders: folders.clone(), apt: None, span, cancel: CancellationToken::new() }
    }

    #[test]
    fn sources_are_read_as_they_are_written() {
        for text in
            ["cache", "debian", "upstream", "folder:/opt/k8s", "folder:bin", "mirror:https://mirror.example/k8s"]
        {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        assert_eq!("mirror:http://m/".parse::<Source>().unwrap(), Source::Mirror("http://m".into()));
        for text in ["", "folder", "folder:", "mirror:", "mirror:ftp://m", "cache:x", "ubuntu"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn the_first_source_that_has_the_version_wins() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().join("cache")).unwrap();
        let (old, new) = (temp.path().join("old"), temp.path().join("new"));
        fake_binaries(&old, "1.20.2");
        fake_binaries(&new, "1.31.2");
        fake_binaries(&folders.kubernetes().join("debian-x-v1.31.2"), "1.31.2");
        let sources = [Source::Folder(old.clone()), Source::Folder(new.clone()), Source::Cache];
        for (wanted, folder) in [(None, &old), (Some("1.20"), &old), (Some("1.31.2"), &new)] {
            let wanted = Wanted::parse(wanted).unwrap();
            let found = obtain(&wanted, &sources, &context(&folders)).await.unwrap();
            assert_eq!(&found.folder, folder, "{wanted}");
            let at_hand = at_hand(&wanted, &sources, &folders, &CancellationToken::new()).await.unwrap();
            assert_eq!(at_hand, Some(found));
        }
    }

    #[tokio::test]
    async fn a_folder_with_one_that_is_too_new_is_refused_and_not_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().join("cache")).unwrap();
        let (new, old) = (temp.path().join("new"), temp.path().join("old"));
        fake_binaries(&new, "1.99.4");
        fake_binaries(&old, "1.20.2");
        let sources = [Source::Folder(new), Source::Folder(old)];
        assert_eq!(at_hand(&Wanted::Any, &sources, &folders, &CancellationToken::new()).await.unwrap(), None);
        let error = obtain(&Wanted::Any, &sources, &context(&folders)).await.unwrap_err().to_string();
        assert!(error.contains("Kubernetes 1.99.4 of folder:") && error.contains("or older ("), "{error}");
    }

    #[tokio::test]
    async fn a_version_that_no_source_has_is_an_error_with_all_answers() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::at(temp.path().join("cache")).unwrap();
        let old = temp.path().join("old");
        fake_binaries(&old, "1.20.2");
        let sources = [Source::Folder(old), Source::Folder("/nonexistent".into()), Source::Cache];
        let error = obtain(&Wanted::parse(Some("1.31.2")).unwrap(), &sources, &context(&folders)).await.unwrap_err();
        let text = error.to_string().replace(&temp.path().display().to_string(), "TEMP");
        insta::assert_snapshot!(text);
    }
}
