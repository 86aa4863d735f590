//! The journal over HTTP: feed, long wait, history.

use std::time::Duration;

use serde_json::{Value, json};

use crate::Native;

#[tokio::test]
async fn the_feed_is_ordered_complete_and_resumable() {
    let native = Native::start().await;
    for n in 0..7 {
        native.create(json!({"title": n.to_string()})).await;
    }
    native.call("PATCH", "/v1/customers/1", Some(json!({"title": "new"}))).await.expect(200);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let target = format!("/v1/events?after={after}&limit=3&expand=record");
        let page = native.call("GET", &target, None).await.expect(200).json();
        let events: &Vec<Value> = page["data"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        seen.extend(events.clone());
        after = page["next"].as_i64().unwrap();
    }
    let positions: Vec<i64> = seen.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(positions, (1..=8).collect::<Vec<_>>());
    assert_eq!(seen[7]["type"], "customer.updated");
    assert_eq!(seen[7]["changed"], json!(["title"]));
    assert_eq!(seen[7]["record"]["title"], "new");
    assert!(seen[7]["actor"].as_str().unwrap().starts_with("key:"));
    assert!(!seen[7]["request_id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn a_position_that_never_was_is_refused() {
    let native = Native::start().await;
    native.create(json!({})).await;
    native.call("GET", "/v1/events?after=1", None).await.expect(200);
    for target in ["/v1/events?after=2", "/v1/events?after=9999999&wait=60"] {
        let problem = native.call("GET", target, None).await.expect(410).json();
        assert_eq!((&problem["head"], &problem["status"]), (&json!(1), &json!(410)));
        assert!(problem["detail"].as_str().unwrap().contains("after=1"), "{problem}");
    }
}

#[tokio::test]
async fn a_waiting_reader_is_woken_by_the_next_change() {
    let native = Native::start().await;
    let waiting = native.call("GET", "/v1/events?after=0&wait=30", None);
    let change = async {
        tokio::task::yield_now().await;
        native.create(json!({"title": "x"})).await
    };
    let longest = Duration::from_secs(20);
    let both = tokio::time::timeout(longest, async { tokio::join!(waiting, change) });
    let (answer, _) = both.await.expect("the reader is woken long before its own limit");
    assert_eq!(answer.json()["data"][0]["type"], "customer.created");
}

#[tokio::test]
async fn a_reader_waits_no_longer_than_the_process_may_run() {
    let native = Native::start().await;
    native.create(json!({})).await;
    let waiting = native.call("GET", "/v1/events?after=1&wait=60", None);
    let stop = async {
        tokio::task::yield_now().await;
        native.server.app.stop();
    };
    let both = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(waiting, stop) });
    let (answer, ()) = both.await.expect("a stop ends the wait");
    let page = answer.expect(200).json();
    assert_eq!((&page["data"], &page["next"]), (&json!([]), &json!(1)));
}

#[tokio::test]
async fn a_history_tells_everything_about_one_customer() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    native.create(json!({"title": "another"})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    native.call("PATCH", &target, Some(json!({"title": "a", "email": "a@b.ch"}))).await.expect(200);
    native
        .call("POST", &format!("{target}/comments"), Some(json!({"content": "x"})))
        .await
        .expect(201);
    native.call("DELETE", &target, None).await.expect(204);
    let history = native.call("GET", &format!("{target}/history"), None).await.expect(200).json();
    let types: Vec<&str> =
        history["data"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    let want = ["customer.deleted", "comment.created", "customer.updated", "customer.created"];
    assert_eq!(types, want);
    assert_eq!(history["data"][2]["changed"], json!(["title", "email"]));
    let page = native.call("GET", &format!("{target}/history?limit=2"), None).await.json();
    let next = format!("{target}/history?limit=2&before={}", page["next"]);
    let rest = native.call("GET", &next, None).await.json();
    assert_eq!(rest["data"][1]["type"], "customer.created");
}
