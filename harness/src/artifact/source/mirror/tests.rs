use std::net::TcpListener;

use sha2::{Digest, Sha256};

use super::*;
use crate::artifact::download::site::Site;
use crate::artifact::hex;
use crate::artifact::kubernetes::tests::fake_binary;
use crate::artifact::source::tests::context;

fn with_release(version: &str) -> Site {
    let mut site = Site::default();
    for name in BINARIES {
        let content = fake_binary(name, version).into_bytes();
        let path = format!("/release/v{version}/bin/linux/{}/{name}", architecture());
        site.files.insert(format!("{path}.sha256"), hex(&Sha256::digest(&content)).into_bytes());
        site.files.insert(path, content);
    }
    for name in ["stable.txt", "stable-1.31.txt"] {
        site.files.insert(format!("/release/{name}"), format!("v{version}\n").into_bytes());
    }
    site
}

fn cache() -> (tempfile::TempDir, Context) {
    let temp = tempfile::tempdir().unwrap();
    let folders = Folders::at(temp.path().to_owned()).unwrap();
    let context = context(&folders);
    (temp, context)
}

async fn get(url: &str, wanted: Option<&str>, context: &Context) -> Result<Result<String, String>, ArtifactError> {
    let wanted = Wanted::parse(wanted).unwrap();
    Ok(match work(url, &wanted, context).await? {
        Outcome::Here(kubernetes) => Ok(format!("{} from {}", kubernetes.version, kubernetes.source)),
        Outcome::No(said) => Err(said),
        Outcome::Unknown => Err("unknown".into()),
    })
}

#[tokio::test]
async fn a_release_is_downloaded_once_and_found_in_the_cache_afterwards() {
    let (url, site) = with_release("1.31.2").serve();
    let (_temp, context) = cache();
    for wanted in [Some("1.31.2"), Some("1.31"), None] {
        assert_eq!(get(&url, wanted, &context).await.unwrap(), Ok(format!("1.31.2 from release mirror {url}")));
    }
    assert_eq!(site.asked_for("/kubelet").len(), 2, "{:?}", site.asked_for("/kubelet"));
    let wanted = Wanted::parse(Some("1.31.2")).unwrap();
    let known = look(&url, &wanted, &context.folders, &context.cancel).await.unwrap();
    assert!(matches!(known, Outcome::Here(_)));
}

#[tokio::test]
async fn the_newest_of_all_is_the_newest_that_a_cluster_can_be_made_of() {
    let version = format!("{}.{}.3", NEWEST.0, NEWEST.1);
    let mut site = with_release(&version);
    let future = format!("v{}.{}.0\n", NEWEST.0, NEWEST.1 + 1);
    site.files.insert("/release/stable.txt".into(), future.into_bytes());
    let (url, _site) = site.serve();
    let (_temp, context) = cache();
    let said = get(&url, None, &context).await.unwrap().unwrap_err();
    assert!(said.ends_with(&format!("/release/stable-{}.{}.txt answers 404 Not Found", NEWEST.0, NEWEST.1)), "{said}");

    let mut site = with_release(&version);
    site.files.insert("/release/stable.txt".into(), b"v1.99.0".to_vec());
    site.files.insert(format!("/release/stable-{}.{}.txt", NEWEST.0, NEWEST.1), version.clone().into_bytes());
    let (url, _site) = site.serve();
    assert_eq!(get(&url, None, &context).await.unwrap(), Ok(format!("{version} from release mirror {url}")));
}

#[tokio::test]
async fn a_version_that_the_mirror_lacks_is_an_answer_with_the_address() {
    let (url, _site) = with_release("1.31.2").serve();
    let (_temp, context) = cache();
    let said = get(&url, Some("1.30.0"), &context).await.unwrap().unwrap_err();
    assert_eq!(
        said,
        format!("{url}/release/v1.30.0/bin/linux/{}/kubeadm.sha256 answers 404 Not Found", architecture())
    );
    let said = get(&url, Some("1.30"), &context).await.unwrap().unwrap_err();
    assert_eq!(said, format!("{url}/release/stable-1.30.txt answers 404 Not Found"));
}

#[tokio::test]
async fn a_mirror_that_cannot_be_reached_is_an_answer() {
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let (_temp, context) = cache();
    let said = get(&url, None, &context).await.unwrap().unwrap_err();
    assert!(said.starts_with(&format!("{url}/release/stable.txt cannot be reached: ")), "{said}");
}

#[tokio::test]
async fn a_wrong_checksum_is_an_error_and_the_file_is_not_kept() {
    let mut site = with_release("1.31.2");
    let path = format!("/release/v1.31.2/bin/linux/{}/kubectl", architecture());
    site.files.insert(path.clone(), b"tampered".to_vec());
    let (url, _site) = site.serve();
    let (_temp, context) = cache();
    let error = get(&url, Some("1.31.2"), &context).await.unwrap_err();
    let ArtifactError::Checksum { url: from, found, .. } = &error else { panic!("{error}") };
    assert_eq!((from, found), (&format!("{url}{path}"), &hex(&Sha256::digest(b"tampered"))));
    let part = context.folders.kubernetes().join(format!("{}-v1.31.2.part", site_name(&url)));
    assert!(part.join("kubelet").is_file() && !part.join("kubectl").exists() && !part.join("kubectl.part").exists());
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_ended() {
    let (url, site) = with_release("1.31.2").serve();
    *site.breaks_after.lock().unwrap() = Some(("/kubelet", 7));
    let (_temp, context) = cache();
    let said = get(&url, Some("1.31.2"), &context).await.unwrap().unwrap_err();
    assert!(said.contains("/kubelet broke off after 7 bytes"), "{said}");
    *site.breaks_after.lock().unwrap() = None;
    assert!(get(&url, Some("1.31.2"), &context).await.unwrap().is_ok());
    assert_eq!(site.asked_for("/kubelet from 7").len(), 1);
    assert_eq!(site.asked_for("/kubeadm").len(), 2, "what was complete is not asked for again");
}
