//! The credentials of a run's cluster, and clients that use them.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustls::ClientConfig;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may pause. Longer than the pauses of any watch that the seed's balancer leaves alone.
const READ: Duration = Duration::from_secs(15);

/// The port of every API server.
const API_PORT: u16 = 6443;

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The kubeconfig cannot be used.
    #[error("the cluster's kubeconfig cannot be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// No client can be made from it.
    #[error("no client of the cluster can be made: {0}")]
    Client(#[from] kube::Error),
    /// A description of how to reach etcd is wrong.
    #[error("etcd's credentials cannot be used: {0}")]
    Etcd(#[from] serde_json::Error),
    /// The address of an API server is none.
    #[error(transparent)]
    Address(#[from] quorate_doors::BadAddress),
}

/// The folder with the cluster's credentials.
#[derive(Debug, Clone)]
pub struct Access {
    folder: PathBuf,
}

impl Access {
    /// The credentials in `folder`, which need not be there yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The kubeconfig of the cluster's administrator, whose server is the balancer.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// A file of etcd's client credentials: `ca.crt`, `client.crt` or `client.key`.
    pub fn etcd(&self, file: &str) -> PathBuf {
        self.folder.join("etcd").join(file)
    }

    /// A client that goes through the balancer, as a client of the cluster would. It retries nothing by itself.
    pub async fn through_balancer(&self) -> Result<Client, AccessError> {
        client(Kubeconfig::read_from(self.kubeconfig())?).await
    }

    /// A client of the API server at an address, past the balancer.
    pub async fn directly(&self, address: Ipv4Addr) -> Result<Client, AccessError> {
        client(self.kubeconfig_of(address)?).await
    }

    /// The address of the balancer, and the credentials of the administrator for connections of one's own.
    pub async fn tls_through_balancer(&self) -> Result<(Uri, ClientConfig), AccessError> {
        tls(Kubeconfig::read_from(self.kubeconfig())?).await
    }

    /// The same for the API server at an address, past the balancer.
    pub async fn tls_directly(&self, address: Ipv4Addr) -> Result<(Uri, ClientConfig), AccessError> {
        tls(self.kubeconfig_of(address)?).await
    }

    fn kubeconfig_of(&self, address: Ipv4Addr) -> Result<Kubeconfig, AccessError> {
        let mut kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
            cluster.server = Some(format!("https://{address}:{API_PORT}"));
        }
        Ok(kubeconfig)
    }

    /// The address of an etcd member, and the credentials of its clients for connections of one's own.
    pub async fn tls_etcd_member(&self, address: Ipv4Addr) -> Result<(Uri, ClientConfig), AccessError> {
        tls(self.kubeconfig_of_etcd(address)?).await
    }

    fn kubeconfig_of_etcd(&self, address: Ipv4Addr) -> Result<Kubeconfig, AccessError> {
        let path = |file: &str| self.etcd(file).display().to_string();
        Ok(serde_json::from_value(serde_json::json!({
            "clusters": [{ "name": "etcd", "cluster": {
                "server": format!("https://{address}:2379"), "certificate-authority": path("ca.crt") } }],
            "users": [{ "name": "etcd", "user": { "client-certificate": path("client.crt"), "client-key": path("client.key") } }],
            "contexts": [{ "name": "etcd", "context": { "cluster": "etcd", "user": "etcd" } }],
            "current-context": "etcd",
        }))?)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

async fn tls(kubeconfig: Kubeconfig) -> Result<(Uri, ClientConfig), AccessError> {
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok((config.cluster_url.clone(), config.rustls_client_config()?))
}

async fn client(kubeconfig: Kubeconfig) -> Result<Client, AccessError> {
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    config.default_retry = false;
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}
