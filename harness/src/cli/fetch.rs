//! `quorate fetch`: gets everything that a run needs ahead of time.

use tokio_util::sync::CancellationToken;

use crate::artifact::{self, ArtifactError, NodeImage, Request, Source};
use crate::record::Recorder;

/// Gets everything a run needs ahead of time: Kubernetes and the node image.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The version of Kubernetes, as 1.31.2, or 1.31 for its newest patch [default: what the first source has]
    #[arg(long, value_name = "VERSION")]
    pub kubernetes_version: Option<String>,
    /// Where Kubernetes may come from, in the order in which to ask: folder:PATH, cache, mirror:URL, debian
    #[arg(long, value_name = "SOURCE", default_values = ["cache", "debian"])]
    pub kubernetes_from: Vec<Source>,
}

impl Args {
    /// What is to be had.
    pub fn request(&self) -> Request {
        Request { version: self.kubernetes_version.clone(), sources: self.kubernetes_from.clone() }
    }
}

/// Gets it, with everything that happens recorded.
pub async fn run(args: &Args, recorder: &Recorder, cancel: &CancellationToken) -> Result<NodeImage, ArtifactError> {
    artifact::node_image(&args.request(), recorder, cancel).await
}
