//! Where the parts of a cluster may come from, as the command line says it.

use crate::artifact::{self, Source};

/// What `run` and `fetch` have in common.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Sources {
    /// Where Kubernetes may come from, tried in the order given: folder:PATH, cache, mirror:URL, upstream, debian. If not said:
    /// Debian's source package for containers, the newest of upstream for virtual machines and with Calico, and all but folders and
    /// mirrors where a version is asked for.
    #[arg(long, env = "QUORATE_KUBERNETES_FROM", value_delimiter = ',', value_name = "SOURCE")]
    kubernetes_from: Vec<Source>,
    /// Where etcd may come from, in the same words. If not said: Debian's where the Kubernetes can use it, which ends with 1.30,
    /// and otherwise the cache and then upstream.
    #[arg(long, env = "QUORATE_ETCD_FROM", value_delimiter = ',', value_name = "SOURCE")]
    etcd_from: Vec<Source>,
    /// Where Calico may come from, where a topology asks for it, in the same words. If not said: the cache and then upstream.
    #[arg(long, env = "QUORATE_CALICO_FROM", value_delimiter = ',', value_name = "SOURCE")]
    calico_from: Vec<Source>,
}

impl From<Sources> for artifact::Sources {
    fn from(Sources { kubernetes_from: kubernetes, etcd_from: etcd, calico_from: calico }: Sources) -> Self {
        Self { kubernetes, etcd, calico }
    }
}
