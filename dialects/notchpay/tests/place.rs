//! Where a test takes place: a server with this dialect and one set of keys.

use patron_app::Cx;
use patron_notchpay::{DIALECT, NAME, auth::handle_of};
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// A server and the keys that calls are signed with.
pub struct Place {
    pub server: TestServer,
    pub keys: Value,
}

impl Place {
    /// With the keys of the sandbox.
    pub async fn new() -> Place {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials(NAME);
        Place { server, keys }
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, None).await
    }

    pub async fn send(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    /// A body exactly as given.
    pub async fn raw(&self, method: &str, target: &str, media: &str, body: &str) -> Answer {
        let key = self.keys["public_key"].as_str().expect("a key");
        let headers = [("authorization", key), ("content-type", media)];
        self.server.raw(method, target, &headers, body.as_bytes()).await
    }

    pub async fn form(&self, method: &str, target: &str, body: &str) -> Answer {
        self.raw(method, target, "application/x-www-form-urlencoded", body).await
    }

    /// A new customer as it is answered.
    pub async fn customer(&self, body: Value) -> Value {
        let answer = self.send("POST", "/customers", Some(body)).await.expect(201);
        answer.json()["customer"].clone()
    }

    /// The path of a new customer of which only the e-mail address matters.
    pub async fn path_of(&self, email: &str) -> String {
        path(&self.customer(json!({"email": email})).await)
    }

    /// A context in the space of the keys, for what only other APIs can do.
    pub async fn cx(&self) -> Cx {
        let key = self.keys["public_key"].as_str().expect("a key");
        let caller = self.server.app.caller(NAME, &handle_of(key)).await.expect("a caller");
        let space = caller.home().expect("a space").number;
        self.server.app.operator(space, "test")
    }
}

/// The path of a customer.
pub fn path(customer: &Value) -> String {
    format!("/customers/{}", customer["id"].as_str().expect("an id"))
}

/// Asserts a 422 and its `errors`.
#[track_caller]
pub fn refused(answer: Answer, errors: Value) {
    let want = json!({
        "code": 422,
        "status": "Unprocessable Entity",
        "message": "Validation failed",
        "errors": errors,
    });
    assert_eq!(answer.expect(422).json(), want);
}

/// Both texts of "an e-mail address or a phone number".
pub fn unreachable() -> Value {
    json!({
        "email": ["The email field is required when phone is not present."],
        "phone": ["The phone field is required when email is not present."],
    })
}

/// Asserts an error without `errors`.
#[track_caller]
pub fn failed(answer: Answer, code: u16, status: &str, message: &str) {
    let want = json!({"code": code, "status": status, "message": message});
    assert_eq!(answer.expect(code).json(), want);
}
