//! A request as it came in, with its exact bytes, and the reply to it.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use patron_app::{Cx, audit::Origin};
use patron_model::{Failure, Problems, Timestamp, Why, space::Space};
use serde::{
    Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use tokio::sync::mpsc;

use crate::{
    decode::{self, Params},
    dialect::Dialect,
    door::Door,
    faults::Faults,
    fields::{Fields, Reading},
};

/// A request: signatures are checked over exactly these bytes.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Method.
    pub method: Method,
    /// Path and query exactly as on the request line, percent-encoding included.
    pub target: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Path parameters, decoded, by their name in the operation's path.
    pub params: Vec<(&'static str, String)>,
    /// Request id.
    pub request_id: Arc<str>,
    /// Address of the connection.
    pub peer: Option<IpAddr>,
    /// Address of the client: as the proxy in front says, else that of the connection.
    pub client: Option<IpAddr>,
    /// Name of the API that was asked.
    pub via: &'static str,
    /// Id of the operation that was asked for; empty when the path leads to none.
    pub operation: &'static str,
    /// When it arrived.
    pub now: Timestamp,
    /// The space it works in, once sign-in has found it. Copies share it, so that failures can be
    /// rendered as the space wants them.
    pub space: Arc<OnceLock<Arc<Space>>>,
    /// Number of the key the request claims to be signed with; see [`Exchange::claims`].
    pub claimed: OnceLock<i64>,
    /// Number of the key it is signed with, once sign-in has found it.
    pub key: OnceLock<i64>,
    /// Why it was not let in, where the answer says no more than that too much failed.
    pub unsigned: OnceLock<&'static str>,
}

impl Origin for Exchange {
    fn via(&self) -> &str {
        self.via
    }

    fn operation(&self) -> &str {
        self.operation
    }

    fn address(&self) -> Option<IpAddr> {
        self.client
    }

    fn agent(&self) -> Option<&str> {
        self.header("user-agent")
    }
}

impl Exchange {
    /// A request without headers and body.
    pub fn new(method: Method, target: &str, now: Timestamp) -> Exchange {
        Exchange {
            method,
            target: target.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            params: Vec::new(),
            request_id: "".into(),
            peer: None,
            client: None,
            via: "",
            operation: "",
            now,
            space: Arc::default(),
            claimed: OnceLock::new(),
            key: OnceLock::new(),
            unsigned: OnceLock::new(),
        }
    }

    /// Notes which key the request claims to be signed with, before it is known whether it is: a
    /// wrong sign-in counts against that key and the client's address.
    pub fn claims(&self, key: i64) {
        // The first claim stands.
        let _ = self.claimed.set(key);
    }

    /// Number of the key that was claimed, where that exists.
    pub fn claimed(&self) -> Option<i64> {
        self.claimed.get().copied()
    }

    /// A switch of one dialect in the space the request works in; none before sign-in.
    pub fn switch(&self, dialect: &str, name: &str) -> Option<&str> {
        self.space.get()?.switch(dialect, name)
    }

    /// The path as on the request line.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The query string as on the request line, without the question mark.
    pub fn query_string(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The decoded query parameters.
    pub fn query(&self) -> Params {
        Params::parse(self.query_string())
    }

    /// A header's value. One that is not text is refused where its absence would mean something
    /// else: a key, a condition or a space that is passed over does what nobody asked for.
    ///
    /// # Errors
    /// `Malformed` when it holds anything but visible characters of ASCII.
    pub fn text_header(&self, name: &str) -> Result<Option<&str>, Failure> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        match value.to_str() {
            Ok(text) => Ok(Some(text)),
            Err(_) => {
                let why = Why::Characters { allowed: "visible characters of ASCII" };
                Err(Failure::malformed(name, why))
            }
        }
    }

    /// A cookie's value. Of several with one name the first counts.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let sent = self.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
        let mut pairs = sent.flat_map(|header| header.split(';')).filter_map(|p| p.split_once('='));
        pairs.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim())
    }

    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A path parameter, decoded. Empty when the operation's path has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// No engine stores or finds a NUL, and no id, name or search has one: a path with it leads
    /// nowhere, a parameter with it is refused.
    pub(crate) fn refuse_nul(&self) -> Result<(), Failure> {
        // Most targets have no escape at all, which is faster to see than what it stands for.
        if !self.target.contains('%') || !self.target.contains("%00") {
            return Ok(());
        }
        if self.path().contains("%00") {
            return Err(Failure::NoRoute);
        }
        let mut problems = Problems::new();
        for (name, value) in self.query().iter() {
            if name.contains('\0') || value.contains('\0') {
                problems.add(name.replace('\0', ""), Why::ControlCharacter);
            }
        }
        problems.into_result().map_err(Failure::Invalid)
    }

    /// `Prefer: dry-run` (RFC 7240 form): check and show, but change nothing.
    ///
    /// # Errors
    /// `Malformed` when it is not text: what was asked for cannot be known then.
    pub(crate) fn prefers_dry_run(&self) -> Result<bool, Failure> {
        let Some(prefer) = self.text_header("prefer")? else { return Ok(false) };
        Ok(prefer.split(',').any(|part| matches!(part.trim(), "dry-run" | "handling=dry-run")))
    }

    /// Whether the body's media type is JSON (or `+json`, or not stated).
    pub fn is_json(&self) -> bool {
        match self.text_header("content-type") {
            Err(_) => false,
            Ok(None | Some("")) => true,
            Ok(Some(media)) => {
                let essence = media.split(';').next().unwrap_or_default().trim();
                let essence = essence.to_ascii_lowercase();
                essence == "application/json" || essence.ends_with("+json")
            }
        }
    }

    /// Whether the body is a form.
    pub fn is_form(&self) -> bool {
        let form = "application/x-www-form-urlencoded";
        self.header("content-type").is_some_and(|media| {
            media.get(..form.len()).is_some_and(|start| start.eq_ignore_ascii_case(form))
        })
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `Malformed` with the path of the member that does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        if self.body.is_empty() {
            let why = Why::Malformed { expected: "a JSON document" };
            return Err(Failure::malformed("", why));
        }
        decode::json(&self.body)
    }

    /// The body as a JSON object, and a collector that has what does not fit in it.
    ///
    /// # Errors
    /// `Malformed` when it is no JSON object, or nothing of it fits.
    pub fn read<T: DeserializeOwned>(&self, reading: Reading) -> Result<(T, Fields), Failure> {
        if self.body.is_empty() {
            self.json::<IgnoredAny>()?;
        }
        Fields::read(&self.body, reading)
    }
}

