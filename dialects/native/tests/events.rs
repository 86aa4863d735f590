//! The journal over HTTP: feed, long wait, history.

use std::time::Duration;

use serde_json::{Value, json};

use crate::place::Native;

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

fn told(history: &Value) -> Vec<String> {
    let told = history["data"].as_array().unwrap().iter();
    told.map(|e| format!("{} {}", e["type"].as_str().unwrap(), e["number"])).collect()
}

#[tokio::test]
async fn histories_follow_what_hangs_on_a_customer_and_show_a_merge_on_both_sides() {
    let native = Native::start().await;
    let (stays, goes) = (native.create(json!({})).await, native.create(json!({})).await);
    let (stays, goes) = (&stays["number"], &goes["number"]);
    let of = |customer: &Value, what: &str| format!("/v1/customers/{customer}{what}");
    let said = json!({"content": "x"});
    let comment = native.call("POST", &of(goes, "/comments"), Some(said)).await.expect(201).json();
    let comment = &comment["number"];
    let method = json!({"type": "wallet"});
    let method = native.call("POST", &of(goes, "/payment-methods"), Some(method)).await;
    let method = &method.expect(201).json()["number"];
    let absorb = json!({"absorb": goes});
    let merge = native.call("POST", &of(stays, "/merge"), Some(absorb)).await.expect(200).json();
    let merge = &merge["merge"]["number"];
    let comments = of(stays, &format!("/comments/{comment}"));
    native.call("PATCH", &comments, Some(json!({"pinned": true}))).await.expect(200);
    native.call("DELETE", &comments, None).await.expect(204);

    let history = async |target: String| native.call("GET", &target, None).await.expect(200).json();
    let merged = [
        format!("merge.created {merge}"),
        format!("payment_method.moved {method}"),
        format!("comment.moved {comment}"),
        format!("customer.merged {stays}"),
        format!("customer.absorbed {goes}"),
    ];
    let later = [format!("comment.deleted {comment}"), format!("comment.updated {comment}")];
    let survivor = history(of(stays, "/history")).await;
    let mut want = [&later[..], &merged[..]].concat();
    want.push(format!("customer.created {stays}"));
    assert_eq!(told(&survivor), want);
    assert_eq!(survivor["data"][4]["subject"], *stays, "{survivor}");
    assert_eq!(survivor["data"][4]["related"], json!([goes]), "{survivor}");
    let absorbed = history(of(goes, "/history")).await;
    let mut want = merged.to_vec();
    want.push(format!("payment_method.created {method}"));
    want.push(format!("comment.created {comment}"));
    want.push(format!("customer.created {goes}"));
    assert_eq!(told(&absorbed), want);
    // The child's own, over both customers it hung on, deleted as it is, by either customer's id.
    let want: Vec<String> = ["deleted", "updated", "moved", "created"]
        .map(|what| format!("comment.{what} {comment}"))
        .to_vec();
    for customer in [stays, goes] {
        let target = of(customer, &format!("/comments/{comment}/history"));
        assert_eq!(told(&history(target.clone()).await), want);
        let page = history(format!("{target}?limit=3")).await;
        assert_eq!((told(&page), &page["has_more"]), (want[..3].to_vec(), &json!(true)));
        let rest = history(format!("{target}?limit=3&before={}", page["next"])).await;
        assert_eq!(told(&rest), want[3..]);
    }
    let target = of(stays, &format!("/payment-methods/{method}/history"));
    let want =
        [format!("payment_method.moved {method}"), format!("payment_method.created {method}")];
    assert_eq!(told(&history(target).await), want);
}

#[tokio::test]
async fn a_history_is_of_the_right_record_only_and_for_who_may_see_the_past() {
    let native = Native::start().await;
    let (one, other) = (native.create(json!({})).await, native.create(json!({})).await);
    let comments = format!("/v1/customers/{}/comments", one["number"]);
    let comment = native.call("POST", &comments, Some(json!({"content": "x"}))).await.json();
    let of = |customer: &Value, kind: &str, number: &Value| {
        format!("/v1/customers/{}/{kind}/{number}/history", customer["number"])
    };
    native.call("GET", &of(&one, "comments", &comment["number"]), None).await.expect(200);
    for target in [
        of(&other, "comments", &comment["number"]),
        of(&one, "payment-methods", &comment["number"]),
        of(&one, "comments", &other["number"]),
        of(&one, "comments", &json!(999_999)),
    ] {
        native.call("GET", &target, None).await.expect(404);
    }
    let target = of(&one, "comments", &comment["number"]);
    for permissions in [json!(["customer:past"]), json!(["comment:read", "customer:read"])] {
        let key = native.new_key(json!({"dialect": "native", "permissions": permissions})).await;
        native.as_key(&key, "GET", &target, None).await.expect(403);
    }
}
