//! Tokens and the `Space` header: what is let in and what is not.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use patron_app::{
    Clock, Expect,
    keys::{self, NewKey},
    spaces::{self, SpacePatch},
};
use patron_gateway::{SignRequest, limits::Limits};
use patron_model::{Problems, space::Role};
use patron_testkit::{Answer, TestServer};
use patron_wallee::DIALECT;
use serde_json::{Value, json};

use crate::place::{Shop, refused};

const TARGET: &str = "/api/v2.0/customers?limit=1";

fn token(key: &[u8], header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = patron_app::secrets::hmac_sha256(key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

impl Shop {
    fn key(&self) -> Vec<u8> {
        STANDARD.decode(self.keys["authentication_key"].as_str().unwrap()).unwrap()
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": "JWT", "ver": 1})
    }

    fn claims(&self) -> Value {
        json!({
            "sub": self.user(),
            "iat": self.server.app.clock.now().seconds(),
            "requestPath": TARGET,
            "requestMethod": "GET",
        })
    }

    async fn bear(&self, token: &str) -> Answer {
        let (bearer, space) = (format!("Bearer {token}"), self.space().to_string());
        let headers = [("authorization", bearer.as_str()), ("space", space.as_str())];
        self.server.raw("GET", TARGET, &headers, b"").await
    }

    async fn try_claim(&self, name: &str, value: Value) -> Answer {
        let mut claims = self.claims();
        claims[name] = value;
        self.bear(&token(&self.key(), &Shop::header(), &claims)).await
    }

    async fn try_header(&self, header: Value) -> Answer {
        self.bear(&token(&self.key(), &header, &self.claims())).await
    }
}

#[track_caller]
fn unauthorized(answer: &Answer) {
    refused(answer, 401, "unauthorized", &json!({}));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn what_every_sdk_sends_is_let_in() {
    let shop = Shop::open().await;
    let now = shop.server.app.clock.now().seconds();
    shop.get("/customers?limit=1").await.expect(200);
    shop.try_claim("sub", json!(shop.user().to_string())).await.expect(200);
    shop.try_claim("iat", json!(now * 1000)).await.expect(200);
    shop.try_claim("iat", json!(now - 290)).await.expect(200);
    shop.try_claim("iat", json!(now + 290)).await.expect(200);
    shop.try_header(json!({"alg": "HS256", "type": "JWT", "ver": 1})).await.expect(200);
    shop.try_header(json!({"alg": "HS256"})).await.expect(200);
}

#[tokio::test]
async fn the_token_must_fit_the_request_byte_for_byte() {
    let shop = Shop::open().await;
    let now = shop.server.app.clock.now().seconds();
    for (name, value) in [
        ("sub", json!(shop.user() + 1_000_000)),
        ("sub", json!("nobody")),
        ("sub", json!(null)),
        ("iat", json!(now - 310)),
        ("iat", json!(now + 310)),
        ("iat", json!("now")),
        ("requestPath", json!("/api/v2.0/customers")),
        ("requestPath", json!("/api/v2.0/customers?limit=2")),
        ("requestPath", json!("/customers?limit=1")),
        ("requestMethod", json!("POST")),
        ("requestMethod", json!("get")),
    ] {
        println!("{name} {value}");
        unauthorized(&shop.try_claim(name, value).await);
    }
    for header in [
        json!({"alg": "none", "typ": "JWT", "ver": 1}),
        json!({"alg": "HS512", "typ": "JWT", "ver": 1}),
        json!({"alg": "HS256", "typ": "JWT", "ver": 2}),
        json!({"alg": "HS256", "typ": "JWT", "ver": "1"}),
        json!({"typ": "JWT"}),
    ] {
        println!("{header}");
        unauthorized(&shop.try_header(header).await);
    }
}

#[tokio::test]
async fn percent_encoding_is_signed_as_it_is_sent() {
    let shop = Shop::open().await;
    for target in [
        "/customers/search?limit=20&order=familyName%3AASC&query=emailAddress%3A~%22anna%20m%22",
        "/customers/search?query=emailAddress:~anna",
        "/customers?expand=a&expand=b",
    ] {
        shop.get(target).await.expect(200);
    }
    let target = "/api/v2.0/customers/search?query=id%3A5";
    let request = SignRequest {
        credentials: &shop.keys,
        method: "GET",
        target: "/api/v2.0/customers/search?query=id:5",
        body: "",
        now: shop.server.app.clock.now(),
    };
    let headers = (DIALECT.credentials.sign)(&request).unwrap();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    unauthorized(&shop.server.raw("GET", target, &headers, b"").await);
}

#[tokio::test]
async fn broken_tokens_are_refused() {
    let shop = Shop::open().await;
    let good = token(&shop.key(), &Shop::header(), &shop.claims());
    shop.bear(&good).await.expect(200);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut altered = signature.to_owned();
    let first = if altered.starts_with('A') { "B" } else { "A" };
    altered.replace_range(..1, first);
    let wrong_key = token(b"another key", &Shop::header(), &shop.claims());
    for bad in [
        format!("{signed}.{altered}"),
        format!("{signed}."),
        signed.to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        "x".to_owned(),
        "..".to_owned(),
        wrong_key,
    ] {
        println!("{bad}");
        unauthorized(&shop.bear(&bad).await);
    }
    let space = shop.space().to_string();
    for header in ["", "Bearer", "Basic dXNlcjpwYXNz", good.as_str()] {
        let headers = [("authorization", header), ("space", space.as_str())];
        unauthorized(&shop.server.raw("GET", TARGET, &headers, b"").await);
    }
    unauthorized(&shop.server.raw("GET", TARGET, &[("space", &space)], b"").await);
}

#[tokio::test]
async fn the_space_header_names_a_space_the_key_opens() {
    let shop = Shop::open().await;
    let signed = shop.server.signed(&DIALECT, &shop.keys, "GET", TARGET, "");
    let bearer = signed.iter().find(|(name, _)| name == "authorization").unwrap().1.clone();
    let ask = async |space: Option<&str>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(space.map(|space| ("SPACE", space)));
        shop.server.raw("GET", TARGET, &headers, b"").await
    };
    ask(Some(&shop.space().to_string())).await.expect(200);
    let missing = json!({"space": "Must be given."});
    refused(&ask(None).await, 400, "bad_request", &missing);
    refused(&ask(Some("")).await, 400, "bad_request", &missing);
    let wrong = json!({"space": "Must be a whole number."});
    for bad in ["shop", "1.0", "1 2"] {
        refused(&ask(Some(bad)).await, 400, "bad_request", &wrong);
    }
    let other = shop.server.other_space("wallee").await;
    for foreign in ["0", "-1", "999999999", &other["space_id"].to_string()] {
        refused(&ask(Some(foreign)).await, 403, "forbidden", &json!({}));
    }
}

#[tokio::test]
async fn nothing_of_another_space_is_seen_or_changed() {
    let shop = Shop::open().await;
    let id = shop.customer(json!({"givenName": "Anna", "customerId": "C-1"})).await;
    let address = shop
        .post(&format!("/customers/{id}/addresses"), json!({"customer": id}))
        .await
        .expect(201)
        .json()["id"]
        .clone();
    let comment = shop
        .post(&format!("/customers/{id}/comments"), json!({"customer": id}))
        .await
        .expect(201)
        .json()["id"]
        .clone();
    let stranger = Shop { keys: shop.server.other_space("wallee").await, ..shop };
    let version = json!({"version": 1});
    for (method, path, body) in [
        ("GET", format!("/customers/{id}"), None),
        ("GET", format!("/customers/{id}/email-addresses"), None),
        ("PATCH", format!("/customers/{id}"), Some(version.clone())),
        ("DELETE", format!("/customers/{id}"), None),
        ("GET", format!("/customers/{id}/addresses"), None),
        ("GET", format!("/customers/{id}/addresses/{address}"), None),
        ("DELETE", format!("/customers/{id}/addresses/{address}"), None),
        ("POST", format!("/customers/{id}/addresses/{address}/default"), None),
        ("GET", format!("/customers/{id}/comments"), None),
        ("PATCH", format!("/customers/{id}/comments/{comment}"), Some(version)),
        ("POST", format!("/customers/{id}/comments/{comment}/pin"), None),
    ] {
        println!("{method} {path}");
        refused(&stranger.call(method, &path, body).await, 404, "not_found", &json!({}));
    }
    assert_eq!(stranger.ids("/customers").await, Vec::<i64>::new());
    assert_eq!(stranger.found("/customers", "customerId:C-1").await, Vec::<i64>::new());
    let merge = format!("/customers/{}/merge/{id}", stranger.customer(json!({})).await);
    refused(&stranger.call("POST", &merge, None).await, 404, "not_found", &json!({}));
    // The reference is only unique within a space.
    stranger.customer(json!({"customerId": "C-1"})).await;
}

/// A key for the same space with another role; revoked when asked for.
async fn key(shop: &Shop, role: Role, is_revoked: bool) -> Value {
    let cx = shop.server.app.operator(0, "test");
    let account = shop.server.app.caller("wallee", &shop.user().to_string()).await.unwrap();
    let minted = (DIALECT.credentials.mint)();
    let space = account.space(shop.space()).unwrap();
    let new = NewKey::of_space(space, "wallee", role, minted.handle, minted.secret);
    let key = keys::create(&cx, new).await.unwrap();
    if is_revoked {
        keys::revoke(&cx, key.number).await.unwrap();
    }
    let mut credentials = shop.keys.clone();
    credentials["user_id"] = json!(key.number);
    credentials["authentication_key"] = json!(minted.shown);
    credentials
}

#[tokio::test]
async fn a_key_does_what_its_role_allows() {
    let shop = Shop::open().await;
    let id = shop.customer(json!({})).await;
    let reader = key(&shop, Role::ReadOnly, false).await;
    let writer = key(&shop, Role::Integration, false).await;
    let revoked = key(&shop, Role::Administrator, true).await;
    let shop = Shop { keys: reader, ..shop };
    shop.get(&format!("/customers/{id}")).await.expect(200);
    shop.get("/customers/search").await.expect(200);
    let path = format!("/customers/{id}");
    for (method, path) in [("POST", "/customers"), ("PATCH", &path), ("DELETE", &path)] {
        let answer = shop.call(method, path, Some(json!({"version": 1}))).await;
        refused(&answer, 403, "forbidden", &json!({}));
    }
    let shop = Shop { keys: writer, ..shop };
    shop.delete(&path).await.expect(204);
    let shop = Shop { keys: revoked, ..shop };
    unauthorized(&shop.get("/customers").await);
}

/// Whether switches can be set for a space.
fn is_taken(switches: &Value) -> bool {
    let mut problems = Problems::new();
    DIALECT.check_switches(switches, &mut problems);
    problems.into_result().is_ok()
}

#[tokio::test]
async fn a_space_sets_how_old_a_token_may_be() {
    let shop = Shop::open().await;
    let cx = shop.server.app.operator(0, "test");
    let switch = async |window: Value| {
        let switches = [("wallee".to_owned(), json!({"token_window_seconds": window}))].into();
        let patch = SpacePatch { dialects: Some(switches), ..SpacePatch::default() };
        spaces::update_space(&cx, shop.space(), Expect::Any, patch).await.unwrap();
    };
    let now = shop.server.app.clock.now().seconds();
    for window in [json!("30"), json!(30)] {
        switch(window).await;
        shop.try_claim("iat", json!(now - 25)).await.expect(200);
        unauthorized(&shop.try_claim("iat", json!(now - 35)).await);
        unauthorized(&shop.try_claim("iat", json!(now + 35)).await);
    }
    for closed in [json!("half a minute"), json!(0.5), json!(-1), json!([30])] {
        switch(closed.clone()).await;
        unauthorized(&shop.try_claim("iat", json!(now - 25)).await);
        assert!(!is_taken(&json!({"token_window_seconds": closed})), "{closed}");
    }
    for open in [json!(0), json!(30), json!("30")] {
        assert!(is_taken(&json!({"token_window_seconds": open})), "{open}");
    }
}

#[tokio::test]
async fn too_many_requests_are_refused() {
    let limits = Limits { requests_per_minute: 2, ..Limits::default() };
    let server = TestServer::start_with(&[&DIALECT], Clock::System, limits).await;
    let shop = Shop { keys: server.credentials("wallee"), server };
    shop.get("/customers").await.expect(200);
    shop.get("/customers").await.expect(200);
    let answer = shop.get("/customers").await;
    refused(&answer, 429, "too_many_requests", &json!({}));
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}
