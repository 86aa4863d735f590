//! What may be written, how it is shown, and what an update leaves alone.

use patron_app::{Expect, Id};
use patron_model::{
    Patch,
    customer::{CustomerPatch, Status},
    phone::Phone,
    text::Name,
    time_zone::TimeZone,
};
use patron_payabli::DIALECT;
use serde_json::{Value, json};

use crate::place::{Party, refused};

/// Changes a customer as another API would.
async fn change_elsewhere(party: &Party, number: i64, patch: CustomerPatch) {
    let app = &party.server.app;
    let handle = party.keys["client_id"].as_str().unwrap();
    let space = app.caller(DIALECT.name, handle).await.unwrap().key.space;
    let cx = app.operator(space, "test");
    patron_app::customers::update(&cx, Id::Number(number), Expect::Any, patch).await.unwrap();
}

async fn stored(party: &Party, number: i64) -> patron_model::customer::Customer {
    let app = &party.server.app;
    let handle = party.keys["client_id"].as_str().unwrap();
    let space = app.caller(DIALECT.name, handle).await.unwrap().key.space;
    let cx = app.operator(space, "test");
    patron_app::customers::get_any(&cx, Id::Number(number)).await.unwrap().record
}

#[tokio::test]
async fn everything_that_is_sent_is_kept() {
    let party = Party::new().await;
    let number = party
        .add(json!({
            "customerNumber": "A", "customerUsername": "anna", "customerPsw": "s3cret pass",
            "customerStatus": 1, "company": "Muster AG", "firstname": "Anna", "lastname": "Muster",
            "phone": "(555) 555-0100", "email": "anna@example.org", "address": "1 A St",
            "address1": "2nd floor", "city": "Erwin", "state": "TN", "zip": "37650",
            "country": "US", "shippingAddress": "2 B St", "shippingAddress1": "Dock 4",
            "shippingCity": "Unicoi", "shippingState": "TN", "shippingZip": "37692-1234",
            "shippingCountry": "US", "balance": -12.5, "timeZone": 12,
            "additionalFields": {"a": "1", "b": null}, "identifierFields": ["email", null],
            "createdAt": "2020-01-02 03:04:05", "additionalData": {"x": "y"},
            "customerData": {"firstname": "No"}, "unknown": [1],
        }))
        .await;
    let record = party.record(number).await;
    for (name, want) in [
        ("customerUsername", json!("anna")),
        ("customerStatus", json!(1)),
        ("Company", json!("Muster AG")),
        ("Phone", json!("+15555550100")),
        ("Address1", json!("2nd floor")),
        ("ShippingAddress", json!("2 B St")),
        ("ShippingAddress1", json!("Dock 4")),
        ("ShippingCity", json!("Unicoi")),
        ("ShippingState", json!("TN")),
        ("ShippingZip", json!("37692-1234")),
        ("ShippingCountry", json!("US")),
        ("Balance", json!(-12.5)),
        ("TimeZone", json!(12)),
        ("AdditionalFields", json!({"a": "1"})),
        ("IdentifierFields", json!(["email"])),
    ] {
        assert_eq!(record[name], want, "{name}");
    }
    let created = record["Created"].as_str().unwrap();
    assert_eq!(created.len(), "2024-03-13T12:49:56.5455717+00:00".len());
    assert!(created.ends_with("+00:00") && !created.starts_with("2020"));
    let customer = stored(&party, number).await;
    assert_eq!(customer.extra("payabli", "createdAt"), Some(&json!("2020-01-02 03:04:05")));
    let hash = customer.portal.unwrap().password_hash.unwrap().0;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert!(!record.to_string().contains("argon2") && !record.to_string().contains("s3cret"));
}

#[tokio::test]
async fn null_clears_absence_keeps_and_custom_fields_merge() {
    let party = Party::new().await;
    let number = party
        .add(json!({
            "customerNumber": "A", "email": "a@example.org", "firstname": "Anna", "city": "Erwin",
            "address": "1 A St", "shippingCity": "Unicoi", "balance": 5, "timeZone": 1,
            "customerPsw": "x", "additionalFields": {"a": "1", "b": "2"},
        }))
        .await;
    party.put(number, json!({"email": null, "city": null, "shippingCity": null})).await.expect(200);
    party
        .put(number, json!({"balance": null, "timeZone": null, "customerPsw": null}))
        .await
        .expect(200);
    party.put(number, json!({"additionalFields": {"a": null, "c": "3"}})).await.expect(200);
    let record = party.record(number).await;
    for (name, want) in [
        ("customerNumber", json!("A")),
        ("Firstname", json!("Anna")),
        ("Email", Value::Null),
        ("Address", json!("1 A St")),
        ("City", Value::Null),
        ("ShippingCity", Value::Null),
        ("Balance", json!(0)),
        ("TimeZone", json!(0)),
        ("AdditionalFields", json!({"b": "2", "c": "3"})),
    ] {
        assert_eq!(record[name], want, "{name}");
    }
    assert!(stored(&party, number).await.portal.is_none());
    party.put(number, json!({"additionalFields": null, "firstname": ""})).await.expect(200);
    let record = party.record(number).await;
    assert_eq!(record["AdditionalFields"], json!({}));
    assert_eq!(record["Firstname"], "");
}

