use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;

use sha2::{Digest, Sha256};

use super::*;
use crate::artifact::download::site::Site;
use crate::artifact::hex;
use crate::artifact::source;
use crate::artifact::source::tests::context;

fn kubernetes(version: &str, etcd: &str) -> Kubernetes {
    Kubernetes {
        version: version.into(),
        source: "test".into(),
        folder: "/k".into(),
        sha256: BTreeMap::new(),
        images: vec![format!("r.k8s.io/etcd:{etcd}")],
        has_dockershim: false,
    }
}

fn program(name: &str, version: &str) -> String {
    format!("#!/bin/sh\necho {name} Version: {version}\n")
}

fn folder(path: &Path, version: &str) {
    std::fs::create_dir_all(path).unwrap();
    for name in BINARIES {
        // Another program puts it there: a file that this process had open for writing may be busy when it is run.
        let install = Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(path.join(name));
        install.stdin(program(name, version)).run(&CancellationToken::new()).unwrap();
    }
}

fn release(version: &str, programs: &[&str]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for name in programs {
        let content = program(name, version);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        let path = format!("etcd-v{version}-linux-{}/{name}", architecture());
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn site(version: &str, programs: &[&str]) -> Site {
    let (content, name) = (release(version, programs), format!("etcd-v{version}-linux-{}.tar.gz", architecture()));
    let mut sums = Vec::new();
    writeln!(sums, "{}  etcd-v{version}-darwin.zip\n{}  {name}", "0".repeat(64), hex(&Sha256::digest(&content)))
        .unwrap();
    let mut site = Site::default();
    site.files.insert(format!("/v{version}/SHA256SUMS"), sums);
    site.files.insert(format!("/v{version}/{name}"), content);
    site
}

fn cache() -> (tempfile::TempDir, Context) {
    let temp = tempfile::tempdir().unwrap();
    let folders = Folders::at(temp.path().join("cache")).unwrap();
    let context = context(&folders);
    (temp, context)
}

#[test]
fn what_kubernetes_wants_of_etcd_follows_its_version() {
    let version = |text: &str| text.parse::<Version>().ok();
    for (of, tag, named, least) in [
        ("1.20.2", "3.4.13-0", "3.4.13", None),
        ("1.30.9", "3.5.15-0", "3.5.15", None),
        ("1.31.0", "3.5.15-0", "3.5.15", Some("3.5.11")),
        ("1.35.1", "3.6.6-0", "3.6.6", Some("3.5.11")),
        ("1.36.2", "3.6.8-0", "3.6.8", Some("3.6.0")),
    ] {
        let need = Need::of(&kubernetes(of, tag));
        assert_eq!((need.named, need.least), (version(named), least.and_then(version)), "{of}");
    }
}

#[tokio::test]
async fn debians_serves_kubernetes_that_can_use_it_and_no_other() {
    let (_temp, context) = cache();
    let sources = [Source::Debian, Source::Cache];
    let old = source::obtain(&Need::of(&kubernetes("1.20.2", "3.4.13-0")), &sources, &context).await.unwrap();
    assert_eq!((old.version.as_str(), old.folder), (DEBIAN, None));
    let error = source::obtain(&Need::of(&kubernetes("1.36.2", "3.6.8-0")), &sources, &context).await.unwrap_err();
    insta::assert_snapshot!(error);
    let none =
        source::at_hand(&Need::of(&kubernetes("1.36.2", "3.6.8-0")), &sources, &context.folders, &context.cancel)
            .await
            .unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_folder_serves_with_all_programs_of_a_version_that_is_new_enough() {
    let (temp, context) = cache();
    let kubernetes = kubernetes("1.36.2", "3.6.8-0");
    let path = temp.path().join("etcd");
    let source = [Source::Folder(path.clone())];
    let said = |error: ArtifactError| match error {
        ArtifactError::NotFound { answers, .. } => answers[0].said.clone(),
        other => panic!("{other}"),
    };
    assert_eq!(said(source::obtain(&Need::of(&kubernetes), &source, &context).await.unwrap_err()), "is not a folder");
    folder(&path, "3.5.30");
    assert_eq!(said(source::obtain(&Need::of(&kubernetes), &source, &context).await.unwrap_err()), "has 3.5.30");
    folder(&path, "3.6.1");
    let etcd = source::obtain(&Need::of(&kubernetes), &source, &context).await.unwrap();
    assert_eq!((etcd.version.as_str(), etcd.sha256.len()), ("3.6.1", 2));
    assert_eq!(
        source::at_hand(&Need::of(&kubernetes), &source, &context.folders, &context.cancel).await.unwrap(),
        Some(etcd)
    );
    std::fs::remove_file(path.join("etcdctl")).unwrap();
    assert_eq!(said(source::obtain(&Need::of(&kubernetes), &source, &context).await.unwrap_err()), "lacks etcdctl");
    for name in BINARIES {
        std::fs::copy("/bin/sh", path.join(name)).unwrap();
    }
    assert!(
        said(source::obtain(&Need::of(&kubernetes), &source, &context).await.unwrap_err())
            .starts_with("has programs that need libraries")
    );
}

#[tokio::test]
async fn a_release_is_downloaded_once_and_found_in_the_cache_afterwards() {
    let (url, site) = site("3.6.8", &BINARIES).serve();
    let (_temp, context) = cache();
    let kubernetes = kubernetes("1.36.2", "3.6.8-0");
    let mirror = [Source::Debian, Source::Mirror(url.clone())];
    assert_eq!(
        source::at_hand(&Need::of(&kubernetes), &mirror, &context.folders, &context.cancel).await.unwrap(),
        None
    );
    let etcd = source::obtain(&Need::of(&kubernetes), &mirror, &context).await.unwrap();
    assert_eq!((etcd.version.as_str(), etcd.source), ("3.6.8", format!("release site {url}")));
    let folder = etcd.folder.unwrap();
    assert_eq!(std::fs::metadata(folder.join("etcdctl")).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(std::fs::read_dir(&folder).unwrap().flatten().all(|entry| entry.path().extension().is_none()));
    for sources in [&mirror[..], &[Source::Cache]] {
        assert!(
            source::at_hand(&Need::of(&kubernetes), sources, &context.folders, &context.cancel)
                .await
                .unwrap()
                .is_some()
        );
    }
    assert_eq!(site.asked_for("/v3.6.8/").len(), 2);
    std::fs::remove_file(folder.join("etcdctl")).unwrap();
    assert_eq!(
        source::at_hand(&Need::of(&kubernetes), &[Source::Cache], &context.folders, &context.cancel).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_release_that_is_not_what_its_site_publishes_is_an_error() {
    let kubernetes = kubernetes("1.36.2", "3.6.8-0");
    let mut tampered = site("3.6.8", &BINARIES);
    tampered.files.values_mut().filter(|content| content.starts_with(&[0x1f, 0x8b])).for_each(|it| it.push(0));
    let (_temp, context) = cache();
    let mirror = [Source::Mirror(tampered.serve().0)];
    let error = source::obtain(&Need::of(&kubernetes), &mirror, &context).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Checksum { .. }), "{error}");

    let mirror = [Source::Mirror(site("3.6.8", &["etcd"]).serve().0)];
    let error = source::obtain(&Need::of(&kubernetes), &mirror, &context).await.unwrap_err().to_string();
    assert!(error.contains(".tar.gz lacks etcdctl"), "{error}");

    let mirror = [Source::Mirror(site("3.6.7", &BINARIES).serve().0)];
    let error = source::obtain(&Need::of(&kubernetes), &mirror, &context).await.unwrap_err().to_string();
    assert!(error.contains("/v3.6.8/SHA256SUMS answers 404"), "{error}");
}
