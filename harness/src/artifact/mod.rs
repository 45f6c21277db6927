//! Stub to be replaced.
use std::collections::BTreeMap; use std::path::PathBuf;
/// x
#[derive(Debug, Clone)] pub struct NodeImage { /** x */ pub reference: String, /** x */ pub kubernetes: Kubernetes }
/// x
#[derive(Debug, Clone)] pub struct Kubernetes { /** x */ pub version: String, /** x */ pub source: String, /** x */ pub folder: PathBuf, /** x */ pub sha256: BTreeMap<String, String>, /** x */ pub images: Vec<String>, /** x */ pub has_dockershim: bool }
