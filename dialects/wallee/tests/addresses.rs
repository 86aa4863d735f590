//! Addresses of customers.

use serde_json::{Value, json};

use crate::place::{Shop, encoded, id, refused};

fn postal() -> Value {
    json!({
        "country": "CH", "postalState": "ZH", "street": "Bahnhofstrasse 1\nc/o Meier",
        "postcode": "8400", "city": "Winterthur", "dependentLocality": "Töss", "sortingCode": "7",
        "givenName": "Anna", "familyName": "Muster", "organizationName": "ACME",
        "salutation": "Frau", "gender": "FEMALE", "dateOfBirth": "1990-01-02",
        "emailAddress": "anna@example.com", "phoneNumber": "044 668 18 00",
        "mobilePhoneNumber": "+41 79 123 45 67", "commercialRegisterNumber": "CH-1",
        "salesTaxNumber": "CHE-2", "socialSecurityNumber": "756.1",
        "legalOrganizationForm": 5,
    })
}

/// The same as it is shown: a reference in place of the number.
fn shown() -> Value {
    let mut shown = postal();
    shown["legalOrganizationForm"] = json!({"id": 5});
    shown
}

#[tokio::test]
async fn shows_what_was_sent() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({"givenName": "Anna"})).await;
    let path = format!("/customers/{customer}/addresses");
    let body = json!({"customer": customer, "addressType": "BOTH", "address": postal()});
    let created = shop.post(&path, body).await.expect(201).json();
    let want = json!({
        "id": created["id"], "linkedSpaceId": shop.space(), "version": 1,
        "createdOn": created["createdOn"], "addressType": "BOTH", "customer": {"id": customer},
        "defaultAddress": false, "address": shown(),
    });
    assert_eq!(created, want);
    let one = format!("{path}/{}", id(&created));
    assert_eq!(shop.get(&one).await.expect(200).json(), want);
    let plain = shop.post(&path, json!({"customer": customer})).await.expect(201).json();
    let want = json!({
        "id": plain["id"], "linkedSpaceId": shop.space(), "version": 1,
        "createdOn": plain["createdOn"], "customer": {"id": customer}, "defaultAddress": false,
    });
    assert_eq!(plain, want);
    let version = shop.get(&format!("/customers/{customer}")).await.json()["version"].clone();
    assert_eq!(version, 1, "an address does not count as a change of the customer");
}

#[tokio::test]
async fn the_customer_is_expanded_on_request() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({"givenName": "Anna"})).await;
    let whole = shop.get(&format!("/customers/{customer}")).await.json();
    let path = format!("/customers/{customer}/addresses");
    let expand = "expand=nothing&expand=customer";
    let body = json!({"customer": customer});
    let created = shop.post(&format!("{path}?{expand}"), body).await.expect(201).json();
    assert_eq!(created["customer"], whole);
    let address = id(&created);
    let read = shop.get(&format!("{path}/{address}?expand=group,customer")).await.json();
    assert_eq!(read["customer"], whole);
    for place in ["", "/search"] {
        let page = shop.get(&format!("{path}{place}?{expand}")).await.expect(200).json();
        assert_eq!(page["data"][0]["customer"], whole);
        let page = shop.get(&format!("{path}{place}?expand=customers")).await.json();
        assert_eq!(page["data"][0]["customer"], json!({"id": customer}));
    }
    let change = json!({"version": 1});
    let path = format!("{path}/{address}?expand=customer.something");
    assert_eq!(shop.patch(&path, change).await.expect(200).json()["customer"], whole);
}

#[tokio::test]
async fn limits_hold_at_the_limit_and_one_above() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    let limits = [
        ("street", 300),
        ("postcode", 40),
        ("city", 100),
        ("dependentLocality", 100),
        ("sortingCode", 100),
        ("givenName", 100),
        ("familyName", 100),
        ("organizationName", 100),
        ("salutation", 20),
        ("emailAddress", 254),
        ("phoneNumber", 100),
        ("mobilePhoneNumber", 100),
        ("commercialRegisterNumber", 100),
        ("salesTaxNumber", 100),
        ("socialSecurityNumber", 100),
        ("postalState", 300),
    ];
    let of = |more: usize| -> Value {
        limits
            .iter()
            .map(|(name, max)| ((*name).to_owned(), json!("ž".repeat(max + more))))
            .collect()
    };
    let body = json!({"customer": customer, "address": of(0)});
    let created = shop.post(&path, body).await.expect(201).json();
    assert_eq!(created["address"], of(0));
    let errors: Value = limits
        .iter()
        .map(|(name, max)| {
            let text = format!("Must be at most {max} characters long.");
            (format!("address.{name}"), json!(text))
        })
        .collect();
    let body = json!({"customer": customer, "address": of(1)});
    refused(&shop.post(&path, body).await, 422, "unprocessable_entity", &errors);
}

