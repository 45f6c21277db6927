//! Connections of Quorate's own to servers of the Kubernetes control plane: TCP, TLS, HTTP. Unlike those of a client that
//! pools them, each is made when it is asked for, and shows the certificate of the server at its other end.
//!
//! A crate by itself, so that also a build for development optimises it: it is what a run spends most of its time in.

use std::sync::Arc;
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

/// The body of an answer that is complete, with its trailers.
pub type Collected = http_body_util::Collected<Bytes>;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// There is no TCP connection.
    #[error("cannot connect: {0}")]
    Connect(std::io::Error),
    /// Nor was one refused in time.
    #[error("no connection within {CONNECT:?}")]
    Slow,
    /// Either side refused the other.
    #[error("no TLS: {0}")]
    Tls(std::io::Error),
    /// The connection ended, or what came is no HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The request is none.
    #[error(transparent)]
    Request(#[from] http::Error),
    /// A call was refused, or its answer is none.
    #[error("gRPC: {0}")]
    Grpc(String),
    /// The server refused.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The answer is no JSON, or not what it should be.
    #[error("the answer cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// An address that is none of a server.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no address of a server")]
pub struct BadAddress(String);

/// Where connections to a server, or to a balancer in front of several, begin.
#[derive(Clone)]
pub struct Door {
    tls: TlsConnector,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// A connection. The server's end notices when it is dropped.
pub struct Line {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    certificate: Vec<u8>,
    task: JoinHandle<()>,
}

impl Door {
    /// The door at an address, with the credentials of a client, for `http/1.1` or `h2`.
    ///
    /// # Errors
    /// If the address has no host, or one that cannot have a certificate.
    pub fn new(uri: &Uri, mut config: ClientConfig, protocol: &str) -> Result<Self, BadAddress> {
        // A session that is resumed shows no certificate, and a new client has none to resume.
        config.resumption = Resumption::disabled();
        let host = uri.host().unwrap_or_default().to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| BadAddress(uri.to_string()))?;
        config.alpn_protocols = vec![protocol.into()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), host, port: uri.port_u16().unwrap_or(443), name })
    }

    /// A new connection.
    ///
    /// # Errors
    /// If there is none within three seconds, or the server is not who it should be.
    pub async fn open(&self) -> Result<Line, Unanswered> {
        let stream = self.connect().await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let certificate = shown.map(|certificate| certificate.to_vec()).unwrap_or_default();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its error is told to whoever waits for an answer.
        let task = tokio::spawn(async move { _ = connection.await });
        Ok(Line { sender, authority: self.authority(), certificate, task })
    }

    /// The answer to one request over HTTP/2, and a connection of its own.
    ///
    /// # Errors
    /// If none came.
    pub async fn call(&self, request: Request<Full<Bytes>>) -> Result<Response<Collected>, Unanswered> {
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
    pub fn uri(&self, path: &str) -> String {
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
    /// The certificate that the server showed.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Whether the other end is known to have gone.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The answer to a GET request.
    ///
    /// # Errors
    /// If none came.
    pub async fn get(&mut self, path: &str) -> Result<(StatusCode, Bytes), Unanswered> {
        self.send(Request::get(path), Bytes::new()).await
    }

    /// The answer to a POST request.
    ///
    /// # Errors
    /// If none came.
    pub async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), Unanswered> {
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
