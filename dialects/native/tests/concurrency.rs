//! Two writers at once: nothing lost, nothing blocked.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use patron_app::customers;
use patron_model::{
    address::{ADDRESSES_MAX, Postal, Purpose},
    customer::{CustomerPatch, NewAddress},
};
use serde_json::json;

use crate::place::Native;

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

/// Numbers are reserved in blocks of a thousand: a request that finds too few left is decided once
/// more, and nothing ever gets a number that was not given out.
#[tokio::test]
async fn numbers_that_run_out_are_reserved_and_no_two_records_share_one() {
    let native = Native::start().await;
    let cx = native.server.app.operator(1, "test");
    let address =
        || NewAddress { purpose: Purpose::Other, is_default: false, postal: Postal::default() };
    let patch = || CustomerPatch {
        add_addresses: (0..ADDRESSES_MAX).map(|_| address()).collect(),
        ..CustomerPatch::default()
    };
    let count = 2_500 / (ADDRESSES_MAX + 1);
    let single = join_all((0..count).map(|_| customers::create(&cx, patch()))).await;
    let many = customers::create_many((0..count).map(|_| (cx.clone(), patch())).collect()).await;
    let mut numbers = BTreeSet::new();
    for saved in single.into_iter().chain(many) {
        let customer = saved.unwrap().record;
        assert!(numbers.insert(customer.number));
        assert!(customer.addresses().iter().all(|address| numbers.insert(address.number)));
    }
    assert_eq!(numbers.len(), 2 * count * (ADDRESSES_MAX + 1));
    assert!(numbers.iter().all(|number| *number > 0));
}
