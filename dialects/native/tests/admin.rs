//! Keys, accounts and spaces: who may do what, and where.

use patron_app::keys::{self, NewKey};
use patron_gateway::dialect::Shown;
use patron_model::space::{Role, Space};
use patron_native::DIALECT;
use patron_testkit::TestServer;
use serde_json::{Value, json};

use crate::place::Native;

impl Native {
    /// A key that may read in a space.
    pub async fn key_in(&self, space: &str) -> Value {
        key_of(self, space.parse().unwrap(), Role::ReadOnly, false).await
    }

    /// A key that may do everything in a space.
    pub async fn admin_key_in(&self, space: &str) -> Value {
        key_of(self, space.parse().unwrap(), Role::Administrator, false).await
    }

    /// A key that may do everything in all spaces of the account that a space is of.
    pub async fn owner_key_of(&self, space: &str) -> Value {
        key_of(self, space.parse().unwrap(), Role::Owner, true).await
    }
}

pub async fn key(native: &Native, role: Role, account_wide: bool) -> Value {
    key_of(native, 1, role, account_wide).await
}

async fn key_of(native: &Native, space: i64, role: Role, account_wide: bool) -> Value {
    let cx = native.server.app.operator(0, "test");
    let space = patron_app::spaces::get::<Space>(&cx, space).await.unwrap().record;
    let minted = (DIALECT.credentials.mint)();
    let new = NewKey {
        account_wide,
        ..NewKey::of_space(&space, "native", role, minted.handle, minted.secret)
    };
    let made = keys::create(&cx, new).await.unwrap().record;
    let shown = Shown {
        base_url: &native.server.base_url,
        space: &space,
        key: &made,
        secret: &minted.shown,
    };
    let mut shown = (DIALECT.credentials.show)(&shown);
    shown["number"] = json!(made.number);
    shown
}

#[tokio::test]
async fn roles_are_enforced() {
    let native = Native::start().await;
    let server = &native.server;
    let customer = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", customer["number"]);
    let reader = key(&native, Role::ReadOnly, false).await;
    let writer = key(&native, Role::Integration, false).await;
    let body = || Some(json!({"title": "x"}));
    server.call(&DIALECT, &reader, "GET", &one, None).await.expect(200);
    server.call(&DIALECT, &reader, "PATCH", &one, body()).await.expect(403);
    server.call(&DIALECT, &reader, "POST", "/v1/customers", body()).await.expect(403);
    server.call(&DIALECT, &writer, "PATCH", &one, body()).await.expect(200);
    server.call(&DIALECT, &writer, "GET", "/v1/spaces", None).await.expect(403);
    let local_admin = key(&native, Role::Administrator, false).await;
    server.call(&DIALECT, &local_admin, "GET", "/v1/spaces", None).await.expect(403);
}

#[tokio::test]
async fn spaces_do_not_see_each_other() {
    let native = Native::start().await;
    let other = native.server.other_space("native").await;
    let mine = native.create(json!({"reference": "r", "title": "secret"})).await;
    let server = &native.server;
    let id = mine["id"].as_str().unwrap();
    for target in [
        format!("/v1/customers/{}", mine["number"]),
        format!("/v1/customers/{id}"),
        format!("/v1/customers/{id}/history"),
        format!("/v1/customers/{id}/addresses"),
        format!("/v1/customers/{id}/comments"),
        format!("/v1/customers/{id}/payment-methods"),
        "/v1/customers/by-reference/r".to_owned(),
    ] {
        let answer = server.call(&DIALECT, &other, "GET", &target, None).await.expect(404);
        assert!(!answer.text().contains("secret"));
    }
    let one = format!("/v1/customers/{id}");
    let body = Some(json!({"title": "stolen"}));
    server.call(&DIALECT, &other, "PATCH", &one, body).await.expect(404);
    server.call(&DIALECT, &other, "DELETE", &one, None).await.expect(404);
    let theirs = server.call(&DIALECT, &other, "GET", "/v1/customers", None).await.json();
    assert_eq!(theirs["data"], json!([]));
    let feed = server.call(&DIALECT, &other, "GET", "/v1/events", None).await.json();
    assert_eq!(feed["data"], json!([]));
    let absorb = server
        .call(&DIALECT, &other, "POST", "/v1/customers", Some(json!({"reference": "r"})))
        .await
        .expect(201)
        .json();
    let merge = format!("/v1/customers/{}/merge", absorb["number"]);
    server
        .call(&DIALECT, &other, "POST", &merge, Some(json!({"absorb": mine["number"]})))
        .await
        .expect(404);
    let foreign = [("patron-space", "1")];
    server.call_with(&DIALECT, &other, "GET", "/v1/customers", &foreign, None).await.expect(403);
}

