//! Dossier §8: create, retrieve, update, delete.

use serde_json::{Value, json};

use crate::place::{Place, failed, path, refused, unreachable};

#[tokio::test]
async fn a_customer_comes_back_as_it_was_sent() {
    let place = Place::new().await;
    let body = json!({
        "name": "Awa Ndiaye", "email": "Awa@Example.org", "phone": "+237670000000",
        "company_name": "Ndiaye SARL", "tax_number": "M0123", "description": "Two\nlines",
        "metadata": {"tier": "gold", "n": 7, "nested": {"a": [1, null]}},
        "address": {"country": "cm", "city": "Douala", "address_line1": "12 Rue Joss"},
        "billing": {"country": "CI", "city": "Abidjan", "line1": "1 Plateau", "line2": "B"},
        "shipping": {"country": "SN", "state": "Dakar", "postal_code": 11500},
    });
    let answer = place.send("POST", "/customers", Some(body)).await.expect(201);
    let created = answer.json();
    let id = created["customer"]["id"].clone();
    let at = created["customer"]["created_at"].clone();
    let stamp = at.as_str().expect("a time");
    assert!(stamp.len() == 27 && stamp.ends_with('Z'), "{stamp}");
    let customer = json!({
        "id": id, "reference": id, "name": "Awa Ndiaye", "email": "Awa@Example.org",
        "phone": "+237670000000", "company_name": "Ndiaye SARL", "tax_number": "M0123",
        "description": "Two\nlines",
        "address": {"country": "CM", "state": null, "city": "Douala", "postal_code": null,
            "address_line1": "12 Rue Joss", "address_line2": null},
        "billing": {"country": "CI", "state": null, "city": "Abidjan", "postal_code": null,
            "address_line1": "1 Plateau", "address_line2": "B"},
        "shipping": {"country": "SN", "state": "Dakar", "city": null, "postal_code": "11500",
            "address_line1": null, "address_line2": null},
        "metadata": {"tier": "gold", "n": 7, "nested": {"a": [1, null]}},
        "blocked": false, "locked": false, "sandbox": true, "created_at": at, "updated_at": at,
    });
    let want = json!({"code": 201, "status": "Created",
        "message": "Customer created successfully", "customer": customer, "data": customer});
    assert_eq!(created, want);
    let want = json!({"code": 202, "status": "Accepted", "message": "Customer retrieved",
        "customer": customer, "data": customer});
    let target = format!("/customers/{}", id.as_str().expect("an id"));
    assert_eq!(place.get(&target).await.expect(202).json(), want);
    assert_eq!(place.get(&format!("{target}/")).await.expect(202).json(), want);
}

#[tokio::test]
async fn creation_needs_an_email_address_or_a_phone_number() {
    let place = Place::new().await;
    for body in [
        "",
        "  \n",
        "[]",
        "{}",
        "null",
        r#"{"name":"Awa"}"#,
        r#"{"email":null}"#,
        r#"{"email":"","phone":""}"#,
    ] {
        let answer = place.raw("POST", "/customers", "application/json", body).await;
        refused(answer, unreachable());
    }
    refused(place.form("POST", "/customers", "name=Awa&email=").await, unreachable());
    place.customer(json!({"email": "awa@example.org"})).await;
    place.customer(json!({"phone": "+237670000000"})).await;
    // Nothing is unique: the guide tells callers to search first.
    place.customer(json!({"email": "awa@example.org", "phone": "+237670000000"})).await;
}

#[tokio::test]
async fn phones_may_be_integers_and_go_out_with_a_plus() {
    let place = Place::new().await;
    for (sent, want) in [
        (json!(237_600_000_000_u64), "+237600000000"),
        (json!(237_670_000_000_u64), "+237670000000"),
        (json!("237670000000"), "+237670000000"),
        (json!("+237 670 00 00 00"), "+237670000000"),
        (json!("670000000"), "670000000"),
    ] {
        let customer = place.customer(json!({"phone": sent})).await;
        assert_eq!(customer["phone"], want, "{sent}");
    }
    let body = json!({"phone": "670000000", "address": {"country": "CM"}});
    let customer = place.customer(body).await;
    assert_eq!(customer["phone"], "+237670000000");
    let body = json!({"phone": "699000000"});
    let answer = place.send("PUT", &path(&customer), Some(body)).await.expect(202);
    assert_eq!(answer.json()["customer"]["phone"], "+237699000000");
}

