//! Idempotency keys: data in the same commit as the change.

use patron_native::DIALECT;
use serde_json::json;

use crate::Native;

#[tokio::test]
async fn a_repeat_gives_the_same_answer_and_does_nothing() {
    let native = Native::start().await;
    let key = [("idempotency-key", "\"k-1\"")];
    let body = || Some(json!({"title": "Dr"}));
    let first = native.with("POST", "/v1/customers", &key, body()).await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let target = format!("/v1/customers/{}", first.json()["number"]);
    native.call("PATCH", &target, Some(json!({"title": "Prof"}))).await.expect(200);
    let again = native.with("POST", "/v1/customers", &key, body()).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json(), first.json(), "as it was then, not as it is now");
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("etag"), first.header("etag"));
    let listed = native.call("GET", "/v1/customers", None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_bare_key_is_the_same_key_and_another_request_is_refused() {
    let native = Native::start().await;
    let quoted = [("idempotency-key", "\"k\"")];
    let bare = [("idempotency-key", "k")];
    native.with("POST", "/v1/customers", &quoted, Some(json!({}))).await.expect(201);
    let again = native.with("POST", "/v1/customers", &bare, Some(json!({}))).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let other = native.with("POST", "/v1/customers", &bare, Some(json!({"title": "x"}))).await;
    assert_eq!(other.expect(422).json()["type"], "/docs/native#problem-idempotency-key-reused");
    native
        .with("POST", "/v1/customers", &[("idempotency-key", "")], Some(json!({})))
        .await
        .expect(400);
    let long = "x".repeat(256);
    let long = [("idempotency-key", long.as_str())];
    native.with("POST", "/v1/customers", &long, Some(json!({}))).await.expect(400);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let native = Native::start().await;
    let taken = native.create(json!({"reference": "r"})).await;
    let key = [("idempotency-key", "k")];
    let body = || Some(json!({"reference": "r"}));
    native.with("POST", "/v1/customers", &key, body()).await.expect(409);
    let target = format!("/v1/customers/{}", taken["number"]);
    native.call("DELETE", &target, None).await.expect(204);
    native.with("POST", "/v1/customers", &key, body()).await.expect(201);
}

#[tokio::test]
async fn every_kind_of_write_can_be_repeated() {
    let native = Native::start().await;
    let customer = native.create(json!({"title": "Dr"})).await;
    let other = native.create(json!({"title": "Other"})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    let calls = [
        ("PATCH", target.clone(), Some(json!({"title": "Prof"}))),
        ("PUT", "/v1/customers/by-reference/new".to_owned(), Some(json!({"title": "x"}))),
        ("PUT", "/v1/customers/by-reference/new".to_owned(), Some(json!({"title": "y"}))),
        ("POST", format!("{target}/addresses"), Some(json!({"city": "Bern"}))),
        ("POST", format!("{target}/comments"), Some(json!({"content": "x"}))),
        ("POST", format!("{target}/payment-methods"), Some(json!({"type": "wallet"}))),
        ("POST", format!("{target}/merge"), Some(json!({"absorb": other["number"]}))),
        ("POST", "/v1/spaces".to_owned(), Some(json!({"name": "second"}))),
        ("POST", "/v1/accounts".to_owned(), Some(json!({"name": "second"}))),
        ("DELETE", target.clone(), None),
        ("POST", format!("{target}/restore"), None),
    ];
    for (i, (method, target, body)) in calls.into_iter().enumerate() {
        let key = format!("key-{i}");
        let key = [("idempotency-key", key.as_str())];
        let first = native.with(method, &target, &key, body.clone()).await;
        assert!(first.status < 300, "{method} {target}: {}", first.text());
        let again = native.with(method, &target, &key, body).await;
        assert_eq!(again.status, first.status, "{method} {target}: {}", again.text());
        assert_eq!(again.text(), first.text(), "{method} {target}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{method} {target}");
    }
}

#[tokio::test]
async fn keys_of_two_spaces_do_not_meet() {
    let native = Native::start().await;
    let other = native.server.other_space("native").await;
    let key = [("idempotency-key", "k")];
    let body = || Some(json!({"title": "Dr"}));
    native.with("POST", "/v1/customers", &key, body()).await.expect(201);
    let theirs = native.server.call_with(&DIALECT, &other, "POST", "/v1/customers", &key, body());
    assert_eq!(theirs.await.expect(201).header("idempotency-replayed"), "");
}

#[tokio::test]
async fn many_at_once_make_one_customer() {
    let native = Native::start().await;
    let key = [("idempotency-key", "k")];
    let calls =
        (0..20).map(|_| native.with("POST", "/v1/customers", &key, Some(json!({"title": "x"}))));
    let mut answers = Vec::new();
    for answer in futures_all(calls).await {
        assert!(matches!(answer.status, 201 | 409), "{}", answer.text());
        answers.push(answer);
    }
    assert!(answers.iter().any(|answer| answer.status == 201));
    let listed = native.call("GET", "/v1/customers", None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    futures_util::future::join_all(futures).await
}