#[tokio::test]
async fn values_are_checked() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    let bad = json!({
        "country": "ZZ", "gender": "OTHER", "dateOfBirth": "1990-13-01", "street": "a\nb\nc\nd",
    });
    let body = json!({"customer": customer + 1, "addressType": "HOME", "address": bad});
    let errors = json!({
        "customer": "Must equal the customer in the path.",
        "addressType": "Must be one of BILLING, SHIPPING, BOTH.",
        "address.country": "No such country is known.",
        "address.gender": "Must be one of MALE, FEMALE.",
        "address.dateOfBirth": "Must be a date such as 1990-12-31.",
        "address.street": "Must have at most 3 entries.",
    });
    refused(&shop.post(&path, body).await, 422, "unprocessable_entity", &errors);
    for (body, field, text) in [
        (json!({}), "customer", "Must be given."),
        (json!({"customer": null}), "customer", "Must be given."),
        (json!({"customer": "1"}), "customer", "Must be a whole number."),
        (json!({"customer": 1, "address": []}), "address", "Must be an object."),
        (json!({"customer": 1, "address": {"city": 1}}), "address.city", "Must be a string."),
        (
            json!({"customer": 1, "address": {"legalOrganizationForm": "1"}}),
            "address.legalOrganizationForm",
            "Must be a whole number.",
        ),
    ] {
        println!("{body}");
        let answer = shop.post(&path, body).await;
        refused(&answer, 400, "bad_request", &json!({field: text}));
    }
    for (method, path) in [
        ("GET", "/customers/999999999/addresses".to_owned()),
        ("GET", format!("{path}/999999999")),
        ("DELETE", format!("{path}/999999999")),
        ("POST", format!("{path}/999999999/default")),
    ] {
        refused(&shop.call(method, &path, None).await, 404, "not_found", &json!({}));
    }
    let body = json!({"customer": 999_999_999});
    let answer = shop.post("/customers/999999999/addresses", body).await;
    refused(&answer, 404, "not_found", &json!({}));
}

#[tokio::test]
async fn an_update_replaces_the_postal_part_as_a_whole() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    let body = json!({"customer": customer, "addressType": "BOTH", "address": postal()});
    let created = shop.post(&path, body).await.expect(201).json();
    let path = format!("{path}/{}", id(&created));
    let change = json!({"version": 1, "addressType": "BILLING", "address": null});
    let changed = shop.patch(&path, change.clone()).await.expect(200).json();
    assert_eq!(changed["address"], shown());
    assert_eq!((&changed["version"], &changed["addressType"]), (&json!(2), &json!("BILLING")));
    let stale = json!({"version": "Expected 2 but was 1."});
    refused(&shop.patch(&path, change).await, 409, "conflict", &stale);
    let missing = shop.patch(&path, json!({})).await;
    refused(&missing, 400, "bad_request", &json!({"version": "Must be given."}));
    // What was read and is sent back changes nothing.
    let same = shop.patch(&path, json!({"version": 2, "address": postal()})).await;
    assert_eq!(same.expect(200).json(), changed);
    let next = json!({"city": "Basel", "street": "", "gender": null, "country": "CH"});
    let replaced = shop.patch(&path, json!({"version": 2, "address": next})).await.expect(200);
    assert_eq!(replaced.json()["address"], json!({"city": "Basel", "country": "CH"}));
    assert_eq!(replaced.json()["addressType"], "BILLING");
    for street in ["one\ntwo\nthree", "one\n", "\ntwo", "one\n\nthree"] {
        let version = shop.get(&path).await.json()["version"].clone();
        let change = json!({"version": version, "address": {"street": street}});
        let changed = shop.patch(&path, change).await.expect(200).json();
        assert_eq!(changed["address"], json!({"street": street}));
    }
    let version = shop.get(&path).await.json()["version"].clone();
    let emptied =
        shop.patch(&path, json!({"version": version, "address": {}})).await.expect(200).json();
    assert_eq!(emptied.get("address"), None);
}

