//! Keys over HTTP: made, shown once, limited, rotated, revoked, never stronger than their maker.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use patron_app::Clock;
use patron_gateway::limits::Limits;
use patron_model::Timestamp;
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::place::Native;

/// Header in which these servers are told the client's address.
const ADDRESS: &str = "x-real-ip";

impl Native {
    pub(crate) async fn new_key(&self, body: Value) -> Value {
        self.call("POST", "/v1/keys", Some(body)).await.expect(201).json()
    }

    pub(crate) async fn as_key(
        &self,
        key: &Value,
        method: &str,
        target: &str,
        body: Option<Value>,
    ) -> Answer {
        self.server.call(&DIALECT, &key["credentials"], method, target, body).await
    }

    async fn opens(&self, key: &Value) -> bool {
        self.as_key(key, "GET", "/v1/customers", None).await.status == 200
    }
}

fn one(key: &Value) -> String {
    format!("/v1/keys/{}", key["number"])
}

#[tokio::test]
async fn a_new_key_may_do_the_least_unless_more_is_said() {
    let native = Native::start().await;
    let plain = native.new_key(json!({"dialect": "native"})).await;
    assert_eq!(plain["role"], 5);
    assert_eq!(plain["state"], "active");
    assert_eq!(plain["addresses"], json!([]));
    let token = plain["credentials"]["api_key"].as_str().unwrap();
    assert_eq!(plain["hint"], format!("…{}", &token[token.len() - 4..]));
    assert!(native.opens(&plain).await);
    native.as_key(&plain, "POST", "/v1/customers", Some(json!({}))).await.expect(403);
    native.as_key(&plain, "GET", "/v1/keys", None).await.expect(403);
    let chosen = ["customer:read", "customer:write"];
    let narrow = native.new_key(json!({"dialect": "native", "permissions": chosen})).await;
    assert_eq!(narrow["permissions"], json!(chosen));
    native.as_key(&narrow, "POST", "/v1/customers", Some(json!({}))).await.expect(201);
    native.as_key(&narrow, "GET", "/v1/events", None).await.expect(403);
    let both = json!({"dialect": "native", "role": 5, "permissions": chosen});
    let both = native.new_key(both).await;
    assert_eq!(both["permissions"], json!(["customer:read"]), "a list only takes away");
    // The secret is shown once.
    for target in [one(&plain), "/v1/keys".to_owned()] {
        let answer = native.call("GET", &target, None).await.expect(200);
        assert!(!answer.text().contains(token) && !answer.text().contains("credentials"));
    }
}

#[tokio::test]
async fn nobody_makes_changes_or_rotates_a_key_stronger_than_his_own() {
    let native = Native::start().await;
    let permissions = json!(["key:read", "key:write", "customer:read"]);
    let weak = json!({"dialect": "native", "permissions": permissions, "account_wide": true});
    let weak = native.new_key(weak).await;
    let owner = native.new_key(json!({"dialect": "native", "role": 1})).await;
    let ask = async |method: &str, target: String, body: Value| {
        native.as_key(&weak, method, &target, Some(body)).await.status
    };
    for stronger in [
        json!({"dialect": "native", "role": 1}),
        json!({"dialect": "native"}),
        json!({"dialect": "native", "permissions": ["customer:write"]}),
    ] {
        assert_eq!(ask("POST", "/v1/keys".into(), stronger).await, 403);
    }
    let equal = json!({"dialect": "native", "permissions": permissions});
    assert_eq!(ask("POST", "/v1/keys".into(), equal).await, 201);
    assert_eq!(ask("PATCH", one(&weak), json!({"permissions": null})).await, 403, "itself");
    assert_eq!(ask("PATCH", one(&weak), json!({"name": "mine"})).await, 200);
    assert_eq!(ask("PATCH", one(&owner), json!({"name": "mine"})).await, 403);
    assert_eq!(ask("PATCH", one(&owner), json!({"role": 5})).await, 403);
    let rotate = format!("{}/rotate", one(&owner));
    assert_eq!(ask("POST", rotate, json!({})).await, 403);
    assert!(native.opens(&owner).await, "and nothing happened to it");
}

