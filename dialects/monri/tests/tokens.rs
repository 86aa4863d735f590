//! Access tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_app::keys::{self, NewKey, NewSecret};
use patron_model::space::Role;
use patron_monri::NAME;
use serde_json::{Value, json};

use crate::place::{Merchant, assert_error, assert_refused};

#[tokio::test]
async fn a_token_is_issued_for_client_credentials() {
    let merchant = Merchant::at("2026-01-02T03:04:05Z").await;
    let answer = merchant.post_client(json!(["customers", "payment-methods"])).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.json();
    let token = answer["access_token"].as_str().expect("a token").to_owned();
    let want = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 900, "status": "approved",
    });
    assert_eq!(answer, want);
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3);
    let part = |i: usize| -> Value {
        serde_json::from_slice(&BASE64URL.decode(parts[i]).expect("base64url")).expect("JSON")
    };
    assert_eq!(part(0)["typ"], "JWT");
    let claims = json!({
        "scopes": ["customers", "payment-methods"],
        "exp": 1_767_323_045 + 900,
        "iss": "https://monri.com",
        "sub": merchant.key("authenticity_token"),
    });
    assert_eq!(part(1), claims);
}

#[tokio::test]
async fn a_token_ends_after_fifteen_minutes() {
    let merchant = Merchant::at("2026-01-02T03:04:05Z").await;
    let bearer = merchant.bearer(&["customers"]).await;
    merchant.server.app.clock.advance_seconds(899);
    merchant.authorized(&bearer, "GET", "/v2/customers", "").await.expect(200);
    merchant.server.app.clock.advance_seconds(1);
    let answer = merchant.authorized(&bearer, "GET", "/v2/customers", "").await;
    assert_error(&answer, 401, "error", "Unauthorized");
}

