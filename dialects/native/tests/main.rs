//! The native API over HTTP, on the engine the run is for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

mod admin;
mod audit;
mod concurrency;
mod customers;
mod events;
mod failures;
mod hanging;
mod idempotency;
mod keys;
mod lists;
mod offboarding;
mod openapi;

use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::Value;

/// A server and the sandbox key.
struct Native {
    server: TestServer,
    keys: Value,
}

impl Native {
    async fn start() -> Native {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("native");
        Native { server, keys }
    }

    async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    async fn with(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.server.call_with(&DIALECT, &self.keys, method, target, headers, body).await
    }

    async fn create(&self, body: Value) -> Value {
        self.call("POST", "/v1/customers", Some(body)).await.expect(201).json()
    }
}

#[tokio::test]
async fn golden_exchanges() {
    let server = TestServer::start(&[&DIALECT]).await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    patron_testkit::golden::run(&server, &DIALECT, folder).await;
}