#[tokio::test]
async fn keys_of_other_spaces_and_accounts_do_not_exist() {
    let native = Native::start().await;
    let stranger = native.server.other_space("native").await;
    let mine = native.new_key(json!({"dialect": "native", "name": "mine"})).await;
    // A second space, and a key that opens only that one.
    let second = native.call("POST", "/v1/spaces", Some(json!({"name": "Second"}))).await.json();
    let there = json!({"dialect": "native", "role": 1, "space": second["number"]});
    let there = native.new_key(there).await;
    let there = &there["credentials"];
    for keys in [&stranger, there] {
        let call = async |method: &str, target: &str, body: Option<Value>| {
            native.server.call(&DIALECT, keys, method, target, body).await
        };
        for target in [one(&mine), format!("/v1/keys/{}", mine["id"].as_str().unwrap())] {
            call("GET", &target, None).await.expect(404);
            call("DELETE", &target, None).await.expect(404);
            call("PATCH", &target, Some(json!({"name": "x"}))).await.expect(404);
            call("POST", &format!("{target}/rotate"), None).await.expect(404);
        }
        let listed = call("GET", "/v1/keys", None).await.expect(200);
        assert!(!listed.text().contains("\"mine\""), "{}", listed.text());
        let elsewhere = json!({"dialect": "native", "role": 5, "space": 1});
        call("POST", "/v1/keys", Some(elsewhere)).await.expect(422);
    }
    let wide = json!({"dialect": "native", "role": 5, "account_wide": true});
    native.server.call(&DIALECT, there, "POST", "/v1/keys", Some(wide)).await.expect(403);
    assert!(native.opens(&mine).await);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field() {
    let native = Native::start().await;
    let networks = |n: usize| vec!["192.0.2.0/24"; n];
    for (member, value) in [
        ("role", json!(0)),
        ("role", json!(7)),
        ("permissions", json!(["customer:fly"])),
        ("addresses", json!(["192.0.2.1/24"])),
        ("addresses", json!(networks(21))),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("2999-01-01T00:00:00Z")),
        ("expires_at", json!("soon")),
        ("public_rights", json!("all")),
        ("name", json!("x".repeat(256))),
        ("space", json!(999)),
        ("dialect", json!("morse")),
    ] {
        let mut body = json!({"dialect": "native"});
        body[member] = value.clone();
        let answer = native.call("POST", "/v1/keys", Some(body)).await;
        assert!([400, 422].contains(&answer.status), "{member} {value}: {}", answer.text());
        assert!(answer.text().contains(member), "{member} {value}: {}", answer.text());
    }
    native.call("POST", "/v1/keys", Some(json!({}))).await.expect(422);
    let key = native.new_key(json!({"dialect": "native"})).await;
    for (member, value) in [("space", json!(1)), ("dialect", json!("native"))] {
        let answer = native.call("PATCH", &one(&key), Some(json!({member: value}))).await;
        assert!(answer.expect(422).text().contains(member));
    }
    let rotate = format!("{}/rotate", one(&key));
    for seconds in [-1, 30 * 24 * 3600 + 1] {
        let body = Some(json!({"overlap_seconds": seconds}));
        native.call("POST", &rotate, body).await.expect(422);
    }
    native.new_key(json!({"dialect": "native", "addresses": networks(20)})).await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let native = Native::start().await;
    for n in 0..3 {
        native.new_key(json!({"dialect": "native", "name": format!("k{n}")})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let keys = page["data"].as_array().unwrap();
        keys.iter().map(|key| key["name"].as_str().unwrap().to_owned()).collect()
    };
    let page = native.call("GET", "/v1/keys?limit=2", None).await.expect(200).json();
    assert_eq!((names(&page), &page["has_more"]), (vec!["k2".into(), "k1".into()], &json!(true)));
    let next = format!("/v1/keys?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = native.call("GET", &next, None).await.expect(200).json();
    assert_eq!(names(&page)[0], "k0");
    let newest = native.call("GET", "/v1/keys?limit=1", None).await.json()["data"][0].clone();
    native.call("DELETE", &one(&newest), None).await.expect(204);
    let revoked = native.call("GET", "/v1/keys?state=revoked", None).await.json();
    assert_eq!(names(&revoked), ["k2"]);
    assert!(revoked["data"][0]["revoked_at"].is_string());
    let active = native.call("GET", "/v1/keys?state=active", None).await.json();
    assert_eq!(names(&active)[..2], ["k1", "k0"]);
    let none = native.call("GET", "/v1/keys?dialect=morse", None).await.json();
    assert_eq!(names(&none), [""; 0]);
    let none = native.call("GET", "/v1/keys?space=2", None).await.json();
    assert_eq!(names(&none), [""; 0]);
    native.call("GET", "/v1/keys?state=lost", None).await.expect(400);
}

#[tokio::test]
async fn rotation_overlaps_and_ends() {
    let at = Arc::new(AtomicI64::new(Timestamp::parse("2026-06-01").unwrap().micros()));
    let clock = Clock::Fixed(Arc::clone(&at));
    let server = TestServer::start_with(&[&DIALECT], clock, Limits::default()).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let old = json!({"dialect": "native", "name": "shop", "role": 6, "addresses": ["::/0",
        "0.0.0.0/0"]});
    let old = native.new_key(old).await;
    let rotate = format!("{}/rotate", one(&old));
    let body = Some(json!({"overlap_seconds": 3600}));
    let new = native.call("POST", &rotate, body.clone()).await.expect(201).json();
    for same in ["name", "role", "permissions", "addresses", "space", "account", "dialect"] {
        assert_eq!(new[same], old[same], "{same}");
    }
    assert_ne!(new["number"], old["number"]);
    assert_eq!(new["replaces"], old["number"]);
    assert!(native.opens(&old).await && native.opens(&new).await, "both, for an hour");
    let shown = native.call("GET", &one(&old), None).await.json();
    assert_eq!((&shown["state"], &shown["replaced_by"]), (&json!("expiring"), &new["number"]));
    native.call("POST", &rotate, body).await.expect(409);
    let longer = Some(json!({"expires_at": "2026-07-01T00:00:00Z"}));
    native.call("PATCH", &one(&old), longer).await.expect(409);
    at.fetch_add(3_599_999_999, Ordering::Relaxed);
    assert!(native.opens(&old).await);
    at.fetch_add(1, Ordering::Relaxed);
    assert!(!native.opens(&old).await, "to the microsecond, whatever is remembered");
    assert!(native.opens(&new).await);
    let shown = native.call("GET", &one(&old), None).await.json();
    assert_eq!(shown["state"], "expired");
    native.call("POST", &rotate, None).await.expect(409);
    native.call("PATCH", &one(&old), Some(json!({"name": "x"}))).await.expect(409);
    let at_once = format!("{}/rotate", one(&new));
    let third = native.call("POST", &at_once, Some(json!({"overlap_seconds": 0}))).await;
    assert!(native.opens(&third.expect(201).json()).await && !native.opens(&new).await);
}

#[tokio::test]
async fn a_repeat_shows_the_secret_again_for_a_day_and_to_its_maker_only() {
    let at = Arc::new(AtomicI64::new(Timestamp::parse("2026-06-01").unwrap().micros()));
    let clock = Clock::Fixed(Arc::clone(&at));
    let server = TestServer::start_with(&[&DIALECT], clock, Limits::default()).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let manager = json!({"dialect": "native", "role": 1, "account_wide": true});
    let manager = native.new_key(manager).await;
    let body = || Some(json!({"dialect": "native", "name": "once", "role": 5}));
    let key = [("idempotency-key", "a")];
    let first = native.with("POST", "/v1/keys", &key, body()).await.expect(201).json();
    let again = native.with("POST", "/v1/keys", &key, body()).await.expect(201).json();
    assert_eq!(again["credentials"], first["credentials"]);
    assert!(first["credentials"]["api_key"].is_string());
    let server = &native.server;
    let by_other = &manager["credentials"];
    let other = server.call_with(&DIALECT, by_other, "POST", "/v1/keys", &key, body()).await;
    assert!(other.json()["credentials"].is_null(), "{}", other.text());
    let rotate = format!("{}/rotate", one(&first));
    let key = [("idempotency-key", "b")];
    let rotated = native.with("POST", &rotate, &key, None).await.expect(201).json();
    let repeated = native.with("POST", &rotate, &key, None).await.expect(201).json();
    assert_eq!(repeated["credentials"], rotated["credentials"]);
    assert_eq!(repeated["number"], rotated["number"], "rotated once");
    at.fetch_add((24 * 3600 + 1) * 1_000_000, Ordering::Relaxed);
    let key = [("idempotency-key", "a")];
    let late = native.with("POST", "/v1/keys", &key, body()).await.expect(201).json();
    assert_ne!(late["number"], first["number"], "after a day it is forgotten");
}

#[tokio::test]
async fn a_dry_run_shows_no_secret() {
    let native = Native::start().await;
    let headers = [("prefer", "dry-run")];
    let body = Some(json!({"dialect": "native"}));
    let shown = native.with("POST", "/v1/keys", &headers, body).await.expect(201).json();
    assert!(shown["credentials"].is_null(), "{shown}");
}

#[tokio::test]
async fn last_use_is_shown_and_written_now_and_then() {
    let limits = Limits { client_address_header: ADDRESS.into(), ..Limits::default() };
    let at = Arc::new(AtomicI64::new(Timestamp::parse("2026-06-01T10:00:30Z").unwrap().micros()));
    let clock = Clock::Fixed(Arc::clone(&at));
    let server = TestServer::start_with(&[&DIALECT], clock, limits).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let key = native.new_key(json!({"dialect": "native"})).await;
    let shown = native.call("GET", &one(&key), None).await.json();
    assert!(shown["last_used_at"].is_null(), "{shown}");
    let from = [(ADDRESS, "2001:db8::7")];
    let server = &native.server;
    let credentials = &key["credentials"];
    server.call_with(&DIALECT, credentials, "GET", "/v1/customers", &from, None).await.expect(200);
    let wrong = json!({"api_key": "patron_nobody"});
    server.call_with(&DIALECT, &wrong, "GET", "/v1/customers", &from, None).await.expect(401);
    let shown = native.call("GET", &one(&key), None).await.json();
    assert_eq!(shown["last_used_at"], "2026-06-01T10:00:00.000000Z");
    assert_eq!(shown["last_used_from"], "2001:db8::7");
    let before = native.call("GET", "/v1/events", None).await.json();
    server.app.write_key_uses().await.unwrap();
    let number = key["number"].as_i64().unwrap();
    let row = server.app.store.get(&patron_app::documents::KEY_USE, 0, number).await.unwrap();
    let row = row.unwrap();
    assert!(row.doc.whole().unwrap().contains("2001:db8::7"), "{:?}", row.doc);
    server.app.write_key_uses().await.unwrap();
    let again = server.app.store.get(&patron_app::documents::KEY_USE, 0, number).await.unwrap();
    assert_eq!(again.unwrap().revision, row.revision, "nothing new, nothing written");
    let after = native.call("GET", "/v1/events", None).await.json();
    assert_eq!(before["next"], after["next"], "not in the journal");
    let journal = server.app.store.entries(0, 0, 1_000).await.unwrap();
    assert!(journal.iter().all(|entry| entry.kind != "key_use"));
}
