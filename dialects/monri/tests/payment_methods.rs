//! Saved cards.

use patron_app::{
    Id,
    payment_methods::{self, Details, NewMethod, Source},
};
use patron_model::{
    card::{CardNumber, Expiry},
    payment_method::{MethodState, MethodType, PaymentMethod},
    text::Line,
};
use serde_json::{Value, json};

use crate::place::{Merchant, assert_error, assert_refused, path_of};

fn card(number: &str, year: i64, month: i64) -> NewMethod {
    let number = CardNumber::parse(number).expect("a card number");
    let expiry = Expiry::new(year, month).expect("an expiry");
    NewMethod {
        method_type: MethodType::Card,
        source: Source::Card { number, expiry },
        details: Details::default(),
        is_default: false,
    }
}

async fn save(merchant: &Merchant, customer: &Value, new: NewMethod) -> PaymentMethod {
    let uuid = customer["uuid"].as_str().expect("a uuid").parse().expect("a uuid");
    let cx = merchant.cx().await;
    payment_methods::create(&cx, Id::Uuid(uuid), new).await.expect("saved").record
}

fn entry(method: &PaymentMethod, customer: &Value, shown: [&str; 3], expired: bool) -> Value {
    let [masked_pan, expiration_date, at] = shown;
    json!({
        "status": "approved", "id": method.token, "token": method.token,
        "masked_pan": masked_pan, "expiration_date": expiration_date, "keep_until": null,
        "created_at": at, "updated_at": at, "customer_uuid": customer["uuid"], "expired": expired,
    })
}

#[tokio::test]
async fn cards_are_listed_by_uuid_and_by_merchants_id() {
    let merchant = Merchant::at("2026-03-01T00:00:00Z").await;
    let customer = merchant.create(json!({"merchant_customer_id": "a/b"})).await;
    merchant.create(json!({"merchant_customer_id": "other"})).await;
    let first = save(&merchant, &customer, card("4058400000000005", 2026, 2)).await;
    merchant.server.app.clock.advance_seconds(5);
    let second = save(&merchant, &customer, card("5555555555554444", 2026, 3)).await;
    assert_eq!(first.token.len(), 64);
    let shown = ["405840******0005", "2026-02-28", "2026-03-01T00:00:00Z"];
    let first = entry(&first, &customer, shown, true);
    let shown = ["555555******4444", "2026-03-31", "2026-03-01T00:00:05Z"];
    let second = entry(&second, &customer, shown, false);
    let path = path_of(&customer);
    for target in [path.as_str(), "/v2/customers/a%2Fb"] {
        for (query, want) in [
            ("", json!([second, first])),
            ("?limit=1", json!([second])),
            ("?limit=20&offset=1", json!([first])),
            ("?offset=2", json!([])),
        ] {
            let answer = merchant.get(&format!("{target}/payment-methods{query}")).await;
            assert_eq!(answer.expect(200).json(), json!({"status": "approved", "data": want}));
        }
    }
    let none = merchant.get("/v2/customers/other/payment-methods").await.expect(200).json();
    assert_eq!(none, json!({"status": "approved", "data": []}));
    merchant.delete(&path).await.expect(200);
    let gone = merchant.get(&format!("{path}/payment-methods")).await.expect(200).json();
    assert_eq!(gone, json!({"status": "approved", "data": []}));
    let answer = merchant.get("/v2/customers/a%2Fb/payment-methods").await;
    assert_error(&answer, 404, "invalid-request", "Customer not found");
}

#[tokio::test]
async fn a_card_expires_after_the_last_day_of_its_month() {
    let merchant = Merchant::at("2028-02-29T23:59:59Z").await;
    let customer = merchant.create(json!({})).await;
    save(&merchant, &customer, card("4058400000000005", 2028, 2)).await;
    let target = format!("{}/payment-methods", path_of(&customer));
    let shown = merchant.get(&target).await.json()["data"][0].clone();
    assert_eq!(
        (&shown["expiration_date"], &shown["expired"]),
        (&json!("2028-02-29"), &json!(false))
    );
    merchant.server.app.clock.advance_seconds(1);
    assert_eq!(merchant.get(&target).await.json()["data"][0]["expired"], true);
}

#[tokio::test]
async fn only_cards_that_can_be_shown_and_used_are_listed() {
    let merchant = Merchant::new().await;
    let customer = merchant.create(json!({})).await;
    let inactive = Details { state: Some(MethodState::Inactive), ..Details::default() };
    let halted = NewMethod { details: inactive, ..card("4111111111111111", 2199, 1) };
    save(&merchant, &customer, halted).await;
    let wallet = NewMethod {
        method_type: MethodType::Wallet,
        source: Source::Account,
        details: Details::default(),
        is_default: false,
    };
    save(&merchant, &customer, wallet).await;
    let provider = |last_four: Option<&str>| NewMethod {
        method_type: MethodType::Card,
        source: Source::Provider {
            token: Line::parse("tok").expect("a token"),
            first_six: Some("405840".to_owned()),
            last_four: last_four.map(str::to_owned),
            brand: None,
            expiry: Expiry::new(2199, 12).ok(),
        },
        details: Details::default(),
        is_default: false,
    };
    save(&merchant, &customer, provider(None)).await;
    let whole = save(&merchant, &customer, provider(Some("0005"))).await;
    let listed = merchant.get(&format!("{}/payment-methods?limit=1", path_of(&customer))).await;
    let listed = listed.expect(200).json();
    assert_eq!(listed["data"][0]["token"], json!(whole.token));
    let all = merchant.get(&format!("{}/payment-methods", path_of(&customer))).await.json();
    assert_eq!(all["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn pages_follow_the_rules_of_lists() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    for (query, message) in [
        ("limit=0", "Limit must be at least 1"),
        ("limit=x", "Limit must be a whole number"),
        ("offset=-1", "Offset must be at least 0"),
    ] {
        let answer = merchant.get(&format!("{path}/payment-methods?{query}")).await;
        assert_refused(&answer, message);
    }
}
