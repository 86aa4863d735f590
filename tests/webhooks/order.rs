//! Endpoints that keep order: what hangs on one customer comes one after the other, whatever
//! fails; the others do not wait.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Got, Place};

const ALL: &str = "/v1/webhook-deliveries";

/// Versions of each customer, as they came.
fn versions(got: &[Got]) -> BTreeMap<i64, Vec<i64>> {
    let mut all: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for one in got {
        let number = |name: &str| one.body["data"][name].as_i64().unwrap();
        all.entry(number("number")).or_default().push(number("version"));
    }
    all
}

async fn change(place: &Place, customer: &Value, name: &str) {
    let one = format!("/v1/customers/{}", customer["number"]);
    let body = json!({"full_name": name});
    place.call("PATCH", &one, Some(body)).await.expect(200);
}

/// On two nodes, with many places: each customer in its order.
#[tokio::test(flavor = "multi_thread")]
async fn customers_are_told_of_one_change_after_the_other() {
    let place = Place::new().await;
    let second = place.server.beside(patron_gateway::limits::Limits::default()).await;
    let other = second.deliver();
    let body = json!({"types": ["customer.*"], "order": "customer", "parallel": 16});
    let made = place.endpoint(body).await;
    assert_eq!(made["order"], "customer");
    let mut customers = Vec::new();
    for n in 0..4 {
        customers.push(place.customer(&format!("Number {n}")).await);
    }
    for round in 0..10 {
        for (n, customer) in customers.iter().enumerate() {
            change(&place, customer, &format!("Number {n} {round}")).await;
        }
    }
    let got = place.receiver.until(44).await;
    let in_order: Vec<i64> = (1..=11).collect();
    let versions = versions(&got);
    assert!(versions.values().all(|all| *all == in_order), "{versions:?}");
    // What has happened is told once more in the same order, under the same numbers.
    let replays = format!("/v1/webhook-endpoints/{}/replays", made["number"]);
    place.call("POST", &replays, Some(json!({"from_seq": 1}))).await.expect(202);
    let all = place.receiver.until(88).await;
    let again = self::versions(&all[44..]);
    assert!(again.values().all(|all| *all == in_order), "{again:?}");
    let numbers = |some: &[Got]| -> BTreeMap<String, i64> {
        let of = |one: &Got| (one.body["id"].to_string(), one.body["sequence"].as_i64().unwrap());
        some.iter().map(of).collect()
    };
    assert_eq!(numbers(&all[44..]), numbers(&got));
    other.stop().await;
}

/// One customer is refused: its later changes are held, those of others arrive; when it is taken,
/// they come in their order.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_failed_one_is_held_and_nothing_else() {
    let place = Place::new().await;
    let body = json!({"types": ["customer.*"], "order": "customer"});
    let made = place.endpoint(body).await;
    let (first, second) = (place.customer("First").await, place.customer("Second").await);
    place.receiver.until(2).await;
    place.receiver.answers(500);
    change(&place, &first, "First 2").await;
    place.until(ALL, |all| all["data"][0]["state"] == "retrying").await;
    place.receiver.answers(200);
    change(&place, &first, "First 3").await;
    change(&place, &first, "First 4").await;
    change(&place, &second, "Second 2").await;
    let held = format!("{ALL}?state=held");
    let listed = place.until(&held, |all| all["data"].as_array().unwrap().len() == 2).await;
    let held_one = &listed["data"][1];
    assert_eq!((&held_one["attempts"], held_one.get("next_at")), (&json!(0), None));
    // It is not its turn, whoever asks.
    let redeliver = |id: &Value| format!("{ALL}/{}/redeliver", id.as_str().unwrap());
    place.call("POST", &redeliver(&held_one["id"]), None).await.expect(409);
    let retrying = place.call("GET", &format!("{ALL}?state=retrying"), None).await.json();
    if let Some(front) = retrying["data"].as_array().unwrap().first() {
        place.call("POST", &redeliver(&front["id"]), None).await.expect(202);
    }
    let got = place.receiver.until(7).await;
    let versions = versions(&got);
    let of = |customer: &Value| &versions[&customer["number"].as_i64().unwrap()];
    assert_eq!((of(&first), of(&second)), (&vec![1, 2, 2, 3, 4], &vec![1, 2]));
    let sequences: Vec<_> = got.iter().map(|one| one.body["sequence"].as_i64().unwrap()).collect();
    assert!(sequences.iter().all(|n| (1..=6).contains(n)), "{sequences:?}");
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    place.until(&one, |shown| shown["health"]["behind"] == 0).await;
    place.until(&held, |all| all["data"] == json!([])).await;
    // What it asked for without order comes at once.
    let changed = place.call("PATCH", &one, Some(json!({"order": "none"}))).await.expect(200);
    assert_eq!(changed.json()["order"], "none");
    place.call("PATCH", &one, Some(json!({"order": "most"}))).await.expect(422);
}

