//! Create, read, change, delete, restore, merge, and the past.

use serde_json::{Value, json};

use crate::place::Native;

fn full() -> Value {
    json!({
        "reference": "C-1", "given_name": "Anna", "family_name": "Muster", "title": "Dr",
        "company_name": "Acme GmbH", "company_registration_number": "HRB 1",
        "tax_number": "123456789", "email": "Anna@Example.com", "phone": "+41 44 668 18 00",
        "work_phone": "+41 44 668 18 01", "language": "de-CH", "currency": "CHF",
        "time_zone": "Europe/Zurich", "description": "two\nlines",
        "metadata": {"a": "x", "n": 1, "deep": {"b": [true, null]}}, "status": "locked",
        "status_reason": "asked", "status_until": "2099-01-01T00:00:00.000000Z",
        "balance": "12.50", "portal_user_name": "anna", "identifier_fields": ["email"],
    })
}

#[tokio::test]
async fn every_field_comes_back_as_it_was_sent() {
    let native = Native::start().await;
    let created = native.create(full()).await;
    let Value::Object(sent) = full() else { unreachable!() };
    for (name, value) in sent {
        assert_eq!(created[&name], value, "{name}");
    }
    assert_eq!(created["full_name"], "Anna Muster");
    assert_eq!(created["phone_e164"], "+41446681800");
    assert_eq!(created["version"], 1);
    let by_number = native.call("GET", &format!("/v1/customers/{}", created["number"]), None).await;
    assert_eq!(by_number.json(), created);
    let id = created["id"].as_str().unwrap();
    assert_eq!(native.call("GET", &format!("/v1/customers/{id}"), None).await.json(), created);
}

#[tokio::test]
async fn merge_patch_moves_the_named_fields_and_no_other() {
    let native = Native::start().await;
    let created = native.create(full()).await;
    let target = format!("/v1/customers/{}", created["number"]);
    let Value::Object(fields) = full() else { unreachable!() };
    let mut before = created;
    for name in fields.keys() {
        let patched = native
            .call("PATCH", &target, Some(json!({ name.as_str(): null })))
            .await
            .expect(200)
            .json();
        let mut cleared = vec![name.as_str(), "version", "updated_at"];
        match name.as_str() {
            // A name derived from what is left, E.164 beside the phone, terms of a status.
            "given_name" | "family_name" => cleared.push("full_name"),
            "phone" => cleared.push("phone_e164"),
            "status" => cleared.extend(["status_reason", "status_until"]),
            _ => {}
        }
        for (field, value) in before.as_object().unwrap() {
            if !cleared.contains(&field.as_str()) {
                assert_eq!(&patched[field], value, "{name} moved {field}");
            }
        }
        match name.as_str() {
            "metadata" => assert_eq!(patched["metadata"], json!({})),
            "status" => assert_eq!(patched["status"], "active"),
            _ => assert!(patched.get(name).is_none(), "{name}: {patched}"),
        }
        before = patched;
    }
}

#[tokio::test]
async fn merge_patch_merges_metadata_key_by_key() {
    let native = Native::start().await;
    let created = native.create(json!({"metadata": {"a": 1, "b": 2}})).await;
    let target = format!("/v1/customers/{}", created["number"]);
    let body = json!({"metadata": {"a": null, "c": "x"}});
    let patched = native.call("PATCH", &target, Some(body)).await.expect(200).json();
    assert_eq!(patched["metadata"], json!({"b": 2, "c": "x"}));
}

