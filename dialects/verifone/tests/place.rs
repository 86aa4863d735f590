//! A server with the sandbox key, and short words for its calls and errors.

use patron_testkit::{Answer, TestServer};
use patron_verifone::DIALECT;
use serde_json::{Value, json};

/// Path of the customers.
pub const PATH: &str = "/oidc/customer-service/v2/customer";

/// A server and a caller of it.
pub struct Caller {
    pub server: TestServer,
    pub keys: Value,
}

impl Caller {
    pub async fn start() -> Caller {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("verifone");
        Caller { server, keys }
    }

    /// A call signed with the caller's own key.
    pub async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    pub async fn create(&self, body: Value) -> Answer {
        self.call("POST", PATH, Some(self.with_entity(body))).await
    }

    pub async fn update(&self, id: &str, body: Value) -> Answer {
        self.call("POST", &format!("{PATH}/{id}"), Some(self.with_entity(body))).await
    }

    pub async fn read(&self, id: &str) -> Value {
        self.call("GET", &format!("{PATH}/{id}"), None).await.expect(200).json()
    }

    fn with_entity(&self, mut body: Value) -> Value {
        if body.get("entity_id").is_none() {
            body["entity_id"] = self.keys["entity_id"].clone();
        }
        body
    }

    /// Number of the caller's space.
    pub async fn space(&self) -> i64 {
        let user = self.keys["user_id"].as_str().unwrap();
        self.server.app.caller("verifone", user).await.unwrap().key.space
    }

    /// Sets a switch of the caller's space.
    pub async fn switch(&self, switches: Value) {
        use patron_app::{Expect, spaces};
        let cx = self.server.app.operator(0, "test");
        let dialects = Some([("verifone".to_owned(), switches)].into());
        let patch = spaces::SpacePatch { dialects, ..spaces::SpacePatch::default() };
        spaces::update_space(&cx, self.space().await, Expect::Any, patch).await.unwrap();
    }
}

/// The id of an answered customer.
pub fn id_of(answer: &Answer) -> String {
    answer.json()["id"].as_str().expect("an id").to_owned()
}

/// A customer with just a name.
pub fn named(first: &str, last: &str) -> Value {
    json!({"billing": {"first_name": first, "last_name": last}})
}

/// The error body, with its four members checked.
#[track_caller]
pub fn error(answer: &Answer, status: u16, code: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    let members: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["code", "details", "message", "timestamp"]);
    assert_eq!(body["code"], code, "{body}");
    assert!(
        body["timestamp"].is_i64() && body["message"].is_string() && body["details"].is_object()
    );
    body
}