/// A replay of an endpoint that is told nothing any more is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_ends_with_its_endpoint() {
    for ends_by in ["gone", "disabled", "deleted"] {
        let place = Place::new().await;
        let made = place.endpoint(json!({"types": ["customer.created"], "parallel": 1})).await;
        for n in 0..160 {
            place.customer(&format!("Number {n}")).await;
        }
        place.receiver.until(160).await;
        // It goes on until so many wait, and no further.
        place.receiver.answers(if ends_by == "gone" { 410 } else { 500 });
        let one = format!("/v1/webhook-endpoints/{}", made["number"]);
        let replays = format!("{one}/replays");
        let begun = place.call("POST", &replays, Some(json!({"from_seq": 1}))).await;
        let begun = begun.expect(202).json();
        let replay = format!("{replays}/{}", begun["number"]);
        match ends_by {
            "gone" => {
                place.until(&one, |shown| shown["state"] == "ended").await;
            }
            "disabled" => {
                place.call("PATCH", &one, Some(json!({"enabled": false}))).await.expect(200);
            }
            _ => {
                place.call("DELETE", &one, None).await.expect(204);
                place.call("GET", &replay, None).await.expect(404);
                continue;
            }
        }
        let shown = place.call("GET", &replay, None).await.expect(200).json();
        assert!(["cancelled", "done"].contains(&shown["state"].as_str().unwrap()), "{shown}");
        place.receiver.answers(200);
        place.call("PATCH", &one, Some(json!({"enabled": true}))).await.expect(200);
        place.call("POST", &replays, Some(json!({"from_seq": 160}))).await.expect(202);
    }
}

/// An entry has one number, however and however often it is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_has_one_number_however_it_is_told() {
    let place = Place::new().await;
    place.customer("Before").await;
    let made = place.endpoint(json!({"types": ["customer.created"]})).await;
    let other = json!({"content": "in between"});
    for n in 0..3 {
        let customer = place.customer(&format!("Number {n}")).await;
        let comments = format!("/v1/customers/{}/comments", customer["number"]);
        place.call("POST", &comments, Some(other.clone())).await.expect(201);
    }
    let live = place.receiver.until(3).await;
    let second = live.iter().find(|one| one.body["sequence"] == 2).unwrap().body.clone();
    let again = format!("{ALL}/dlv_{}_{}/redeliver", made["number"], second["seq"]);
    place.call("POST", &again, None).await.expect(202);
    let got = place.receiver.until(4).await;
    assert_eq!(got[3].body, second);
    let one = format!("/v1/webhook-endpoints/{}", made["number"]);
    let replay = Some(json!({"from_seq": 1}));
    place.call("POST", &format!("{one}/replays"), replay).await.expect(202);
    let got = place.receiver.until(8).await;
    for told in &got[4..] {
        let live = live.iter().find(|one| one.body["id"] == told.body["id"]);
        match live {
            Some(live) => assert_eq!(told.body, live.body),
            None => assert!(told.body.get("sequence").is_none(), "{}", told.body),
        }
    }
    // Told anew from an earlier position, each has the number it had.
    place.call("PATCH", &one, Some(json!({"enabled": false}))).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let back = json!({"enabled": true, "resume_from": second["seq"].as_i64().unwrap() - 1});
    place.call("PATCH", &one, Some(back)).await.expect(200);
    let got = place.receiver.until(10).await;
    for told in &got[8..] {
        assert!(live.iter().any(|one| one.body == told.body), "{}", told.body);
    }
}
