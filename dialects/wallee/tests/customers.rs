//! Customers: create, retrieve, list, update, delete, merge, e-mail addresses.

use serde_json::{Value, json};

use crate::place::{Shop, id, refused};

fn anna() -> Value {
    json!({
        "metaData": {"source": "shop"}, "emailAddress": "anna@example.com",
        "familyName": "Muster", "givenName": "Anna", "preferredCurrency": "CHF",
        "customerId": "C-1", "language": "de-CH",
    })
}

#[tokio::test]
async fn shows_what_was_sent() {
    let shop = Shop::open().await;
    let created = shop.post("/customers?expand=group", anna()).await.expect(201).json();
    let mut want = anna();
    want["id"] = created["id"].clone();
    want["createdOn"] = created["createdOn"].clone();
    want["linkedSpaceId"] = json!(shop.space());
    want["version"] = json!(1);
    assert_eq!(created, want);
    let read = shop.get(&format!("/customers/{}", id(&created))).await.expect(200).json();
    assert_eq!(read, want);
    let empty = shop.post("/customers", json!({})).await.expect(201).json();
    let members: Vec<&String> = empty.as_object().unwrap().keys().collect();
    assert_eq!(members, ["createdOn", "id", "linkedSpaceId", "metaData", "version"]);
}

#[tokio::test]
async fn limits_hold_at_the_limit_and_one_above() {
    let shop = Shop::open().await;
    let at_limit = json!({
        "emailAddress": "x".repeat(254), "givenName": "ž".repeat(100),
        "familyName": "ž".repeat(100), "customerId": "~".repeat(100),
    });
    let created = shop.post("/customers", at_limit.clone()).await.expect(201).json();
    for (name, value) in at_limit.as_object().unwrap() {
        assert_eq!(&created[name], value);
    }
    let above = json!({
        "emailAddress": "x".repeat(255), "givenName": "ž".repeat(101),
        "familyName": "ž".repeat(101), "customerId": "~".repeat(101),
        "preferredCurrency": "QQQ", "language": "english", "metaData": {"": "x"},
    });
    let long = |max| format!("Must be at most {max} characters long.");
    let errors = json!({
        "emailAddress": long(254), "givenName": long(100), "familyName": long(100),
        "customerId": long(100), "preferredCurrency": "No such currency is known.",
        "language": "Must be a BCP 47 language tag such as de-CH.",
        "metaData.": "Must be at least 1 characters long.",
    });
    refused(&shop.post("/customers", above).await, 422, "unprocessable_entity", &errors);
    for bad in ["č", "a\u{7f}", "a\nb"] {
        let answer = shop.post("/customers", json!({"customerId": bad})).await;
        assert_eq!(answer.status, 422, "{bad}");
        assert_eq!(answer.json()["errors"].as_object().unwrap().len(), 1);
    }
    assert_eq!(shop.ids("/customers").await, [id(&created)]);
}

#[tokio::test]
async fn wrong_types_are_no_values() {
    let shop = Shop::open().await;
    for (body, field, expected) in [
        (json!({"givenName": 7}), "givenName", "a string"),
        (json!({"givenName": true}), "givenName", "a string"),
        (json!({"metaData": "x"}), "metaData", "an object"),
        (json!({"metaData": {"a": 1}}), "metaData.a", "a string"),
        (json!({"emailAddress": ["a"]}), "emailAddress", "a string"),
    ] {
        let errors = json!({field: format!("Must be {expected}.")});
        refused(&shop.post("/customers", body).await, 400, "bad_request", &errors);
    }
}

#[tokio::test]
async fn null_is_absence_and_an_empty_text_clears() {
    let shop = Shop::open().await;
    let created = shop.post("/customers", anna()).await.expect(201).json();
    let path = format!("/customers/{}", id(&created));
    let nulls = json!({
        "metaData": null, "emailAddress": null, "familyName": null, "givenName": null,
        "preferredCurrency": null, "customerId": null, "language": null, "version": 1,
    });
    assert_eq!(shop.patch(&path, nulls.clone()).await.expect(200).json(), created);
    let mut create = nulls;
    create["version"] = json!("not looked at here");
    shop.post("/customers", create).await.expect(201);
    let blank = json!({
        "metaData": {}, "emailAddress": "", "familyName": "", "givenName": "",
        "preferredCurrency": "", "customerId": "", "language": "", "version": 1,
    });
    let cleared = shop.patch(&path, blank).await.expect(200).json();
    let members: Vec<&String> = cleared.as_object().unwrap().keys().collect();
    assert_eq!(members, ["createdOn", "id", "linkedSpaceId", "metaData", "version"]);
    assert_eq!(cleared["version"], 2);
}

