//! Two writers at once: nothing lost, nothing blocked.

use futures_util::future::join_all;
use serde_json::json;

use crate::Native;

#[tokio::test]
async fn of_two_writers_with_the_same_tag_one_wins() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    for round in 1..=10 {
        let tag = format!("\"{round}\"");
        let condition = [("if-match", tag.as_str())];
        let calls = (0..8).map(|n| {
            let body = json!({"title": format!("{round}-{n}")});
            native.with("PATCH", &target, &condition, Some(body))
        });
        let answers = join_all(calls).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "round {round}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 412)));
    }
    assert_eq!(native.call("GET", &target, None).await.json()["version"], 11);
}

#[tokio::test]
async fn blind_changes_of_different_fields_all_survive() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    let calls = (0..12).map(|n| {
        let body = json!({"metadata": {format!("k{n}"): n}});
        native.call("PATCH", &target, Some(body))
    });
    for answer in join_all(calls).await {
        answer.expect(200);
    }
    let metadata = native.call("GET", &target, None).await.json()["metadata"].clone();
    assert_eq!(metadata.as_object().unwrap().len(), 12);
}

#[tokio::test]
async fn put_by_reference_at_once_makes_one_customer() {
    let native = Native::start().await;
    let calls = (0..16).map(|n| {
        let body = json!({"title": n.to_string()});
        native.call("PUT", "/v1/customers/by-reference/one", Some(body))
    });
    let answers = join_all(calls).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)));
    let listed = native.call("GET", "/v1/customers?total=true", None).await.json();
    assert_eq!(listed["total"], 1);
}