#[tokio::test]
async fn admins_make_rename_and_archive_spaces() {
    let native = Native::start().await;
    let made = native.call("POST", "/v1/spaces", Some(json!({"name": "Second"}))).await.expect(201);
    let made = made.json();
    let number = made["number"].as_i64().unwrap();
    let second = number.to_string();
    let there = [("patron-space", second.as_str())];
    let body = Some(json!({"title": "x"}));
    native.with("POST", "/v1/customers", &there, body).await.expect(201);
    let here = native.call("GET", "/v1/customers", None).await.json();
    assert_eq!(here["data"], json!([]));
    let one = format!("/v1/spaces/{number}");
    let renamed = native.call("PATCH", &one, Some(json!({"name": "New"}))).await.expect(200).json();
    assert_eq!((&renamed["name"], &renamed["version"]), (&json!("New"), &json!(2)));
    let stale = [("if-match", "\"1\"")];
    native.with("PATCH", &one, &stale, Some(json!({"name": "Old"}))).await.expect(412);
    native.call("PATCH", &one, Some(json!({"archived": true}))).await.expect(200);
    native.with("GET", "/v1/customers", &there, None).await.expect(403);
    native.call("PATCH", &one, Some(json!({"archived": false}))).await.expect(200);
    native.with("GET", "/v1/customers", &there, None).await.expect(200);
    native.call("GET", "/v1/spaces/999", None).await.expect(404);
}

#[tokio::test]
async fn accounts_have_parents_and_are_hidden_from_others() {
    let native = Native::start().await;
    let made =
        native.call("POST", "/v1/accounts", Some(json!({"name": "Child"}))).await.expect(201);
    let child = made.json()["number"].as_i64().unwrap();
    let listed = native.call("GET", "/v1/accounts", None).await.json();
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
    let space = json!({"name": "Of the child", "account": child});
    native.call("POST", "/v1/spaces", Some(space)).await.expect(201);
    let other = native.server.other_space("native").await;
    let server = &native.server;
    let target = format!("/v1/accounts/{child}");
    server.call(&DIALECT, &other, "GET", &target, None).await.expect(404);
    server.call(&DIALECT, &other, "GET", "/v1/spaces/1", None).await.expect(404);
    let archive = Some(json!({"archived": true}));
    server.call(&DIALECT, &other, "PATCH", &target, archive.clone()).await.expect(404);
    native.call("PATCH", &target, archive.clone()).await.expect(200);
    native.call("PATCH", "/v1/accounts/1", archive).await.expect(409);
}

#[tokio::test]
async fn switches_that_nothing_reads_and_names_without_letters_are_refused() {
    let server = TestServer::start(&[&DIALECT, &patron_payabli::DIALECT]).await;
    let keys = server.credentials("native");
    let native = Native { server, keys };
    let switch = |dialects: Value| native.call("PATCH", "/v1/spaces/1", Some(dialects));
    for (dialects, pointer) in [
        (json!({"payably": {"legalName": "x"}}), "/dialects/payably"),
        (json!({"payabli": {"legalname": "x"}}), "/dialects/payabli/legalname"),
        (json!({"payabli": {"legalName": 7}}), "/dialects/payabli/legalName"),
        (json!({"payabli": {"identifiers": [1]}}), "/dialects/payabli/identifiers"),
        (json!({"payabli": "on"}), "/dialects/payabli"),
        (json!({"native": {"x": 1}}), "/dialects/native/x"),
    ] {
        let problem = switch(json!({"dialects": dialects})).await.expect(422).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let misspelt = json!({"dialects": {"payabli": {"legalname": "x"}}});
    let problem = switch(misspelt).await.json();
    let meant = "Is not known here; did you mean legalName?";
    assert_eq!(problem["errors"][0]["detail"], meant);
    let good = json!({"legalName": "Shop AG", "identifiers": "email, lastname", "dbaName": null});
    switch(json!({"dialects": {"payabli": good, "gone": null}})).await.expect(200);
    for name in ["", "  "] {
        let named = json!({"name": name});
        for (method, path) in [
            ("POST", "/v1/spaces"),
            ("PATCH", "/v1/spaces/1"),
            ("POST", "/v1/accounts"),
            ("PATCH", "/v1/accounts/1"),
        ] {
            let problem = native.call(method, path, Some(named.clone())).await.expect(422).json();
            assert_eq!(problem["errors"][0]["pointer"], "/name", "{method} {path}");
        }
    }
}
