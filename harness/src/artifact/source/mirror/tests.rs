use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use super::*;
use crate::artifact::kubernetes::tests::fake_binary;
use crate::artifact::source::tests::context;

/// What a small release site has, and what it was asked for.
#[derive(Default)]
struct Site {
    files: HashMap<String, Vec<u8>>,
    /// Answers end after this many bytes of the body, as when a connection breaks.
    breaks_after: Mutex<Option<usize>>,
    asked: Mutex<Vec<String>>,
}

impl Site {
    fn with_release(version: &str) -> Self {
        let mut site = Self::default();
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

    fn serve(self) -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(self);
        let served = Arc::clone(&site);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| served.answer(stream)));
        (url, site)
    }

    fn answer(&self, mut stream: TcpStream) {
        let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let head: Vec<String> = lines.collect();
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
        let range = head
            .iter()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
        self.asked
            .lock()
            .unwrap()
            .push(format!("{path}{}", range.map(|from: usize| format!(" from {from}")).unwrap_or_default()));
        let (status, extra, body): (_, _, &[u8]) = match (self.files.get(path), range) {
            (None, _) => ("404 Not Found", String::new(), b"no such file"),
            (Some(body), Some(from)) if from >= body.len() => ("416 Range Not Satisfiable", String::new(), b""),
            (Some(body), Some(from)) => (
                "206 Partial Content",
                format!("Content-Range: bytes {from}-{}/{}\r\n", body.len() - 1, body.len()),
                &body[from..],
            ),
            (Some(body), None) => ("200 OK", String::new(), body),
        };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n", body.len());
        let end = match *self.breaks_after.lock().unwrap() {
            Some(most) if path.ends_with("/kubelet") => most.min(body.len()),
            _ => body.len(),
        };
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..end]));
    }

    fn asked_for(&self, part: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).cloned().collect()
    }
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
    let (url, site) = Site::with_release("1.31.2").serve();
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
async fn a_version_that_the_mirror_lacks_is_an_answer_with_the_address() {
    let (url, _site) = Site::with_release("1.31.2").serve();
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
    let mut site = Site::with_release("1.31.2");
    let path = format!("/release/v1.31.2/bin/linux/{}/kubectl", architecture());
    site.files.insert(path.clone(), b"tampered".to_vec());
    let (url, _site) = site.serve();
    let (_temp, context) = cache();
    let error = get(&url, Some("1.31.2"), &context).await.unwrap_err();
    let ArtifactError::Checksum { url: from, found, .. } = &error else { panic!("{error}") };
    assert_eq!((from, found), (&format!("{url}{path}"), &hex(&Sha256::digest(b"tampered"))));
    let part = context.folders.kubernetes().join(format!("{}-v1.31.2.part", prefix(&url)));
    assert!(part.join("kubelet").is_file() && !part.join("kubectl").exists() && !part.join("kubectl.part").exists());
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_ended() {
    let (url, site) = Site::with_release("1.31.2").serve();
    *site.breaks_after.lock().unwrap() = Some(7);
    let (_temp, context) = cache();
    let said = get(&url, Some("1.31.2"), &context).await.unwrap().unwrap_err();
    assert!(said.contains("/kubelet broke off after 7 bytes"), "{said}");
    *site.breaks_after.lock().unwrap() = None;
    assert!(get(&url, Some("1.31.2"), &context).await.unwrap().is_ok());
    assert_eq!(site.asked_for("/kubelet from 7").len(), 1);
    assert_eq!(site.asked_for("/kubeadm").len(), 2, "what was complete is not asked for again");
}
