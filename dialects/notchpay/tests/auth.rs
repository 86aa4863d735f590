//! Dossier §2: headers, keys, grants, connected accounts.

use patron_notchpay::{DIALECT, NAME};
use patron_testkit::Answer;
use serde_json::json;

use crate::place::{Place, failed, path};

async fn with(place: &Place, headers: &[(&str, &str)]) -> Answer {
    place.server.raw("GET", "/customers", headers, b"").await
}

#[tokio::test]
async fn every_documented_header_carries_the_key() {
    let place = Place::new().await;
    let key = place.keys["public_key"].as_str().expect("a key").to_owned();
    assert!(key.starts_with("pk_test."));
    with(&place, &[("authorization", &key)]).await.expect(200);
    with(&place, &[("authorization", &format!("Bearer {key}"))]).await.expect(200);
    with(&place, &[("n-authorization", &key)]).await.expect(200);
    with(&place, &[("authorization", ""), ("n-authorization", &key)]).await.expect(200);
}

#[tokio::test]
async fn wrong_keys_get_the_exact_texts() {
    let place = Place::new().await;
    let private = place.keys["private_key"].as_str().expect("a key").to_owned();
    failed(with(&place, &[]).await, 401, "Unauthorized", "API key is missing");
    let blank = with(&place, &[("authorization", " ")]).await;
    failed(blank, 401, "Unauthorized", "API key is missing");
    let long = "x".repeat(5_000);
    for wrong in ["pk.nobody", "Basic abc", &private, long.as_str(), "Bearer pk.nobody"] {
        let answer = with(&place, &[("authorization", wrong)]).await;
        failed(answer, 401, "Unauthorized", "Invalid API key");
    }
}

#[tokio::test]
async fn a_grant_is_not_needed_but_must_be_right() {
    let place = Place::new().await;
    let key = place.keys["public_key"].as_str().expect("a key").to_owned();
    let private = place.keys["private_key"].as_str().expect("a key").to_owned();
    assert!(private.starts_with("sk"));
    let other = place.server.other_space(NAME).await;
    let foreign = other["private_key"].as_str().expect("a key");
    for header in ["x-grant", "grant-authorization"] {
        with(&place, &[("authorization", &key), (header, &private)]).await.expect(200);
        for wrong in ["sk.nobody", foreign, &key] {
            let answer = with(&place, &[("authorization", &key), (header, wrong)]).await;
            failed(answer, 403, "Forbidden", "Invalid grant key");
        }
    }
}

#[tokio::test]
async fn no_connected_account_is_known() {
    let place = Place::new().await;
    let key = place.keys["public_key"].as_str().expect("a key").to_owned();
    let answer = with(&place, &[("authorization", &key), ("x-sync", "acc.test_1")]).await;
    failed(answer, 404, "Not Found", "Sync account not found");
}

#[tokio::test]
async fn live_keys_make_live_objects_and_see_nothing_of_others() {
    let place = Place::new().await;
    let sandbox = place.customer(json!({"email": "awa@example.org"})).await;
    assert_eq!(sandbox["sandbox"], true);
    assert!(sandbox["id"].as_str().expect("an id").starts_with("cus.test_"));

    let live = place.server.other_space(NAME).await;
    assert!(live["public_key"].as_str().expect("a key").starts_with("pk."));
    let call = async |method, target: &str, body| {
        place.server.call(&DIALECT, &live, method, target, body).await
    };
    let body = Some(json!({"email": "awa@example.org"}));
    let own = call("POST", "/customers", body).await.expect(201).json();
    assert_eq!(own["customer"]["sandbox"], false);
    assert!(!own["customer"]["id"].as_str().expect("an id").contains("test"));

    let foreign = path(&sandbox);
    for (method, target) in [
        ("GET", foreign.clone()),
        ("PUT", foreign.clone()),
        ("DELETE", foreign.clone()),
        ("POST", format!("{foreign}/block")),
        ("GET", format!("{foreign}/payment_methods")),
        ("GET", format!("{foreign}/payments")),
    ] {
        let body = (method == "PUT").then(|| json!({"name": "Mallory"}));
        failed(call(method, &target, body).await, 404, "Not Found", "Customer not found");
    }
    assert_eq!(call("GET", "/customers", None).await.json()["totals"], 1);
    assert_eq!(place.get(&foreign).await.expect(202).json()["customer"], sandbox);
}

#[tokio::test]
async fn both_forms_of_an_id_are_read() {
    let place = Place::new().await;
    let customer = place.customer(json!({"email": "awa@example.org"})).await;
    let id = customer["id"].as_str().expect("an id");
    let bare = id.replace("test_", "");
    for form in [id, &bare, &bare.replace('.', "_"), &id.replacen('.', "_", 1)] {
        let answer = place.get(&format!("/customers/{form}")).await.expect(202);
        assert_eq!(answer.json()["customer"]["id"], id);
    }
    for wrong in ["1", "cus.x", "cus.test_%2F", "pm.test_0000000000000000000000"] {
        let answer = place.get(&format!("/customers/{wrong}")).await;
        failed(answer, 404, "Not Found", "Customer not found");
    }
}
