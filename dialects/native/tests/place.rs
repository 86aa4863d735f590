//! A server with the sandbox key, and short words for its calls.

use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::Value;

/// A server and the sandbox key.
pub struct Native {
    pub server: TestServer,
    pub keys: Value,
}

impl Native {
    pub async fn start() -> Native {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("native");
        Native { server, keys }
    }

    pub async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    pub async fn with(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        self.server.call_with(&DIALECT, &self.keys, method, target, headers, body).await
    }

    pub async fn create(&self, body: Value) -> Value {
        self.call("POST", "/v1/customers", Some(body)).await.expect(201).json()
    }
}