#[tokio::test]
async fn a_change_that_changes_nothing_keeps_version_and_time() {
    let native = Native::start().await;
    let created = native.create(json!({"title": "Dr"})).await;
    let target = format!("/v1/customers/{}", created["number"]);
    let patched = native.call("PATCH", &target, Some(json!({"title": "Dr"}))).await.expect(200);
    assert_eq!(patched.json(), created);
    let events = native.call("GET", "/v1/events", None).await.json();
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn json_patch_tests_and_changes() {
    let native = Native::start().await;
    let created = native.create(json!({"title": "Dr", "metadata": {"a": "x"}})).await;
    let target = format!("/v1/customers/{}", created["number"]);
    let media = [("content-type", "application/json-patch+json")];
    let patch = json!([
        {"op": "test", "path": "/title", "value": "Dr"},
        {"op": "remove", "path": "/title"},
        {"op": "add", "path": "/metadata/b", "value": "y"},
        {"op": "add", "path": "/email", "value": "a@example.com"},
    ]);
    let patched = native.with("PATCH", &target, &media, Some(patch)).await.expect(200).json();
    assert_eq!(patched["metadata"], json!({"a": "x", "b": "y"}));
    assert_eq!(patched["email"], "a@example.com");
    assert!(patched.get("title").is_none());
    let failing = json!([{"op": "test", "path": "/email", "value": "other"}]);
    native.with("PATCH", &target, &media, Some(failing)).await.expect(412);
    let impossible = json!([{"op": "remove", "path": "/nope"}]);
    native.with("PATCH", &target, &media, Some(impossible)).await.expect(422);
    let read_only = json!([{"op": "add", "path": "/status", "value": "deleted"}]);
    native.with("PATCH", &target, &media, Some(read_only)).await.expect(422);
}

#[tokio::test]
async fn entity_tags_guard_changes() {
    let native = Native::start().await;
    let created = native.create(json!({"title": "Dr"})).await;
    let target = format!("/v1/customers/{}", created["number"]);
    let read = native.call("GET", &target, None).await;
    assert_eq!(read.header("etag"), "\"1\"");
    let unchanged = native.with("GET", &target, &[("if-none-match", "\"1\"")], None).await;
    assert_eq!((unchanged.status, unchanged.text().as_str()), (304, ""));
    let body = || Some(json!({"title": "Prof"}));
    let stale = native.with("PATCH", &target, &[("if-match", "\"7\"")], body()).await.expect(412);
    assert_eq!(stale.json()["current_version"], 1);
    native.with("PATCH", &target, &[("if-match", "W/\"1\"")], body()).await.expect(412);
    native.with("PATCH", &target, &[("if-match", "1")], body()).await.expect(400);
    let several = [("if-match", "\"9\", \"1\"")];
    let changed = native.with("PATCH", &target, &several, body()).await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    native.with("DELETE", &target, &[("if-match", "\"1\"")], None).await.expect(412);
    native.with("DELETE", &target, &[("if-match", "\"2\"")], None).await.expect(204);
}

#[tokio::test]
async fn a_space_can_refuse_blind_writes() {
    let native = Native::start().await;
    let created = native.create(json!({"reference": "r"})).await;
    let on = json!({"require_precondition": true});
    native.call("PATCH", "/v1/spaces/1", Some(on)).await.expect(200);
    let target = format!("/v1/customers/{}", created["number"]);
    let body = || Some(json!({"title": "Dr"}));
    native.call("PATCH", &target, body()).await.expect(428);
    native.call("DELETE", &target, None).await.expect(428);
    native.call("PUT", "/v1/customers/by-reference/r", body()).await.expect(428);
    native.with("PATCH", &target, &[("if-match", "\"1\"")], body()).await.expect(200);
    let create_only = [("if-none-match", "*")];
    native.with("PUT", "/v1/customers/by-reference/new", &create_only, body()).await.expect(201);
}

#[tokio::test]
async fn put_by_reference_creates_or_replaces() {
    let native = Native::start().await;
    let target = "/v1/customers/by-reference/a%2Fb%20%C4%8D";
    let created = native.call("PUT", target, Some(json!({"title": "Dr"}))).await.expect(201).json();
    assert_eq!(created["reference"], "a/b č");
    let body = json!({"email": "a@example.com"});
    let replaced = native.call("PUT", target, Some(body)).await.expect(200).json();
    assert_eq!(replaced["id"], created["id"]);
    assert!(replaced.get("title").is_none());
    assert_eq!(native.call("GET", target, None).await.json(), replaced);
    let create_only = [("if-none-match", "*")];
    native.with("PUT", target, &create_only, Some(json!({}))).await.expect(412);
    let other = json!({"reference": "other"});
    native.call("PUT", target, Some(other)).await.expect(422);
    native.with("PUT", target, &[("if-match", "\"1\"")], Some(json!({}))).await.expect(412);
    let missing = "/v1/customers/by-reference/none";
    native.with("PUT", missing, &[("if-match", "*")], Some(json!({}))).await.expect(412);
    native.with("PUT", missing, &[("if-match", "\"1\"")], Some(json!({}))).await.expect(412);
}

#[tokio::test]
async fn a_reference_is_unique_among_the_living_and_free_after() {
    let native = Native::start().await;
    let first = native.create(json!({"reference": "r"})).await;
    let taken = native.call("POST", "/v1/customers", Some(json!({"reference": "r"}))).await;
    let taken = taken.expect(409).json();
    assert_eq!(taken["errors"][0]["pointer"], "/reference");
    let first_target = format!("/v1/customers/{}", first["number"]);
    native.call("DELETE", &first_target, None).await.expect(204);
    native.call("GET", &first_target, None).await.expect(404);
    let second = native.create(json!({"reference": "r"})).await;
    let restore = format!("{first_target}/restore");
    native.call("POST", &restore, None).await.expect(409);
    let second_target = format!("/v1/customers/{}", second["number"]);
    let moved = json!({"reference": "s"});
    native.call("PATCH", &second_target, Some(moved)).await.expect(200);
    let restored = native.call("POST", &restore, None).await.expect(200).json();
    assert_eq!(restored["reference"], "r");
    assert_eq!(restored["status"], "active");
}

#[tokio::test]
async fn merge_moves_everything_and_old_ids_answer() {
    let native = Native::start().await;
    let stays = native.create(json!({"given_name": "Anna", "metadata": {"a": "mine"}})).await;
    let goes = native
        .create(json!({
            "given_name": "Anne", "email": "anne@example.com", "reference": "old",
            "metadata": {"a": "theirs", "b": "x"},
            "addresses": [{"purpose": "billing", "city": "Bern"}],
        }))
        .await;
    let (keep, gone) = (&stays["number"], &goes["number"]);
    let comments = format!("/v1/customers/{gone}/comments");
    native.call("POST", &comments, Some(json!({"content": "hello"}))).await.expect(201);
    let methods = format!("/v1/customers/{gone}/payment-methods");
    let method = json!({"type": "wallet", "channel": "paypal", "email": "anne@example.com"});
    native.call("POST", &methods, Some(method)).await.expect(201);
    let merge = format!("/v1/customers/{keep}/merge");
    let body = || Some(json!({"absorb": goes["id"]}));
    let preview = native.with("POST", &merge, &[("prefer", "dry-run")], body()).await.expect(200);
    assert_eq!(preview.header("preference-applied"), "dry-run");
    native.call("GET", &comments, None).await.expect(200);
    let merged = native.call("POST", &merge, body()).await.expect(200).json();
    assert_eq!(merged, preview.json().tap_updated(&merged));
    assert_eq!(merged["given_name"], "Anna");
    assert_eq!(merged["email"], "anne@example.com");
    assert_eq!(merged["reference"], "old");
    assert_eq!(merged["metadata"], json!({"a": "mine", "b": "x"}));
    let moved = native.call("GET", &format!("/v1/customers/{keep}/comments"), None).await.json();
    assert_eq!(moved["data"][0]["content"], "hello");
    let moved = format!("/v1/customers/{keep}/payment-methods");
    assert_eq!(native.call("GET", &moved, None).await.json()["data"][0]["channel"], "paypal");
    let moved = format!("/v1/customers/{keep}/addresses");
    assert_eq!(native.call("GET", &moved, None).await.json()["data"][0]["city"], "Bern");
    let alias = native.call("GET", &format!("/v1/customers/{gone}"), None).await.expect(200);
    assert_eq!(alias.json()["id"], stays["id"]);
    let location = format!("/v1/customers/{}", stays["id"].as_str().unwrap());
    assert_eq!(alias.header("content-location"), location);
    native.call("POST", &format!("/v1/customers/{gone}/restore"), None).await.expect(409);
    native.call("POST", &merge, Some(json!({"absorb": keep}))).await.expect(409);
}

trait TapUpdated {
    fn tap_updated(self, other: &Value) -> Value;
}

impl TapUpdated for Value {
    /// A preview shows what would be; only the moment differs, and which merge it is.
    fn tap_updated(mut self, other: &Value) -> Value {
        self["updated_at"] = other["updated_at"].clone();
        self["merge"]["id"] = other["merge"]["id"].clone();
        self["merge"]["number"] = other["merge"]["number"].clone();
        self
    }
}

#[tokio::test]
async fn the_past_can_be_read() {
    let native = Native::start().await;
    let first = native.create(json!({"title": "one"})).await;
    let target = format!("/v1/customers/{}", first["number"]);
    let second = native.call("PATCH", &target, Some(json!({"title": "two"}))).await.json();
    native.call("DELETE", &target, None).await.expect(204);
    let at = |moment: &Value| format!("{target}?as_of={}", moment.as_str().unwrap());
    assert_eq!(native.call("GET", &at(&first["updated_at"]), None).await.json(), first);
    assert_eq!(native.call("GET", &at(&second["updated_at"]), None).await.json(), second);
    let version = |n: i64| format!("{target}?version={n}");
    assert_eq!(native.call("GET", &version(1), None).await.json(), first);
    assert_eq!(native.call("GET", &version(3), None).await.json()["status"], "deleted");
    native.call("GET", &version(9), None).await.expect(404);
    native.call("GET", &format!("{target}?as_of=1999-01-01"), None).await.expect(404);
    native.call("GET", &format!("{target}?as_of=never"), None).await.expect(400);
}

#[tokio::test]
async fn a_dry_run_shows_and_changes_nothing() {
    let native = Native::start().await;
    let dry = [("prefer", "dry-run")];
    let body = || Some(json!({"reference": "r", "title": "Dr"}));
    let shown = native.with("POST", "/v1/customers", &dry, body()).await.expect(201);
    assert_eq!(shown.json()["title"], "Dr");
    native.call("GET", "/v1/customers/by-reference/r", None).await.expect(404);
    assert_eq!(native.call("GET", "/v1/events", None).await.json()["data"], json!([]));
    native.create(body().unwrap()).await;
    native.with("POST", "/v1/customers", &dry, body()).await.expect(409);
    let bad = Some(json!({"email": "nope"}));
    native.with("POST", "/v1/customers", &dry, bad).await.expect(422);
}

#[tokio::test]
async fn a_status_with_a_term_ends_by_itself() {
    let native = Native::start().await;
    let past = json!({"status": "locked", "status_until": "2020-01-01T00:00:00Z"});
    assert_eq!(native.create(past).await["status"], "active");
    let future = json!({"status": "locked", "status_until": "2999-01-01T00:00:00Z"});
    assert_eq!(native.create(future).await["status"], "locked");
}

/// A customer with every member that can be written.
fn with_every_member() -> Value {
    json!({
        "reference": "all-1",
        "given_name": "Ada",
        "family_name": "Lovelace",
        "full_name": "Ada Lovelace",
        "title": "Countess",
        "company_name": "Engines",
        "company_registration_number": "CHE-1",
        "tax_number": "T 1",
        "email": "ada@example.com",
        "phone": "+41 44 668 18 00",
        "work_phone": "+41 44 668 18 01",
        "language": "de-CH",
        "currency": "CHF",
        "time_zone": "Europe/Zurich",
        "description": "First of all.",
        "metadata": {"tier": "gold"},
        "status": "inactive",
        "status_reason": "asleep",
        "status_until": "2999-01-01T00:00:00Z",
        "balance": "1.50",
        "portal_user_name": "ada",
        "identifier_fields": ["email"],
        "addresses": [{"purpose": "billing", "line1": "A 1", "city": "Z", "country": "CH"}],
    })
}

/// What differs between two states of a customer, but for what every change moves.
fn differing(before: &Value, after: &Value) -> Vec<String> {
    let names = before.as_object().unwrap().keys().chain(after.as_object().unwrap().keys());
    let moved = |name: &&String| !["version", "updated_at"].contains(&name.as_str());
    let differs = |name: &&String| before[name.as_str()] != after[name.as_str()];
    let mut names: Vec<String> = names.filter(moved).filter(differs).cloned().collect();
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn a_json_patch_of_one_member_leaves_all_others() {
    let native = Native::start().await;
    let all = with_every_member();
    // A member that is added to the API fails here until the patch knows it.
    let description: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    let known = &description["components"]["schemas"]["CustomerInput"]["properties"];
    let known: Vec<&String> = known.as_object().unwrap().keys().collect();
    let mut written: Vec<&String> = all.as_object().unwrap().keys().collect();
    written.sort();
    assert_eq!(written, known, "every member is in the sample");
    let made = native.create(all).await;
    let one = format!("/v1/customers/{}", made["number"]);
    let shown = format!("{one}?expand=addresses");
    let before = native.call("GET", &shown, None).await.expect(200).json();
    let media = [("content-type", "application/json-patch+json")];
    for (operations, changed) in [
        (json!([{"op": "test", "path": "/title", "value": "Countess"}]), vec![]),
        (json!([{"op": "replace", "path": "/title", "value": "Dr"}]), vec!["title"]),
    ] {
        native.with("PATCH", &one, &media, Some(operations)).await.expect(200);
        let after = native.call("GET", &shown, None).await.expect(200).json();
        assert_eq!(differing(&before, &after), changed);
    }
}

#[tokio::test]
async fn who_takes_another_over_gets_every_member_it_lacks() {
    let native = Native::start().await;
    let theirs = native.create(with_every_member()).await;
    let mine = native.create(json!({"description": "mine"})).await;
    let merge = format!("/v1/customers/{}/merge", mine["number"]);
    let body = json!({"absorb": theirs["number"]});
    let merged = native.call("POST", &merge, Some(body)).await.expect(200).json();
    let mut own = differing(&theirs, &merged);
    // What belongs to one customer only, and what the survivor had.
    let stays =
        ["created_at", "description", "id", "number", "status", "status_reason", "status_until"];
    own.retain(|name| !matches!(name.as_str(), "addresses" | "merge"));
    assert_eq!(own, stays);
}
/// A record and a change of it, whose state the answers name in an entity tag.
async fn assert_any_tag_will_do(native: &Native, method: &str, target: &str, body: Option<Value>) {
    let tag = native.call("GET", target, None).await.expect(200).header("etag").to_owned();
    let tags = |tags: &[&str]| tags.join(", ");
    for (wrong, status) in [(tags(&["\"98\"", "\"99.99\""]), 412), (tags(&["W/\"1\""]), 412)] {
        let asked = native.with(method, target, &[("if-match", &wrong)], body.clone()).await;
        assert_eq!(asked.status, status, "{method} {target}: {}", asked.text());
    }
    let fits = tags(&["\"98\"", "\"another's\"", &tag]);
    let asked = native.with(method, target, &[("if-match", &fits)], body).await;
    assert!(asked.status < 300, "{method} {target} {fits}: {}", asked.text());
}

#[tokio::test]
async fn any_of_several_entity_tags_will_do() {
    let native = Native::start().await;
    let customer = native.create(json!({"reference": "r-1"})).await;
    let other = native.create(json!({})).await;
    let one = format!("/v1/customers/{}", customer["number"]);
    let post = async |target: String, body: Value| {
        let made = native.call("POST", &target, Some(body)).await.expect(201).json();
        format!("{target}/{}", made["number"])
    };
    let address = post(format!("{one}/addresses"), json!({"city": "Bern"})).await;
    let comment = post(format!("{one}/comments"), json!({"content": "x"})).await;
    let method = post(format!("{one}/payment-methods"), json!({"type": "wallet"})).await;
    let space = post("/v1/spaces".into(), json!({"name": "second"})).await;
    let key = post("/v1/keys".into(), json!({"dialect": "native"})).await;
    let account = "/v1/accounts/1".to_owned();
    let changes = [
        ("PATCH", &one, Some(json!({"title": "Dr"}))),
        ("PUT", &"/v1/customers/by-reference/r-1".to_owned(), Some(json!({"title": "Prof"}))),
        ("PATCH", &address, Some(json!({"city": "Basel"}))),
        ("DELETE", &address, None),
        ("PATCH", &comment, Some(json!({"pinned": true}))),
        ("DELETE", &comment, None),
        ("PATCH", &method, Some(json!({"issuer": "Bank"}))),
        ("DELETE", &method, None),
        ("PATCH", &space, Some(json!({"name": "third"}))),
        ("PATCH", &key, Some(json!({"name": "named"}))),
        ("PATCH", &account, Some(json!({"name": "renamed"}))),
    ];
    for (method, target, body) in changes {
        assert_any_tag_will_do(&native, method, target, body).await;
    }
    // A merge is guarded by the tag of the customer that stays.
    let merge = format!("{one}/merge");
    let absorb = || Some(json!({"absorb": other["number"]}));
    let tag = native.call("GET", &one, None).await.header("etag").to_owned();
    for (tags, status) in [("\"98\", \"99\"".to_owned(), 412), (format!("\"98\", {tag}"), 200)] {
        native.with("POST", &merge, &[("if-match", &tags)], absorb()).await.expect(status);
    }
    assert_any_tag_will_do(&native, "DELETE", &one, None).await;
}
