//! Two ways to the same APIs: the program over the network, and its request pipeline in this
//! process, which is faster where many stores are looked at.

use axum::{body::Body, body::to_bytes, http};
use patron_gateway::{Gateway, SignRequest};
use patron_model::Timestamp;
use patron_testkit::Answer;
use serde_json::Value;

use crate::api::ALL;
use crate::program::Running;

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// How the APIs are reached.
pub enum Door<'a> {
    /// The program, over the network.
    Http(&'a Running),
    /// The same pipeline in this process, without a network.
    Inside(&'a Gateway),
}

/// A request as it is repeated: all but the signature, which is made anew each time.
#[derive(Debug, Clone)]
pub struct Sent {
    pub api: &'static str,
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Sent {
    /// A request to the native API.
    pub fn native(method: &'static str, path: String, body: Option<Value>) -> Sent {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        Sent { api: "native", method, path, headers: Vec::new(), body }
    }

    pub fn with(mut self, name: &str, value: &str) -> Sent {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn signed(&self, keys: &Value) -> Vec<(String, String)> {
        let dialect = ALL.iter().find(|dialect| dialect.name == self.api).unwrap();
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let request = SignRequest {
            credentials: &keys[self.api],
            method: self.method,
            target: &self.path,
            body: &self.body,
            now: Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap()),
        };
        let signed = (dialect.credentials.sign)(&request).unwrap();
        let mut all: Vec<(String, String)> =
            signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if self.api == "wallee" && !all.iter().any(|(name, _)| name.eq_ignore_ascii_case("space")) {
            all.push(("space".into(), keys["wallee"]["space_id"].to_string()));
        }
        if !self.body.is_empty() {
            all.push(("content-type".into(), "application/json".into()));
        }
        all.extend(self.headers.iter().cloned());
        all
    }
}

impl Door<'_> {
    /// `None`: the program is gone, nothing is known of this request.
    pub async fn call(&self, keys: &Value, sent: &Sent) -> Option<Answer> {
        let headers = sent.signed(keys);
        let (method, path, body) = (sent.method, &sent.path, sent.body.as_bytes());
        match self {
            Door::Http(running) => {
                let client = &running.client;
                client.try_send(&running.base_url, method, path, &headers, body).await.ok()
            }
            Door::Inside(gateway) => {
                let mut request = http::Request::builder().method(method).uri(path);
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let request = request.body(Body::from(sent.body.clone())).unwrap();
                let (parts, body) = gateway.answer(request).await.into_parts();
                let body = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
                Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
            }
        }
    }
}

/// Each API's key of the sandbox opens it.
pub async fn every_key_opens(door: &Door<'_>, keys: &Value) -> Result<(), String> {
    for api in ALL {
        let path = match api.name {
            "native" => "/v1/customers".to_owned(),
            "wallee" => "/api/v2.0/customers".to_owned(),
            "verifone" => "/v2/customer?search=created_at=ge=2020-01-01".to_owned(),
            "monri" => "/v2/customers".to_owned(),
            "payabli" => {
                format!("/api/Query/customers/{}", keys["payabli"]["entry"].as_str().unwrap())
            }
            _ => "/customers".to_owned(),
        };
        let sent = Sent { api: api.name, ..Sent::native("GET", path, None) };
        let answer = door.call(keys, &sent).await.ok_or("no answer")?;
        if answer.status != 200 {
            return Err(format!("{}: {} {}", api.name, answer.status, answer.text()));
        }
    }
    Ok(())
}