#[tokio::test]
async fn scopes_decide_what_a_token_opens() {
    let merchant = Merchant::new().await;
    let path = merchant.create_path(json!({"merchant_customer_id": "payment-methods"})).await;
    let methods = format!("{path}/payment-methods");
    let customers = ["/v2/customers", &path, "/v2/merchants/customers/payment-methods"];
    for (scopes, opens_customers, opens_methods) in [
        (vec!["customers"], true, true),
        (vec!["payment-methods"], false, true),
        (vec!["payments"], false, false),
        (vec!["payments", "customers"], true, true),
    ] {
        let bearer = merchant.bearer(&scopes).await;
        let code = |opens| if opens { 200 } else { 403 };
        for target in customers {
            let answer = merchant.authorized(&bearer, "GET", target, "").await;
            assert_eq!(answer.status, code(opens_customers), "{scopes:?} {target}");
        }
        let answer = merchant.authorized(&bearer, "GET", &methods, "").await;
        assert_eq!(answer.status, code(opens_methods), "{scopes:?}");
        if !opens_customers {
            for (method, target, body) in [
                ("POST", "/v2/customers", "{}"),
                ("POST", path.as_str(), r#"{"name":"A"}"#),
                ("DELETE", path.as_str(), ""),
            ] {
                let answer = merchant.authorized(&bearer, method, target, body).await;
                assert_error(&answer, 403, "error", "Forbidden");
            }
        }
    }
}

#[tokio::test]
async fn a_token_opens_no_more_than_its_key() {
    let mut merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    let caller = merchant.server.app.caller(NAME, merchant.key("authenticity_token")).await;
    let space = caller.expect("a caller").home().expect("a space").clone();
    let (token, secret) = ("b".repeat(40), NewSecret::Signing(b"reader".to_vec()));
    let new = NewKey::of_space(&space, NAME, Role::ReadOnly, Some(token.clone()), secret);
    keys::create(&merchant.cx().await, new).await.expect("a key");
    merchant.keys["authenticity_token"] = json!(token);
    merchant.keys["merchant_key"] = json!("reader");
    let bearer = merchant.bearer(&["customers", "payment-methods", "payments"]).await;
    merchant.authorized(&bearer, "GET", &path, "").await.expect(200);
    for (method, target) in [("POST", "/v2/customers"), ("POST", &path), ("DELETE", &path)] {
        let body = if method == "POST" { "{}" } else { "" };
        let answer = merchant.authorized(&bearer, method, target, body).await;
        assert_error(&answer, 403, "error", "Forbidden");
    }
}

#[tokio::test]
async fn altered_tokens_are_refused() {
    let merchant = Merchant::new().await;
    let bearer = merchant.bearer(&["payments"]).await;
    let parts: Vec<&str> = bearer.split('.').collect();
    let claims = |sub: &str| {
        let claims = json!({
            "scopes": ["customers"], "exp": 4_000_000_000_i64, "iss": "x", "sub": sub,
        });
        BASE64URL.encode(claims.to_string())
    };
    let own = claims(merchant.key("authenticity_token"));
    let unsigned = BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for bad in [
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        "Bearer a.b".to_owned(),
        "Bearer a.b.c".to_owned(),
        format!("{}.{own}.{}", parts[0], parts[2]),
        format!("Bearer {unsigned}.{own}."),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{bearer}x"),
        format!("{bearer} x"),
    ] {
        let answer = merchant.authorized(&bad, "GET", "/v2/customers", "").await;
        assert_error(&answer, 401, "error", "Unauthorized");
    }
}

#[tokio::test]
async fn a_token_opens_its_own_merchant_only() {
    let mut merchant = Merchant::new().await;
    let path = merchant.create_path(json!({})).await;
    merchant.keys = merchant.server.other_space(NAME).await;
    let bearer = merchant.bearer(&["customers"]).await;
    let answer = merchant.authorized(&bearer, "GET", &path, "").await;
    assert_error(&answer, 404, "invalid-request", "Customer not found");
}

#[tokio::test]
async fn wrong_clients_and_incomplete_requests_are_refused() {
    let merchant = Merchant::new().await;
    let good = json!({
        "client_id": merchant.keys["authenticity_token"],
        "client_secret": merchant.keys["merchant_key"],
        "grant_type": "client_credentials",
        "scopes": ["customers"],
    });
    let ask = |member: &'static str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        let server = &merchant.server;
        async move { server.raw("POST", "/v2/oauth", &[], body.to_string().as_bytes()).await }
    };
    ask("ignored", json!(1)).await.expect(200);
    for (member, value) in [
        ("client_id", json!("0".repeat(40))),
        ("client_id", json!("")),
        ("client_secret", json!("qwert123")),
        ("client_secret", json!("qwert12345")),
        ("client_secret", json!("QWERT1234")),
        ("client_secret", json!("")),
    ] {
        assert_error(&ask(member, value).await, 401, "error", "Unauthorized");
    }
    let known = "Scopes must be one of customers, payment-methods, payments";
    for (member, value, message) in [
        ("client_id", json!(null), "Client id can't be blank"),
        ("client_secret", json!(null), "Client secret can't be blank"),
        ("client_secret", json!(5), "Client secret must be a string"),
        ("grant_type", json!(null), "Grant type can't be blank"),
        ("grant_type", json!("password"), "Grant type must be one of client_credentials"),
        ("scopes", json!(null), "Scopes can't be blank"),
        ("scopes", json!([]), "Scopes can't be blank"),
        ("scopes", json!(["customers", "everything"]), known),
        ("scopes", json!("customers"), "Scopes must be an array"),
    ] {
        assert_refused(&ask(member, value).await, message);
    }
    let form = b"client_id=a&client_secret=b&grant_type=client_credentials";
    let answer = merchant.server.raw("POST", "/v2/oauth", &[], form).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    let answer = merchant.server.raw("GET", "/v2/oauth", &[], b"").await;
    assert_error(&answer, 405, "invalid-request", "Method not allowed");
}
