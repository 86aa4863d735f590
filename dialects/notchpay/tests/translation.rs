//! Customers that came in through other APIs: what is shown of them, and what a change leaves alone.

use patron_app::{Expect, Id, Saved, customers};
use patron_model::{
    Patch,
    address::{AddressEdit, Postal, PostalPatch},
    customer::{Customer, CustomerPatch},
    email::Email,
    text::{Line, Name},
};
use patron_notchpay::ids;
use serde_json::{Value, json};

use crate::place::{Place, path};

fn name(text: &str) -> Patch<Name> {
    Patch::Set(Name::parse(text).expect("a name"))
}

fn city(text: &str) -> Postal {
    Postal { city: Line::parse(text).ok(), ..Postal::default() }
}

async fn created(place: &Place, patch: CustomerPatch) -> (Saved<Customer>, String) {
    let saved = customers::create(&place.cx().await, patch).await.expect("created");
    let target = format!("/customers/{}", ids::text(ids::CUSTOMER, saved.uuid, true));
    (saved, target)
}

#[tokio::test]
async fn split_names_are_joined_found_and_left_alone() {
    let place = Place::new().await;
    let patch = CustomerPatch {
        given_name: name("Awa Marie"),
        family_name: name("Ndiaye"),
        ..CustomerPatch::default()
    };
    let (saved, target) = created(&place, patch).await;
    let seen = place.get(&target).await.expect(202).json();
    assert_eq!(seen["customer"]["name"], "Awa Marie Ndiaye");
    for search in ["marie", "Marie%20Nd", "awa%20marie"] {
        let found = place.get(&format!("/customers?search={search}")).await.json();
        assert_eq!(found["totals"], 1, "{search}");
    }
    // Neither e-mail address nor phone number: still changeable, and the name sent back is no news.
    let body = json!({"name": "Awa Marie Ndiaye", "tax_number": "T"});
    place.send("PUT", &target, Some(body)).await.expect(202);
    let cx = place.cx().await;
    let kept = customers::get(&cx, Id::Number(saved.number)).await.expect("the customer");
    assert!(kept.full_name.is_none());
    place.send("PUT", &target, Some(json!({"name": "Awa N"}))).await.expect(202);
    let kept = customers::get(&cx, Id::Number(saved.number)).await.expect("the customer");
    assert_eq!(kept.full_name.as_ref().map(Name::as_str), Some("Awa N"));
    assert!(kept.given_name.is_none(), "a new full name makes the old parts stale");
    let cleared = place.send("PUT", &target, Some(json!({"name": null}))).await.expect(202);
    assert_eq!(cleared.json()["customer"]["name"], Value::Null);
}

#[tokio::test]
async fn addresses_keep_what_this_api_does_not_know() {
    let place = Place::new().await;
    let email = Email::parse("a@b.co").expect("an address");
    let here = Postal { line3: Line::parse("Back yard").ok(), ..city("Lyon") };
    let patch = CustomerPatch {
        email: Patch::Set(email),
        billing: AddressEdit::Replace(Box::new(here)),
        ..CustomerPatch::default()
    };
    let (saved, target) = created(&place, patch).await;
    let seen = place.get(&target).await.expect(202).json();
    assert_eq!(seen["customer"]["billing"]["city"], "Lyon");
    assert_eq!(seen["customer"]["address"], seen["customer"]["billing"]);
    let body = json!({"billing": {"city": "Nice"}});
    place.send("PUT", &target, Some(body)).await.expect(202);
    let cx = place.cx().await;
    let kept = customers::get(&cx, Id::Number(saved.number)).await.expect("the customer");
    let postal = &kept.billing().expect("an address").postal;
    assert_eq!(postal.line3.as_ref().map(Line::as_str), Some("Back yard"));
    assert_eq!(postal.city.as_ref().map(Line::as_str), Some("Nice"));
}

#[tokio::test]
async fn a_shared_address_is_left_to_its_other_purpose() {
    use patron_app::addresses::{self, AddressPatch};
    use patron_model::address::Purpose;
    let place = Place::new().await;
    let (saved, target) = created(&place, CustomerPatch::default()).await;
    let cx = place.cx().await;
    let both = AddressPatch {
        purpose: Some(Purpose::Both),
        postal: PostalPatch::replacing(city("Lyon")),
        ..AddressPatch::default()
    };
    addresses::create(&cx, Id::Number(saved.number), both).await.expect("an address");
    let seen = place.get(&target).await.expect(202).json()["customer"].clone();
    assert_eq!(
        (&seen["billing"]["city"], &seen["shipping"]["city"]),
        (&json!("Lyon"), &json!("Lyon"))
    );
    let change = async |body: Value| {
        let answer = place.send("PUT", &target, Some(body)).await.expect(202);
        answer.json()["customer"].clone()
    };
    let after = change(json!({"address": {"city": "Nice"}})).await;
    assert_eq!(after["address"]["city"], "Nice");
    let after = change(json!({"address": null})).await;
    assert_eq!(
        (&after["billing"]["city"], &after["shipping"]["city"]),
        (&json!("Lyon"), &json!("Lyon"))
    );
    let after = change(json!({"billing": null})).await;
    assert_eq!((&after["billing"], &after["shipping"]["city"]), (&Value::Null, &json!("Lyon")));
}

#[tokio::test]
async fn a_merged_id_answers_as_the_customer_that_stayed() {
    let place = Place::new().await;
    let stays = place.customer(json!({"email": "a@example.org"})).await;
    let goes = place.customer(json!({"phone": "+237670000000"})).await;
    let cx = place.cx().await;
    let uuid = |customer: &Value| {
        let id = customer["id"].as_str().expect("an id");
        Id::Uuid(ids::parse(ids::CUSTOMER, id).expect("an id"))
    };
    customers::merge(&cx, uuid(&stays), uuid(&goes), Expect::Any).await.expect("merged");
    let seen = place.get(&path(&goes)).await.expect(202).json();
    assert_eq!(seen["customer"]["id"], stays["id"]);
    assert_eq!(seen["customer"]["phone"], "+237670000000");
    let body = Some(json!({"name": "Awa"}));
    let seen = place.send("PUT", &path(&goes), body).await.expect(202).json();
    assert_eq!(seen["customer"]["id"], stays["id"]);
    place.send("DELETE", &path(&goes), None).await.expect(404);
    place.get(&path(&stays)).await.expect(202);
}
