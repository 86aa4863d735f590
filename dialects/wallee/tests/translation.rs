//! Customers that other APIs made: what is shown of them, and that a change leaves alone what the
//! provider cannot show.

use patron_app::{
    Cx, Id,
    addresses::{self, AddressPatch},
    customers,
};
use patron_model::{
    Patch,
    address::{Postal, Purpose},
    customer::{Customer, CustomerPatch},
    email::Email,
    language::Language,
    metadata::{Metadata, MetadataPatch},
    text::{Line, Name, Reference},
};
use serde_json::json;

use crate::place::Shop;

fn name(text: &str) -> Patch<Name> {
    Patch::Set(Name::parse(text).unwrap())
}

fn line(text: &str) -> Option<Line> {
    Some(Line::parse(text).unwrap())
}

impl Shop {
    fn cx(&self) -> Cx {
        self.server.app.operator(self.space(), "test")
    }

    async fn made_elsewhere(&self, patch: CustomerPatch) -> i64 {
        customers::create(&self.cx(), patch).await.unwrap().number
    }

    async fn record(&self, id: i64) -> Customer {
        customers::get(&self.cx(), Id::Number(id)).await.unwrap().record
    }
}

fn long() -> CustomerPatch {
    CustomerPatch {
        given_name: name(&"g".repeat(255)),
        family_name: name(&"f".repeat(255)),
        email: Patch::Set(Email::lenient(&format!("{}@example.com", "x".repeat(300))).unwrap()),
        reference: Patch::Set(Reference::parse(&"r".repeat(250)).unwrap()),
        language: Patch::Set(Language::parse("de_CH").unwrap()),
        metadata: MetadataPatch::Replace(
            Metadata::parse(
                "metadata",
                [("n".to_owned(), json!(5)), ("o".to_owned(), json!({"a": [true]}))].into(),
            )
            .unwrap(),
        ),
        ..CustomerPatch::default()
    }
}

#[tokio::test]
async fn what_the_sdk_could_not_read_is_cut_or_left_out() {
    let shop = Shop::open().await;
    let id = shop.made_elsewhere(long()).await;
    let shown = shop.get(&format!("/customers/{id}")).await.expect(200).json();
    let want = json!({
        "id": id, "linkedSpaceId": shop.space(), "version": 1, "createdOn": shown["createdOn"],
        "givenName": "g".repeat(100), "familyName": "f".repeat(100), "language": "de-CH",
        "metaData": {"n": "5", "o": "{\"a\":[true]}"},
    });
    assert_eq!(shown, want);
    let reference = Patch::Set(Reference::parse("č").unwrap());
    let id = shop.made_elsewhere(CustomerPatch { reference, ..CustomerPatch::default() }).await;
    let shown = shop.get(&format!("/customers/{id}")).await.expect(200).json();
    assert_eq!(shown.get("customerId"), None);
}

#[tokio::test]
async fn sending_back_what_was_shown_changes_nothing() {
    let shop = Shop::open().await;
    let id = shop.made_elsewhere(long()).await;
    let before = shop.record(id).await;
    let path = format!("/customers/{id}");
    let shown = shop.get(&path).await.expect(200).json();
    assert_eq!(shop.patch(&path, shown.clone()).await.expect(200).json(), shown);
    assert_eq!(shop.record(id).await, before);
    let change = json!({"emailAddress": "new@example.com", "version": 1});
    shop.patch(&path, change).await.expect(200);
    let after = shop.record(id).await;
    assert_eq!(after.given_name, before.given_name);
    assert_eq!(after.metadata, before.metadata);
}

#[tokio::test]
async fn a_full_name_is_shown_in_parts_and_stays_until_a_part_changes() {
    let shop = Shop::open().await;
    let full =
        || CustomerPatch { full_name: name("Anna Maria Muster"), ..CustomerPatch::default() };
    let id = shop.made_elsewhere(full()).await;
    let path = format!("/customers/{id}");
    let shown = shop.get(&path).await.expect(200).json();
    assert_eq!(shown["givenName"], "Anna Maria");
    assert_eq!(shown["familyName"], "Muster");
    shop.patch(&path, shown.clone()).await.expect(200);
    let record = shop.record(id).await;
    assert_eq!((record.given_name.is_none(), record.full_name.is_some()), (true, true));
    let change = json!({"familyName": "Meier", "version": 1});
    let changed = shop.patch(&path, change).await.expect(200).json();
    assert_eq!(changed["givenName"], "Anna Maria");
    assert_eq!(changed["familyName"], "Meier");
    let record = shop.record(id).await;
    assert_eq!(record.names().full.as_deref(), Some("Anna Maria Meier"));
}

#[tokio::test]
async fn names_derived_from_a_full_name_are_found() {
    let shop = Shop::open().await;
    let of = |full: &str| CustomerPatch { full_name: name(full), ..CustomerPatch::default() };
    let two = shop.made_elsewhere(of("Anna Muster")).await;
    let one = shop.made_elsewhere(of("Cher")).await;
    let own = shop.customer(json!({"givenName": "Berta"})).await;
    for (query, want) in [
        ("familyName:~must", vec![two]),
        ("givenName:~ANN", vec![two]),
        ("givenName:*", vec![]),
        ("-givenName:*", vec![two, one, own]),
        ("familyName:*", vec![one, own]),
        ("-familyName:*", vec![two]),
        ("language:* givenName:~er", vec![two, one, own]),
    ] {
        assert_eq!(shop.found("/customers", query).await, want, "{query}");
    }
}

#[tokio::test]
async fn languages_with_underscores_are_found_as_they_are_shown() {
    let shop = Shop::open().await;
    let id = shop.made_elsewhere(long()).await;
    for query in ["language:de-CH", "language:~de-c", "language:de_CH"] {
        assert_eq!(shop.found("/customers", query).await, [id], "{query}");
    }
}

#[tokio::test]
async fn what_the_provider_cannot_show_of_an_address_survives_its_replacement() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let postal = Postal {
        middle_name: Some(Name::parse("Maria").unwrap()),
        city: line(&"c".repeat(300)),
        line1: line("one"),
        line2: line("two"),
        line3: line("three"),
        postal_code: line(&"9".repeat(50)),
        email: Some(Email::lenient(&"e".repeat(300)).unwrap()),
        ..Postal::default()
    };
    let patch = AddressPatch { purpose: Some(Purpose::Other), ..AddressPatch::replacing(postal) };
    let made = addresses::create(&shop.cx(), Id::Number(customer), patch).await.unwrap().address;
    let path = format!("/customers/{customer}/addresses/{}", made.number);
    let shown = shop.get(&path).await.expect(200).json();
    let postal = json!({
        "city": "c".repeat(100), "street": "one\ntwo\nthree", "postcode": "9".repeat(40),
    });
    assert_eq!(shown["address"], postal);
    assert_eq!(shown.get("addressType"), None);
    let same = json!({"version": 1, "address": shown["address"]});
    assert_eq!(shop.patch(&path, same).await.expect(200).json(), shown);
    let change = json!({"version": 1, "address": {"city": "Bern"}});
    let changed = shop.patch(&path, change).await.expect(200).json();
    assert_eq!(changed["address"], json!({"city": "Bern"}));
    let record = shop.record(customer).await;
    let after = &record.address(made.number).unwrap().postal;
    assert_eq!(after.middle_name, made.postal.middle_name);
    assert_eq!(after.email, made.postal.email);
    assert_eq!((&after.line1, &after.postal_code), (&None, &None));
}
