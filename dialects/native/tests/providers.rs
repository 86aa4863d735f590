//! Providers of OpenID Connect: over HTTP, as their keys see them.

use serde_json::{Value, json};

use crate::place::Native;

const ALL: &str = "/v1/providers";

fn provider() -> Value {
    json!({"name": "Staff", "issuer": "http://127.0.0.1:9443/realm", "client_id": "patron",
        "client_secret": "planted-provider-secret", "domains": ["example.com"],
        "link_by_email": true, "acr": "mfa"})
}

#[tokio::test]
async fn providers_are_set_up_changed_and_deleted() {
    let native = Native::start().await;
    let made = native.call("POST", ALL, Some(provider())).await.expect(201);
    let (path, tag) = (made.header("location").to_owned(), made.header("etag").to_owned());
    let made = made.json();
    assert_eq!((&made["scopes"], &made["account"]), (&json!(["email", "profile"]), &json!(1)));
    assert_eq!((&made["has_client_secret"], &made["active"]), (&json!(true), &json!(true)));
    assert_eq!(made["client_secret"], Value::Null, "shown to nobody");
    let got = native.call("GET", &path, None).await.expect(200);
    assert_eq!(got.json(), made);
    native.with("GET", &path, &[("if-none-match", &tag)], None).await.expect(304);
    let listed = native.call("GET", &format!("{ALL}?limit=1"), None).await.expect(200).json();
    assert_eq!((&listed["data"], &listed["has_more"]), (&json!([made]), &json!(false)));

    let same = native.call("PATCH", &path, Some(json!({"active": true}))).await.expect(200);
    assert_eq!(same.json()["version"], 1, "nothing changed");
    let change = json!({"client_secret": "another", "acr": null, "scopes": ["email"]});
    let changed = native.call("PATCH", &path, Some(change)).await.expect(200).json();
    assert_eq!((&changed["version"], &changed["acr"]), (&json!(2), &Value::Null));
    native.with("PATCH", &path, &[("if-match", &tag)], Some(json!({}))).await.expect(412);
    let none = json!({"client_secret": null});
    let changed = native.call("PATCH", &path, Some(none)).await.expect(200).json();
    assert_eq!(changed["has_client_secret"], false);
    native.with("DELETE", &path, &[("if-match", &tag)], None).await.expect(412);
    native.call("DELETE", &path, None).await.expect(204);
    native.call("GET", &path, None).await.expect(404);
    native.call("PATCH", &path, Some(json!({"active": true}))).await.expect(404);
    assert_eq!(native.call("GET", ALL, None).await.json()["data"], json!([]));

    // The journal says who did what, and never what proves this server.
    let journal = native.server.app.store.entries(0, 0, 1_000).await.unwrap();
    let told = journal.iter().filter(|entry| entry.kind == "provider").count();
    assert_eq!(told, 4, "made, changed twice, deleted");
    assert!(journal.iter().all(|entry| !entry.doc.contains("planted-provider-secret")));
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_member() {
    let native = Native::start().await;
    for (member, value) in [
        ("name", json!(null)),
        ("name", json!(" ")),
        ("issuer", json!(null)),
        ("issuer", json!("https://10.0.0.1/")),
        ("issuer", json!("https://localhost/")),
        ("issuer", json!("http://169.254.169.254/")),
        ("issuer", json!("http://127.0.0.1:9443/?x=1")),
        ("issuer", json!("id.example")),
        ("client_id", json!("")),
        ("client_secret", json!("")),
        ("scopes", json!(["two words"])),
        ("scopes", json!("email")),
        ("domains", json!(["Example.com"])),
        ("domains", json!([])),
        ("default_role", json!(99)),
        ("account", json!(99)),
        ("role_claim", json!("two words")),
        ("acr", json!("two words")),
        ("active", json!("yes")),
        ("issuers", json!("https://id.example")),
    ] {
        let mut body = provider();
        body[member] = value.clone();
        let refused = native.call("POST", ALL, Some(body)).await;
        // Values of another type and members that are not known are not understood.
        let is_understood = value != json!("email") && value != json!("yes") && member != "issuers";
        assert_eq!(refused.status, if is_understood { 422 } else { 400 }, "{}", refused.text());
        assert!(refused.text().contains(member), "{member} {value}: {}", refused.text());
    }
    let made = native.call("POST", ALL, Some(provider())).await.expect(201);
    let path = made.header("location").to_owned();
    native.call("PATCH", &path, Some(json!({"account": 1}))).await.expect(422);
    // A claim and what its words stand for go together; nobody owns an account by one.
    for (roles, status) in [
        (json!({"staff": 99}), 422),
        (json!({"staff": 1}), 422),
        (json!({"": 3}), 422),
        (json!(null), 422),
        (json!({"staff": 3}), 200),
    ] {
        let body = json!({"role_claim": "groups", "claim_roles": roles});
        let answer = native.call("PATCH", &path, Some(body)).await.expect(status);
        assert!(answer.text().contains("claim_roles"), "{roles}: {}", answer.text());
    }
    native.call("PATCH", &path, Some(json!({"role_claim": null}))).await.expect(422);
    let cleared = json!({"role_claim": null, "claim_roles": null});
    native.call("PATCH", &path, Some(cleared)).await.expect(200);
    native.call("PATCH", &path, Some(json!({"domains": []}))).await.expect(422);
    native.call("GET", "/v1/providers/99", None).await.expect(404);
}

#[tokio::test]
async fn a_provider_gives_nobody_what_its_maker_lacks() {
    let native = Native::start().await;
    let role = json!({"name": "Sets up", "permissions": ["provider:read", "provider:write",
        "customer:read"]});
    let role = native.call("POST", "/v1/roles", Some(role)).await.expect(201).json();
    let key = json!({"dialect": "native", "role": role["number"], "account_wide": true,
        "space": 1});
    let key = native.new_key(key).await;
    let with = async |role: Value| {
        let mut body = provider();
        body["default_role"] = role;
        native.as_key(&key, "POST", ALL, Some(body)).await
    };
    with(role["number"].clone()).await.expect(201);
    // Administrator.
    with(json!(2)).await.expect(403);
    let path = with(json!(null)).await.expect(201).header("location").to_owned();
    let wider = json!({"default_role": 1});
    native.as_key(&key, "PATCH", &path, Some(wider)).await.expect(403);
    let wider = json!({"role_claim": "groups", "claim_roles": {"staff": 2}});
    native.as_key(&key, "PATCH", &path, Some(wider)).await.expect(403);
    // Who may not see them sees none.
    let readers = json!({"name": "Readers", "permissions": ["customer:read"]});
    let readers = native.call("POST", "/v1/roles", Some(readers)).await.expect(201).json();
    let key = json!({"dialect": "native", "role": readers["number"], "account_wide": true,
        "space": 1});
    let key = native.new_key(key).await;
    native.as_key(&key, "GET", ALL, None).await.expect(403);
    native.as_key(&key, "GET", &path, None).await.expect(403);
}
