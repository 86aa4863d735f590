//! A server with the sandbox keys, and short words for its calls and refusals.

use patron_app::Clock;
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_payabli::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

/// A server and a caller of it.
pub struct Party {
    pub server: TestServer,
    pub keys: Value,
}

impl Party {
    pub async fn new() -> Party {
        Party::on(TestServer::start(&[&DIALECT]).await)
    }

    /// With a clock that stands still until it is moved.
    pub async fn with_clock() -> (Party, Clock) {
        let clock = Clock::fixed(Timestamp::from_micros(1_700_000_000_000_000));
        let limits = Limits::default();
        let server = TestServer::start_with(&[&DIALECT], clock.clone(), limits).await;
        (Party::on(server), clock)
    }

    fn on(server: TestServer) -> Party {
        let keys = server.credentials(DIALECT.name);
        Party { server, keys }
    }

    pub fn entry(&self) -> &str {
        self.keys["entry"].as_str().unwrap()
    }

    pub async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, None).await
    }

    /// Adds a customer; `query` begins with a question mark when there is one.
    pub async fn submit(&self, query: &str, body: Value) -> Answer {
        self.call("POST", &format!("/api/Customer/single/{}{query}", self.entry()), Some(body))
            .await
    }

    /// Adds a customer and answers its number.
    pub async fn add(&self, body: Value) -> i64 {
        let answer = self.submit("", body).await.expect(200).json();
        answer["responseData"]["customerId"].as_i64().unwrap()
    }

    pub async fn record(&self, number: i64) -> Value {
        self.get(&format!("/api/Customer/{number}")).await.expect(200).json()
    }

    pub async fn put(&self, number: i64, body: Value) -> Answer {
        self.call("PUT", &format!("/api/Customer/{number}"), Some(body)).await
    }

    /// Customer numbers of a list in its order.
    pub async fn list(&self, query: &str) -> Vec<String> {
        let target = format!("/api/Query/customers/{}?{query}", self.entry());
        let answer = self.get(&target).await.expect(200).json();
        let records = answer["Records"].as_array().unwrap();
        records.iter().map(|r| r["customerNumber"].as_str().unwrap_or("-").to_owned()).collect()
    }

    /// Sets the dialect's switches of the caller's space.
    pub async fn configure(&self, switches: Value) {
        let app = &self.server.app;
        let handle = self.keys["client_id"].as_str().unwrap();
        let space = app.caller(DIALECT.name, handle).await.unwrap().key.space;
        let patch = patron_app::spaces::SpacePatch {
            dialects: Some([(DIALECT.name.to_owned(), switches)].into()),
            ..Default::default()
        };
        let cx = app.operator(0, "test");
        patron_app::spaces::update_space(&cx, space, patron_app::Expect::Any, patch).await.unwrap();
    }
}

/// The body of an error.
pub fn error(code: impl Into<Value>, text: &str, explanation: &str, todo: &str) -> Value {
    json!({
        "isSuccess": false, "responseCode": code.into(), "responseText": text, "message": text,
        "responseData": {"explanation": explanation, "todoAction": todo},
    })
}

/// Asserts a refusal for one field.
#[track_caller]
pub fn refused(answer: Answer, code: i64, field: &str) {
    let body = answer.expect(400).json();
    assert_eq!(body["responseCode"], code, "{body}");
    assert_eq!(body["isSuccess"], false);
    let text = body["responseText"].as_str().unwrap();
    assert_eq!(text, format!("Invalid parameter value: {field}"), "{body}");
}