#[tokio::test]
async fn limits_hold_exactly() {
    let place = Place::new().await;
    let fits = json!({
        "email": format!("{}@{}.{}.{}.org", "a".repeat(60), "b".repeat(60), "c".repeat(60),
            "d".repeat(53)),
        "name": "n".repeat(128), "description": "é".repeat(256),
    });
    assert_eq!(fits["email"].as_str().map(str::len), Some(240));
    assert_eq!(place.customer(fits.clone()).await["name"], fits["name"]);
    let body = json!({
        "email": format!("{}@{}.{}.{}.org", "a".repeat(60), "b".repeat(60), "c".repeat(60),
            "d".repeat(54)),
        "name": "n".repeat(129), "description": "é".repeat(257), "phone": "x".repeat(101),
        "company_name": "c".repeat(256), "tax_number": "t".repeat(301),
    });
    let too_long = |name: &str, max| {
        json!([format!("The {name} field must not be greater than {max} characters.")])
    };
    let errors = json!({
        "email": too_long("email", 240), "name": too_long("name", 128),
        "description": too_long("description", 256), "phone": too_long("phone", 100),
        "company_name": too_long("company name", 255), "tax_number": too_long("tax number", 300),
    });
    refused(place.send("POST", "/customers", Some(body)).await, errors);
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    let place = Place::new().await;
    let body = json!({
        "email": "no address", "name": true, "metadata": "x", "company_name": "a\u{7}b",
        "address": {"country": "Cameroon", "city": ["x"]}, "billing": {"country": "ZZ"},
        "shipping": 5,
    });
    let errors = json!({
        "email": ["Invalid email address"],
        "name": ["The name field must be a string."],
        "metadata": ["The metadata field must be an object."],
        "company_name": ["The company name field format is invalid."],
        "address.country":
            ["The address.country field must be an ISO 3166-1 country code of two letters."],
        "address.city": ["The address.city field must be a string."],
        "billing.country": ["The selected billing.country is invalid."],
        "shipping": ["The shipping field must be an object."],
    });
    let answer = place.send("POST", "/customers", Some(body.clone())).await;
    refused(answer, errors.clone());
    let target = place.path_of("awa@example.org").await;
    refused(place.send("PUT", &target, Some(body)).await, errors);
}

#[tokio::test]
async fn bodies_that_are_no_objects_are_refused() {
    let place = Place::new().await;
    let target = place.path_of("awa@example.org").await;
    for (method, path) in [("POST", "/customers"), ("PUT", target.as_str())] {
        for body in ["{", "[1]", "\"x\"", "5", r#"{"email":"a@b.co"} x"#] {
            let answer = place.raw(method, path, "application/json", body).await;
            failed(answer, 400, "Bad Request", "Invalid JSON payload");
        }
        let answer = place.raw(method, path, "multipart/form-data; boundary=x", "--x--").await;
        let text = "The body must be application/json or application/x-www-form-urlencoded";
        failed(answer, 415, "Unsupported Media Type", text);
    }
}

#[tokio::test]
async fn forms_say_the_same_as_json() {
    let place = Place::new().await;
    let form = "name=Awa+Ndiaye&email=awa%40example.org&phone=237670000000&address[city]=Douala\
        &address%5Bcountry%5D=CM&metadata[tier]=gold&metadata[tags][]=a&metadata[tags][]=b";
    let answer = place.form("POST", "/customers/", form).await.expect(201);
    let customer = answer.json()["customer"].clone();
    assert_eq!(customer["name"], "Awa Ndiaye");
    assert_eq!(customer["address"]["city"], "Douala");
    assert_eq!(customer["metadata"], json!({"tier": "gold", "tags": {"0": "a", "1": "b"}}));
    let answer = place.form("PUT", &path(&customer), "name=&address[city]=").await.expect(202);
    let changed = answer.json()["customer"].clone();
    assert_eq!(changed["name"], Value::Null);
    assert_eq!(changed["address"]["city"], Value::Null);
    assert_eq!(changed["address"]["country"], "CM");
}

