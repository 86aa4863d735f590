//! A plain HTTP client: sends exactly what it is given, reads everything that comes back.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::Value;

/// A client with kept connections.
pub struct Client(legacy::Client<legacy::connect::HttpConnector, Full<Bytes>>);

/// The answer to a call.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Client {
    /// A client.
    pub fn new() -> Client {
        Client(legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(
        &self,
        base_url: &str,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Answer {
        self.try_send(base_url, method, target, headers, body).await.unwrap()
    }

    /// The same against a server that may go at any moment.
    ///
    /// # Errors
    /// When there is no whole answer; whether the request was carried out is not known then.
    pub async fn try_send(
        &self,
        base_url: &str,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut request =
            http::Request::builder().method(method).uri(format!("{base_url}{target}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).unwrap();
        let response = self.0.request(request).await?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// A stream of server-sent events.
pub struct Events {
    body: hyper::body::Incoming,
    text: String,
}

impl Events {
    /// The next block, as it came: the lines of an event, or of a comment. None at the end.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let frame = self.body.frame().await?.ok()?;
            let bytes = frame.into_data().ok()?;
            self.text.push_str(str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event: its id, its name and its data. None at the end.
    pub async fn event(&mut self) -> Option<(String, String, Value)> {
        loop {
            let block = self.block().await?;
            let of = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().to_owned()
            };
            let data = of("data: ");
            if !data.is_empty() {
                return Some((of("id: "), of("event: "), serde_json::from_str(&data).unwrap()));
            }
        }
    }
}

impl Client {
    /// Opens a stream of events.
    ///
    /// # Errors
    /// The answer, where it is no stream.
    pub async fn events(
        &self,
        base_url: &str,
        target: &str,
        headers: &[(String, String)],
    ) -> Result<Events, Answer> {
        let mut request = http::Request::get(format!("{base_url}{target}"));
        request = request.header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = self.0.request(request.body(Full::default()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        if parts.status == 200 {
            assert_eq!(parts.headers["content-type"], "text/event-stream");
            return Ok(Events { body, text: String::new() });
        }
        let body = body.collect().await.unwrap().to_bytes();
        Err(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

impl Answer {
    /// The body as JSON; `null` when it is empty.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Asserts the status, showing the body when it differs.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}
