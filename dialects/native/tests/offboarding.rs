//! A space is deleted for good: with everything in it, and nothing else.

use std::time::Duration;

use patron_app::{App, documents::implied, offboarding};
use patron_native::DIALECT;
use serde_json::{Value, json};

use crate::place::Native;

const PLANTED: &str = "plantedperson";
const EXPORT: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

impl Native {
    /// A further space with people in it; its number.
    async fn populated(&self) -> String {
        let made = self.call("POST", "/v1/spaces", Some(json!({"name": "Leaving"}))).await;
        let number = made.expect(201).json()["number"].to_string();
        let there = [("patron-space", number.as_str())];
        for n in 0..30 {
            let key = format!("k{n}");
            let headers = [("patron-space", number.as_str()), ("idempotency-key", &key)];
            let body = json!({"given_name": PLANTED, "email": format!("{PLANTED}{n}@x.example")});
            let made = self.with("POST", "/v1/customers", &headers, Some(body)).await;
            let one = format!("/v1/customers/{}", made.expect(201).json()["number"]);
            let title = Some(json!({"title": PLANTED}));
            self.with("PATCH", &one, &there, title).await.expect(200);
            let comment = Some(json!({"content": PLANTED}));
            self.with("POST", &format!("{one}/comments"), &there, comment).await.expect(201);
        }
        number
    }

