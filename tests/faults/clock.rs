//! The wall clock jumps: versions, positions, pages, repeats and sign-in go on making sense, and
//! nothing that the program says about a record contradicts itself.

use patron_testkit::Answer;
use serde_json::{Value, json};

use super::disk::Disk;
use super::door::{Door, Sent, every_key_opens};
use super::load::keys;
use crate::api::ALL;
use crate::program::{KEY, Running, patron, succeed};

/// A day (seconds).
const DAY: i64 = 24 * 3600;
/// Longer than idempotency keys are remembered (seconds).
const LONG: i64 = 40 * DAY;

async fn create(running: &Running, key: &str) -> Answer {
    let sent = Sent::native("POST", "/v1/customers".into(), Some(json!({"title": key})));
    let sent = sent.with("idempotency-key", key);
    Door::Http(running).call(&keys(), &sent).await.expect("an answer")
}

async fn patch(running: &Running, number: &Value, version: i64, title: &str) -> Value {
    let path = format!("/v1/customers/{number}");
    let sent = Sent::native("PATCH", path, Some(json!({"title": title})));
    let sent = sent.with("if-match", &format!("\"{version}\""));
    let answer = Door::Http(running).call(&keys(), &sent).await.expect("an answer");
    answer.expect(200).json()
}

async fn get(running: &Running, path: &str) -> Value {
    running.native(KEY, "GET", path, None).await.expect(200).json()
}

/// All pages of a list, one customer each.
async fn pages(running: &Running, sort: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/v1/customers?limit=1&sort={sort}{cursor}");
        let page = get(running, &path).await;
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

fn numbers(customers: &[Value]) -> Vec<i64> {
    let mut numbers: Vec<i64> = customers.iter().map(|c| c["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// What must hold wherever the clock stands.
async fn makes_sense(running: &Running) {
    let all = numbers(&pages(running, "number").await);
    for sort in ["created_at", "-created_at", "updated_at", "-updated_at"] {
        let listed = pages(running, sort).await;
        assert_eq!(numbers(&listed), all, "each customer is on one page, by {sort}");
        let field = sort.trim_start_matches('-');
        let times = listed.iter().map(|customer| customer[field].as_str().unwrap());
        assert!(if sort == field { times.is_sorted() } else { times.rev().is_sorted() });
    }
    for customer in pages(running, "number").await {
        let time = |field: &str| customer[field].as_str().unwrap().to_owned();
        assert!(time("created_at") <= time("updated_at"), "{customer}");
        let history = format!("/v1/customers/{}/history?expand=record", customer["number"]);
        let history = get(running, &history).await;
        let is_own = |event: &&Value| event["type"].as_str().unwrap().starts_with("customer.");
        let versions = history["data"].as_array().unwrap().iter().filter(is_own);
        let versions: Vec<i64> =
            versions.map(|e| e["record"]["version"].as_i64().unwrap()).collect();
        let down: Vec<i64> = (1..=customer["version"].as_i64().unwrap()).rev().collect();
        assert_eq!(versions, down, "{history}");
    }
    let events = get(running, "/v1/events?after=0&limit=200").await;
    let positions = events["data"].as_array().unwrap().iter();
    let positions: Vec<i64> = positions.map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
}

/// Sign-in by signature may be refused while the clocks disagree; it never fails.
async fn sign_in_is_decided(running: &Running) {
    let keys = keys();
    for api in ALL {
        let path = match api.name {
            "wallee" => "/api/v2.0/customers",
            "verifone" => "/v2/customer?search=created_at=ge=2020-01-01",
            "monri" => "/v2/customers",
            "notchpay" => "/customers",
            _ => continue,
        };
        let sent = Sent { api: api.name, ..Sent::native("GET", path.to_owned(), None) };
        let answer = Door::Http(running).call(&keys, &sent).await.expect("an answer");
        assert!(matches!(answer.status, 200 | 401), "{}: {}", api.name, answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_confuses_nothing() {
    let disk = Disk::new();
    let running = disk.sandbox(&[]).expect("nothing fails here");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let since_epoch = i64::try_from(now.as_secs()).unwrap();
    let first = create(&running, "first").await.expect(201).json();
    // Back by an hour and a day, to 1970, before 1970, ahead for ever, and to where it belongs.
    let jumps = [-3600, -DAY, 60 - since_epoch, -since_epoch - LONG, 200 * 365 * DAY, 0];
    for (jump, version) in jumps.into_iter().zip(1..) {
        disk.shift_clock(jump);
        let again = create(&running, "first").await;
        if jump <= 0 {
            assert_eq!(again.header("idempotency-replayed"), "true", "{jump}: {}", again.text());
        }
        if jump < 0 {
            // Far ahead the key is forgotten, rightly, and a repeat makes another one.
            assert_eq!(again.json()["number"], first["number"], "{jump}");
        }
        let title = format!("clock {jump}");
        let made = create(&running, &title).await.expect(201);
        let again = create(&running, &title).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true", "{jump}");
        assert_eq!(again.json()["number"], made.json()["number"]);
        patch(&running, &first["number"], version, &title).await;
        patch(&running, &made.json()["number"], 1, &title).await;
        makes_sense(&running).await;
        sign_in_is_decided(&running).await;
    }
    assert_eq!(every_key_opens(&Door::Http(&running), &keys()).await, Ok(()));
    assert!(!disk.said().contains("panicked"), "{}", disk.said());
    drop(running);
    let said = succeed(patron().args(["check", "--data"]).arg(disk.data()));
    assert!(said.contains("Everything agrees."), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_ahead_for_a_while_keeps_keys_and_records() {
    let disk = Disk::new();
    let running = disk.sandbox(&[]).expect("nothing fails here");
    let before = create(&running, "before").await.expect(201).json();
    disk.shift_clock(LONG);
    let ahead = create(&running, "ahead").await.expect(201).json();
    drop(running);
    // A restart with the right clock finds records and keys from the future.
    disk.shift_clock(0);
    let running = disk.sandbox(&[]).expect("nothing fails here");
    for (key, made) in [("before", &before), ("ahead", &ahead)] {
        let again = create(&running, key).await.expect(201);
        assert_eq!(again.header("idempotency-replayed"), "true", "{key}");
        assert_eq!(again.json()["number"], made["number"], "{key}");
    }
    let changed = patch(&running, &ahead["number"], 1, "changed").await;
    assert!(changed["updated_at"].as_str() >= ahead["created_at"].as_str(), "{changed}");
    makes_sense(&running).await;
}