#[tokio::test]
async fn an_update_names_the_version_it_builds_on() {
    let shop = Shop::open().await;
    let path = format!("/customers/{}", shop.customer(anna()).await);
    let change = json!({"familyName": "Muster-Meier", "version": 1});
    let changed = shop.patch(&path, change.clone()).await.expect(200).json();
    assert_eq!((&changed["version"], &changed["familyName"]), (&json!(2), &json!("Muster-Meier")));
    assert_eq!((&changed["givenName"], &changed["customerId"]), (&json!("Anna"), &json!("C-1")));
    let stale = json!({"version": "Expected 2 but was 1."});
    refused(&shop.patch(&path, change).await, 409, "conflict", &stale);
    let ahead = shop.patch(&path, json!({"version": 3})).await;
    refused(&ahead, 409, "conflict", &json!({"version": "Expected 2 but was 3."}));
    for missing in [json!({}), json!({"version": null}), json!({"givenName": "B"})] {
        let errors = json!({"version": "Must be given."});
        refused(&shop.patch(&path, missing).await, 400, "bad_request", &errors);
    }
    for wrong in [json!("2"), json!(2.0), json!(true), json!(4_294_967_296_i64)] {
        let errors = json!({"version": "Must be a whole number."});
        let answer = shop.patch(&path, json!({"version": wrong})).await;
        refused(&answer, 400, "bad_request", &errors);
    }
    assert_eq!(shop.get(&path).await.json(), changed);
}

#[tokio::test]
async fn metadata_is_replaced_as_a_whole() {
    let shop = Shop::open().await;
    let path = format!("/customers/{}", shop.customer(json!({"metaData": {"a": "1"}})).await);
    let change = json!({"metaData": {"b": "2", "c": null}, "version": 1});
    let changed = shop.patch(&path, change).await.expect(200).json();
    assert_eq!(changed["metaData"], json!({"b": "2"}));
    let many: Value = (0..=100).map(|n| (format!("k{n}"), json!("v"))).collect();
    let errors = json!({"metaData": "Must have at most 100 entries."});
    let answer = shop.patch(&path, json!({"metaData": many, "version": 2})).await;
    refused(&answer, 422, "unprocessable_entity", &errors);
}

#[tokio::test]
async fn references_are_unique_among_the_living() {
    let shop = Shop::open().await;
    let first = shop.customer(json!({"customerId": "C-1"})).await;
    let second = shop.customer(json!({"customerId": "C-2"})).await;
    let taken = json!({"customerId": format!("Is already used by customer {first}.")});
    let answer = shop.post("/customers", json!({"customerId": "C-1"})).await;
    refused(&answer, 422, "unprocessable_entity", &taken);
    let change = json!({"customerId": "C-1", "version": 1});
    let answer = shop.patch(&format!("/customers/{second}"), change.clone()).await;
    refused(&answer, 422, "unprocessable_entity", &taken);
    shop.delete(&format!("/customers/{first}")).await.expect(204);
    shop.patch(&format!("/customers/{second}"), change).await.expect(200);
}

#[tokio::test]
async fn card_data_is_refused_wherever_it_hides() {
    let shop = Shop::open().await;
    let card = json!("Looks like a card number; card numbers are never stored here.");
    for (body, field) in [
        (json!({"metaData": {"x": "4111 1111 1111 1111"}}), "metaData.x"),
        (json!({"givenName": "4111111111111111"}), "givenName"),
    ] {
        let errors = json!({field: card});
        refused(&shop.post("/customers", body).await, 422, "unprocessable_entity", &errors);
    }
    let answer = shop.post("/customers", json!({"metaData": {"cvv": "123"}})).await;
    let errors = json!({"metaData.cvv": "Card security codes are never accepted here."});
    refused(&answer, 422, "unprocessable_entity", &errors);
}

