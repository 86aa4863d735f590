//! Webhooks as their owners and receivers see them: what is told, to whom, how it is signed, what
//! becomes of what fails, on one node and on two, and across kills.

mod forms;
mod guide;
mod kills;
mod listen;
mod logs;
mod order;
pub mod receiver;
mod replays;
mod sdk;
mod signatures;
mod types;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::secrets::hmac_sha256;
use patron_delivery::Engine;
use patron_native::DIALECT;
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use self::receiver::{Got, Receiver};

/// A server that delivers, and a receiver.
struct Place {
    server: TestServer,
    keys: Value,
    engine: Option<Engine>,
    receiver: Receiver,
}

impl Place {
    async fn new() -> Place {
        let server = TestServer::start(&[&DIALECT]).await;
        let engine = Some(server.deliver());
        let keys = server.credentials("native");
        Place { server, keys, engine, receiver: Receiver::start().await }
    }

    async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.server.call(&DIALECT, &self.keys, method, target, body).await
    }

    /// An endpoint at the receiver; it is this node's soon.
    async fn endpoint(&self, mut body: Value) -> Value {
        body["url"] = json!(self.receiver.url);
        self.call("POST", "/v1/webhook-endpoints", Some(body)).await.expect(201).json()
    }

    async fn customer(&self, name: &str) -> Value {
        let body = json!({"full_name": name});
        self.call("POST", "/v1/customers", Some(body)).await.expect(201).json()
    }

    /// Asks until an answer is as wanted.
    async fn until(&self, target: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..6_000 {
            let answer = self.call("GET", target, None).await.json();
            if is_so(&answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{target}: {}", self.call("GET", target, None).await.text());
    }
}

/// What a receiver checks, by the specification of Standard Webhooks.
pub fn is_signed(got: &Got, secret: &str) -> bool {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let head = format!("{}.{}.", got.header("webhook-id"), got.header("webhook-timestamp"));
    let message = [head.as_bytes(), &got.raw].concat();
    let expected = format!("v1,{}", BASE64.encode(hmac_sha256(&key, &message)));
    got.header("webhook-signature").split(' ').any(|one| one == expected)
}

fn types(all: &[Got]) -> Vec<&str> {
    all.iter().map(|got| got.body["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_reach_whoever_asked_signed_and_numbered() {
    let place = Place::new().await;
    let made = place
        .endpoint(
            json!({"types": ["customer.*"], "headers": {"X-Shop": "blue"}, "description": "shop"}),
        )
        .await;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(made["headers"], json!({"x-shop": "•••"}));
    let customer = place.customer("Ada Lovelace").await;
    let one = format!("/v1/customers/{}", customer["number"]);
    place
        .call("POST", &format!("{one}/comments"), Some(json!({"content": "hello"})))
        .await
        .expect(201);
    let changed = place.call("PATCH", &one, Some(json!({"email": "ada@example.com"}))).await;
    let changed = changed.expect(200).json();
    place.call("DELETE", &one, None).await.expect(204);
    let got = place.receiver.until(3).await;
    let by = |word: &str| got.iter().find(|got| got.body["type"] == word).unwrap();
    let (created, updated) = (by("customer.created"), by("customer.updated"));
    let deleted = by("customer.deleted");
    assert_eq!(created.body["data"], customer);
    assert_eq!(updated.body["data"], changed);
    assert_eq!(updated.body["changed"], json!(["email"]));
    let thin = json!({"id": customer["id"], "number": customer["number"], "version": 3});
    assert_eq!(deleted.body["data"], thin, "nothing of who was deleted");
    for (nth, one) in (1..).zip([created, updated, deleted]) {
        assert_eq!(one.body["sequence"], nth);
        assert_eq!(one.body["id"], one.header("webhook-id"));
        assert_eq!(one.body["id"], format!("evt_1_{}", one.body["seq"]));
        assert_eq!(one.header("x-shop"), "blue");
        assert_eq!(one.header("content-type"), "application/json");
        assert_eq!(one.header("user-agent"), "Patron-Webhooks/1");
        assert!(is_signed(one, secret), "{:?}", one.headers);
        let altered = Got { raw: [&one.raw[..], b" "].concat().into(), ..one.clone() };
        assert!(!is_signed(&altered, secret));
    }
    // What arrived leaves nothing but the position.
    let listed = place.call("GET", "/v1/webhook-deliveries", None).await.expect(200).json();
    assert_eq!(listed["data"], json!([]));
    let target = format!("/v1/webhook-endpoints/{}", made["number"]);
    let shown = place.until(&target, |shown| shown["health"]["behind"] == 0).await;
    assert_eq!(shown["health"]["failures"], 0);
    assert!(shown.get("secret").is_none() && !shown.to_string().contains("blue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_noted_tried_again_and_delivered_when_asked_for() {
    let place = Place::new().await;
    place.receiver.answers(503);
    let made = place.endpoint(json!({"types": ["customer.created"]})).await;
    place.customer("Ada Lovelace").await;
    let all = "/v1/webhook-deliveries";
    let listed = place.until(all, |all| all["data"][0]["attempts"] == 1).await;
    let delivery = &listed["data"][0];
    assert_eq!((&delivery["state"], &delivery["last_status"]), (&json!("retrying"), &json!(503)));
    assert_eq!(delivery["endpoint"], made["number"]);
    assert!(delivery["next_at"].is_string());
    let one = format!("{all}/{}", delivery["id"].as_str().unwrap());
    for (query, count) in [
        (format!("?endpoint={}", made["number"]), 1),
        ("?endpoint=999999".to_owned(), 0),
        ("?state=retrying&type=customer.created".to_owned(), 1),
        ("?state=delivered".to_owned(), 0),
        (format!("?seq={}", delivery["seq"]), 1),
    ] {
        let found = place.call("GET", &format!("{all}{query}"), None).await.expect(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), count, "{query}");
    }
    place.call("GET", &format!("{all}?state=lost"), None).await.expect(400);
    place.receiver.answers(200);
    place.call("POST", &format!("{one}/redeliver"), None).await.expect(202);
    let shown = place.until(&one, |shown| shown["state"] == "delivered").await;
    assert!(shown.get("next_at").is_none());
    let attempts = place.call("GET", &format!("{one}/attempts"), None).await.expect(200).json();
    let attempts = attempts["data"].as_array().unwrap();
    assert_eq!(
        (&attempts[0]["trigger"], &attempts[0]["status"]),
        (&json!("schedule"), &json!(503))
    );
    let last = attempts.last().unwrap();
    assert_eq!((&last["trigger"], &last["status"]), (&json!("manual"), &json!(200)));
    let got = place.receiver.got();
    let ids: Vec<_> = got.iter().map(|got| (&got.body["id"], &got.body["sequence"])).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "the same each time: {ids:?}");
    assert!(got.iter().all(|one| one.raw == got[0].raw), "and so is the body");
    // What arrived at once can be had once more too.
    place.customer("Grace Hopper").await;
    let before = place.receiver.until(got.len() + 1).await;
    let seq = before.last().unwrap().body["seq"].as_i64().unwrap();
    let again = format!("{all}/dlv_{}_{seq}/redeliver", made["number"]);
    place.call("POST", &again, None).await.expect(202);
    let after = place.receiver.until(before.len() + 1).await;
    assert_eq!(after.last().unwrap().body["id"], before.last().unwrap().body["id"]);
    for bad in ["dlv_1_1", "dlv_x", &format!("dlv_{}_{}", made["number"], 1_i64 << 40)] {
        place.call("POST", &format!("{all}/{bad}/redeliver"), None).await.expect(404);
    }
}

/// Whoever may not see the past is not told it either: late attempts are thin.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_more_than_the_maker_may_see() {
    let mut place = Place::new().await;
    let rights =
        ["webhook:read", "webhook:write", "webhook:redeliver", "customer:read", "customer:write"];
    let body = json!({"dialect": "native", "permissions": rights});
    let key = place.call("POST", "/v1/keys", Some(body)).await.expect(201).json();
    let owner = std::mem::replace(&mut place.keys, key["credentials"].clone());
    let body = json!({"url": place.receiver.url, "types": ["comment.created"]});
    place.call("POST", "/v1/webhook-endpoints", Some(body)).await.expect(403);
    let made = place.endpoint(json!({"types": ["*"]})).await;
    let customer = place.customer("Zebulon Quagga").await;
    let limited = std::mem::replace(&mut place.keys, owner);
    let comments = format!("/v1/customers/{}/comments", customer["number"]);
    place.call("POST", &comments, Some(json!({"content": "quagga"}))).await.expect(201);
    place.receiver.answers(500);
    place.keys = limited;
    let second = place.customer("Quentin Quagga").await;
    let all = format!("/v1/webhook-deliveries?endpoint={}", made["number"]);
    let listed = place.until(&all, |all| all["data"][0]["attempts"] == 1).await;
    let one = format!("/v1/customers/{}", second["number"]);
    place.call("DELETE", &one, None).await.expect(204);
    let before = place.receiver.got().len();
    place.receiver.answers(200);
    let id = listed["data"][0]["id"].as_str().unwrap();
    let redeliver = format!("/v1/webhook-deliveries/{id}/redeliver");
    place.call("POST", &redeliver, None).await.expect(202);
    place.until(&format!("/v1/webhook-deliveries/{id}"), |one| one["state"] == "delivered").await;
    let got = place.receiver.got();
    assert!(!types(&got).contains(&"comment.created"), "{:?}", types(&got));
    for late in got[before..].iter().filter(|got| got.body["data"]["number"] == second["number"]) {
        let members: Vec<_> = late.body["data"].as_object().unwrap().keys().collect();
        assert_eq!(members, ["id", "number", "version"], "{}", late.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_says_it_is_gone_is_told_nothing_more() {
    let place = Place::new().await;
    place.receiver.answers(410);
    let made = place.endpoint(json!({"types": ["*"]})).await;
    place.customer("Ada Lovelace").await;
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    let shown = place.until(&one, |shown| shown["state"] == "ended").await;
    assert_eq!((&shown["state_reason"], &shown["enabled"]), (&json!("gone"), &json!(false)));
    let all = place.until("/v1/webhook-deliveries", |all| all["data"][0].is_object()).await;
    assert_eq!(all["data"][0]["state"], "cancelled");
    place.customer("Grace Hopper").await;
    let events = place.call("GET", "/v1/events?after=0", None).await.expect(200).json();
    let types: Vec<_> = events["data"].as_array().unwrap().iter().map(|e| &e["type"]).collect();
    assert!(types.contains(&&json!("webhook_endpoint.ended")), "{types:?}");
    // Enabled anew it goes on where it stopped.
    place.receiver.answers(200);
    let before = place.receiver.got().len();
    place.call("PATCH", &one, Some(json!({"enabled": true}))).await.expect(200);
    let got = place.receiver.until(before + 1).await;
    assert_eq!(got.last().unwrap().body["data"]["full_name"], "Grace Hopper");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_endpoint_goes_on_where_it_is_told_to() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.created"]})).await;
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    place.customer("First").await;
    place.receiver.until(1).await;
    let paused = place.call("PATCH", &one, Some(json!({"enabled": false}))).await.expect(200);
    assert_eq!(paused.json()["state_reason"], "user");
    // A node takes it in within half a second.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.customer("Second").await;
    let bad = json!({"enabled": true, "resume_from": 1_i64 << 40});
    place.call("PATCH", &one, Some(bad)).await.expect(410);
    place
        .call("PATCH", &one, Some(json!({"enabled": true, "resume_from": "then"})))
        .await
        .expect(422);
    place.call("PATCH", &one, Some(json!({"enabled": true}))).await.expect(200);
    let got = place.receiver.until(2).await;
    assert_eq!(got[1].body["data"]["full_name"], "Second");
    place.call("PATCH", &one, Some(json!({"enabled": false}))).await.expect(200);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.customer("Third").await;
    let now = json!({"enabled": true, "resume_from": "now"});
    place.call("PATCH", &one, Some(now)).await.expect(200);
    place.customer("Fourth").await;
    let got = place.receiver.until(3).await;
    assert_eq!(got[2].body["data"]["full_name"], "Fourth", "the third one was passed over");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_overlap_and_end() {
    let place = Place::new().await;
    let own = format!("whsec_{}", BASE64.encode([7_u8; 24]));
    let made = place.endpoint(json!({"types": ["customer.created"], "secret": own})).await;
    assert_eq!(made["secret"], own);
    let all = format!("/v1/webhook-endpoints/{}/secrets", made["number"]);
    let second = place.call("POST", &all, None).await.expect(201).json();
    let new = second["secret"].as_str().unwrap().to_owned();
    assert_eq!(second["n"], 2);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.customer("Ada").await;
    let got = place.receiver.until(1).await;
    assert!(is_signed(&got[0], &own) && is_signed(&got[0], &new));
    let listed = place.call("GET", &all, None).await.expect(200).json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("whsec_"));
    place.call("DELETE", &format!("{all}/1"), None).await.expect(204);
    place.call("DELETE", &format!("{all}/1"), None).await.expect(404);
    place.call("DELETE", &format!("{all}/2"), None).await.expect(409);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.customer("Grace").await;
    let got = place.receiver.until(2).await;
    assert!(!is_signed(&got[1], &own) && is_signed(&got[1], &new));
    let bad = json!({"overlap_seconds": 8 * 24 * 3600});
    place.call("POST", &all, Some(bad)).await.expect(422);
    // A repeat under an idempotency key shows the same secret; without one there is none to show.
    let headers = [("idempotency-key", "once")];
    let again = |body| place.server.call_with(&DIALECT, &place.keys, "POST", &all, &headers, body);
    let (first, second) =
        (again(None).await.expect(201).json(), again(None).await.expect(201).json());
    assert_eq!(first["secret"], second["secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_asked_for_is_refused() {
    let place = Place::new().await;
    let all = "/v1/webhook-endpoints";
    for url in [
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "https://localhost/",
        "ftp://x.example",
        "https://user:pass@x.example",
        "https://1.1.1.1/",
        "http://127.0.0.1:22/",
        "/hook",
    ] {
        let body = json!({"url": url, "types": ["*"]});
        let refused = place.call("POST", all, Some(body)).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/url", "{url}");
    }
    let url = &place.receiver.url;
    for (body, pointer) in [
        (json!({"types": ["*"]}), "/url"),
        (json!({"url": url}), "/types"),
        (json!({"url": url, "types": []}), "/types"),
        (json!({"url": url, "types": ["customer.update"]}), "/types"),
        (json!({"url": url, "types": ["*"], "headers": {"Host": "x"}}), "/headers"),
        (json!({"url": url, "types": ["*"], "headers": {"webhook-id": "x"}}), "/headers"),
        (json!({"url": url, "types": ["*"], "headers": {"x": "a\r\nb: c"}}), "/headers"),
        (json!({"url": url, "types": ["*"], "timeout_seconds": 31}), "/timeout_seconds"),
        (json!({"url": url, "types": ["*"], "filter": {"subjects": [0]}}), "/filter/subjects"),
        (json!({"url": url, "types": ["*"], "secret": "whsec_short"}), "/secret"),
    ] {
        let refused = place.call("POST", all, Some(body.clone())).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let made = place.endpoint(json!({"types": ["*"]})).await;
    let one = format!("{all}/{}", made["number"]);
    place.call("PATCH", &one, Some(json!({"secret": "whsec_x"}))).await.expect(422);
    let other = place.server.other_space("native").await;
    for (method, target) in [
        ("GET", one.clone()),
        ("DELETE", one.clone()),
        ("POST", format!("{one}/test")),
        ("GET", format!("{one}/secrets")),
    ] {
        let answer = place.server.call(&DIALECT, &other, method, &target, None).await;
        answer.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_can_be_tried_out_and_deleted() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.created"], "payload": "thin"})).await;
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    place.receiver.answers(418);
    let tried = place.call("POST", &format!("{one}/test"), None).await.expect(200).json();
    assert_eq!((&tried["status"], &tried["trigger"]), (&json!(418), &json!("test")));
    let got = place.receiver.until(1).await;
    assert_eq!(got[0].body["test"], true);
    assert!(is_signed(&got[0], made["secret"].as_str().unwrap()));
    place.receiver.answers(200);
    let headers = [("prefer", "dry-run")];
    let target = format!("{one}/test");
    let dry = place.server.call_with(&DIALECT, &place.keys, "POST", &target, &headers, None).await;
    dry.expect(200);
    let customer = place.customer("Ada").await;
    let got = place.receiver.until(2).await;
    let thin = json!({"id": customer["id"], "number": customer["number"], "version": 1});
    assert_eq!(got[1].body["data"], thin, "and the dry run sent nothing");
    place.call("DELETE", &one, None).await.expect(204);
    place.call("GET", &one, None).await.expect(404);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    place.customer("Grace").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(place.receiver.got().len(), 2);
}

/// Two nodes share the endpoints; when one leaves, the other goes on with all of them.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_the_work_and_take_it_over() {
    let mut place = Place::new().await;
    let second = place.server.beside(patron_gateway::limits::Limits::default()).await;
    let other = second.deliver();
    for _ in 0..6 {
        place.endpoint(json!({"types": ["customer.created"]})).await;
    }
    for n in 0..10 {
        place.customer(&format!("Number {n}")).await;
    }
    place.receiver.until(60).await;
    place.engine.take().unwrap().stop().await;
    for n in 10..20 {
        place.customer(&format!("Number {n}")).await;
    }
    let got = place.receiver.until(120).await;
    let mut places = std::collections::BTreeMap::<(String, i64), usize>::new();
    for one in &got {
        let secret = one.header("webhook-signature").len().to_string();
        *places.entry((secret, one.body["seq"].as_i64().unwrap())).or_default() += 1;
    }
    // Six endpoints, twenty entries each; at peace nothing comes twice.
    assert_eq!(places.len(), 20);
    assert!(places.values().all(|count| *count >= 6), "{places:?}");
    other.stop().await;
}
