//! What every answer says beside its body, and what is read of a request's headers.

use patron_testkit::TestServer;
use serde_json::json;

use crate::{
    api::{ALL, call},
    program::Running,
};

#[tokio::test]
async fn every_answer_of_every_api_is_stored_nowhere_and_taken_for_what_it_is() {
    let server = TestServer::start(&ALL).await;
    let keys = server.all_credentials();
    let body = Some(json!({"email": "anna@example.com"}));
    let made = call(&server, keys, "native", "POST", "/v1/customers", body).await.expect(201);
    let (number, id) = (made.json()["number"].to_string(), made.json()["id"].clone());
    let mut seen = 0;
    for dialect in ALL {
        for operation in (dialect.operations)() {
            let path = operation
                .path
                .replace("{entry}", keys["payabli"]["entry"].as_str().unwrap())
                .replace(
                    "{id}",
                    if dialect.name == "verifone" { id.as_str().unwrap() } else { &number },
                )
                .replace("{customerId}", &number)
                .replace("{format}", "csv")
                .replace(['{', '}'], "");
            let method = operation.method.as_str();
            let signed = call(&server, keys, dialect.name, method, &path, None).await;
            let nobody = server.raw(method, &path, &[], b"").await;
            for answer in [signed, nobody] {
                let what = format!("{method} {path}: {}", answer.status);
                assert_eq!(answer.header("cache-control"), "no-store", "{what}");
                assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
                seen += u32::from(answer.status < 300);
            }
        }
        let nowhere = format!("{}/no/such/path", dialect.mounts[0]);
        let answer = server.raw("GET", &nowhere, &[], b"").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{nowhere}");
    }
    assert!(seen > 20, "{seen} good answers");
}

#[tokio::test]
async fn not_modified_still_works_without_a_store() {
    let server = TestServer::start(&ALL).await;
    let keys = server.credentials("native");
    let made = server.call(ALL[0], &keys, "POST", "/v1/customers", Some(json!({}))).await;
    let one = format!("/v1/customers/{}", made.expect(201).json()["number"]);
    let shown = server.call(ALL[0], &keys, "GET", &one, None).await.expect(200);
    let tag = [("if-none-match", shown.header("etag"))];
    let same = server.call_with(ALL[0], &keys, "GET", &one, &tag, None).await.expect(304);
    assert_eq!(same.header("cache-control"), "no-store");
    assert_eq!(same.header("x-content-type-options"), "nosniff");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_taken_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (running, _) = Running::sandbox(folder.path());
    for path in
        ["/", "/docs", "/docs/native", "/openapi.json", "/livez", "/readyz", "/metrics", "/x"]
    {
        let answer = running.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

/// Sends a header with bytes outside ASCII: no client library does.
async fn status_with(server: &TestServer, request: &str, name: &str, value: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let keys = server.credentials("native");
    let address = server.base_url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "{request} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
         content-length: 2\r\n{name}: ",
        keys["api_key"].as_str().unwrap()
    );
    stream.write_all(&[head.as_bytes(), value, b"\r\n\r\n{}"].concat()).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn headers_that_are_no_text_are_refused_and_not_passed_over() {
    let server = TestServer::start(&ALL).await;
    let keys = server.credentials("native");
    let made = server.call(ALL[0], &keys, "POST", "/v1/customers", Some(json!({}))).await;
    let one = format!("PATCH /v1/customers/{}", made.expect(201).json()["number"]);
    let put = "PUT /v1/customers/by-reference/a";
    for (request, name) in [
        ("POST /v1/customers", "Idempotency-Key"),
        ("POST /v1/customers", "Prefer"),
        ("POST /v1/customers", "Patron-Space"),
        (&one, "If-Match"),
        (put, "If-None-Match"),
    ] {
        for value in ["clé", "\u{fc}"] {
            let said = status_with(&server, request, name, value.as_bytes()).await;
            assert!(said.starts_with("HTTP/1.1 400 "), "{name}: {said}");
        }
        let said = status_with(&server, request, name, b"\xff").await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{name}: {said}");
    }
    let said = status_with(&server, "POST /v1/customers", "Content-Type", b"text/\xff").await;
    assert!(said.starts_with("HTTP/1.1 415 "), "{said}");
    let all = server.call(ALL[0], &keys, "GET", "/v1/customers", None).await.json();
    assert_eq!(all["data"].as_array().unwrap().len(), 1, "nothing was made");
    // Of two keys none is the right one.
    let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let body = Some(json!({}));
    server.call_with(ALL[0], &keys, "POST", "/v1/customers", &two, body).await.expect(400);
}
