//! Connections of our own to an API server: TCP, TLS, HTTP/1.1. Unlike those of a client that pools them, each is made
//! when it is asked for, and shows the certificate of the server at its other end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST};
use http::request::Builder;
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::cluster::AccessError;

/// The body of an answer that is complete, with its trailers.
pub(super) type Collected = http_body_util::Collected<Bytes>;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    #[error("no connection within {CONNECT:?}")]
    Slow,
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("gRPC: {0}")]
    Grpc(String),
    #[error("HTTP status {0}")]
    Status(u16),
    #[error("the answer cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// Where connections to an API server, or to a balancer in front of several, begin.
#[derive(Clone)]
pub(super) struct Door {
    tls: TlsConnector,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// A connection. The server's end notices when it is dropped.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    /// The certificate that the server showed.
    certificate: Vec<u8>,
    task: JoinHandle<()>,
}

impl Door {
    /// The door at an address, with the credentials of a client, for `http/1.1` or `h2`.
    pub(super) fn new(uri: &Uri, mut config: ClientConfig, protocol: &str) -> Result<Self, AccessError> {
        // A session that is resumed shows no certificate, and a new client has none to resume.
        config.resumption = Resumption::disabled();
        let host = uri.host().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| AccessError::Address(uri.to_string()))?;
        config.alpn_protocols = vec![protocol.into()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), host, port: uri.port_u16().unwrap_or(443), name })
    }

    /// A new connection.
    pub(super) async fn open(&self) -> Result<Line, Unanswered> {
        let stream = self.connect().await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| certificate.to_vec()).unwrap_or_default();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is told to whoever waits for an answer.
        let task = tokio::spawn(async move { _ = connection.await });
        Ok(Line { sender, authority: self.authority(), certificate, task })
    }

    /// The answer to one request over HTTP/2, and a connection of its own.
    pub(super) async fn call(&self, request: Request<Full<Bytes>>) -> Result<Response<Collected>, Unanswered> {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(self.connect().await?)).await?;
        let answer = async {
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok(Response::from_parts(head, body.collect().await?))
        };
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error.into()),
        }
    }

    /// The address of a path here.
    pub(super) fn uri(&self, path: &str) -> String {
        format!("https://{}{path}", self.authority())
    }

    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, Unanswered> {
        let tcp = tokio::time::timeout(CONNECT, TcpStream::connect((self.host.as_str(), self.port))).await;
        let tcp = tcp.map_err(|_| Unanswered::Slow)?.map_err(Unanswered::Connect)?;
        tcp.set_nodelay(true).map_err(Unanswered::Connect)?;
        self.tls.connect(self.name.clone(), tcp).await.map_err(Unanswered::Tls)
    }
}

impl Line {
    /// Whether the other end is known to have gone.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The answer to a GET request.
    pub(super) async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), Unanswered> {
        self.send(Request::get(path), Bytes::new()).await
    }

    /// The answer to a POST request.
    pub(super) async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Unanswered> {
        self.send(Request::post(path), body).await
    }

    async fn send(&mut self, request: Builder, body: Bytes) -> Result<(StatusCode, Bytes), Unanswered> {
        let request = request.header(HOST, &self.authority).header(ACCEPT, "application/json, */*");
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The certificates by which API servers are told from each other.
#[derive(Clone, Default)]
pub(super) struct Faces(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Faces {
    /// Remembers that the server on `machine` shows itself in this way.
    pub(super) fn learn(&self, machine: &str, line: &Line) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(machine.to_owned(), line.certificate.clone());
    }

    /// The machine whose server is at the other end of a connection, if it was seen before.
    pub(super) fn of(&self, line: &Line) -> Option<String> {
        self.recognise(&line.certificate)
    }

    fn recognise(&self, certificate: &[u8]) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Servers that share one certificate cannot be told from each other.
        let mut same = known.iter().filter(|(_, face)| !face.is_empty() && face.as_slice() == certificate);
        let (machine, _) = same.next()?;
        same.next().is_none().then(|| machine.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_a_certificate_that_no_other_has() {
        let faces = Faces::default();
        for (machine, certificate) in [("master1", "one"), ("master2", "two"), ("master3", "two"), ("master4", "")] {
            faces.0.lock().unwrap().insert(machine.to_owned(), certificate.into());
        }
        for (certificate, machine) in [("one", Some("master1")), ("two", None), ("three", None), ("", None)] {
            assert_eq!(faces.recognise(certificate.as_bytes()).as_deref(), machine, "{certificate}");
        }
    }
}
