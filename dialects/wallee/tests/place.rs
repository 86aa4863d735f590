//! A server with the sandbox key, and short words for its calls.

use patron_testkit::{Answer, TestServer};
use patron_wallee::DIALECT;
use serde_json::{Value, json};

pub struct Shop {
    pub server: TestServer,
    pub keys: Value,
}

impl Shop {
    pub async fn open() -> Shop {
        let server = TestServer::start(&[&DIALECT]).await;
        let keys = server.credentials("wallee");
        Shop { server, keys }
    }

    pub fn space(&self) -> i64 {
        self.keys["space_id"].as_i64().unwrap()
    }

    pub fn user(&self) -> i64 {
        self.keys["user_id"].as_i64().unwrap()
    }

    /// A call as the SDK would make it; the path begins after the mount.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.call_with(method, path, &[], body).await
    }

    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let target = format!("/api/v2.0{path}");
        self.server.call_with(&DIALECT, &self.keys, method, &target, headers, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// A new customer's id.
    pub async fn customer(&self, body: Value) -> i64 {
        id(&self.post("/customers", body).await.expect(201).json())
    }

    /// Ids of a page.
    pub async fn ids(&self, path: &str) -> Vec<i64> {
        let page = self.get(path).await.expect(200).json();
        page["data"].as_array().unwrap().iter().map(id).collect()
    }

    /// Ids a search finds, oldest first.
    pub async fn found(&self, path: &str, query: &str) -> Vec<i64> {
        self.ids(&format!("{path}/search?limit=100&order=id&query={}", encoded(query))).await
    }
}

pub fn id(object: &Value) -> i64 {
    object["id"].as_i64().unwrap_or_else(|| panic!("no id in {object}"))
}

/// Percent-encoded as the SDK encodes.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

/// Asserts a refusal: status, code word and the whole `errors` map; and its shape.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str, errors: &Value) {
    assert_eq!(answer.status, status, "{}", answer.text());
    shaped(&answer.json(), code, errors);
}

#[track_caller]
pub fn shaped(body: &Value, code: &str, errors: &Value) {
    assert_eq!(body["code"], code, "{body}");
    let have = body.get("errors").cloned().unwrap_or_else(|| json!({}));
    assert_eq!(&have, errors, "{body}");
    let id = body["id"].as_str().unwrap();
    assert_eq!(id, id.to_uppercase());
    assert_eq!(id.len(), 36);
    assert!(body["message"].as_str().unwrap().ends_with('.'), "{body}");
    let date = body["date"].as_str().unwrap();
    assert!(date.len() == 24 && date.ends_with('Z'), "{date}");
    let known = ["code", "date", "errors", "id", "message"];
    assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
}

/// What the blocks of one language in a guide hold, without the indentation of its list.
pub fn blocks(guide: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let blocks = guide.split(&opening).skip(1);
    let plain = |block: &str| {
        let block = block.split("```").next().unwrap_or_default();
        let lines = block.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n")
    };
    blocks.map(plain).collect()
}
