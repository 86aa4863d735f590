//! Many customers in one request.

use serde_json::{Value, json};

use crate::place::{Shop, id, refused, shaped};

async fn bulk(shop: &Shop, method: &str, body: Value) -> Vec<Value> {
    let answer = shop.call(method, "/customers/bulk", Some(body)).await.expect(200);
    answer.json().as_array().unwrap().clone()
}

#[track_caller]
fn verdict(result: &Value, status: u16, code: &str, errors: &Value) {
    assert_eq!(result["statusCode"], status, "{result}");
    assert_eq!(result.get("link"), None);
    shaped(&result["error"], code, errors);
}

#[tokio::test]
async fn each_new_customer_gets_its_own_verdict() {
    let shop = Shop::open().await;
    let body = json!([
        {"emailAddress": "a@example.com", "customerId": "C-1"},
        {"emailAddress": "x".repeat(255)},
        {"customerId": "C-1"},
        {"givenName": 7},
        "no object",
        {},
    ]);
    let results = bulk(&shop, "POST", body).await;
    let all = shop.ids("/customers").await;
    assert_eq!(all.len(), 2);
    let link = |id: i64| format!("/api/v2.0/customers/{id}");
    assert_eq!(results[0], json!({"id": all[0], "statusCode": 201, "link": link(all[0])}));
    assert_eq!(results[5], json!({"id": all[1], "statusCode": 201, "link": link(all[1])}));
    let unprocessable = "unprocessable_entity";
    let long = json!({"emailAddress": "Must be at most 254 characters long."});
    verdict(&results[1], 422, unprocessable, &long);
    let taken = json!({"customerId": format!("Is already used by customer {}.", all[0])});
    verdict(&results[2], 422, unprocessable, &taken);
    verdict(&results[3], 400, "bad_request", &json!({"givenName": "Must be a string."}));
    verdict(&results[4], 400, "bad_request", &json!({"body": "Must be an object."}));
    let read = shop.get(&link(all[0])["/api/v2.0".len()..]).await.expect(200).json();
    assert_eq!(read["customerId"], "C-1");
}

#[tokio::test]
async fn updates_name_their_target_themselves() {
    let shop = Shop::open().await;
    let (one, two) = (shop.customer(json!({})).await, shop.customer(json!({})).await);
    let body = json!([
        {"id": one, "familyName": "X", "version": 1},
        {"id": one, "familyName": "Y", "version": 1},
        {"id": one, "familyName": "Z", "version": 2},
        {"familyName": "X", "version": 1},
        {"id": two, "familyName": "X"},
        {"id": two, "preferredCurrency": "QQQ", "version": 1},
        {"id": 999_999_999, "version": 1},
        {"id": "1", "version": 1},
    ]);
    let results = bulk(&shop, "PATCH", body).await;
    let link = format!("/api/v2.0/customers/{one}");
    assert_eq!(results[0], json!({"id": one, "statusCode": 200, "link": link}));
    assert_eq!(id(&results[1]), one);
    verdict(&results[1], 409, "conflict", &json!({"version": "Expected 2 but was 1."}));
    assert_eq!(results[2]["statusCode"], 200);
    verdict(&results[3], 422, "unprocessable_entity", &json!({"id": "Must be given."}));
    assert_eq!(results[3].get("id"), None);
    verdict(&results[4], 400, "bad_request", &json!({"version": "Must be given."}));
    let currency = json!({"preferredCurrency": "No such currency is known."});
    verdict(&results[5], 422, "unprocessable_entity", &currency);
    verdict(&results[6], 404, "not_found", &json!({}));
    verdict(&results[7], 400, "bad_request", &json!({"id": "Must be a whole number."}));
    let read = shop.get(&format!("/customers/{one}")).await.json();
    assert_eq!((&read["familyName"], &read["version"]), (&json!("Z"), &json!(3)));
}

#[tokio::test]
async fn deletes_answer_for_each_id() {
    let shop = Shop::open().await;
    let (one, two) = (shop.customer(json!({})).await, shop.customer(json!({})).await);
    let results = bulk(&shop, "DELETE", json!([one, 999_999_999, one, "x", two])).await;
    assert_eq!(results[0], json!({"id": one, "statusCode": 204}));
    assert_eq!(id(&results[1]), 999_999_999);
    verdict(&results[1], 404, "not_found", &json!({}));
    verdict(&results[2], 404, "not_found", &json!({}));
    verdict(&results[3], 400, "bad_request", &json!({"body": "Must be a whole number."}));
    assert_eq!(results[4], json!({"id": two, "statusCode": 204}));
    assert_eq!(shop.ids("/customers").await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_request_has_at_most_a_hundred_items() {
    let shop = Shop::open().await;
    for method in ["POST", "PATCH", "DELETE"] {
        let empty = bulk(&shop, method, json!([])).await;
        assert_eq!(empty, Vec::<Value>::new());
        let many = json!(vec![json!({}); 101]);
        let answer = shop.call(method, "/customers/bulk", Some(many)).await;
        refused(&answer, 413, "payload_too_large", &json!({}));
        let answer = shop.call(method, "/customers/bulk", Some(json!({}))).await;
        refused(&answer, 400, "bad_request", &json!({"body": "Must be an array."}));
    }
    let results = bulk(&shop, "POST", json!(vec![json!({}); 100])).await;
    assert!(results.iter().all(|result| result["statusCode"] == 201));
}

#[tokio::test]
async fn every_fault_of_an_item_is_told() {
    let shop = Shop::open().await;
    let one = shop.customer(json!({})).await;
    let faulty = json!({"givenName": 7, "emailAddress": "x".repeat(255), "language": "??"});
    let told = |result: &Value| {
        let errors = result["error"]["errors"].as_object().unwrap().clone();
        errors.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let created = bulk(&shop, "POST", json!([faulty])).await;
    assert_eq!(told(&created[0]), "emailAddress givenName language");
    let mut known = faulty.clone();
    known["id"] = json!(one);
    let mut unknown = faulty;
    unknown["id"] = json!("one");
    unknown["version"] = json!("first");
    let updated = bulk(&shop, "PATCH", json!([known, unknown])).await;
    assert_eq!(told(&updated[0]), "emailAddress givenName language version");
    assert_eq!(told(&updated[1]), "emailAddress givenName id language version");
}
