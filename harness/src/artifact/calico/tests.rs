use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::*;
use crate::artifact::download::site::Site;
use crate::artifact::hex;
use crate::artifact::source::tests::context;
use crate::artifact::source::{at_hand, obtain};

const VERSION: &str = "3.32.1";
const MANIFEST_TEXT: &str = "kind: DaemonSet\nspec:\n  - image: quay.io/calico/cni:v3.32.1\n    image: \"quay.io/calico/node:v3.32.1\"\n  - image: quay.io/calico/cni:v3.32.1\n";

fn kubernetes(version: &str) -> Kubernetes {
    Kubernetes {
        version: version.into(),
        source: "test".into(),
        folder: "/k".into(),
        sha256: BTreeMap::new(),
        images: Vec::new(),
        has_dockershim: false,
    }
}

fn wanted(sha256: Option<&str>) -> CalicoRelease {
    CalicoRelease { version: VERSION.into(), sha256: sha256.map(str::to_owned) }
}

fn put(archive: &mut tar::Builder<impl std::io::Write>, path: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, path, content).unwrap();
}

/// What `docker save` writes of an image, as far as it is looked at.
fn image(tag: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    put(&mut archive, "layer.tar", &[0; 3000]);
    put(
        &mut archive,
        "manifest.json",
        format!(r#"[{{"Config":"c.json","RepoTags":["{tag}"],"Layers":[]}}]"#).as_bytes(),
    );
    archive.into_inner().unwrap()
}

/// A release's files by their names in it.
fn files(images: &[&str]) -> Vec<(String, Vec<u8>)> {
    let manifest = (MANIFEST.to_owned(), MANIFEST_TEXT.as_bytes().to_vec());
    let images =
        images.iter().map(|name| (format!("{IMAGES}/calico-{name}.tar"), image(&format!("calico/{name}:v{VERSION}"))));
    [manifest].into_iter().chain(images).collect()
}

fn site(images: &[&str]) -> (Site, String) {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files(images) {
        put(&mut archive, &format!("release-v{VERSION}/{name}"), &content);
    }
    put(&mut archive, &format!("release-v{VERSION}/bin/calicoctl"), b"not needed");
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let (name, sum) = (archive_name(VERSION), hex(&Sha256::digest(&archive)));
    let mut site = Site::default();
    site.files.insert(format!("/v{VERSION}/SHA256SUMS"), format!("{sum}  {name}\n").into_bytes());
    site.files.insert(format!("/v{VERSION}/{name}"), archive);
    (site, sum)
}

fn cache() -> (tempfile::TempDir, Context) {
    let temp = tempfile::tempdir().unwrap();
    let folders = Folders::at(temp.path().join("cache")).unwrap();
    let context = context(&folders);
    (temp, context)
}

fn said(error: ArtifactError) -> String {
    match error {
        ArtifactError::NotFound { answers, .. } => answers[0].said.clone(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_release_is_downloaded_once_and_only_what_its_manifest_names_is_kept() {
    let (_temp, context) = cache();
    let (site, sum) = site(&["cni", "node", "typha"]);
    let (url, site) = site.serve();
    let sources = [Source::Cache, Source::Mirror(url)];
    let got = obtain(&wanted(None), &sources, &context).await.unwrap();
    assert_eq!((got.version.as_str(), &got.sha256), (VERSION, &[(archive_name(VERSION), sum.clone())].into()));
    let names: Vec<_> = got.images.iter().map(|image| (image.named.as_str(), image.imported.as_str())).collect();
    let of = |name| (format!("quay.io/calico/{name}:v{VERSION}"), format!("docker.io/calico/{name}:v{VERSION}"));
    let expected = [of("cni"), of("node")];
    assert_eq!(names, expected.iter().map(|(named, imported)| (named.as_str(), imported.as_str())).collect::<Vec<_>>());
    assert_eq!(std::fs::read_to_string(&got.manifest).unwrap(), MANIFEST_TEXT);
    let mut left: Vec<_> =
        std::fs::read_dir(got.folder.join(IMAGES)).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["calico-cni.tar", "calico-node.tar"]);
    assert!(!got.folder.join(archive_name(VERSION)).exists());
    for release in [wanted(None), wanted(Some(&sum))] {
        assert_eq!(obtain(&release, &sources, &context).await.unwrap(), got);
        let at_hand = at_hand(&release, &sources, &context.folders, &context.cancel).await;
        assert_eq!(at_hand.unwrap(), Some(got.clone()));
    }
    assert_eq!(site.asked_for(".tgz").len(), 1);
}

#[tokio::test]
async fn another_checksum_than_the_one_asked_for_is_refused_before_the_download() {
    let (_temp, context) = cache();
    let (site, _) = site(&["cni", "node"]);
    let (url, site) = site.serve();
    let release = wanted(Some(&"0".repeat(64)));
    let error = obtain(&release, &[Source::Mirror(url)], &context).await.unwrap_err();
    assert!(error.to_string().contains(&format!("and {} was asked for", "0".repeat(64))), "{error}");
    assert_eq!(site.asked_for(".tgz"), Vec::<String>::new());
}

#[tokio::test]
async fn a_release_that_is_not_what_its_site_says_is_not_kept() {
    let (_temp, context) = cache();
    let (mut site, _) = site(&["cni", "node"]);
    site.files.get_mut(&format!("/v{VERSION}/{}", archive_name(VERSION))).unwrap().push(0);
    let source = [Source::Mirror(site.serve().0)];
    let error = obtain(&wanted(None), &source, &context).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Checksum { .. }), "{error}");
    let left = at_hand(&wanted(None), &[Source::Cache], &context.folders, &context.cancel).await;
    assert_eq!(left.unwrap(), None);
}

#[tokio::test]
async fn what_an_earlier_attempt_left_is_taken_for_nothing_that_it_is_not() {
    let (_temp, context) = cache();
    let (site, sum) = site(&["cni", "node"]);
    let (url, site) = site.serve();
    let (name, folder) = (format!("{}-v{VERSION}", download::site_name(&url)), context.folders.calico());
    let sources = [Source::Mirror(url)];
    // Another archive, whole, as of an attempt that ended while it was unpacked; and a folder that lacks an image.
    std::fs::create_dir_all(folder.join(format!("{name}.part"))).unwrap();
    std::fs::write(folder.join(format!("{name}.part")).join(archive_name(VERSION)), "another").unwrap();
    std::fs::create_dir_all(folder.join(&name).join("manifests")).unwrap();
    std::fs::write(folder.join(&name).join(MANIFEST), MANIFEST_TEXT).unwrap();
    std::fs::write(folder.join(&name).join(SUM), &sum).unwrap();
    let got = obtain(&wanted(Some(&sum)), &sources, &context).await.unwrap();
    assert_eq!((got.images.len(), got.folder), (2, folder.join(name)));
    assert_eq!(site.asked_for(".tgz").len(), 1);
}

#[tokio::test]
async fn a_release_without_an_image_that_its_manifest_names_is_told_by_what_it_lacks() {
    let (_temp, context) = cache();
    let source = [Source::Mirror(site(&["cni"]).0.serve().0)];
    let error = obtain(&wanted(None), &source, &context).await.unwrap_err();
    assert!(said(error).ends_with(".tgz lacks an archive of quay.io/calico/node:v3.32.1 in images/"));
}

#[tokio::test]
async fn an_unpacked_release_serves_where_it_lies() {
    let (temp, context) = cache();
    let path = temp.path().join("calico");
    let source = [Source::Folder(path.clone())];
    let of = async |release: CalicoRelease| obtain(&release, &source, &context).await;
    assert_eq!(said(of(wanted(None)).await.unwrap_err()), "lacks manifests/calico.yaml");
    for (name, content) in files(&["cni", "node"]) {
        let file = path.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let got = of(wanted(None)).await.unwrap();
    assert_eq!(got.sha256.keys().collect::<Vec<_>>(), ["calico-cni.tar", "calico-node.tar", "calico.yaml"]);
    assert!(said(of(wanted(Some(&"0".repeat(64)))).await.unwrap_err()).starts_with("is unpacked"));
    let other = CalicoRelease { version: "3.31.0".into(), sha256: None };
    assert_eq!(
        said(of(other).await.unwrap_err()),
        "has a manifests/calico.yaml with quay.io/calico/cni:v3.32.1, and v3.31.0 is asked for"
    );
}

#[test]
fn a_kubernetes_that_is_too_old_is_refused() {
    assert!(fits(&kubernetes("1.22.0")).is_ok());
    insta::assert_snapshot!(fits(&kubernetes("1.20.2")).unwrap_err());
}

#[test]
fn images_without_a_registry_are_dockers() {
    for (name, full) in [
        ("busybox:1", "docker.io/library/busybox:1"),
        ("calico/node:v1", "docker.io/calico/node:v1"),
        ("quay.io/calico/node:v1", "quay.io/calico/node:v1"),
        ("localhost/node:v1", "localhost/node:v1"),
        ("host:5000/node:v1", "host:5000/node:v1"),
    ] {
        assert_eq!(normal(name), full);
    }
}
