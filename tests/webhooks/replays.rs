//! Telling once more what has happened: all of it or what failed, behind what is fresh.

use patron_native::DIALECT;
use serde_json::{Value, json};

use super::Place;
use crate::program::{KEY, patron, succeed};

/// A replay of an endpoint begins, and is done.
async fn replay(place: &Place, endpoint: &Value, body: Value) -> Value {
    let all = format!("/v1/webhook-endpoints/{}/replays", endpoint["number"]);
    let begun = place.call("POST", &all, Some(body)).await.expect(202).json();
    let one = format!("{all}/{}", begun["number"]);
    place.until(&one, |shown| shown["state"] == "done").await
}

/// Ids of what was told of new customers.
fn ids(all: &[super::Got]) -> Vec<String> {
    let of = all.iter().filter(|got| got.body["type"] == "customer.created");
    let mut ids: Vec<String> = of.map(|got| got.body["id"].to_string()).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_happened_is_told_once_more() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.*", "comment.*"]})).await;
    let mut customers = Vec::new();
    for n in 0..5 {
        let customer = place.customer(&format!("Number {n}")).await;
        let comments = format!("/v1/customers/{}/comments", customer["number"]);
        place.call("POST", &comments, Some(json!({"content": "x"}))).await.expect(201);
        customers.push(customer);
    }
    let before = place.receiver.until(10).await;
    let done = replay(&place, &made, json!({"from_seq": 1, "types": ["customer.created"]})).await;
    assert_eq!((&done["deliveries"], &done["only"]), (&json!(5), &json!("all")));
    let got = place.receiver.until(15).await;
    assert_eq!(ids(&got[10..]), ids(&before), "the same ids");
    let listed = place.until("/v1/webhook-deliveries?state=delivered", |all| {
        all["data"].as_array().is_some_and(|all| all.len() == 5)
    });
    let delivery = listed.await["data"][0]["id"].as_str().unwrap().to_owned();
    let attempts = format!("/v1/webhook-deliveries/{delivery}/attempts");
    let attempts = place.call("GET", &attempts, None).await.expect(200).json();
    assert_eq!(attempts["data"][0]["trigger"], "replay");
    // From a moment on, and up to one.
    let (since, until) = (&customers[1]["created_at"], &customers[3]["created_at"]);
    let body = json!({"since": since, "until": until, "types": ["customer.*"]});
    let done = replay(&place, &made, body).await;
    assert_eq!(done["deliveries"], 3, "{done}");
    let all = format!("/v1/webhook-endpoints/{}/replays", made["number"]);
    let listed = place.call("GET", &format!("{all}?limit=1"), None).await.expect(200).json();
    assert_eq!((&listed["data"][0], &listed["has_more"]), (&done, &json!(true)));
    let one = format!("{all}/{}", done["number"]);
    place.call("DELETE", &one, None).await.expect(204);
    let shown = place.call("GET", &one, None).await.expect(200).json();
    assert_eq!(shown["state"], "done", "what is over stays so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_asked_for_rightly_and_once() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.*"]})).await;
    place.customer("Ada").await;
    let all = format!("/v1/webhook-endpoints/{}/replays", made["number"]);
    let headers = [("idempotency-key", "once")];
    let again = async || {
        let body = Some(json!({"from_seq": 1, "types": ["customer.updated"]}));
        let call = place.server.call_with(&DIALECT, &place.keys, "POST", &all, &headers, body);
        call.await.expect(202).json()["number"].clone()
    };
    let number = again().await;
    assert_eq!(again().await, number, "a repeat of the request begins nothing");
    for (body, status) in [
        (json!({}), 422),
        (json!({"from_seq": 0}), 422),
        (json!({"from_seq": 1, "since": "2026-01-01T00:00:00Z"}), 422),
        (json!({"from_seq": 1, "types": ["customer.lost"]}), 422),
        (json!({"from_seq": 1, "only": "most"}), 422),
        (json!({"from_seq": 1_i64 << 40}), 410),
    ] {
        let one = format!("{all}/{number}");
        place.until(&one, |shown| shown["state"] == "done").await;
        let answer = place.call("POST", &all, Some(body.clone())).await;
        assert_eq!(answer.status, status, "{body} {}", answer.text());
    }
    let early = json!({"from_seq": 1, "until": "2020-01-01T00:00:00Z"});
    place.call("POST", &all, Some(early)).await.expect(422);
    place.call("GET", &format!("{all}/999999999"), None).await.expect(404);
    let other = place.server.other_space("native").await;
    for target in [all.clone(), format!("{all}/{number}")] {
        place.server.call(&DIALECT, &other, "GET", &target, None).await.expect(404);
    }
}

