//! What a public key opens without the private one, and how it is kept.

use patron_app::keys::{self, NewKey, NewSecret};
use patron_model::space::{Key, PublicRights, Role, Space};
use patron_notchpay::{
    DIALECT, NAME,
    auth::{handle_of, hide_public_keys},
};
use patron_testkit::{Answer, TestServer};
use serde_json::{Value, json};

use crate::place::{Place, failed, path};

const NEEDS_GRANT: &str = "This endpoint requires additional authentication";

fn text(keys: &Value, name: &str) -> String {
    keys[name].as_str().expect("a key").to_owned()
}

/// A call with the public key, and with the private one when it is granted.
async fn call(server: &TestServer, keys: &Value, is_granted: bool, asked: Asked<'_>) -> Answer {
    let Asked(method, target, body) = asked;
    let (key, grant) = (text(keys, "public_key"), text(keys, "private_key"));
    let mut headers = vec![("authorization", key.as_str()), ("content-type", "application/json")];
    if is_granted {
        headers.push(("x-grant", &grant));
    }
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    server.raw(method, target, &headers, body.as_bytes()).await
}

/// Method, target, body.
struct Asked<'a>(&'a str, &'a str, Option<Value>);

async fn space_of(server: &TestServer, keys: &Value) -> Space {
    let caller = server.app.caller(NAME, &handle_of(&text(keys, "public_key"))).await;
    Space::clone(caller.expect("a caller").home().expect("a space"))
}

/// A further key of a space, and its credentials.
async fn key_of(server: &TestServer, space: &Space, rights: PublicRights) -> Value {
    let minted = (DIALECT.credentials.mint)();
    let new =
        NewKey::of_space(space, NAME, Role::Integration, minted.handle.clone(), minted.secret);
    let new = NewKey { public_rights: rights, ..new };
    let key: Key = keys::create(&server.app.operator(0, "test"), new).await.expect("a key").record;
    let base_url = &server.base_url;
    let shown =
        patron_gateway::dialect::Shown { base_url, space, key: &key, secret: &minted.shown };
    (DIALECT.credentials.show)(&shown)
}

/// The attack: whoever reads the public key in a shop's page lists, changes and deletes customers.
#[tokio::test]
async fn a_public_key_alone_creates_and_reads_its_own_only() {
    let server = TestServer::start(&[&DIALECT]).await;
    let keys = server.other_space(NAME).await;
    let space = space_of(&server, &keys).await;
    let body = |email: &str| Some(json!({"email": email}));
    let created = async |keys: &Value| {
        let asked = Asked("POST", "/customers", body("awa@example.org"));
        path(&call(&server, keys, false, asked).await.expect(201).json()["customer"])
    };
    let own = created(&keys).await;
    // Another key of the same space, and the API of somebody else's making.
    let sibling = key_of(&server, &space, PublicRights::Create).await;
    let foreign = created(&sibling).await;
    for (target, is_own) in [(&own, true), (&foreign, false)] {
        let answer = call(&server, &keys, false, Asked("GET", target, None)).await;
        if is_own {
            assert_eq!(answer.expect(202).json()["customer"]["email"], "awa@example.org");
        } else {
            failed(answer, 404, "Not Found", "Customer not found");
        }
        let slashed = call(&server, &keys, false, Asked("GET", &format!("{target}/"), None)).await;
        assert_eq!(slashed.status, if is_own { 202 } else { 404 });
    }
    for target in [&own, &foreign] {
        for (method, target, body) in [
            ("GET", "/customers".to_owned(), None),
            ("GET", "/customers/".to_owned(), None),
            ("GET", "/customers?search=awa".to_owned(), None),
            ("POST", target.clone(), Some(json!({"name": "M"}))),
            ("PUT", target.clone(), Some(json!({"name": "M"}))),
            ("PATCH", target.clone(), Some(json!({"name": "M"}))),
            ("DELETE", target.clone(), None),
            ("POST", format!("{target}/block"), None),
            ("PUT", format!("{target}/unblock"), None),
            ("GET", format!("{target}/payment_methods"), None),
            ("GET", format!("{target}/payment-methods"), None),
            ("GET", format!("{target}/payments"), None),
        ] {
            let asked = Asked(method, &target, body.clone());
            let answer = call(&server, &keys, false, asked).await;
            failed(answer, 403, "Forbidden", NEEDS_GRANT);
            let head = call(&server, &keys, false, Asked("HEAD", &target, None)).await;
            assert!(matches!(head.status, 403 | 405), "HEAD {target}: {}", head.status);
        }
        let seen = call(&server, &keys, true, Asked("GET", target, None)).await.expect(202).json();
        assert_eq!(
            (&seen["customer"]["name"], &seen["customer"]["blocked"]),
            (&json!(null), &json!(false))
        );
    }
    // Catalogues tell nothing about anybody; with the grant everything is open.
    call(&server, &keys, false, Asked("GET", "/channels", None)).await.expect(200);
    let all = call(&server, &keys, true, Asked("GET", "/customers", None)).await.expect(200).json();
    assert_eq!(all["totals"], 2);
    call(&server, &keys, true, Asked("DELETE", &foreign, None)).await.expect(202);
    let gone = call(&server, &keys, false, Asked("GET", &foreign, None)).await;
    failed(gone, 404, "Not Found", "Customer not found");
}