#[tokio::test]
async fn one_address_is_the_default_in_all() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    let mut all = Vec::new();
    for kind in ["BILLING", "SHIPPING", "BOTH"] {
        let body = json!({"customer": customer, "addressType": kind});
        all.push(id(&shop.post(&path, body).await.expect(201).json()));
    }
    let flags = async || -> Vec<(bool, i64)> {
        let page = shop.get(&path).await.json();
        let data = page["data"].as_array().unwrap().clone();
        data.iter()
            .map(|a| (a["defaultAddress"].as_bool().unwrap(), a["version"].as_i64().unwrap()))
            .collect()
    };
    assert_eq!(flags().await, [(false, 1), (false, 1), (false, 1)], "none is made the default");
    let make = async |n: usize| {
        let answer = shop.call("POST", &format!("{path}/{}/default", all[n]), None).await;
        assert_eq!(answer.expect(204).text(), "");
    };
    make(0).await;
    assert_eq!(flags().await, [(true, 2), (false, 1), (false, 1)]);
    make(1).await;
    assert_eq!(flags().await, [(false, 3), (true, 2), (false, 1)]);
    make(1).await;
    assert_eq!(flags().await, [(false, 3), (true, 2), (false, 1)]);
    shop.delete(&format!("{path}/{}", all[1])).await.expect(204);
    assert_eq!(flags().await, [(false, 3), (false, 1)]);
    let again = shop.delete(&format!("{path}/{}", all[1])).await;
    refused(&again, 404, "not_found", &json!({}));
}

#[tokio::test]
async fn lists_and_searches_are_paged() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    let mut all = Vec::new();
    for n in 0..12 {
        let kind = ["BILLING", "SHIPPING"][n % 2];
        let address = json!({"city": format!("City {}", n % 3), "dateOfBirth": "1990-01-02"});
        let body = json!({"customer": customer, "addressType": kind, "address": address});
        all.push(id(&shop.post(&path, body).await.expect(201).json()));
    }
    let page = shop.get(&path).await.expect(200).json();
    assert_eq!((&page["limit"], &page["hasMore"]), (&json!(10), &json!(true)));
    let ids = async |query: &str| shop.ids(&format!("{path}{query}")).await;
    assert_eq!(ids(&format!("?limit=2&after={}", all[3])).await, all[4..6]);
    assert_eq!(ids(&format!("?limit=2&before={}", all[3])).await, all[1..3]);
    assert_eq!(ids("?limit=2&order=DESC").await, [all[11], all[10]]);
    assert_eq!(ids(&format!("?limit=2&order=DESC&after={}", all[2])).await, [all[1], all[0]]);
    assert_eq!(ids(&format!("?limit=2&order=DESC&before={}", all[2])).await, [all[4], all[3]]);
    let order = encoded("address.city:DESC,id:ASC");
    let page = format!("/search?order={order}&limit=3&offset=1");
    assert_eq!(ids(&page).await, [all[5], all[8], all[11]]);
    let page = shop.get(&format!("{path}{page}")).await.json();
    let envelope = (&page["hasMore"], &page["limit"], &page["offset"]);
    assert_eq!(envelope, (&json!(true), &json!(3), &json!(1)));
    for (query, want) in [
        ("addressType:BILLING address.city:~'city 0'", vec![all[0], all[6]]),
        (&format!("id:>{}", all[9]), all[10..].to_vec()),
        (&format!("id:{} OR id:{}", all[1], all[2]), all[1..3].to_vec()),
        (&format!("customer.id:{customer} -id:<={}", all[9]), all[10..].to_vec()),
        (&format!("-customer:{customer}"), vec![]),
        ("defaultAddress:true", vec![]),
        ("version:>1", vec![]),
        ("createdOn:<2020-01-01", vec![]),
        ("address.dateOfBirth:<1990-01-02", vec![]),
        ("address.street:* address.legalOrganizationForm:*", all.clone()),
    ] {
        assert_eq!(shop.found(&path, query).await, want, "{query}");
    }
    for bad in ["city:Bern", "address.nothing:1", "defaultAddress:maybe", "address:1"] {
        let answer = shop.get(&format!("{path}/search?query={}", encoded(bad))).await;
        assert_eq!(answer.status, 422, "{bad}");
    }
}

#[tokio::test]
async fn a_customer_has_a_hundred_addresses_at_most() {
    let shop = Shop::open().await;
    let customer = shop.customer(json!({})).await;
    let path = format!("/customers/{customer}/addresses");
    for _ in 0..100 {
        shop.post(&path, json!({"customer": customer})).await.expect(201);
    }
    let errors = json!({"addresses": "Must have at most 100 entries."});
    let answer = shop.post(&path, json!({"customer": customer})).await;
    refused(&answer, 422, "unprocessable_entity", &errors);
}