#[tokio::test]
async fn limits_at_and_above() {
    let party = Party::new().await;
    let long = |count: usize| "x".repeat(count);
    let ok = json!({
        "customerNumber": long(250), "shippingAddress": long(250), "shippingAddress1": long(100),
        "shippingCity": long(250), "shippingZip": long(50), "timeZone": -12,
        "additionalFields": {"a": long(100)}, "customerPsw": long(256),
    });
    let number = party.add(ok).await;
    for (name, value) in [
        ("customerNumber", json!(long(251))),
        ("email", json!(format!("{}@example.org", long(320)))),
        ("email", json!("no address")),
        ("country", json!("USA")),
        ("country", json!("ZZ")),
        ("shippingAddress", json!(long(251))),
        ("shippingAddress1", json!(long(101))),
        ("shippingCity", json!(long(251))),
        ("shippingZip", json!(long(51))),
        ("customerPsw", json!(long(257))),
        ("customerStatus", json!(2)),
        ("createdAt", json!("yesterday")),
        ("firstname", json!("a\u{7}")),
        ("firstname", json!(7)),
        ("balance", json!("1")),
        ("customerStatus", json!("1")),
    ] {
        refused(party.put(number, json!({name: value})).await, 3003, name);
    }
    let long_value = json!({"additionalFields": {"a": long(101)}});
    refused(party.put(number, long_value).await, 3003, "additionalFields.a");
    let nested = json!({"additionalFields": {"a": {}}});
    refused(party.put(number, nested).await, 3003, "additionalFields.a");
    for hours in [-13, 13] {
        refused(party.put(number, json!({"timeZone": hours})).await, 3004, "timeZone");
    }
    for (zip, country, good) in [
        ("37615", "US", true),
        ("37615-1234", "US", true),
        ("3761", "US", false),
        ("K1A 0B1", "CA", true),
        ("K1A0B", "ca", false),
        ("SW1A 1AA", "GB", true),
    ] {
        let answer =
            party.put(number, json!({"shippingZip": zip, "shippingCountry": country})).await;
        assert_eq!(answer.status, if good { 200 } else { 400 }, "{zip} {country}");
    }
    let deleted = json!({"customerNumber": "B", "customerStatus": -99});
    refused(party.submit("", deleted).await, 3003, "customerStatus");
}

#[tokio::test]
async fn card_data_and_bodies_that_are_none_are_refused() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let card = json!({"customerNumber": "B", "company": "4111 1111 1111 1111"});
    refused(party.submit("", card).await, 3003, "company");
    let code = json!({"additionalFields": {"cvv": "123"}});
    refused(party.put(number, code).await, 3003, "additionalFields.cvv");
    refused(
        party.get(&format!("/api/Customer/link/{number}/4111111111111111")).await,
        3003,
        "transId",
    );
    let target = format!("/api/Customer/{number}");
    let token = party.keys["request_token"].as_str().unwrap();
    let raw = async |media: &str, body: &str| {
        let headers = [("requestToken", token), ("content-type", media)];
        party.server.raw("PUT", &target, &headers, body.as_bytes()).await
    };
    let json = "application/json";
    for (media, body, status) in [
        (json, "", 400),
        (json, "{", 400),
        (json, "[]", 400),
        (json, "{\"city\": \"a\"} x", 400),
        ("text/plain", "{}", 415),
        ("application/json; charset=utf-8", "{}", 200),
        ("application/*+json", "{}", 200),
        ("application/problem+json", "{}", 200),
    ] {
        assert_eq!(raw(media, body).await.status, status, "{media} {body}");
    }
}

