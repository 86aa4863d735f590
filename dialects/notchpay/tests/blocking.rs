//! Block and unblock, in every documented method.

use patron_app::{Expect, Id, customers};
use patron_model::{
    Patch,
    customer::{CustomerPatch, Status},
};
use serde_json::{Value, json};

use crate::place::{Place, path};

async fn status(place: &Place, method: &str, target: &str) -> Value {
    let answer = place.raw(method, target, "application/json", "[]").await.expect(202);
    let body = answer.json();
    let word = if target.ends_with("/block") { "blocked" } else { "unblocked" };
    assert_eq!(body["message"], format!("Customer {word} successfully"));
    assert_eq!((&body["status"], &body["code"]), (&json!("Accepted"), &json!(202)));
    assert_eq!(body["customer"]["blocked"], body["customer"]["locked"]);
    assert_eq!(body["customer"], body["data"]);
    body["customer"].clone()
}

#[tokio::test]
async fn every_method_blocks_and_unblocks_and_repeats_change_nothing() {
    let place = Place::new().await;
    let target = place.path_of("awa@example.org").await;
    for method in ["POST", "PATCH", "PUT"] {
        let first = status(&place, method, &format!("{target}/block")).await;
        assert_eq!(first["blocked"], true);
        assert_eq!(status(&place, method, &format!("{target}/block")).await, first);
        assert_eq!(place.get(&target).await.expect(202).json()["customer"], first);
        let first = status(&place, method, &format!("{target}/unblock")).await;
        assert_eq!(first["blocked"], false);
        assert_eq!(status(&place, method, &format!("{target}/unblock")).await, first);
    }
}

#[tokio::test]
async fn terms_and_other_statuses_are_respected() {
    let place = Place::new().await;
    let customer = place.customer(json!({"email": "awa@example.org"})).await;
    let target = path(&customer);
    let cx = place.cx().await;
    let found = customers::list(&cx, &patron_app::search::Query::of(cx.space)).await;
    let id = Id::Number(found.expect("a page").items[0].number);
    let set = async |status, until: Patch<patron_model::Timestamp>| {
        let patch = CustomerPatch {
            status: Patch::Set(status),
            status_until: until,
            ..CustomerPatch::default()
        };
        customers::update(&cx, id, Expect::Any, patch).await.expect("updated");
    };
    set(Status::Blocked, Patch::Set(cx.now.plus_seconds(-5))).await;
    let seen = place.get(&target).await.expect(202).json();
    assert_eq!(seen["customer"]["blocked"], false, "the term has passed");
    let blocked = status(&place, "POST", &format!("{target}/block")).await;
    assert_eq!(blocked["blocked"], true);
    set(Status::Inactive, Patch::Keep).await;
    let seen = status(&place, "POST", &format!("{target}/unblock")).await;
    assert_eq!(seen["blocked"], false);
    let kept = customers::get(&cx, id).await.expect("the customer");
    assert_eq!(kept.status, Status::Inactive);
    set(Status::Locked, Patch::Keep).await;
    let refused = place.raw("POST", &format!("{target}/block"), "application/json", "[]").await;
    assert!(refused.expect(422).text().contains("locked"), "a block lifts no lock");
    let kept = customers::get(&cx, id).await.expect("the customer");
    assert_eq!(kept.status, Status::Locked);
}
