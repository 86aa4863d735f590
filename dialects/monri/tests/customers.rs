//! Customers one at a time (dossier B.2 to B.4).

use serde_json::{Value, json};

use crate::place::{Merchant, assert_error, assert_refused, path_of};

const CREATED: &str = "2026-01-02T03:04:05Z";

/// A customer of whom nothing is known but when it was created.
fn blank(id: &Value) -> Value {
    json!({
        "status": "approved", "id": id, "uuid": id, "merchant_customer_id": null,
        "description": null, "email": null, "name": null, "phone": null, "zip_code": null,
        "city": null, "address": null, "country": null, "metadata": {}, "deleted": false,
        "created_at": CREATED, "updated_at": CREATED, "deleted_at": null,
    })
}

/// Every field with a value.
fn full() -> Value {
    json!({
        "merchant_customer_id": "customer-id-1234", "description": "Customer",
        "email": "not an address", "name": "Ana Anić", "phone": "033/123-456",
        "metadata": {"key": "value", "n": 1.5, "b": true, "o": {"a": [null, "x"]}},
        "zip_code": "71000", "city": "Sarajevo", "address": "Titova 1", "country": "BA",
    })
}

fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        base[name] = value.clone();
    }
    base
}

#[tokio::test]
async fn an_empty_create_shows_every_member() {
    let merchant = Merchant::at(CREATED).await;
    let unsaid = json!({
        "merchant_customer_id": null, "description": null, "email": null, "name": null,
        "phone": null, "metadata": null, "zip_code": null, "city": null, "address": null,
        "country": null,
    });
    for body in [json!({}), unsaid, json!({"metadata": {}, "unknown": [1], "deleted": true})] {
        let customer = merchant.create(body).await;
        assert_eq!(customer, blank(&customer["uuid"]));
        assert_eq!(merchant.get(&path_of(&customer)).await.expect(200).json(), customer);
    }
}

#[tokio::test]
async fn every_field_is_kept_as_sent() {
    let merchant = Merchant::at(CREATED).await;
    let customer = merchant.create(full()).await;
    assert_eq!(customer, with(blank(&customer["uuid"]), full()));
    let by_id = merchant.get("/v2/merchants/customers/customer-id-1234").await.expect(200);
    assert_eq!(by_id.json(), customer);
    let stranger = merchant.get("/v2/merchants/customers/Customer-id-1234").await;
    assert_error(&stranger, 404, "invalid-request", "Customer not found");
}

#[tokio::test]
async fn an_update_keeps_what_it_does_not_mention() {
    let merchant = Merchant::at(CREATED).await;
    let customer = merchant.create(full()).await;
    let path = path_of(&customer);
    merchant.server.app.clock.advance_seconds(60);
    let later = "2026-01-02T03:05:05Z";
    let unsaid = json!({
        "merchant_customer_id": null, "description": null, "email": null, "name": "Ana Marić",
        "phone": null, "metadata": null, "zip_code": null, "city": null, "address": null,
        "country": null,
    });
    let updated = merchant.post(&path, unsaid).await.expect(200).json();
    let want = with(customer, json!({"name": "Ana Marić", "updated_at": later}));
    assert_eq!(updated, want);
    assert_eq!(merchant.get(&path).await.json(), want);
    let city = merchant.post(&path, json!({"city": "Čapljina"})).await.expect(200).json();
    assert_eq!(city, with(want.clone(), json!({"city": "Čapljina"})));
    let all = json!({
        "merchant_customer_id": "new id", "description": "D", "email": "e@x.ba", "name": "N",
        "phone": "1", "zip_code": "1", "city": "abc", "address": "abc", "country": "HR",
    });
    let replaced = merchant.post(&path, all.clone()).await.expect(200).json();
    assert_eq!(replaced, with(want, all));
    merchant.get("/v2/merchants/customers/new%20id").await.expect(200);
    let old = merchant.get("/v2/merchants/customers/customer-id-1234").await;
    assert_error(&old, 404, "invalid-request", "Customer not found");
}

#[tokio::test]
async fn an_update_that_changes_nothing_keeps_the_time() {
    let merchant = Merchant::at(CREATED).await;
    let customer = merchant.create(full()).await;
    merchant.server.app.clock.advance_seconds(60);
    for body in [json!({}), full(), json!({"metadata": {}}), json!({"metadata": {"none": null}})] {
        assert_eq!(merchant.post(&path_of(&customer), body).await.expect(200).json(), customer);
    }
}