#[tokio::test]
async fn the_rights_of_a_public_key_are_set_for_each_key() {
    let server = TestServer::start(&[&DIALECT]).await;
    let space = space_of(&server, &server.other_space(NAME).await).await;
    for (rights, creates, reads, lists) in [
        (PublicRights::None, 403, 403, 403),
        (PublicRights::Create, 201, 202, 403),
        (PublicRights::Full, 201, 202, 200),
    ] {
        let keys = key_of(&server, &space, rights).await;
        let body = || Some(json!({"phone": "237670000000"}));
        let made = call(&server, &keys, true, Asked("POST", "/customers", body())).await;
        let own = path(&made.expect(201).json()["customer"]);
        for (asked, wanted) in [
            (Asked("POST", "/customers", body()), creates),
            (Asked("GET", &own, None), reads),
            (Asked("GET", "/customers", None), lists),
        ] {
            let what = format!("{rights:?}: {} {}", asked.0, asked.1);
            let answer = call(&server, &keys, false, asked).await;
            assert_eq!(answer.status, wanted, "{what}: {}", answer.text());
        }
        // A wrong grant opens nothing, whatever the key may do alone.
        let wrong = [("authorization", text(&keys, "public_key")), ("x-grant", "sk.x".to_owned())];
        let wrong: Vec<(&str, &str)> = wrong.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let answer = server.raw("GET", "/customers", &wrong, b"").await;
        failed(answer, 403, "Forbidden", "Invalid grant key");
    }
}

/// What the role of the key forbids, no grant allows.
#[tokio::test]
async fn a_grant_gives_no_more_than_the_key_has() {
    let server = TestServer::start(&[&DIALECT]).await;
    let space = space_of(&server, &server.other_space(NAME).await).await;
    let minted = (DIALECT.credentials.mint)();
    let (public, private) = minted.shown.split_once(' ').expect("two halves");
    let new = NewKey::of_space(&space, NAME, Role::ReadOnly, minted.handle, minted.secret);
    keys::create(&server.app.operator(0, "test"), new).await.expect("a key");
    let keys = json!({"public_key": public, "private_key": private});
    call(&server, &keys, true, Asked("GET", "/customers", None)).await.expect(200);
    let asked = || Asked("POST", "/customers", Some(json!({"email": "a@example.org"})));
    let text = "You don't have permission to access this resource";
    failed(call(&server, &keys, true, asked()).await, 403, "Forbidden", text);
    failed(call(&server, &keys, false, asked()).await, 403, "Forbidden", NEEDS_GRANT);
}

/// Everything a server keeps, as a backup would hold it.
async fn kept(server: &TestServer) -> String {
    let mut dump = Vec::new();
    server.app.store.dump(&mut dump).await.expect("a dump");
    String::from_utf8(dump).expect("text")
}

#[tokio::test]
async fn public_keys_are_kept_as_hashes_and_a_hash_opens_nothing() {
    let place = Place::new().await;
    let other = place.server.other_space(NAME).await;
    let kept = kept(&place.server).await;
    for keys in [&place.keys, &other] {
        let (public, private) = (text(keys, "public_key"), text(keys, "private_key"));
        assert!(!kept.contains(&public) && !kept.contains(&private));
        let handle = handle_of(&public);
        assert!(kept.contains(&handle), "the search would find it");
        for stolen in [handle.as_str(), handle.trim_start_matches("test.")] {
            let headers = [("authorization", stolen)];
            let answer = place.server.raw("GET", "/customers", &headers, b"").await;
            failed(answer, 401, "Unauthorized", "Invalid API key");
        }
    }
}

/// A deployment of an earlier version: clear handles in keys and journal.
#[tokio::test]
async fn keys_of_an_earlier_version_are_hidden_and_go_on() {
    let place = Place::new().await;
    let server = &place.server;
    let space = space_of(server, &place.keys).await;
    let cx = server.app.operator(0, "test");
    let clear = |n: usize| format!("pk.0123456789abcdef-{n}");
    let old = |handle: String| {
        let secret = NewSecret::Bearer("sk.of-an-earlier-version".into());
        let new = NewKey::of_space(&space, NAME, Role::Integration, Some(handle), secret);
        let cx = cx.clone();
        async move { keys::create(&cx, new).await.expect("a key").number }
    };
    let revoked = old(clear(0)).await;
    keys::revoke(&cx, revoked).await.expect("revoked");
    for n in 1..4 {
        old(clear(n)).await;
    }
    let test = old("pk_test.0123456789abcdef".into()).await;
    assert!(kept(server).await.contains("pk.0123456789abcdef-0"));
    let keys =
        |public: &str| json!({"public_key": public, "private_key": "sk.of-an-earlier-version"});
    let list = || Asked("GET", "/customers", None);
    call(server, &keys(&clear(1)), true, list()).await.expect(401);
    // Two nodes start at once, and one of them again.
    let (one, two) = tokio::join!(hide_public_keys(&server.app), hide_public_keys(&server.app));
    assert_eq!(one.expect("hidden") + two.expect("hidden"), 5);
    assert_eq!(hide_public_keys(&server.app).await.expect("nothing to do"), 0);
    for n in 1..4 {
        call(server, &keys(&clear(n)), true, list()).await.expect(200);
        call(server, &keys(&clear(n)), false, list()).await.expect(403);
    }
    call(server, &keys(&clear(0)), true, list()).await.expect(401);
    let asked = Asked("POST", "/customers", Some(json!({"email": "a@example.org"})));
    let made =
        call(server, &keys("pk_test.0123456789abcdef"), true, asked).await.expect(201).json();
    assert_eq!(made["customer"]["sandbox"], true, "it is still a test key");
    let kept = kept(server).await;
    assert!(!kept.contains("pk.0123456789abcdef") && !kept.contains("pk_test.0123456789abcdef"));
    let report = server.app.store.check(&patron_app::documents::implied).await;
    assert_eq!(report.expect("checked").findings, Vec::<String>::new());
    keys::revoke(&cx, test).await.expect("it can be revoked like any other");
}
