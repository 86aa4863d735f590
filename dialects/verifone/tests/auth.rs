//! Who may in (dossier §3, §4): Basic, Bearer, revoked keys, roles, foreign entities.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use patron_app::{
    Clock,
    keys::{self, NewKey, NewSecret},
};
use patron_gateway::limits::Limits;
use patron_model::{Timestamp, space::Role};
use patron_testkit::{Answer, TestServer};
use patron_verifone::DIALECT;
use serde_json::{Value, json};

use crate::place::{Caller, PATH, error, id_of, named};

const LIST: &str = "/oidc/customer-service/v2/customer?search=id==1";
const TOKEN: &str = "/oauth2/realms/root/realms/VerifoneServices/access_token";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn basic(pair: &str) -> String {
    format!("Basic {}", BASE64.encode(pair))
}

async fn ask(server: &TestServer, keys: &Value, scope: &str) -> Answer {
    let member = |name: &str| keys[name].as_str().unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}{scope}",
        member("user_id"),
        member("api_key")
    );
    server.raw("POST", TOKEN, &[FORM], form.as_bytes()).await
}

async fn token(server: &TestServer, keys: &Value) -> String {
    let answer = ask(server, keys, "&scope=openid+customer").await.expect(200);
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn status(server: &TestServer, authorization: &str) -> u16 {
    let answer = server.raw("GET", LIST, &[("authorization", authorization)], b"").await;
    if answer.status == 401 {
        error(&answer, 401, 116);
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
    answer.status
}

/// A key with everything chosen, in the caller's own space.
async fn key(caller: &Caller, user: &str, secret: &str, role: Role) -> i64 {
    let holder = caller.keys["user_id"].as_str().unwrap();
    let holder = caller.server.app.caller("verifone", holder).await.unwrap();
    let secret = NewSecret::Bearer(secret.into());
    let space = holder.home().unwrap();
    let new = NewKey::of_space(space, "verifone", role, Some(user.into()), secret);
    keys::create(&caller.server.app.operator(0, "test"), new).await.unwrap().number
}

#[tokio::test]
async fn basic_with_the_documented_pair() {
    let caller = Caller::start().await;
    let (user, secret) = ("777c31b3-a85f-4823-93a5-9055d1b", "cGEFFLjYuUCtmerXlhTfAdaPpYVnXDJZmg");
    key(&caller, user, secret, Role::ReadOnly).await;
    let header = "Basic Nzc3YzMxYjMtYTg1Zi00ODIzLTkzYTUtOTA1NWQxYjpjR0VGRkxqWXVVQ3RtZXJYbGhU\
                  ZkFkYVBwWVZuWERKWm1n";
    assert_eq!(basic(&format!("{user}:{secret}")), header);
    assert_eq!(status(&caller.server, header).await, 200);
    assert_eq!(status(&caller.server, &header.replacen("Basic", "bAsIc", 1)).await, 200);
}

#[tokio::test]
async fn splits_at_the_first_colon_only() {
    let caller = Caller::start().await;
    key(&caller, "u", "a:b", Role::ReadOnly).await;
    assert_eq!(status(&caller.server, &basic("u:a:b")).await, 200);
    assert_eq!(status(&caller.server, &basic("u:a")).await, 401);
}

#[tokio::test]
async fn refuses_what_is_no_good_credential() {
    let caller = Caller::start().await;
    let member = |name: &str| caller.keys[name].as_str().unwrap().to_owned();
    let (user, secret) = (member("user_id"), member("api_key"));
    for bad in [
        basic(&format!("{user}:{secret}x")),
        basic(&format!("{user}:")),
        basic(&format!("x{user}:{secret}")),
        basic(&user),
        "Basic ???".into(),
        "Basic".into(),
        "Bearer".into(),
        "Bearer x".into(),
        "Bearer a.b.c".into(),
        format!("Digest {user}"),
        String::new(),
    ] {
        assert_eq!(status(&caller.server, &bad).await, 401, "{bad}");
    }
    error(&caller.server.raw("GET", LIST, &[], b"").await, 401, 116);
}

#[tokio::test]
async fn tokens_work_until_they_lapse_are_altered_or_lose_their_key() {
    let start = Timestamp::from_micros(1_767_323_045_000_000);
    let clock = Clock::fixed(start);
    let server = TestServer::start_with(&[&DIALECT], clock.clone(), Limits::default()).await;
    let caller = Caller { keys: server.credentials("verifone"), server };
    let bearer = format!("Bearer {}", token(&caller.server, &caller.keys).await);
    assert_eq!(status(&caller.server, &bearer).await, 200);
    let parts: Vec<&str> = bearer["Bearer ".len()..].split('.').collect();
    let decode = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims: Value = serde_json::from_slice(&decode.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["sub"], caller.keys["user_id"]);
    assert_eq!(claims["entity_id"], caller.keys["entity_id"]);
    assert_eq!(claims["roles"], json!(["owner"]));
    assert_eq!(claims["exp"], start.seconds() + 3_600);
    let mut forged = claims.clone();
    forged["exp"] = json!(start.seconds() + 999_999);
    let forged = decode.encode(forged.to_string());
    let none = decode.encode(r#"{"alg":"none"}"#);
    for altered in [
        format!("Bearer {}.{forged}.{}", parts[0], parts[2]),
        format!("Bearer {none}.{}.{}", parts[1], parts[2]),
        format!("Bearer {none}.{}.", parts[1]),
        format!("Bearer {}.{}", parts[0], parts[1]),
    ] {
        assert_eq!(status(&caller.server, &altered).await, 401, "{altered}");
    }
    clock.advance_seconds(3_599);
    assert_eq!(status(&caller.server, &bearer).await, 200);
    clock.advance_seconds(1);
    assert_eq!(status(&caller.server, &bearer).await, 401);
}

#[tokio::test]
async fn a_revoked_key_refuses_itself_and_its_tokens() {
    let caller = Caller::start().await;
    let number = key(&caller, "someone", "secret", Role::ReadOnly).await;
    let keys = json!({"user_id": "someone", "api_key": "secret"});
    let bearer = format!("Bearer {}", token(&caller.server, &keys).await);
    assert_eq!(status(&caller.server, &bearer).await, 200);
    keys::revoke(&caller.server.app.operator(0, "test"), number).await.unwrap();
    assert_eq!(status(&caller.server, &bearer).await, 401);
    assert_eq!(status(&caller.server, &basic("someone:secret")).await, 401);
    let form = b"grant_type=client_credentials&client_id=someone&client_secret=secret";
    let answer = caller.server.raw("POST", TOKEN, &[FORM], form).await;
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_client")));
}

#[tokio::test]
async fn tokens_are_also_given_for_a_basic_header() {
    let caller = Caller::start().await;
    key(&caller, "someone", "secret", Role::ReadOnly).await;
    let header = basic("someone:secret");
    let headers = [FORM, ("authorization", header.as_str())];
    let answer = caller.server.raw("POST", TOKEN, &headers, b"grant_type=client_credentials").await;
    let body = answer.expect(200).json();
    assert_eq!(body["scope"], "customer:read", "without scopes it is what the key has");
}

#[tokio::test]
async fn a_token_carries_what_was_asked_for_and_never_more() {
    let caller = Caller::start().await;
    let id = id_of(&caller.create(named("Jane", "Doe")).await.expect(200));
    let one = format!("{PATH}/{id}");
    key(&caller, "reader", "secret", Role::ReadOnly).await;
    let reader = json!({"user_id": "reader", "api_key": "secret"});
    let everything = "customer:read customer:write";
    for (keys, asked, scope, reads, writes) in [
        (&caller.keys, "", everything, true, true),
        (&caller.keys, "&scope=", everything, true, true),
        (&caller.keys, "&scope=customer", "customer", true, true),
        (&caller.keys, "&scope=openid+customer%3Aread", "openid customer:read", true, false),
        (&caller.keys, "&scope=customer:read", "customer:read", true, false),
        (&caller.keys, "&scope=customer:read&scope=customer:write", "customer:read", true, false),
        (&caller.keys, "&scope=customer:write", "customer:write", false, true),
        (&reader, "", "customer:read", true, false),
        (&reader, "&scope=customer", "customer:read", true, false),
        (&reader, "&scope=customer:read+customer:write", "customer:read", true, false),
    ] {
        let answer = ask(&caller.server, keys, asked).await.expect(200).json();
        assert_eq!(answer["scope"], scope, "{asked}");
        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        for (method, target, body, opens) in [
            ("GET", LIST, None, reads),
            ("GET", &one, None, reads),
            ("POST", PATH, Some(named("New", "One")), writes),
            ("POST", &one, Some(named("Jane", "Roe")), writes),
            ("DELETE", &format!("{PATH}/00000000-0000-4000-8000-000000000000"), None, writes),
        ] {
            let mut body = body.unwrap_or_default();
            if body.is_object() {
                body["entity_id"] = caller.keys["entity_id"].clone();
            }
            let text = if body.is_null() { String::new() } else { body.to_string() };
            let headers =
                [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let answer = caller.server.raw(method, target, &headers, text.as_bytes()).await;
            let what = format!("{asked}: {method} {target}: {}", answer.text());
            assert_eq!(answer.status != 403, opens, "{what}");
            assert_ne!(answer.status, 401, "{what}");
        }
    }
    for (keys, asked) in [
        (&caller.keys, "&scope=payments"),
        (&caller.keys, "&scope=customer+everything"),
        (&caller.keys, "&scope=Customer"),
        (&caller.keys, "&scope=customer,customer:read"),
        (&caller.keys, "&scope=openid"),
        (&reader, "&scope=customer:write"),
    ] {
        let answer = ask(&caller.server, keys, asked).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("invalid_scope")));
    }
}

/// What a key loses, its tokens lose.
#[tokio::test]
async fn a_token_cannot_be_given_other_scopes() {
    let caller = Caller::start().await;
    let answer = ask(&caller.server, &caller.keys, "&scope=customer:read").await.expect(200).json();
    let token = answer["access_token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let code = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut claims: Value = serde_json::from_slice(&code.decode(parts[1]).unwrap()).unwrap();
    assert_eq!(claims["scope"], "customer:read");
    claims["scope"] = json!("customer");
    let widened = format!("Bearer {}.{}.{}", parts[0], code.encode(claims.to_string()), parts[2]);
    assert_eq!(status(&caller.server, &widened).await, 401);
}

#[tokio::test]
async fn a_reading_key_reads() {
    let caller = Caller::start().await;
    let id = id_of(&caller.create(named("Jane", "Doe")).await.expect(200));
    key(&caller, "reader", "secret", Role::ReadOnly).await;
    let reader = json!({"user_id": "reader", "api_key": "secret"});
    let call = |method, target: String, body| {
        let reader = reader.clone();
        let server = &caller.server;
        async move { server.call(&DIALECT, &reader, method, &target, body).await }
    };
    call("GET", LIST.into(), None).await.expect(200);
    call("GET", format!("{PATH}/{id}"), None).await.expect(200);
    error(&call("POST", PATH.into(), Some(json!({}))).await, 403, 113);
    error(&call("POST", format!("{PATH}/{id}"), Some(json!({}))).await, 403, 113);
    error(&call("DELETE", format!("{PATH}/{id}"), None).await, 403, 113);
}

#[tokio::test]
async fn a_foreign_entity_is_neither_seen_nor_written() {
    let caller = Caller::start().await;
    let id = id_of(&caller.create(named("Jane", "Doe")).await.expect(200));
    let keys = caller.server.other_space("verifone").await;
    let stranger = |method, target: String, body| {
        let (server, keys) = (&caller.server, keys.clone());
        async move { server.call(&DIALECT, &keys, method, &target, body).await }
    };
    let one = format!("{PATH}/{id}");
    let own = json!({"entity_id": keys["entity_id"], "company_name": "Other"});
    let foreign = json!({"entity_id": caller.keys["entity_id"], "company_name": "Other"});
    error(&stranger("GET", one.clone(), None).await, 404, 109);
    error(&stranger("POST", one.clone(), Some(own)).await, 404, 109);
    error(&stranger("POST", one.clone(), Some(foreign.clone())).await, 404, 109);
    error(&stranger("DELETE", one.clone(), None).await, 404, 109);
    error(&stranger("POST", PATH.into(), Some(foreign)).await, 403, 113);
    let all = stranger("GET", format!("{PATH}?search=id!=x"), None).await.expect(200);
    assert_eq!(all.json(), json!([]));
    assert_eq!(caller.read(&id).await["billing"]["last_name"], "Doe");
}

#[tokio::test]
async fn one_key_opens_several_entities_but_moves_nothing_between_them() {
    let caller = Caller::start().await;
    let first = caller.server.new_space(None).await["verifone"].clone();
    let user = first["user_id"].as_str().unwrap();
    let account = caller.server.app.caller("verifone", user).await.unwrap().account.number;
    let second = caller.server.new_space(Some(account)).await["verifone"].clone();
    let call = |method, target: String, body| {
        let (server, keys) = (&caller.server, first.clone());
        async move { server.call(&DIALECT, &keys, method, &target, body).await }
    };
    let body = |entity: &Value, name: &str| json!({"entity_id": entity["entity_id"], "company_name": name});
    let a = call("POST", PATH.into(), Some(body(&first, "A"))).await.expect(200);
    let b = call("POST", PATH.into(), Some(body(&second, "B"))).await.expect(200);
    assert_eq!(b.json()["entity_id"], second["entity_id"]);
    let (a, b) = (id_of(&a), id_of(&b));
    for (id, entity) in [(&a, &first), (&b, &second)] {
        let read = call("GET", format!("{PATH}/{id}"), None).await.expect(200).json();
        assert_eq!(read["entity_id"], entity["entity_id"]);
    }
    let found = |query: String| async move {
        let rows = call("GET", format!("{PATH}?{query}"), None).await.expect(200).json();
        let names = rows.as_array().unwrap().iter().map(|row| row["company_name"].to_string());
        names.collect::<Vec<_>>().join("").replace('"', "")
    };
    let (one, two) = (&first["entity_id"], &second["entity_id"]);
    let (one, two) = (one.as_str().unwrap(), two.as_str().unwrap());
    assert_eq!(found("search=id!=x&order_by=ASC".into()).await, "AB");
    assert_eq!(found(format!("search=entity_id=={two}")).await, "B");
    assert_eq!(found(format!("search=entity_id!={two}")).await, "A");
    assert_eq!(found(format!("search=entity_id=in=({one},{two});company_name!=A")).await, "B");
    assert_eq!(found(format!("search=entity_id=out=({one})")).await, "B");
    assert_eq!(found(format!("search=entity_id=regex=^{two}$")).await, "B");
    assert_eq!(found("search=entity_id==elsewhere".into()).await, "");
    let (low, high) = if one < two { ("A", "B") } else { ("B", "A") };
    let sorted = |rest: &str| format!("search=id!=x&order_criteria=entity_id&{rest}");
    assert_eq!(found(sorted("order_by=ASC")).await, format!("{low}{high}"));
    assert_eq!(found(sorted("order_by=DESC")).await, format!("{high}{low}"));
    assert_eq!(found(sorted("order_by=ASC&page_size=1&page_number=2")).await, high);
    assert_eq!(found(sorted("order_by=ASC&page_size=1&page_number=3")).await, "");
    let target = format!("{PATH}/{b}");
    error(&call("POST", target.clone(), Some(body(&first, "B"))).await, 403, 113);
    call("POST", target.clone(), Some(body(&second, "C"))).await.expect(200);
    call("DELETE", target.clone(), None).await.expect(204);
    error(&call("GET", target, None).await, 404, 109);
    let narrow = caller.server.call(&DIALECT, &second, "GET", &format!("{PATH}/{a}"), None).await;
    error(&narrow, 404, 109);
}

#[tokio::test]
async fn a_space_can_be_known_by_the_merchants_own_organisation_id() {
    let caller = Caller::start().await;
    let uuid = caller.keys["entity_id"].clone();
    caller.switch(json!({"entity_id": "ORG-7"})).await;
    let made = caller.create(json!({"entity_id": "ORG-7", "company_name": "A"})).await.expect(200);
    assert_eq!(made.json()["entity_id"], "ORG-7");
    let body = json!({"entity_id": uuid, "company_name": "B"});
    let changed = caller.update(&id_of(&made), body).await.expect(200).json();
    assert_eq!((&changed["entity_id"], &changed["company_name"]), (&json!("ORG-7"), &json!("B")));
    for query in ["entity_id==ORG-7", "entity_id=regex=^ORG"] {
        let rows = caller.call("GET", &format!("{PATH}?search={query}"), None).await.expect(200);
        assert_eq!(rows.json().as_array().unwrap().len(), 1, "{query}");
    }
}