    async fn receipt(&self, number: &str) -> Value {
        let target = format!("/v1/audit-log?space={number}&action=space.purged");
        for _ in 0..600 {
            let found = self.call("GET", &target, None).await.expect(200).json();
            if let Some(entry) = found["data"].as_array().unwrap().first() {
                return entry.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("space {number} is not purged");
    }

    async fn whole(&self) -> String {
        let mut bytes = Vec::new();
        self.server.app.store.dump(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

async fn is_clean(app: &App) {
    let report = app.store.check(&|kind, row| implied(kind, row)).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_space_leaves_a_receipt_and_nothing_else() {
    let native = Native::start().await;
    native.create(json!({"given_name": "Neighbour"})).await;
    let number = native.populated().await;
    let (one, there) = (format!("/v1/spaces/{number}"), [("patron-space", number.as_str())]);
    let local = native.admin_key_in(&number).await;
    let server = &native.server;
    server.call(&DIALECT, &local, "GET", "/v1/customers", None).await.expect(200);
    // That it was used, and from where, is known of a key.
    server.app.write_key_uses().await.unwrap();
    let used = local["number"].as_i64().unwrap();
    let key_use = &patron_app::documents::KEY_USE;
    assert!(server.app.store.get(key_use, 0, used).await.unwrap().is_some());
    // A dry run says what would go; the real thing wants to know that somebody has looked.
    let dry = native.with("DELETE", &one, &[("prefer", "dry-run")], None).await.expect(200).json();
    assert_eq!((&dry["counts"]["customer"], &dry["keys"]), (&json!(30), &json!(1)), "{dry}");
    native.with("GET", "/v1/customers", &there, None).await.expect(200);
    native.call("DELETE", &one, None).await.expect(428);
    // And what became of the data.
    let any = [("if-match", "*")];
    for query in [
        "",
        "?without_export=false",
        "?export_sha256=abc",
        "?without_export=yes",
        &format!("?without_export=true&export_sha256={EXPORT}"),
    ] {
        let refused = native.with("DELETE", &format!("{one}{query}"), &any, None).await;
        let refused = refused.expect(400).text();
        assert!(refused.contains("_export") || refused.contains("export_"), "{query}: {refused}");
    }
    let exported = format!("{one}?export_sha256={EXPORT}");
    native.with("DELETE", &exported, &[("if-match", "\"7\"")], None).await.expect(412);
    let key = [("if-match", "\"1\""), ("idempotency-key", "leave")];
    let left = native.with("DELETE", &exported, &key, None).await.expect(202).json();
    assert_eq!(left["counts"], dry["counts"]);
    // From here on nothing answers.
    native.with("GET", "/v1/customers", &there, None).await.expect(403);
    server.call(&DIALECT, &local, "GET", "/v1/customers", None).await.expect(401);
    native.call("GET", &one, None).await.expect(404);
    native.call("PATCH", &one, Some(json!({"archived": false}))).await.expect(404);
    native.with("DELETE", &exported, &any, None).await.expect(404);
    assert!(!native.call("GET", "/v1/spaces", None).await.text().contains("Leaving"));
    let entry = native.receipt(&number).await;
    let receipt = &entry["receipt"];
    assert_eq!((&receipt["counts"], &receipt["keys"]), (&dry["counts"], &json!(1)));
    assert_eq!(receipt["export_sha256"], EXPORT);
    assert_eq!(entry["actor"], json!({"kind": "key", "number": 1}));
    let again = native.with("DELETE", &exported, &key, None).await.expect(202);
    assert_eq!(again.json(), left, "a repeat answers the same");
    assert_eq!(again.header("idempotency-replayed"), "true");
    // Nothing is left of it, in whatever is kept, and what is left agrees.
    let whole = native.whole().await;
    assert!(!whole.contains(PLANTED) && !whole.contains("Leaving"), "{whole}");
    assert!(!whole.contains("\"key\":\"k0\""), "answers under idempotency keys");
    is_clean(&server.app).await;
    server.app.write_key_uses().await.unwrap();
    assert!(server.app.store.get(key_use, 0, used).await.unwrap().is_none());
    // The neighbour and the account's other keys go on; its own space stays.
    let mine = native.call("GET", "/v1/customers", None).await.expect(200).json();
    assert_eq!(mine["data"][0]["given_name"], "Neighbour");
    let own = "/v1/spaces/1?without_export=true";
    native.with("DELETE", own, &any, None).await.expect(409);
    // The number is never given out again.
    let next = native.call("POST", "/v1/spaces", Some(json!({"name": "Next"}))).await.expect(201);
    assert_ne!(next.json()["number"].to_string(), number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_deletes_a_space() {
    let native = Native::start().await;
    let number = native.populated().await;
    let one = format!("/v1/spaces/{number}?without_export=true");
    let any = [("if-match", "*")];
    let server = &native.server;
    let other = server.new_space(None).await["wallee"]["space_id"].to_string();
    let other = native.owner_key_of(if other == "null" { "3" } else { &other }).await;
    server.call_with(&DIALECT, &other, "DELETE", &one, &any, None).await.expect(404);
    let dry = [("prefer", "dry-run")];
    server.call_with(&DIALECT, &other, "DELETE", &one, &dry, None).await.expect(404);
    let reader = native.key_in(&number).await;
    server.call_with(&DIALECT, &reader, "DELETE", &one, &any, None).await.expect(403);
    let local = native.admin_key_in(&number).await;
    server.call_with(&DIALECT, &local, "DELETE", &one, &any, None).await.expect(403);
    let there = [("patron-space", number.as_str())];
    let kept = native.with("GET", "/v1/customers?limit=200", &there, None).await.expect(200).json();
    assert_eq!(kept["data"].as_array().unwrap().len(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_was_interrupted_goes_on_and_late_writes_go_too() {
    let native = Native::start().await;
    let number = native.populated().await;
    let app = &native.server.app;
    let space: i64 = number.parse().unwrap();
    let cx = app.operator(0, "test");
    offboarding::begin(&cx, space, patron_app::Expect::Any, None).await.unwrap();
    // A part is gone when the process ends.
    app.store.purge(space, 40).await.unwrap();
    is_clean(app).await;
    assert!(native.whole().await.contains(PLANTED));
    offboarding::sweep(app).await.unwrap();
    let receipt = native.receipt(&number).await;
    assert_eq!(receipt["receipt"]["counts"]["customer"], 30, "counted when it began");
    assert!(!native.whole().await.contains(PLANTED));
    // A node that had not heard of it wrote once more.
    let late = app.operator(space, "late");
    let patch = patron_model::customer::CustomerPatch::default();
    patron_app::customers::create(&late, patch).await.unwrap();
    assert_eq!(app.store.head(space).await.unwrap(), 1);
    offboarding::sweep(app).await.unwrap();
    assert_eq!(app.store.head(space).await.unwrap(), 0);
    is_clean(app).await;
    let entries = native.call("GET", "/v1/audit-log?action=space.purged", None).await.json();
    assert_eq!(entries["data"].as_array().unwrap().len(), 1, "one receipt");
}