#[tokio::test]
async fn metadata_is_merged_key_by_key() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({"metadata": {"a": "1", "b": "2", "gone": null}})).await;
    for (change, want) in [
        (json!({}), json!({"a": "1", "b": "2"})),
        (json!({"c": "3"}), json!({"a": "1", "b": "2", "c": "3"})),
        (json!({"a": null, "b": "x"}), json!({"b": "x", "c": "3"})),
        (json!({"b": {"deep": null}}), json!({"b": {"deep": null}, "c": "3"})),
        (json!({"b": null, "c": null}), json!({})),
    ] {
        let body = json!({"metadata": change});
        let answer = merchant.post(&path, body).await.expect(200).json();
        assert_eq!(answer["metadata"], want);
    }
    for (bad, message) in [
        (json!([]), "Metadata must be an object"),
        (json!("x"), "Metadata must be an object"),
        (json!({"": "x"}), "Metadata is too short (minimum is 1 character)"),
        (json!({"a": "\u{1}"}), "Metadata must not contain control characters"),
    ] {
        assert_refused(&merchant.post(&path, json!({"metadata": bad})).await, message);
    }
}

#[tokio::test]
async fn lengths_hold_at_the_limit_and_not_one_beyond() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    for (field, label, min, max) in [
        ("merchant_customer_id", "Merchant customer id", 1, 100),
        ("description", "Description", 1, 200),
        ("email", "Email", 1, 200),
        ("name", "Name", 1, 50),
        ("phone", "Phone", 1, 30),
        ("zip_code", "Zip code", 1, 9),
        ("city", "City", 3, 30),
        ("address", "Address", 3, 100),
    ] {
        let text = |length| json!({field: "ž".repeat(length)});
        for length in [min, max] {
            let kept = merchant.post(&path, text(length)).await.expect(200).json();
            assert_eq!(kept[field], text(length)[field]);
        }
        let plural = if min == 1 { "" } else { "s" };
        let short = format!("{label} is too short (minimum is {min} character{plural})");
        let long = format!("{label} is too long (maximum is {max} characters)");
        for (body, message) in [(text(0), &short), (text(min - 1), &short), (text(max + 1), &long)]
        {
            assert_refused(&merchant.post(&path, body.clone()).await, message);
            assert_refused(&merchant.post("/v2/customers", body).await, message);
        }
        for wrong in [json!(7), json!(true), json!([]), json!({}), json!(["x"])] {
            let body = json!({field: wrong});
            let message = format!("{label} must be a string");
            assert_refused(&merchant.post(&path, body).await, &message);
        }
    }
}

#[tokio::test]
async fn countries_are_iso_codes() {
    let merchant = Merchant::new().await;
    for good in ["BA", "hr", "XK"] {
        assert_eq!(merchant.create(json!({"country": good})).await["country"], good);
    }
    let unknown = "Country must be a known ISO 3166-1 alpha-2 code";
    for (bad, message) in [
        ("", "Country is too short (minimum is 2 characters)"),
        ("B", "Country is too short (minimum is 2 characters)"),
        ("BIH", "Country is too long (maximum is 2 characters)"),
        ("ZZ", unknown),
        ("B1", unknown),
        ("čž", unknown),
    ] {
        assert_refused(&merchant.post("/v2/customers", json!({"country": bad})).await, message);
    }
}

#[tokio::test]
async fn all_problems_are_said_at_once() {
    let merchant = Merchant::new().await;
    let body = json!({"city": "Au", "name": "", "email": "x".repeat(201)});
    let message = "City is too short (minimum is 3 characters), \
                   Email is too long (maximum is 200 characters), \
                   Name is too short (minimum is 1 character)";
    assert_refused(&merchant.post("/v2/customers", body).await, message);
}

#[tokio::test]
async fn a_merchants_id_names_one_living_customer() {
    let merchant = Merchant::new().await;
    let first = merchant.create_path(json!({"merchant_customer_id": "one"})).await;
    let holder = first.rsplit('/').next().unwrap();
    let taken = &format!("Merchant customer id has already been taken by customer {holder}");
    let answer = merchant.post("/v2/customers", json!({"merchant_customer_id": "one"})).await;
    assert_refused(&answer, taken);
    let second = merchant.create_path(json!({"merchant_customer_id": "two"})).await;
    let answer = merchant.post(&second, json!({"merchant_customer_id": "one"})).await;
    assert_refused(&answer, taken);
    assert_eq!(merchant.get(&second).await.json()["merchant_customer_id"], "two");
    merchant.post(&first, json!({"merchant_customer_id": "one"})).await.expect(200);
    merchant.delete(&first).await.expect(200);
    merchant.post(&second, json!({"merchant_customer_id": "one"})).await.expect(200);
    merchant.create(json!({"merchant_customer_id": "two"})).await;
    assert_eq!(merchant.get(&first).await.json()["deleted"], true);
}