/// A receiver that was broken for a while: what was given up, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_alone_is_told_once_more_where_that_is_asked_for() {
    let place = Place::new().await;
    let made = place.endpoint(json!({"types": ["customer.created"]})).await;
    place.customer("Arrives").await;
    place.receiver.until(1).await;
    place.receiver.answers(410);
    place.customer("Is refused").await;
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    place.until(&one, |shown| shown["state"] == "ended").await;
    let body = Some(json!({"from_seq": 1}));
    place.call("POST", &format!("{one}/replays"), body).await.expect(409);
    place.until("/v1/webhook-deliveries", |all| all["data"][0]["state"] == "cancelled").await;
    place.receiver.answers(200);
    place.call("PATCH", &one, Some(json!({"enabled": true}))).await.expect(200);
    let done = replay(&place, &made, json!({"from_seq": 1, "only": "failed"})).await;
    assert_eq!(done["deliveries"], 1);
    let got = place.receiver.until(3).await;
    assert_eq!(got[2].body["data"]["full_name"], "Is refused");
    assert_eq!(got[2].body["id"], got[1].body["id"]);
}

/// More than may wait at a time, on two nodes: nothing is left out, and nothing is told twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_replay_goes_on_bit_by_bit() {
    const COUNT: usize = 300;
    let place = Place::new().await;
    let second = place.server.beside(patron_gateway::limits::Limits::default()).await;
    let other = second.deliver();
    for n in 0..COUNT {
        place.customer(&format!("Number {n}")).await;
    }
    let made = place.endpoint(json!({"types": ["customer.created"], "parallel": 64})).await;
    let done = replay(&place, &made, json!({"from_seq": 1})).await;
    assert_eq!(done["deliveries"], COUNT);
    let got = place.receiver.until(COUNT).await;
    let mut told = ids(&got);
    told.dedup();
    assert_eq!((told.len(), got.len()), (COUNT, COUNT));
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_customers_with_the_metadata_are_told() {
    let place = Place::new().await;
    let filter = json!({"metadata": {"shop": "blue"}});
    let made = place.endpoint(json!({"types": ["customer.*"], "filter": filter})).await;
    assert_eq!(made["filter"]["metadata"], json!({"shop": "blue"}));
    for (name, shop) in [("Red", json!("red")), ("Number", json!(1)), ("Blue", json!("blue"))] {
        let body = json!({"full_name": name, "metadata": {"shop": shop, "more": "x"}});
        place.call("POST", "/v1/customers", Some(body)).await.expect(201);
    }
    let got = place.receiver.until(1).await;
    assert_eq!(got[0].body["data"]["full_name"], "Blue");
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    let bad = json!({"filter": {"metadata": {"shop": 1}}});
    let refused = place.call("PATCH", &one, Some(bad)).await;
    assert!([400, 422].contains(&refused.status), "{}", refused.text());
    let none = json!({"filter": {"metadata": {}}});
    let changed = place.call("PATCH", &one, Some(none)).await.expect(200).json();
    assert_eq!(changed["filter"]["metadata"], json!({}));
    // A node takes it in within half a second.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    place.customer("Anybody").await;
    let got = place.receiver.until(2).await;
    assert_eq!((got.len(), &got[1].body["data"]["full_name"]), (2, &json!("Anybody")));
}

/// The operator's commands, on the data.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_to_endpoints_by_commands() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = super::Receiver::start().await;
    let running = super::kills::sandbox(folder.path());
    let body = json!({"url": receiver.url, "types": ["customer.created"]});
    let made = running.native(KEY, "POST", "/v1/webhook-endpoints", Some(body)).await;
    let number = made.expect(201).json()["number"].to_string();
    let command = |words: &[&str]| {
        let mut command = patron();
        command.env("PATRON__WEBHOOKS__ALLOW", "[\"127.0.0.0/8\"]");
        command.arg("webhook").args(words).arg("--data").arg(folder.path());
        command
    };
    let run = |words: &[&str]| succeed(&mut command(words));
    let listed = run(&["list"]);
    assert!(listed.contains(&number) && listed.contains(&receiver.url), "{listed}");
    let shown: Value = serde_json::from_str(&run(&["show", &number])).unwrap();
    assert_eq!((&shown["state"], shown["health"].is_object()), (&json!("active"), true));
    let tried: Value = serde_json::from_str(&run(&["test", &number])).unwrap();
    assert_eq!((&tried["status"], receiver.got().len()), (&json!(200), 1));
    assert!(run(&["pause", &number]).contains("paused"));
    let all = run(&["list", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&all).unwrap()["state_reason"], "user");
    assert!(run(&["resume", &number, "--from", "now"]).contains("active"));
    let replay = run(&["replay", &number, "--from-seq", "1"]);
    assert_eq!(serde_json::from_str::<Value>(&replay).unwrap()["state"], "running");
    let told = receiver.until(2).await;
    assert_eq!(told[1].body["type"], "customer.created");
    assert!(run(&["deliveries", &number]).contains("customer.created"));
    let rotated = run(&["key-rotate", "--space", "1", "--overlap-seconds", "0"]);
    let keys = running.native(KEY, "GET", "/v1/webhook-keys", None).await.expect(200).json();
    let public = keys["data"][0]["public_key"].as_str().unwrap();
    assert!(rotated.contains(public) && keys["data"].as_array().unwrap().len() == 1, "{keys}");
    assert!(!command(&["key-rotate", "--space", "999999"]).output().unwrap().status.success());
    let strange = command(&["show", "999999"]).output().unwrap();
    assert!(!strange.status.success());
}
