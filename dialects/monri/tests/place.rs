//! A merchant with keys on a server.

use patron_app::{Clock, Cx, Expect, spaces};
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_monri::{DIALECT, NAME};
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A merchant.
pub struct Merchant {
    /// The server.
    pub server: TestServer,
    /// The merchant's part of the printed credentials.
    pub keys: Value,
}

impl Merchant {
    /// With the well-known keys, on a server of its own.
    pub async fn new() -> Merchant {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials(NAME);
        Merchant { server, keys }
    }

    /// On a server whose clock stands until it is moved.
    pub async fn at(time: &str) -> Merchant {
        let clock = Clock::fixed(Timestamp::parse(time).expect("a time"));
        let server = TestServer::start_with(&[&DIALECT], clock, Limits::default()).await;
        let keys = server.credentials(NAME);
        Merchant { server, keys }
    }

    pub fn key(&self, name: &str) -> &str {
        self.keys[name].as_str().expect("a text")
    }

    pub async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, None).await
    }

    pub async fn post(&self, target: &str, body: Value) -> Answer {
        self.call("POST", target, Some(body)).await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.call("DELETE", target, None).await
    }

    /// With an `Authorization` header of the test's own.
    pub async fn authorized(&self, header: &str, method: &str, target: &str, body: &str) -> Answer {
        self.server.raw(method, target, &[("authorization", header)], body.as_bytes()).await
    }

    /// The same as bytes on a connection of its own: the rest of the head, a blank line, a body.
    pub async fn written(&self, header: &str, method: &str, target: &str, rest: &str) -> String {
        let address = self.server.base_url.trim_start_matches("http://");
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let head = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let text = format!("{head}authorization: {header}\r\n{rest}");
        stream.write_all(text.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Creates a customer and answers it.
    pub async fn create(&self, body: Value) -> Value {
        self.post("/v2/customers", body).await.expect(200).json()
    }

    /// Creates a customer and answers its path.
    pub async fn create_path(&self, body: Value) -> String {
        path_of(&self.create(body).await)
    }

    /// Number of the merchant's space.
    pub async fn space(&self) -> i64 {
        let caller = self.server.app.caller(NAME, self.key("authenticity_token")).await;
        caller.expect("a caller").home().expect("a space").number
    }

    /// A context to work in the merchant's space without HTTP.
    pub async fn cx(&self) -> Cx {
        self.server.app.operator(self.space().await, "test")
    }

    /// Sets the space's switches of this API.
    pub async fn switch(&self, switches: Value) {
        let dialects = Some([(NAME.to_owned(), switches)].into());
        let patch = spaces::SpacePatch { dialects, ..spaces::SpacePatch::default() };
        let space = self.space().await;
        let cx = self.server.app.operator(0, "test");
        spaces::update_space(&cx, space, Expect::Any, patch).await.expect("switched");
    }

    /// A bearer header with a token of these scopes.
    pub async fn bearer(&self, scopes: &[&str]) -> String {
        let answer = self.post_client(json!(scopes)).await.expect(200).json();
        format!("Bearer {}", answer["access_token"].as_str().expect("a token"))
    }

    /// Asks for a token of these scopes, without signature.
    pub async fn post_client(&self, scopes: Value) -> Answer {
        let body = json!({
            "client_id": self.keys["authenticity_token"],
            "client_secret": self.keys["merchant_key"],
            "grant_type": "client_credentials",
            "scopes": scopes,
        });
        self.server.raw("POST", "/v2/oauth", &[], body.to_string().as_bytes()).await
    }
}

/// Path of a customer that was answered.
pub fn path_of(customer: &Value) -> String {
    format!("/v2/customers/{}", customer["uuid"].as_str().expect("a uuid"))
}

/// Asserts an error answer, whole.
#[track_caller]
pub fn assert_error(answer: &Answer, code: u16, status: &str, message: &str) {
    assert_eq!(answer.status, code, "{}", answer.text());
    assert_eq!(answer.json(), json!({"status": status, "message": message}));
    assert_eq!(answer.header("content-type"), "application/json");
}

/// Asserts a refusal for what was sent.
#[track_caller]
pub fn assert_refused(answer: &Answer, message: &str) {
    assert_error(answer, 400, "invalid-request", message);
}
