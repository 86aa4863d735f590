//! Lists of customers.

use patron_testkit::Answer;
use serde_json::{Value, json};

use crate::place::{Merchant, assert_refused, path_of};

fn uuids(answer: Answer) -> Vec<String> {
    let answer = answer.expect(200).json();
    assert_eq!(answer["status"], "approved");
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(2), "no total, no flags");
    let data = answer["data"].as_array().expect("a list");
    let uuid = |customer: &Value| customer["uuid"].as_str().expect("a uuid").to_owned();
    data.iter().map(uuid).collect()
}

#[tokio::test]
async fn the_newest_come_first_and_ties_are_broken_by_uuid() {
    let merchant = Merchant::at("2026-01-02T03:04:05Z").await;
    let mut newest_first = Vec::new();
    for _ in 0..4 {
        let mut same_moment = Vec::new();
        for _ in 0..3 {
            let customer = merchant.create(json!({"name": "A"})).await;
            same_moment.push(customer["uuid"].as_str().expect("a uuid").to_owned());
        }
        same_moment.sort();
        newest_first.extend(same_moment);
        merchant.server.app.clock.advance_seconds(1);
    }
    newest_first.reverse();
    assert_eq!(uuids(merchant.get("/v2/customers").await), newest_first);
    let mut paged = Vec::new();
    for offset in (0..15).step_by(5) {
        let target = format!("/v2/customers?limit=5&offset={offset}");
        paged.extend(uuids(merchant.get(&target).await));
    }
    assert_eq!(paged, newest_first);
    // Changes do not move a customer.
    let oldest = newest_first.last().expect("twelve");
    merchant.post(&format!("/v2/customers/{oldest}"), json!({"name": "B"})).await.expect(200);
    assert_eq!(uuids(merchant.get("/v2/customers").await), newest_first);
}

#[tokio::test]
async fn entries_are_whole_customers() {
    let merchant = Merchant::new().await;
    let customer = merchant.create(json!({"merchant_customer_id": "m", "city": "Mostar"})).await;
    let listed = merchant.get("/v2/customers").await.expect(200).json();
    assert_eq!(listed, json!({"status": "approved", "data": [customer]}));
}

#[tokio::test]
async fn limit_and_offset_have_defaults_and_bounds() {
    let merchant = Merchant::new().await;
    for _ in 0..51 {
        merchant.create(json!({})).await;
    }
    for (query, count) in [
        ("", 50),
        ("?limit=50&offset=0", 50),
        ("?limit=51", 51),
        ("?limit=1000", 51),
        ("?limit=1001", 51),
        ("?limit=99999999999999999999999", 51),
        ("?offset=50", 1),
        ("?offset=51", 0),
        ("?offset=99999999999999999999999", 0),
        ("?limit=1&offset=1&unknown=x", 1),
    ] {
        let found = uuids(merchant.get(&format!("/v2/customers{query}")).await);
        assert_eq!(found.len(), count, "{query}");
    }
    for (query, message) in [
        ("limit=0", "Limit must be at least 1"),
        ("limit=-5", "Limit must be at least 1"),
        ("limit=", "Limit must be a whole number"),
        ("limit=ten", "Limit must be a whole number"),
        ("limit=1.5", "Limit must be a whole number"),
        ("offset=-1", "Offset must be at least 0"),
        ("offset=x", "Offset must be a whole number"),
        ("limit=x&offset=x", "Limit must be a whole number, Offset must be a whole number"),
    ] {
        assert_refused(&merchant.get(&format!("/v2/customers?{query}")).await, message);
    }
    merchant.switch(json!({"list_limit_max": 7})).await;
    assert_eq!(uuids(merchant.get("/v2/customers").await).len(), 7);
    assert_eq!(uuids(merchant.get("/v2/customers?limit=8").await).len(), 7);
    assert_eq!(uuids(merchant.get("/v2/customers?limit=6").await).len(), 6);
}

#[tokio::test]
async fn deleted_customers_are_not_listed_and_do_not_count() {
    let merchant = Merchant::new().await;
    let first = merchant.create(json!({})).await;
    let second = merchant.create(json!({})).await;
    merchant.delete(&path_of(&second)).await.expect(200);
    let listed = uuids(merchant.get("/v2/customers?limit=1").await);
    assert_eq!(listed, [first["uuid"].as_str().expect("a uuid")]);
    assert!(uuids(merchant.get("/v2/customers?offset=1").await).is_empty());
}
