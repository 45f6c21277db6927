//! Stub to be replaced.
use std::collections::BTreeMap;
use std::path::PathBuf;
/// x
#[derive(Debug, Clone)]
pub struct NodeImage {
    /** x */
    pub reference: String,
    /** x */
    pub kubernetes: Kubernetes,
}
/// x
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /** x */
    pub version: String,
    /** x */
    pub source: String,
    /** x */
    pub folder: PathBuf,
    /** x */
    pub sha256: BTreeMap<String, String>,
    /** x */
    pub images: Vec<String>,
    /** x */
    pub has_dockershim: bool,
}
/// x
#[derive(Debug, Clone)]
pub enum Source {
    /** x */
    Folder(PathBuf),
    /** x */
    Cache,
    /** x */
    Mirror(String),
    /** x */
    Debian,
}
/// x
#[derive(Debug, Clone)]
pub struct Request {
    /** x */
    pub version: Option<String>,
    /** x */
    pub sources: Vec<Source>,
}
/// x
pub async fn node_image(
    _r: &Request,
    _rec: &crate::record::Recorder,
    _c: &tokio_util::sync::CancellationToken,
) -> Result<NodeImage, std::io::Error> {
    Ok(NodeImage {
        reference: "quorate/node:first".into(),
        kubernetes: Kubernetes {
            version: "1.20.2".into(),
            source: "stub".into(),
            folder: "/".into(),
            sha256: BTreeMap::new(),
            images: vec![],
            has_dockershim: false,
        },
    })
}
