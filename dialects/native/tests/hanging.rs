//! What hangs on a customer: addresses, comments, payment methods.

use serde_json::json;

use crate::place::Native;

#[tokio::test]
async fn addresses_have_lives_of_their_own() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    let all = format!("{target}/addresses");
    let body = json!({
        "purpose": "billing", "default": true, "given_name": "Anna", "line1": "Weg 1",
        "line2": "Hof", "city": "Bern", "postal_code": "3000", "country": "CH",
        "date_of_birth": "1990-12-31", "gender": "female", "phone": "+41446681800",
        "legal_organization_form": 7,
    });
    let first = native.call("POST", &all, Some(body.clone())).await.expect(201).json();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&first[name], value, "{name}");
    }
    let one = format!("{all}/{}", first["id"].as_str().unwrap());
    let changed = native
        .with(
            "PATCH",
            &one,
            &[("if-match", "\"1\"")],
            Some(json!({"city": "Basel", "line2": null})),
        )
        .await
        .expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(changed.json()["city"], "Basel");
    assert!(changed.json().get("line2").is_none());
    native
        .with("PATCH", &one, &[("if-match", "\"1\"")], Some(json!({"city": "Genf"})))
        .await
        .expect(412);
    // The customer's own version does not count changes of its addresses.
    assert_eq!(native.call("GET", &target, None).await.json()["version"], 1);
    let second = json!({"purpose": "billing", "default": true, "city": "Genf"});
    let second = native.call("POST", &all, Some(second)).await.expect(201).json();
    let shipping = json!({"purpose": "shipping", "default": true, "city": "Chur"});
    native.call("POST", &all, Some(shipping)).await.expect(201);
    let listed = native.call("GET", &all, None).await.json();
    let defaults: Vec<bool> =
        listed["data"].as_array().unwrap().iter().map(|a| a["default"] == true).collect();
    assert_eq!(defaults, [false, true, true], "one default of each purpose");
    let default = format!("{one}/default");
    native.call("POST", &default, None).await.expect(200);
    let other = format!("{all}/{}", second["number"]);
    assert_eq!(native.call("GET", &other, None).await.json()["default"], false);
    native.call("DELETE", &one, None).await.expect(204);
    native.call("GET", &one, None).await.expect(404);
    let bad = json!({"purpose": "nope", "country": "ZZ", "gender": "x", "date_of_birth": "1990"});
    let bad = native.call("POST", &all, Some(bad)).await.expect(422).json();
    assert_eq!(bad["errors"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn addresses_are_limited() {
    let native = Native::start().await;
    let many: Vec<_> = (0..100).map(|n| json!({"city": format!("C{n}")})).collect();
    let customer = native.create(json!({"addresses": many})).await;
    let all = format!("/v1/customers/{}/addresses", customer["number"]);
    native.call("POST", &all, Some(json!({"city": "one more"}))).await.expect(422);
    let too_many: Vec<_> = (0..101).map(|_| json!({})).collect();
    let body = json!({"addresses": too_many});
    native.call("POST", "/v1/customers", Some(body)).await.expect(422);
}

#[tokio::test]
async fn comments_are_written_pinned_edited_and_deleted() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let all = format!("/v1/customers/{}/comments", customer["number"]);
    let made =
        native.call("POST", &all, Some(json!({"content": "hello"}))).await.expect(201).json();
    assert_eq!(made["pinned"], false);
    let one = format!("{all}/{}", made["number"]);
    let pinned = native.call("PATCH", &one, Some(json!({"pinned": true}))).await.expect(200).json();
    assert_eq!((pinned["pinned"].clone(), pinned.get("edited_at")), (json!(true), None));
    let edited =
        native.call("PATCH", &one, Some(json!({"content": "bye"}))).await.expect(200).json();
    assert_eq!(edited["version"], 3);
    assert!(edited["edited_at"].is_string());
    let long = json!({"content": "x".repeat(262_144)});
    native.call("PATCH", &one, Some(long)).await.expect(200);
    let longer = json!({"content": "x".repeat(262_145)});
    native.call("PATCH", &one, Some(longer)).await.expect(422);
    native.with("DELETE", &one, &[("if-match", "\"1\"")], None).await.expect(412);
    native.call("DELETE", &one, None).await.expect(204);
    native.call("GET", &one, None).await.expect(404);
    for n in 0..5 {
        native.call("POST", &all, Some(json!({"content": n.to_string()}))).await.expect(201);
    }
    let page = native.call("GET", &format!("{all}?limit=2"), None).await.json();
    assert_eq!(page["data"][0]["content"], "4");
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = native.call("GET", &format!("{all}?limit=2&cursor={cursor}"), None).await.json();
    assert_eq!(next["data"][0]["content"], "2");
}

#[tokio::test]
async fn cards_become_tokens_and_the_number_stays_nowhere() {
    let native = Native::start().await;
    let customer = native.create(json!({})).await;
    let all = format!("/v1/customers/{}/payment-methods", customer["number"]);
    let card = |month: i64, year: i64| {
        json!({"type": "card", "holder_name": "Anna Muster",
            "card": {"number": "4111 1111 1111 1111", "expiry_month": month, "expiry_year": year}})
    };
    let saved = native.call("POST", &all, Some(card(12, 2035))).await.expect(201);
    assert!(!saved.text().contains("411111111111"), "{}", saved.text());
    let saved = saved.json();
    assert_eq!(saved["brand"], "visa");
    assert_eq!((&saved["first_six"], &saved["last_four"]), (&json!("411111"), &json!("1111")));
    assert_eq!((&saved["expired"], &saved["default"]), (&json!(false), &json!(true)));
    assert_eq!(saved["token"].as_str().unwrap().len(), 64);
    // The same card again is the same method, renewed.
    let again = native.call("POST", &all, Some(card(1, 2036))).await.expect(200).json();
    assert_eq!((&again["id"], &again["token"]), (&saved["id"], &saved["token"]));
    assert_eq!(again["expiry_year"], 2036);
    let expired =
        json!({"card": {"number": "5555555555554444", "expiry_month": 1, "expiry_year": 2020}});
    let expired = native.call("POST", &all, Some(expired)).await.expect(201).json();
    assert_eq!((&expired["expired"], &expired["brand"]), (&json!(true), &json!("mastercard")));
    let token = json!({"type": "card", "provider": "psp", "provider_token": "tok_1", "last_four": "4242",
        "first_six": "424242", "brand": "visa", "expiry_month": 5, "expiry_year": 2034, "default": true});
    let by_token = native.call("POST", &all, Some(token)).await.expect(201).json();
    assert_eq!(by_token["provider_token"], "tok_1");
    let listed = native.call("GET", &all, None).await.json();
    let defaults =
        listed["data"].as_array().unwrap().iter().filter(|m| m["default"] == true).count();
    assert_eq!(defaults, 1);
    for bad in [
        json!({"type": "card"}),
        json!({"card": {"number": "4111111111111112", "expiry_month": 1, "expiry_year": 2030}}),
        json!({"card": {"number": "4111111111111111", "expiry_month": 13, "expiry_year": 2030}}),
        json!({"card": {"number": "4111111111111111"}}),
        json!({}),
    ] {
        native.call("POST", &all, Some(bad)).await.expect(422);
    }
    let with_code = json!({"card": {"number": "4111111111111111", "expiry_month": 1,
        "expiry_year": 2030, "cvc": "123"}});
    native.call("POST", &all, Some(with_code)).await.expect(422);
    let one = format!("{all}/{}", saved["number"]);
    let off =
        native.call("PATCH", &one, Some(json!({"state": "inactive"}))).await.expect(200).json();
    assert_eq!(off["state"], "inactive");
    native.call("PATCH", &one, Some(json!({"last_four": "9999"}))).await.expect(422);
    native.call("DELETE", &one, None).await.expect(204);
    native.call("GET", &one, None).await.expect(404);
}

#[tokio::test]
async fn a_deleted_customer_hides_what_hangs_on_it_until_it_is_restored() {
    let native = Native::start().await;
    let customer = native.create(json!({"addresses": [{"city": "Bern"}]})).await;
    let target = format!("/v1/customers/{}", customer["number"]);
    let body = json!({"content": "hello"});
    native.call("POST", &format!("{target}/comments"), Some(body)).await.expect(201);
    native.call("DELETE", &target, None).await.expect(204);
    for hanging in ["addresses", "comments", "payment-methods"] {
        native.call("GET", &format!("{target}/{hanging}"), None).await.expect(404);
    }
    native.call("POST", &format!("{target}/restore"), None).await.expect(200);
    let comments = native.call("GET", &format!("{target}/comments"), None).await.json();
    assert_eq!(comments["data"][0]["content"], "hello");
    let addresses = native.call("GET", &format!("{target}/addresses"), None).await.json();
    assert_eq!(addresses["data"][0]["city"], "Bern");
}