#[tokio::test]
async fn absent_stays_and_null_clears() {
    let place = Place::new().await;
    let full = json!({
        "name": "Awa Ndiaye", "email": "awa@example.org", "phone": "+237670000000",
        "company_name": "N", "tax_number": "T", "description": "D", "metadata": {"a": 1},
    });
    let customer = place.customer(full.clone()).await;
    let target = path(&customer);
    for (method, name) in [("POST", "One"), ("PUT", "Two"), ("PATCH", "Three")] {
        let body = Some(json!({"name": name}));
        let answer = place.send(method, &target, body).await.expect(202).json();
        assert_eq!(answer["status"], "Accepted");
        assert_eq!(answer["message"], "Customer updated successfully");
        let mut want = customer.clone();
        want["name"] = name.into();
        want["updated_at"] = answer["customer"]["updated_at"].clone();
        assert_eq!(answer["customer"], want);
        assert_eq!(answer["data"], want);
    }
    let body = json!({"name": null, "email": null, "company_name": null, "tax_number": null,
        "description": null, "metadata": null});
    let answer = place.send("PUT", &target, Some(body)).await.expect(202).json();
    for name in ["name", "email", "company_name", "tax_number", "description"] {
        assert_eq!(answer["customer"][name], Value::Null, "{name}");
    }
    assert_eq!(answer["customer"]["metadata"], json!({}));
    refused(place.send("PUT", &target, Some(json!({"phone": null}))).await, unreachable());
    let body = json!({"phone": null, "email": "b@example.org"});
    let answer = place.send("PUT", &target, Some(body)).await.expect(202).json();
    assert_eq!(answer["customer"]["phone"], Value::Null);
    assert_eq!(answer["customer"]["email"], "b@example.org");
}

#[tokio::test]
async fn a_change_that_says_nothing_is_refused() {
    let place = Place::new().await;
    let target = place.path_of("awa@example.org").await;
    for body in ["", "[]", "{}", r#"{"unknown":1}"#] {
        for method in ["POST", "PUT", "PATCH"] {
            let answer = place.raw(method, &target, "application/json", body).await;
            refused(answer, unreachable());
        }
    }
}

#[tokio::test]
async fn metadata_is_replaced_as_a_whole() {
    let place = Place::new().await;
    let customer = place.customer(json!({"email": "a@b.co", "metadata": {"a": "1"}})).await;
    let change = async |metadata: Value| {
        let body = Some(json!({"metadata": metadata}));
        place.send("PUT", &path(&customer), body).await
    };
    let answer = change(json!({"b": "2"})).await.expect(202);
    assert_eq!(answer.json()["customer"]["metadata"], json!({"b": "2"}));
    let answer = change(json!([])).await.expect(202);
    assert_eq!(answer.json()["customer"]["metadata"], json!({}));
    let many: serde_json::Map<String, Value> =
        (0..101).map(|n| (format!("k{n}"), json!(n))).collect();
    let text = "The metadata field must not have more than 100 items.";
    refused(change(many.into()).await, json!({"metadata": [text]}));
    let text = "The metadata field format is invalid.";
    refused(change(json!({"k": "a\u{1}"})).await, json!({"metadata.k": [text]}));
}

#[tokio::test]
async fn a_deleted_customer_is_gone() {
    let place = Place::new().await;
    let target = place.path_of("awa@example.org").await;
    // The official PHP library sends `[]` here too.
    let answer = place.raw("DELETE", &target, "application/json", "[]").await.expect(202);
    let want = json!({"code": 202, "status": "Accepted",
        "message": "Customer deleted successfully", "customer": [], "data": []});
    assert_eq!(answer.json(), want);
    for (method, suffix) in [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/block"),
        ("PUT", "/unblock"),
        ("GET", "/payments"),
        ("GET", "/payment-methods"),
    ] {
        let body = (method == "PUT").then(|| json!({"name": "x"}));
        let answer = place.send(method, &format!("{target}{suffix}"), body).await;
        failed(answer, 404, "Not Found", "Customer not found");
    }
    assert_eq!(place.get("/customers").await.json()["totals"], 0);
}

#[tokio::test]
async fn card_data_is_refused_wherever_it_hides() {
    let place = Place::new().await;
    let number = "4111 1111 1111 1111";
    let body = json!({"email": "a@b.co", "description": number, "metadata": {"cvv": "123"}});
    let errors = json!({
        "description": ["The description field must not contain a card number."],
        "metadata.cvv": ["The metadata field must not contain a card security code."],
    });
    refused(place.send("POST", "/customers", Some(body)).await, errors);
    let form = "email=a@b.co&metadata[note]=4111111111111111";
    let errors = json!({"metadata.note": ["The metadata field must not contain a card number."]});
    refused(place.form("POST", "/customers", form).await, errors);
    let target = place.path_of("awa@example.org").await;
    let errors = json!({"name": ["The name field must not contain a card number."]});
    refused(place.send("PATCH", &target, Some(json!({"name": number}))).await, errors);
}