#[tokio::test]
async fn what_is_sent_back_as_shown_changes_nothing() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A", "country": "US"})).await;
    let us = patron_model::country::Country::parse("US").unwrap();
    let patch = CustomerPatch {
        full_name: Patch::Set(Name::parse("Dr. Anna Muster").unwrap()),
        phone: Patch::Set(Phone::parse("(423) 555-0117", Some(&us)).unwrap()),
        time_zone: Patch::Set(TimeZone::parse("Asia/Tokyo").unwrap()),
        status: Patch::Set(Status::Blocked),
        ..CustomerPatch::default()
    };
    change_elsewhere(&party, number, patch).await;
    let before = stored(&party, number).await;
    let record = party.record(number).await;
    assert_eq!((&record["Firstname"], &record["Lastname"]), (&json!("Dr. Anna"), &json!("Muster")));
    assert_eq!((&record["customerStatus"], &record["TimeZone"]), (&json!(85), &json!(9)));
    let same = json!({
        "customerNumber": record["customerNumber"], "customerStatus": record["customerStatus"],
        "firstname": record["Firstname"], "lastname": record["Lastname"],
        "phone": record["Phone"], "timeZone": record["TimeZone"], "balance": record["Balance"],
        "country": record["Country"],
    });
    party.put(number, same).await.expect(200);
    assert_eq!(stored(&party, number).await, before);
    // A changed part keeps the other one, and replaces the full name of before.
    party.put(number, json!({"lastname": "Meier"})).await.expect(200);
    let after = stored(&party, number).await;
    assert_eq!(after.names().full.as_deref(), Some("Dr. Anna Meier"));
    let record = party.record(number).await;
    assert_eq!((&record["Firstname"], &record["Lastname"]), (&json!("Dr. Anna"), &json!("Meier")));
}

#[tokio::test]
async fn without_a_status_a_customer_is_inactive_here_alone() {
    let party = Party::new().await;
    let mut numbers = Vec::new();
    for (given, body) in [
        ("nothing", json!({"customerNumber": "A", "firstname": "Anna"})),
        ("null", json!({"customerNumber": "B", "firstname": "Beat", "customerStatus": null})),
    ] {
        let number = party.add(body).await;
        assert_eq!(party.record(number).await["customerStatus"], 0, "{given}");
        assert_eq!(stored(&party, number).await.status, Status::Active, "{given}");
        // Sent back as shown it stays so, and so it does under other changes.
        party.put(number, json!({"customerStatus": 0, "lastname": "X"})).await.expect(200);
        assert_eq!(party.record(number).await["customerStatus"], 0, "{given}");
        assert_eq!(stored(&party, number).await.status, Status::Active, "{given}");
        numbers.push(number);
    }
    assert_eq!(party.list("status(eq)=0&sortBy=asc(customernumber)").await, ["A", "B"]);
    assert_eq!(party.list("status(eq)=1").await, Vec::<String>::new());
    assert_eq!(party.list("status(ne)=0").await, Vec::<String>::new());
    // Whoever sets a status ends that, here or through another API.
    party.put(numbers[0], json!({"customerStatus": 1})).await.expect(200);
    let active = CustomerPatch { status: Patch::Set(Status::Active), ..CustomerPatch::default() };
    change_elsewhere(&party, numbers[1], active).await;
    for number in numbers {
        assert_eq!(party.record(number).await["customerStatus"], 1);
        let customer = stored(&party, number).await;
        assert_eq!((customer.status, customer.extras.len()), (Status::Active, 0));
    }
    assert_eq!(party.list("status(eq)=1&sortBy=asc(customernumber)").await, ["A", "B"]);
    assert_eq!(party.list("status(eq)=0").await, Vec::<String>::new());
}

#[tokio::test]
async fn statuses_and_deletion() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A", "firstname": "Anna"})).await;
    for status in [1, 85, 0, 1] {
        party.put(number, json!({"customerStatus": status})).await.expect(200);
        assert_eq!(party.record(number).await["customerStatus"], status);
    }
    party.put(number, json!({"customerStatus": null})).await.expect(200);
    assert_eq!(party.record(number).await["customerStatus"], 0);
    party.put(number, json!({"customerStatus": -99, "lastname": "Last"})).await.expect(200);
    refused(party.get(&format!("/api/Customer/{number}")).await, 3003, "customer");
    refused(party.put(number, json!({"firstname": "X"})).await, 3003, "customer");
    let delete = party.call("DELETE", &format!("/api/Customer/{number}"), None).await;
    refused(delete, 3003, "customer");
    refused(party.get(&format!("/api/Customer/link/{number}/45-1")).await, 3003, "customer");
    refused(party.get("/api/Statistic/customerbasic/ytd/m/1").await, 3003, "customer");
    refused(party.get("/api/Customer/nothing").await, 3003, "customer");
    assert_eq!(stored(&party, number).await.family_name.unwrap().as_str(), "Last");
    // Its number is free again.
    assert_ne!(party.add(json!({"customerNumber": "A"})).await, number);
}

