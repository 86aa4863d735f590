//! Values that other APIs wrote: what Monri's limits do to them (README, "Shown differently").

use std::collections::BTreeMap;

use patron_app::{Id, customers};
use patron_model::{
    Patch,
    address::{AddressEdit, PostalPatch},
    country::Country,
    customer::CustomerPatch,
    email::Email,
    metadata::{Metadata, MetadataPatch},
    phone::Phone,
    text::{Line, Name, Note, Reference},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::place::{Merchant, path_of};

fn name(text: &str) -> Patch<Name> {
    Patch::Set(Name::parse(text).expect("a name"))
}

fn line(text: &str) -> Patch<Line> {
    Patch::Set(Line::parse(text).expect("a line"))
}

/// Writes a customer without this API and reads it through it.
async fn written(merchant: &Merchant, patch: CustomerPatch) -> Value {
    let created = customers::create(&merchant.cx().await, patch).await.expect("created");
    merchant.get(&format!("/v2/customers/{}", created.uuid)).await.expect(200).json()
}

async fn record(merchant: &Merchant, shown: &Value) -> patron_model::customer::Customer {
    let uuid: Uuid = shown["uuid"].as_str().expect("a uuid").parse().expect("a uuid");
    customers::get(&merchant.cx().await, Id::Uuid(uuid)).await.expect("a customer").record
}

fn oversized() -> CustomerPatch {
    let postal = PostalPatch {
        line1: line(&"š".repeat(101)),
        city: line(&"č".repeat(31)),
        postal_code: line("1234567890"),
        country: Patch::Set(Country::parse("ch").expect("a country")),
        ..PostalPatch::default()
    };
    CustomerPatch {
        reference: Patch::Set(Reference::parse(&"r".repeat(101)).expect("a reference")),
        full_name: name(&"ž".repeat(51)),
        email: Patch::Set(Email::lenient(&"e".repeat(201)).expect("an address")),
        phone: Patch::Set(Phone::parse(&"5".repeat(31), None).expect("a number")),
        description: Patch::Set(Note::parse(&"đ".repeat(201)).expect("a note")),
        billing: AddressEdit::Merge(Box::new(postal)),
        ..CustomerPatch::default()
    }
}

#[tokio::test]
async fn long_texts_are_cut_and_long_ids_left_out() {
    let merchant = Merchant::new().await;
    let shown = written(&merchant, oversized()).await;
    for (field, want) in [
        ("merchant_customer_id", json!(null)),
        ("name", json!("ž".repeat(50))),
        ("email", json!(null)),
        ("phone", json!(null)),
        ("description", json!("đ".repeat(200))),
        ("address", json!("š".repeat(100))),
        ("city", json!("č".repeat(30))),
        ("zip_code", json!(null)),
        ("country", json!("ch")),
    ] {
        assert_eq!(shown[field], want, "{field}");
    }
    let by_id = merchant.get(&format!("/v2/merchants/customers/{}", "r".repeat(101))).await;
    assert_eq!(by_id.expect(200).json(), shown);
}

#[tokio::test]
async fn what_is_sent_back_as_shown_changes_nothing() {
    let merchant = Merchant::new().await;
    let postal = PostalPatch { city: line("Au"), ..PostalPatch::default() };
    let split = CustomerPatch {
        given_name: name("Anna"),
        family_name: name("Muster"),
        billing: AddressEdit::Merge(Box::new(postal)),
        ..CustomerPatch::default()
    };
    for patch in [oversized(), split] {
        let shown = written(&merchant, patch).await;
        let before = record(&merchant, &shown).await;
        let answer = merchant.post(&path_of(&shown), shown.clone()).await;
        assert_eq!(answer.expect(200).json(), shown);
        assert_eq!(record(&merchant, &shown).await, before);
        let changed = with_name(&shown, "Somebody Else");
        merchant.post(&path_of(&shown), changed).await.expect(200);
        let after = record(&merchant, &shown).await;
        assert_eq!(after.full_name.as_ref().map(Name::as_str), Some("Somebody Else"));
        assert_eq!(after.description, before.description);
        assert_eq!(after.billing(), before.billing());
    }
}

fn with_name(shown: &Value, name: &str) -> Value {
    let mut body = shown.clone();
    body["name"] = json!(name);
    body
}

#[tokio::test]
async fn one_name_stands_for_person_and_company() {
    let merchant = Merchant::new().await;
    let company = || name("Muster GmbH");
    let shown = |patch| written(&merchant, patch);
    let split = CustomerPatch {
        given_name: name("Anna"),
        family_name: name("Muster"),
        company_name: company(),
        ..CustomerPatch::default()
    };
    assert_eq!(shown(split).await["name"], "Anna Muster");
    let only = CustomerPatch { company_name: company(), ..CustomerPatch::default() };
    assert_eq!(shown(only).await["name"], "Muster GmbH");
    let empty = CustomerPatch {
        full_name: name(""),
        company_name: company(),
        description: Patch::Set(Note::parse("").expect("a note")),
        ..CustomerPatch::default()
    };
    let empty = shown(empty).await;
    assert_eq!((&empty["name"], &empty["description"]), (&json!("Muster GmbH"), &json!(null)));
}

#[tokio::test]
async fn a_long_phone_number_is_shown_in_its_international_form() {
    let merchant = Merchant::new().await;
    let typed = format!("+387 33 {} 250 000", " ".repeat(25));
    let phone = Phone::parse(&typed, None).expect("a number");
    assert_eq!(phone.e164(), Some("+38733250000"), "a valid number");
    let patch = CustomerPatch { phone: Patch::Set(phone), ..CustomerPatch::default() };
    assert_eq!(written(&merchant, patch).await["phone"], "+38733250000");
}

#[tokio::test]
async fn national_phone_numbers_are_understood_by_the_country() {
    let merchant = Merchant::new().await;
    let at_once = merchant.create(json!({"country": "BA", "phone": "033 250 000"})).await;
    let later = merchant.create(json!({"country": "BA"})).await;
    merchant.post(&path_of(&later), json!({"phone": "033 250 000"})).await.expect(200);
    for customer in [at_once, later] {
        let phone = record(&merchant, &customer).await.phone.expect("a number");
        assert_eq!((phone.raw(), phone.e164()), ("033 250 000", Some("+38733250000")));
    }
}

#[tokio::test]
async fn metadata_of_other_apis_is_shown_verbatim() {
    let merchant = Merchant::new().await;
    let pairs: BTreeMap<String, Value> =
        [("n".to_owned(), json!(null)), ("o".to_owned(), json!({"a": [1]}))].into();
    let metadata = Metadata::parse("metadata", pairs).expect("pairs");
    let patch =
        CustomerPatch { metadata: MetadataPatch::Replace(metadata), ..CustomerPatch::default() };
    assert_eq!(written(&merchant, patch).await["metadata"], json!({"n": null, "o": {"a": [1]}}));
}

#[tokio::test]
async fn an_absorbed_customer_answers_as_the_one_that_took_it_over() {
    let merchant = Merchant::new().await;
    let stays = merchant.create(json!({"name": "Stays"})).await;
    let goes = merchant.create(json!({"merchant_customer_id": "goes"})).await;
    let id = |customer: &Value| {
        Id::Uuid(customer["uuid"].as_str().expect("a uuid").parse().expect("a uuid"))
    };
    let cx = merchant.cx().await;
    customers::merge(&cx, id(&stays), id(&goes), patron_app::Expect::Any).await.expect("merged");
    let stays = merchant.get(&path_of(&stays)).await.expect(200).json();
    assert_eq!(stays["merchant_customer_id"], "goes");
    let followed = merchant.get(&path_of(&goes)).await.expect(200).json();
    assert_eq!(followed, stays);
    merchant.get(&format!("{}/payment-methods", path_of(&goes))).await.expect(200);
    merchant.delete(&path_of(&stays)).await.expect(200);
    let gone = merchant.get(&path_of(&goes)).await.expect(200).json();
    assert_eq!((&gone["uuid"], &gone["deleted"]), (&goes["uuid"], &json!(true)));
}
