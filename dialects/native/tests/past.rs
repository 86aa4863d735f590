//! Two states of a customer beside each other, and back to one of them.

use serde_json::{Value, json};

use crate::place::Native;

/// A customer of three versions, with an address that changed and one that went.
async fn with_a_past(native: &Native) -> String {
    let address = json!({"purpose": "billing", "line1": "Bahnhofstrasse 1", "city": "Olten"});
    let first = json!({"title": "one", "email": "one@example.com", "reference": "r-1",
        "metadata": {"tier": "gold", "old": 1}, "addresses": [address]});
    let first = native.create(first).await;
    let target = format!("/v1/customers/{}", first["number"]);
    let second = json!({"title": "two", "email": "two@example.com", "reference": null,
        "metadata": {"tier": "silver", "old": null}, "status": "blocked", "balance": "5"});
    native.call("PATCH", &target, Some(second)).await.expect(200);
    let all = native.call("GET", &format!("{target}/addresses"), None).await.json();
    let address = format!("{target}/addresses/{}", all["data"][0]["number"]);
    native.call("PATCH", &address, Some(json!({"city": "Bern"}))).await.expect(200);
    native.call("PATCH", &target, Some(json!({"title": "three"}))).await.expect(200);
    target
}

fn field<'a>(diff: &'a Value, name: &str) -> &'a Value {
    let all = diff["changes"].as_array().unwrap();
    all.iter().find(|change| change["field"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn two_states_are_told_apart_and_the_patch_makes_one_of_the_other() {
    let native = Native::start().await;
    let target = with_a_past(&native).await;
    let diff = |query: &str| format!("{target}/diff?{query}");
    let found = native.call("GET", &diff("from=1&to=3"), None).await.expect(200).json();
    assert_eq!((&found["from"]["version"], &found["to"]["version"]), (&json!(1), &json!(3)));
    assert_eq!(field(&found, "title"), &json!({"field": "title", "from": "one", "to": "three"}));
    assert_eq!(field(&found, "reference"), &json!({"field": "reference", "from": "r-1"}));
    assert_eq!(field(&found, "metadata.tier")["to"], "silver");
    assert_eq!(field(&found, "metadata.old")["from"], 1);
    let all = native.call("GET", &format!("{target}/addresses"), None).await.json();
    let city = format!("addresses.{}.city", all["data"][0]["number"]);
    assert_eq!(field(&found, &city)["to"], "Bern");
    assert_eq!(field(&found, "version"), &Value::Null, "what counts changes is none");
    // The patch is one (RFC 6902): made on the one state it gives the other.
    let state = async |version: i64| {
        let target = format!("{target}?version={version}&expand=addresses");
        native.call("GET", &target, None).await.expect(200).json()
    };
    let mut made = state(1).await;
    let patch: json_patch::Patch = serde_json::from_value(found["patch"].clone()).unwrap();
    json_patch::patch(&mut made, &patch).unwrap();
    assert_eq!(made, state(3).await);
    // Moments and the present serve as well; without "to" it is now.
    let same = native.call("GET", &diff("from=1"), None).await.expect(200).json();
    assert_eq!(same, found);
    let at = found["from"]["updated_at"].as_str().unwrap();
    let same = native.call("GET", &diff(&format!("from={at}&to=now")), None).await.expect(200);
    assert_eq!(same.json()["changes"], found["changes"]);
    let none = native.call("GET", &diff("from=now&to=now"), None).await.expect(200).json();
    assert_eq!((&none["changes"], &none["patch"]), (&json!([]), &json!([])));
    native.call("GET", &diff("from=9"), None).await.expect(404);
    let refused = native.call("GET", &diff("to=soon"), None).await.expect(400).text();
    assert!(refused.contains("/from") && refused.contains("/to"), "{refused}");
}

#[tokio::test]
async fn a_customer_becomes_again_what_it_was_as_a_new_version() {
    let native = Native::start().await;
    let target = with_a_past(&native).await;
    let revert = format!("{target}/revert");
    let read = async || native.call("GET", &format!("{target}?expand=addresses"), None).await;
    let before = read().await;
    let dry = [("prefer", "dry-run")];
    let body = || Some(json!({"version": 1}));
    let shown = native.with("POST", &revert, &dry, body()).await.expect(200).json();
    assert_eq!(shown["title"], "one");
    assert_eq!(read().await.json(), before.json(), "a dry run changes nothing");
    let stale = [("if-match", "\"2\"")];
    native.with("POST", &revert, &stale, body()).await.expect(412);
    let current = [("if-match", before.header("etag"))];
    let back = native.with("POST", &revert, &current, body()).await.expect(200).json();
    assert_eq!(back["version"], 4);
    for (name, value) in [
        ("title", json!("one")),
        ("email", json!("one@example.com")),
        ("reference", json!("r-1")),
        ("metadata", json!({"tier": "gold", "old": 1})),
    ] {
        assert_eq!(back[name], value, "{name}");
    }
    // How things stand now is not who somebody is: it comes back when it is named.
    assert_eq!((&back["status"], &back["balance"]), (&json!("blocked"), &json!("5")));
    let now = read().await.json();
    assert_eq!(now["addresses"][0]["city"], "Olten");
    assert_eq!(now["addresses"][0]["version"], 3, "versions only rise");
    let named = json!({"version": 1, "fields": ["status", "balance"]});
    let named = native.call("POST", &revert, Some(named)).await.expect(200).json();
    assert_eq!((&named["status"], &named["balance"]), (&json!("active"), &Value::Null));
    // Nothing to put back: no version.
    let again = native.call("POST", &revert, body()).await.expect(200).json();
    assert_eq!(again["version"], named["version"]);
}

#[tokio::test]
async fn what_cannot_be_put_back_is_said() {
    let native = Native::start().await;
    let target = with_a_past(&native).await;
    let revert = format!("{target}/revert");
    native.call("POST", &revert, Some(json!({"version": 9}))).await.expect(404);
    let refused = native.call("POST", &revert, Some(json!({}))).await.expect(422).json();
    assert_eq!(refused["errors"][0]["pointer"], "/version", "{refused}");
    let unknown = json!({"version": 1, "fields": ["titel", "number"]});
    let refused = native.call("POST", &revert, Some(unknown)).await.expect(422).text();
    assert!(refused.contains("/fields/0") && refused.contains("/fields/1"), "{refused}");
    assert!(refused.contains("title"), "{refused}");
    // Its reference is somebody else's by now.
    native.create(json!({"reference": "r-1"})).await;
    native.call("POST", &revert, Some(json!({"version": 1}))).await.expect(409);
    let without = json!({"version": 1, "fields": ["title"]});
    native.call("POST", &revert, Some(without)).await.expect(200);
    native.call("DELETE", &target, None).await.expect(204);
    native.call("POST", &revert, Some(json!({"version": 1}))).await.expect(404);
}