#[tokio::test]
async fn a_deleted_customer_is_still_shown_by_uuid() {
    let merchant = Merchant::at(CREATED).await;
    let customer = merchant.create(full()).await;
    let path = path_of(&customer);
    merchant.server.app.clock.advance_seconds(60);
    let deleted = json!({
        "status": "approved", "id": customer["uuid"], "uuid": customer["uuid"], "deleted": true,
    });
    assert_eq!(merchant.delete(&path).await.expect(200).json(), deleted);
    let at = "2026-01-02T03:05:05Z";
    // That it is deleted, and no word about a person.
    let gone = json!({
        "status": "approved", "id": customer["uuid"], "uuid": customer["uuid"],
        "merchant_customer_id": null, "description": null, "email": null, "name": null,
        "phone": null, "zip_code": null, "city": null, "address": null, "country": null,
        "metadata": {}, "deleted": true, "created_at": CREATED, "updated_at": at, "deleted_at": at,
    });
    assert_eq!(merchant.get(&path).await.expect(200).json(), gone);
    merchant.server.app.clock.advance_seconds(60);
    assert_eq!(merchant.delete(&path).await.expect(200).json(), deleted);
    assert_eq!(merchant.get(&path).await.expect(200).json(), gone);
    let answer = merchant.post(&path, json!({"name": "A"})).await;
    assert_error(&answer, 404, "invalid-request", "Customer not found");
    let answer = merchant.get("/v2/merchants/customers/customer-id-1234").await;
    assert_error(&answer, 404, "invalid-request", "Customer not found");
    let methods = merchant.get(&format!("{path}/payment-methods")).await.expect(200).json();
    assert_eq!(methods, json!({"status": "approved", "data": []}));
    let listed = merchant.get("/v2/customers").await.expect(200).json();
    assert_eq!(listed, json!({"status": "approved", "data": []}));
}

#[tokio::test]
async fn unknown_customers_are_not_found() {
    let merchant = Merchant::new().await;
    let uuid = merchant.create(json!({})).await["uuid"].as_str().expect("a uuid").to_owned();
    let simple = uuid.replace('-', "");
    for id in ["4b281da4-d145-4233-b957-2018cf9aa0fb", "1", "x", simple.as_str()] {
        let path = format!("/v2/customers/{id}");
        let found = [
            merchant.get(&path).await,
            merchant.post(&path, json!({"name": "A"})).await,
            merchant.delete(&path).await,
            merchant.get(&format!("{path}/payment-methods")).await,
            merchant.get(&format!("/v2/merchants/customers/{id}")).await,
        ];
        for answer in found {
            assert_error(&answer, 404, "invalid-request", "Customer not found");
        }
    }
    merchant.get(&format!("/v2/customers/{}", uuid.to_uppercase())).await.expect(200);
}

#[tokio::test]
async fn bodies_must_be_one_json_object() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    for (body, message) in [
        ("", "Request must be a JSON document"),
        ("{", "Request cannot be understood: no valid JSON from line 1 column 1"),
        ("{}\n{}", "Request cannot be understood: no valid JSON from line 2 column 1"),
        ("[]", "Request must be an object"),
        (r#"["one"]"#, "Request must be an object"),
        ("null", "Request must be an object"),
        ("\"x\"", "Request must be an object"),
        (r#"{"name":"A","name":"B"}"#, "Name must not appear twice"),
    ] {
        for target in ["/v2/customers", path.as_str()] {
            let bearer = merchant.bearer(&["customers"]).await;
            let answer = merchant.authorized(&bearer, "POST", target, body).await;
            assert_refused(&answer, message);
        }
    }
    let bearer = merchant.bearer(&["customers"]).await;
    let answer = merchant.authorized(&bearer, "POST", "/v2/customers", " \r\n\t{}").await;
    answer.expect(200);
}

#[tokio::test]
async fn card_data_is_refused_everywhere() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    let card = "looks like a card number; card numbers are never stored here";
    for (body, label) in [
        (json!({"description": "paid with 4111 1111 1111 1111"}), "Description"),
        (json!({"metadata": {"pan": "4111111111111111"}}), "Metadata"),
        (json!({"metadata": {"pan": 4111111111111111_u64}}), "Metadata"),
        (json!({"metadata": {"4111111111111111": "x"}}), "Request"),
        (json!({"merchant_customer_id": "4111111111111111"}), "Merchant customer id"),
        (json!({"unknown": {"deep": "4111-1111-1111-1111"}}), "Request"),
    ] {
        for target in ["/v2/customers", path.as_str()] {
            let answer = merchant.post(target, body.clone()).await;
            assert_refused(&answer, &format!("{label} {card}"));
        }
    }
    let answer = merchant.post(&path, json!({"metadata": {"cvv": "123"}})).await;
    assert_refused(&answer, "Metadata card security codes are never accepted here");
    assert_eq!(merchant.get(&path).await.json()["metadata"], json!({}));
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_in_this_shape() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    for target in [
        "/v2/customers/",
        "/v2/merchants",
        "/v2/merchants/customers",
        "/v2/merchants/customers/a/b",
        "/v2/oauth/token",
        &format!("{path}/comments"),
    ] {
        let answer = merchant.get(target).await;
        assert_error(&answer, 404, "invalid-request", "Not found");
    }
    for method in ["PUT", "PATCH"] {
        let answer = merchant.call(method, &path, Some(json!({"name": "A"}))).await;
        assert_error(&answer, 405, "invalid-request", "Method not allowed");
        assert_ne!(answer.header("allow"), "");
    }
}
