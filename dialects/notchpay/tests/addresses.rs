//! The three flat addresses and how they are edited.

use serde_json::{Value, json};

use crate::place::{Place, path};

fn address(country: Option<&str>, city: Option<&str>, line1: Option<&str>) -> Value {
    json!({"country": country, "state": null, "city": city, "postal_code": null,
        "address_line1": line1, "address_line2": null})
}

async fn change(place: &Place, customer: &Value, body: Value) -> Value {
    let answer = place.send("PUT", &path(customer), Some(body)).await.expect(202);
    answer.json()["customer"].clone()
}

#[tokio::test]
async fn members_change_one_by_one() {
    let place = Place::new().await;
    let body = json!({"email": "a@b.co", "address": {"country": "CM", "city": "Douala"}});
    let customer = place.customer(body).await;
    let after = change(&place, &customer, json!({"address": {"line1": "12 Rue Joss"}})).await;
    assert_eq!(after["address"], address(Some("CM"), Some("Douala"), Some("12 Rue Joss")));
    let after = change(&place, &customer, json!({"address": {"city": null, "line1": ""}})).await;
    assert_eq!(after["address"], address(Some("CM"), None, None));
    let after = change(&place, &customer, json!({"address": []})).await;
    assert_eq!(after["address"], address(Some("CM"), None, None));
    let after = change(&place, &customer, json!({"address": {"country": null}})).await;
    assert_eq!(after["address"], Value::Null);
}

#[tokio::test]
async fn the_three_are_independent() {
    let place = Place::new().await;
    let customer = place.customer(json!({"email": "a@b.co", "address": {"city": "A"}})).await;
    assert_eq!(customer["address"], address(None, Some("A"), None));
    assert_eq!((&customer["billing"], &customer["shipping"]), (&Value::Null, &Value::Null));

    // The same as the general one, and still one of its own.
    let after = change(&place, &customer, json!({"billing": {"city": "A"}})).await;
    assert_eq!(after["billing"], address(None, Some("A"), None));
    let after = change(&place, &customer, json!({"billing": {"line1": "B1"}})).await;
    assert_eq!(after["billing"], address(None, Some("A"), Some("B1")));
    assert_eq!(after["address"], address(None, Some("A"), None));
    assert_eq!(after["shipping"], Value::Null);

    let after = change(&place, &customer, json!({"shipping": {"city": "C"}})).await;
    assert_eq!(after["shipping"], address(None, Some("C"), None));
    let after = change(&place, &customer, json!({"billing": null})).await;
    assert_eq!(after["billing"], Value::Null);
    assert_eq!(after["address"], address(None, Some("A"), None));
    assert_eq!(after["shipping"], address(None, Some("C"), None));
    let after = change(&place, &customer, json!({"address": null, "shipping": null})).await;
    assert_eq!((&after["address"], &after["shipping"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_new_general_address_takes_nothing_from_the_billing_address() {
    let place = Place::new().await;
    let body = json!({"email": "a@b.co", "billing": {"city": "B", "line1": "B1"},
        "address": {"city": "A"}});
    let customer = place.customer(body).await;
    assert_eq!(customer["address"], address(None, Some("A"), None));
    assert_eq!(customer["billing"], address(None, Some("B"), Some("B1")));
}

#[tokio::test]
async fn the_billing_address_stands_in_for_the_general_one() {
    let place = Place::new().await;
    let customer = place.customer(json!({"email": "a@b.co", "billing": {"city": "B"}})).await;
    assert_eq!(customer["address"], customer["billing"]);
    let after = change(&place, &customer, json!({"address": null})).await;
    assert_eq!(after["billing"], address(None, Some("B"), None));
    let after = change(&place, &customer, json!({"address": {"line1": "A1"}})).await;
    assert_eq!(after["address"], address(None, Some("B"), Some("A1")));
    assert_eq!(after["billing"], address(None, Some("B"), None));
}
