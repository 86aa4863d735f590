//! One request and what becomes of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::{
    Fault,
    connect::{Connector, SOCKETS_MAX},
    guard::{Guard, Refused, Target},
    names::Names,
};

/// Bytes of an answer's head, and of its body, that are read.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Header fields of an answer.
const ANSWER_FIELDS_MAX: usize = 100;
/// Connections to one host kept for later requests.
const IDLE_MAX: usize = 8;
/// How long they are kept.
const IDLE_KEPT: Duration = Duration::from_secs(30);

/// What an answer is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status, whatever it is: nothing is followed.
    pub status: u16,
    /// How long it asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// An answer that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its status, whatever it is: nothing is followed.
    pub status: u16,
    /// All of its body.
    pub body: Vec<u8>,
}

/// What a client is made of.
pub struct NewClient {
    /// What may be connected to.
    pub guard: Guard,
    /// How names are found.
    pub names: Names,
    /// Certificates of authorities trusted beside those of the web, PEM.
    pub ca: Option<Vec<u8>>,
    /// What it calls itself.
    pub user_agent: &'static str,
}

/// The guarded client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    guard: Arc<Guard>,
    user_agent: HeaderValue,
    http: legacy::Client<Connector, Full<Bytes>>,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// When the authorities cannot be read, in a sentence.
    pub fn new(new: NewClient) -> Result<Client, String> {
        let guard = Arc::new(new.guard);
        let connector = Connector {
            guard: Arc::clone(&guard),
            names: Arc::new(new.names),
            tls: TlsConnector::from(Arc::new(tls(new.ca.as_deref())?)),
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
        };
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_KEPT)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_buf_size(ANSWER_BYTES_MAX)
            .http1_max_headers(ANSWER_FIELDS_MAX)
            .build(connector);
        Ok(Client { guard, user_agent: HeaderValue::from_static(new.user_agent), http })
    }

    /// The same under another name.
    #[must_use]
    pub fn named(&self, user_agent: &'static str) -> Client {
        Client { user_agent: HeaderValue::from_static(user_agent), ..self.clone() }
    }

    /// Looks at a URL: when it is set, and again when it is used.
    ///
    /// # Errors
    /// With what it would have to be.
    pub fn check(&self, url: &str) -> Result<Target, Refused> {
        self.guard.check(url)
    }

    /// Sends a request and answers with the head, as soon as that is there; the body is read piece
    /// by piece, for as long as it comes. For commands that talk to a server of ours.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn open(
        &self,
        method: Method,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(StatusCode, Pieces), Fault> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.as_str().parse().map_err(|_| Fault::Protocol)?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(header::USER_AGENT, self.user_agent.clone());
        let answer = self.http.request(request).await.map_err(|error| fault_of(&error))?;
        let (head, body) = answer.into_parts();
        Ok((head.status, Pieces(body)))
    }

    /// Asks once and reads the answer, of `max_bytes` at most; `within` is for everything up to
    /// its end.
    ///
    /// # Errors
    /// Where there is no answer, or a longer one.
    pub async fn ask(
        &self,
        method: Method,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
        (max_bytes, within): (usize, Duration),
    ) -> Result<Document, Fault> {
        let read = async {
            let (status, mut pieces) = self.open(method, target, headers, body).await?;
            let mut body = Vec::new();
            while let Some(piece) = pieces.next().await {
                body.extend_from_slice(&piece?);
                if body.len() > max_bytes {
                    return Err(Fault::TooLarge);
                }
            }
            Ok(Document { status: status.as_u16(), body })
        };
        timeout_at(Instant::now() + within, read).await.map_err(|_| Fault::Timeout)?
    }

    /// Posts a body once; `within` is for everything up to the end of the answer. The status
    /// decides: what follows the head is read only so that the connection can be used again.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn post(
        &self,
        target: &Target,
        headers: &HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Answer, Fault> {
        let until = Instant::now() + within;
        let uri: Uri = target.as_str().parse().map_err(|_| Fault::Protocol)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers.clone();
        request.headers_mut().insert(header::USER_AGENT, self.user_agent.clone());
        let answered = timeout_at(until, self.http.request(request)).await;
        let answer = answered.map_err(|_| Fault::Timeout)?.map_err(|error| fault_of(&error))?;
        let (head, mut body) = answer.into_parts();
        let drained = async {
            let mut left = ANSWER_BYTES_MAX;
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                let Some(rest) = left.checked_sub(bytes) else { break };
                left = rest;
            }
        };
        let _ = timeout_at(until, drained).await;
        let retry_after = head.headers.get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| wait_of(value, SystemTime::now()));
        Ok(Answer { status: head.status.as_u16(), retry_after })
    }
}

/// The body of an answer, as it comes.
pub struct Pieces(Incoming);

impl Pieces {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// `Protocol` where it broke off.
    pub async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        loop {
            let frame = self.0.frame().await?.map_err(|_| Fault::Protocol);
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(bytes)) => return Some(Ok(bytes)),
                // Fields behind the body say nothing here.
                Ok(Err(_)) => {}
                Err(fault) => return Some(Err(fault)),
            }
        }
    }
}

/// What a `Retry-After` asks for: seconds, or a moment.
fn wait_of(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(now).unwrap_or_default())
}

/// TLS 1.2 and 1.3, the authorities of the web and those named, always verified.
fn tls(ca: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = ca {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
            count += 1;
        }
        if count == 0 {
            return Err("there is no certificate in it".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What a failed request comes down to.
fn fault_of(error: &legacy::Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = cause {
        if let Some(fault) = this.downcast_ref::<Fault>() {
            return *fault;
        }
        if this.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
            return Fault::TooLarge;
        }
        cause = this.source();
    }
    if error.is_connect() { Fault::Connect } else { Fault::Protocol }
}

#[cfg(test)]
#[path = "client/tests.rs"]
mod tests;
