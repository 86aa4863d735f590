//! Idempotency keys: data in the same commit as the change.

use patron_native::DIALECT;
use serde_json::{Value, json};

use crate::place::Native;

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
    let made = native.call("POST", "/v1/keys", Some(json!({"dialect": "native"}))).await;
    let made = made.expect(201).json();
    let calls = [
        ("DELETE", format!("/v1/keys/{}", made["number"]), None),
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
async fn the_repeat_of_a_merge_shows_all_that_it_changed_as_it_was_then() {
    let native = Native::start().await;
    let (stays, goes) = (native.create(json!({})).await, native.create(json!({})).await);
    let target = format!("/v1/customers/{}", stays["number"]);
    let merge = format!("{target}/merge");
    let key = [("idempotency-key", "merge-1")];
    let body = || Some(json!({"absorb": goes["number"]}));
    let dry = [("prefer", "dry-run")];
    let preview = native.with("POST", &merge, &dry, body()).await.expect(200).json();
    assert_eq!(preview["merge"]["absorbed"]["number"], goes["number"]);
    let first = native.with("POST", &merge, &key, body()).await.expect(200).json();
    let part =
        |of: &Value, etag: &str| json!({"id": of["id"], "number": of["number"], "etag": etag});
    assert_eq!(first["merge"]["survivor"], part(&stays, "\"2.2\""));
    assert_eq!(first["merge"]["absorbed"], part(&goes, "\"2.2\""));
    assert_eq!(first["version"], 2);
    native.call("PATCH", &target, Some(json!({"title": "later"}))).await.expect(200);
    native.call("DELETE", &target, None).await.expect(204);
    let again = native.with("POST", &merge, &key, body()).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json(), first);
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

/// What the store keeps of answers: keys, fingerprints, outcomes, as lines of a dump.
async fn kept_answers(native: &Native) -> Vec<Value> {
    let mut dump = Vec::new();
    native.server.app.store.dump(&mut dump).await.unwrap();
    let lines = String::from_utf8(dump).unwrap();
    let lines = lines.lines().filter(|line| line.starts_with(r#"{"answer":"#));
    let parsed = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines.map(|line| parsed(line)["answer"].clone()).collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a number of 16 digits ends with its check digit (Luhn).
fn has_check_digit(number: &str) -> bool {
    let digits = number.bytes().enumerate().map(|(at, digit)| {
        let value = u32::from(digit - b'0') * (2 - at as u32 % 2);
        value / 10 + value % 10
    });
    digits.sum::<u32>() % 10 == 0
}

#[tokio::test]
async fn card_numbers_cannot_be_tried_out_from_what_is_kept() {
    use patron_app::secrets::{hmac_sha256, sha256_hex};
    let native = Native::start().await;
    let customer = native.create(json!({"title": "Dr"})).await;
    let target = format!("/v1/customers/{}/payment-methods", customer["number"]);
    let card = |number: &str| {
        let card = json!({"number": number, "expiry_month": 12, "expiry_year": 2035});
        json!({"type": "card", "card": card})
    };
    let key = [("idempotency-key", "4242-of-anna@example.com")];
    let number = "4242424242424242";
    let first = native.with("POST", &target, &key, Some(card(number))).await.expect(201);
    let kept = kept_answers(&native).await;
    assert_eq!(kept.len(), 1);
    let text = kept[0].to_string();
    assert!(!text.contains("4242") && !text.contains("anna@example.com"), "{text}");
    let fingerprint = kept[0]["fingerprint"].as_str().unwrap();
    // With first six and last four known, everything else of the request too, every number in
    // between is tried, in the ways an attacker without the master key can.
    let body = card(number).to_string();
    let (before, after) = body.split_once("424242424242").unwrap();
    let head = format!("POST\n{target}\n\n\n");
    for middle in 0..1_000_000 {
        let tried = format!("424242{middle:06}4242");
        if !has_check_digit(&tried) {
            continue;
        }
        let sent = format!("{head}{before}{tried}{}", &after[4..]);
        let by_constant = hexadecimal(&hmac_sha256(b"fingerprint", sent.as_bytes()));
        assert_ne!(by_constant, fingerprint, "{tried}");
        assert_ne!(sha256_hex(&sent), fingerprint, "{tried}");
        if middle % 1_000 == 424 {
            // The whole of it is slow, and none of these is keyed either.
            for text in [&tried, &format!("{before}{tried}{}", &after[4..])] {
                assert_ne!(sha256_hex(text), fingerprint);
                for key in [&b"fingerprint"[..], b"", b"patron", b"patron fingerprint v1"] {
                    assert_ne!(hexadecimal(&hmac_sha256(key, text.as_bytes())), fingerprint);
                }
            }
        }
    }
    // The key decides, not the request: another deployment keeps something else for the same one,
    // even under the same master key.
    let other = Native::start().await;
    let created = other.create(json!({"title": "Dr"})).await;
    assert_eq!(created["number"], customer["number"]);
    other.with("POST", &target, &key, Some(card(number))).await.expect(201);
    let elsewhere = kept_answers(&other).await;
    assert_ne!(elsewhere[0]["fingerprint"], kept[0]["fingerprint"]);
    assert_ne!(elsewhere[0]["key"], kept[0]["key"]);
    // And it still tells requests apart.
    let again = native.with("POST", &target, &key, Some(card(number))).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.json(), first.json());
    native.with("POST", &target, &key, Some(card("4111111111111111"))).await.expect(422);
}