/// What a server knows of itself: its APIs, for whom keys are made, where it
/// answers, and the console.
#[derive(Clone)]
pub struct Site {
    /// Every API.
    pub dialects: Vec<&'static Dialect>,
    /// Where clients reach it, without trailing slash.
    pub base_url: String,
    /// The door of the console, where there is one.
    pub console: Option<&'static Door>,
    /// Whom anybody may be: the person of a sandbox.
    pub guest: Option<Guest>,
}

impl Site {
    /// These APIs at this address, without a console.
    pub fn new(dialects: Vec<&'static Dialect>, base_url: String) -> Site {
        Site { dialects, base_url, console: None, guest: None }
    }
}

/// A person who is known to everybody: address and password.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// E-mail address.
    pub email: &'static str,
    /// Password.
    pub password: &'static str,
}

/// A request on its way through a handler: the context and the exchange.
#[derive(Clone)]
pub struct Request {
    /// Who asks, where and when.
    pub cx: Cx,
    /// What was sent.
    pub exchange: Arc<Exchange>,
    /// What the server knows of itself.
    pub site: Arc<Site>,
    /// Query parameters that the operation does not know, where it refuses those.
    pub(crate) unknown: Problems,
}

impl Request {
    /// What is wrong with the query so far: parameters that are not known where they are refused.
    pub fn query_faults(&self) -> Faults {
        let mut faults = Faults::default();
        faults.misread_all(self.unknown.clone());
        faults
    }
}

impl Deref for Request {
    type Target = Exchange;
    fn deref(&self) -> &Exchange {
        &self.exchange
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// What comes instead of the body, piece by piece, until its sender is dropped.
    pub stream: Option<mpsc::Receiver<Bytes>>,
    /// Whether it refuses a sign-in although it is no failure: for formats whose token endpoints
    /// answer so.
    pub refuses_sign_in: bool,
}

impl Reply {
    /// A reply without body.
    pub fn empty(status: u16) -> Reply {
        Reply {
            status: code(status),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            stream: None,
            refuses_sign_in: false,
        }
    }

    /// A reply of some media type whose body comes piece by piece.
    pub fn stream(media: &'static str, pieces: mpsc::Receiver<Bytes>) -> Reply {
        Reply { stream: Some(pieces), ..Reply::bytes(200, media, Bytes::new()) }
    }

    /// A value as JSON, as [`Reply::json`] answers it.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn written(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(value).map_err(Failure::internal)
    }

    /// A JSON reply.
    ///
    /// # Errors
    /// `Internal` when the value cannot be written as JSON.
    pub fn json(status: u16, value: &impl Serialize) -> Result<Reply, Failure> {
        let body = serde_json::to_vec(value).map_err(Failure::internal)?;
        Ok(Reply::bytes(status, "application/json", body))
    }

    /// A JSON reply for a value that is known to be writable, such as `serde_json::Value`.
    pub fn value(status: u16, value: &serde_json::Value) -> Reply {
        Reply::bytes(status, "application/json", value.to_string())
    }

    /// A reply of some media type.
    pub fn bytes(status: u16, media: &'static str, body: impl Into<Bytes>) -> Reply {
        let mut reply = Reply { body: body.into(), ..Reply::empty(status) };
        reply.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        reply
    }

    /// With another header. A value that cannot stand in a header is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Reply {
        self.set(name, value);
        self
    }

    /// With one more header of a name that may come several times.
    #[must_use]
    pub fn and(mut self, name: HeaderName, value: &str) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    /// Sets a header. A value that cannot stand in a header is left out.
    pub fn set(&mut self, name: &'static str, value: impl AsRef<str>) {
        let name = HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.as_ref())) {
            self.headers.insert(name, value);
        }
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