#[tokio::test]
async fn a_deleted_customer_is_gone() {
    let shop = Shop::open().await;
    let id = shop.customer(anna()).await;
    let path = format!("/customers/{id}");
    let deleted = shop.delete(&path).await.expect(204);
    assert_eq!(deleted.text(), "");
    let gone = json!({});
    refused(&shop.delete(&path).await, 404, "not_found", &gone);
    refused(&shop.get(&path).await, 404, "not_found", &gone);
    refused(&shop.get(&format!("{path}/email-addresses")).await, 404, "not_found", &gone);
    refused(&shop.get(&format!("{path}/addresses")).await, 404, "not_found", &gone);
    refused(&shop.get(&format!("{path}/comments")).await, 404, "not_found", &gone);
    refused(&shop.patch(&path, json!({"version": 1})).await, 404, "not_found", &gone);
    assert_eq!(shop.ids("/customers").await, Vec::<i64>::new());
    assert_eq!(shop.found("/customers", "customerId:C-1").await, Vec::<i64>::new());
}

#[tokio::test]
async fn every_email_address_ever_linked_is_listed() {
    let shop = Shop::open().await;
    let path = format!("/customers/{}", shop.customer(anna()).await);
    let change = json!({"emailAddress": "anna.muster@example.org", "version": 1});
    shop.patch(&path, change).await.expect(200);
    let page = shop.get(&format!("{path}/email-addresses")).await.expect(200).json();
    let (first, second) = (&page["data"][0]["createdOn"], &page["data"][1]["createdOn"]);
    let want = json!({
        "data": [
            {"emailAddress": "anna@example.com", "createdOn": first},
            {"emailAddress": "anna.muster@example.org", "createdOn": second},
        ],
        "hasMore": false, "limit": 2,
    });
    assert_eq!(page, want);
    assert!(first.as_str().unwrap() <= second.as_str().unwrap());
    let nobody = format!("/customers/{}/email-addresses", shop.customer(json!({})).await);
    let want = json!({"data": [], "hasMore": false, "limit": 0});
    assert_eq!(shop.get(&nobody).await.expect(200).json(), want);
}

#[tokio::test]
async fn a_merge_keeps_the_first_and_fills_it_from_the_second() {
    let shop = Shop::open().await;
    let stays =
        shop.customer(json!({"emailAddress": "a@example.com", "metaData": {"x": "1"}})).await;
    let mut other = anna();
    other["metaData"] = json!({"x": "2", "y": "3"});
    let goes = shop.customer(other).await;
    let comments = format!("/customers/{goes}/comments");
    shop.post(&comments, json!({"customer": goes, "content": "Hello"})).await.expect(201);
    let addresses = format!("/customers/{goes}/addresses");
    shop.post(&addresses, json!({"customer": goes})).await.expect(201);
    let path = format!("/customers/{stays}/merge/{goes}");
    let merged = shop.call("POST", &path, None).await.expect(200).json();
    let want = json!({
        "id": stays, "linkedSpaceId": shop.space(), "version": 2,
        "createdOn": merged["createdOn"], "customerId": "C-1", "emailAddress": "a@example.com",
        "givenName": "Anna", "familyName": "Muster", "language": "de-CH",
        "preferredCurrency": "CHF", "metaData": {"x": "1", "y": "3"},
    });
    assert_eq!(merged, want);
    assert_eq!(shop.get(&format!("/customers/{goes}")).await.status, 404);
    assert_eq!(shop.ids(&format!("/customers/{stays}/comments")).await.len(), 1);
    assert_eq!(shop.ids(&format!("/customers/{stays}/addresses")).await.len(), 1);
    let emails = shop.get(&format!("/customers/{stays}/email-addresses")).await.json();
    assert_eq!(emails["limit"], 2);
    refused(&shop.call("POST", &path, None).await, 404, "not_found", &json!({}));
    let itself = shop.call("POST", &format!("/customers/{stays}/merge/{stays}"), None).await;
    let errors = json!({"other": "Must be another customer."});
    refused(&itself, 422, "unprocessable_entity", &errors);
    let unknown = shop.call("POST", "/customers/999999999/merge/999999999", None).await;
    refused(&unknown, 404, "not_found", &json!({}));
}
