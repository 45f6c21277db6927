//! Where the parts of a cluster may come from, as the command line says it.

use crate::artifact::{self, Source};

/// What `run` and `fetch` have in common.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Sources {
    /// Where Kubernetes may come from, tried in the order given: folder:PATH, cache, mirror:URL, debian. Debian's source package
    /// if not said, and before it the cache where a version is asked for.
    #[arg(long, env = "QUORATE_KUBERNETES_FROM", value_delimiter = ',', value_name = "SOURCE")]
    kubernetes_from: Vec<Source>,
    /// Where etcd may come from, in the same words. Debian's if not said and the Kubernetes can use it, which ends with 1.30,
    /// and then the cache.
    #[arg(long, env = "QUORATE_ETCD_FROM", value_delimiter = ',', value_name = "SOURCE")]
    etcd_from: Vec<Source>,
}

impl From<Sources> for artifact::Sources {
    fn from(Sources { kubernetes_from: kubernetes, etcd_from: etcd }: Sources) -> Self {
        Self { kubernetes, etcd }
    }
}