#[tokio::test]
async fn consent_and_links() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let consent = format!("/api/Customer/{number}/consent");
    refused(party.call("POST", &consent, None).await, 3003, "email");
    party.put(number, json!({"email": "a@example.org"})).await.expect(200);
    party.call("POST", &consent, None).await.expect(200);
    let record = party.record(number).await;
    assert_eq!(record["customerConsent"]["eCommunication"]["status"], -1);
    assert_eq!(record["customerConsent"]["sms"], Value::Null);
    for transaction in ["45-aB", "129-219", "45-aB"] {
        let target = format!("/api/Customer/link/{number}/{transaction}");
        party.get(&target).await.expect(200);
    }
    let linked = stored(&party, number).await;
    assert_eq!(linked.extra("payabli", "linkedTransactions"), Some(&json!(["45-aB", "129-219"])));
    let long = format!("/api/Customer/link/{number}/{}", "x".repeat(101));
    refused(party.get(&long).await, 3003, "transId");
    refused(party.get(&format!("/api/Statistic/customerbasic/all/m/{number}")).await, 3003, "mode");
    refused(party.get(&format!("/api/Statistic/customerbasic/ytd/y/{number}")).await, 3003, "freq");
}

#[tokio::test]
async fn stored_methods_are_shown() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let app = &party.server.app;
    let handle = party.keys["client_id"].as_str().unwrap();
    let space = app.caller(DIALECT.name, handle).await.unwrap().key.space;
    let method = patron_app::payment_methods::NewMethod {
        method_type: patron_model::payment_method::MethodType::Card,
        source: patron_app::payment_methods::Source::Card {
            number: patron_model::card::CardNumber::parse("4111111111111111").unwrap(),
            expiry: patron_model::card::Expiry::new(2031, 2).unwrap(),
        },
        details: Default::default(),
        is_default: true,
    };
    let cx = app.operator(space, "test");
    patron_app::payment_methods::create(&cx, Id::Number(number), method).await.unwrap();
    let record = party.record(number).await;
    let stored = &record["StoredMethods"][0];
    assert_eq!(stored["MaskedAccount"], "4XXXXXXXX1111");
    assert_eq!(stored["ExpDate"], "0231");
    assert_eq!(stored["Descriptor"], "visa");
    assert_eq!(stored["Method"], "card");
    assert_eq!(stored["MethodType"], "Single Merchant");
    let id = stored["IdPmethod"].as_str().unwrap();
    assert!(id.ends_with(&format!("-{number}")), "{id}");
    assert_eq!(stored.as_object().unwrap().len(), 17);
    let listed = party.get(&format!("/api/Query/customers/{}", party.entry())).await.json();
    assert_eq!(listed["Records"][0]["StoredMethods"], record["StoredMethods"]);
}

#[tokio::test]
async fn members_stand_in_the_documented_order() {
    let party = Party::new().await;
    let number = party.add(json!({"customerNumber": "A"})).await;
    let text = party.get(&format!("/api/Customer/{number}")).await.expect(200).text();
    let names = [
        "customerId",
        "customerNumber",
        "customerUsername",
        "customerStatus",
        "Company",
        "Firstname",
        "Lastname",
        "Phone",
        "Email",
        "Address",
        "Address1",
        "City",
        "State",
        "Zip",
        "Country",
        "ShippingAddress",
        "ShippingAddress1",
        "ShippingCity",
        "ShippingState",
        "ShippingZip",
        "ShippingCountry",
        "Balance",
        "TimeZone",
        "MFA",
        "MFAMode",
        "snProvider",
        "snIdentifier",
        "snData",
        "LastUpdated",
        "Created",
        "AdditionalFields",
        "IdentifierFields",
        "Subscriptions",
        "StoredMethods",
        "customerSummary",
        "PaypointLegalname",
        "PaypointDbaname",
        "ParentOrgName",
        "ParentOrgId",
        "PaypointEntryname",
        "pageidentifier",
        "externalPaypointID",
        "customerConsent",
        "customerPortal",
    ];
    let places: Vec<Option<usize>> =
        names.iter().map(|name| text.find(&format!("\"{name}\":"))).collect();
    assert!(places.iter().all(Option::is_some), "{text}");
    assert!(places.is_sorted(), "{text}");
}

#[tokio::test]
async fn a_merged_customer_answers_as_the_one_that_took_it_over() {
    let party = Party::new().await;
    let stays = party.add(json!({"customerNumber": "A"})).await;
    let goes = party.add(json!({"customerNumber": "B", "email": "b@example.org"})).await;
    let space = stored(&party, stays).await.space;
    let cx = party.server.app.operator(space, "test");
    let (stays_id, goes_id) = (Id::Number(stays), Id::Number(goes));
    patron_app::customers::merge(&cx, stays_id, goes_id, Expect::Any).await.unwrap();
    let record = party.record(goes).await;
    assert_eq!((&record["customerId"], &record["Email"]), (&json!(stays), &json!("b@example.org")));
    refused(party.put(goes, json!({"firstname": "X"})).await, 3003, "customer");
    assert_eq!(party.list("").await, ["A"]);
    assert_eq!(party.list("status(eq)=-99").await, ["B"]);
}
