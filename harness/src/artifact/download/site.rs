//! A small release site on the loopback interface, for tests.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a small release site has, and what it was asked for.
#[derive(Default)]
pub(in crate::artifact) struct Site {
    pub(in crate::artifact) files: HashMap<String, Vec<u8>>,
    /// Answers for paths with this end stop after so many bytes of the body, as when a connection breaks.
    pub(in crate::artifact) breaks_after: Mutex<Option<(&'static str, usize)>>,
    asked: Mutex<Vec<String>>,
}

impl Site {
    pub(in crate::artifact) fn serve(self) -> (String, Arc<Self>) {
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
            Some((end, most)) if path.ends_with(end) => most.min(body.len()),
            _ => body.len(),
        };
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..end]));
    }

    pub(in crate::artifact) fn asked_for(&self, part: &str) -> Vec<String> {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(part)).cloned().collect()
    }
}
