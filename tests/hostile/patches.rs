//! Patches of the native API. A JSON Merge Patch does what RFC 7396's reference does to the record,
//! a JSON Patch what the `json-patch` crate does: the record it leads to, put as a whole, is taken
//! and shown alike, or refused alike.

use serde_json::{Map, Value, json};

use super::place::{self, Answered, Asked, Place};

/// Members that the server sets.
const SET_BY_SERVER: [&str; 6] =
    ["id", "number", "version", "phone_e164", "created_at", "updated_at"];

/// RFC 7396, section 2, word for word.
pub fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            let now = members.remove(name).unwrap_or(Value::Null);
            members.insert(name.clone(), merged(now, value));
        }
    }
    Value::Object(members)
}

/// JSON Merge Patch.
pub fn merge_patch(data: &[u8]) {
    let Ok(patch) = serde_json::from_slice::<Value>(data) else { return refused(MERGE, data) };
    compare(MERGE, data, |record| Some(merged(record, &patch)));
}

/// JSON Patch.
pub fn json_patch(data: &[u8]) {
    let Ok(operations) = serde_json::from_slice::<json_patch::Patch>(data) else {
        return refused(OPERATIONS, data);
    };
    compare(OPERATIONS, data, |mut record| {
        json_patch::patch(&mut record, &operations).ok().map(|()| record)
    });
}

const MERGE: &str = "application/merge-patch+json";
const OPERATIONS: &str = "application/json-patch+json";

/// What cannot be read is refused and changes nothing.
fn refused(media: &str, data: &[u8]) {
    place::with(|place| {
        let answer = ask(place, "PATCH", media, data.to_vec());
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert!(!answer.changed);
    });
}

fn compare(media: &str, data: &[u8], expected: impl Fn(Value) -> Option<Value>) {
    place::with(|place| {
        let original = writable(shown(place));
        let patched = ask(place, "PATCH", media, data.to_vec());
        assert!(patched.status < 500, "{}", String::from_utf8_lossy(&patched.body));
        let mut by_patch = writable(shown(place));
        if patched.status >= 400 {
            assert!(!patched.changed && by_patch == original, "refused and yet changed");
        }
        restore(place, &original);
        if by_patch["reference"] != original["reference"] {
            // Records are put by their reference, so this one would be another.
            return;
        }
        let Some(next) = expected(original.clone()).filter(Value::is_object) else {
            assert!(patched.status >= 400, "taken, though it cannot be applied");
            return;
        };
        let put = ask(place, "PUT", "application/json", next.to_string().into_bytes());
        let mut by_put = writable(shown(place));
        // A full name beside its parts: the one that was written last makes the other stale, and a
        // whole record does not say which that was.
        if next.get("full_name").is_some() {
            by_patch = without_names(by_patch);
            by_put = without_names(by_put);
        }
        restore(place, &original);
        if put.status < 300 && patched.status < 300 {
            assert_eq!(by_patch, by_put, "patched {} as if put {next}", json!(original));
        } else if patched.status < 300 {
            panic!("patched, but cannot be put: {next}: {}", String::from_utf8_lossy(&put.body));
        }
    });
}

fn restore(place: &Place, record: &Value) {
    let named = json!({"reference": record["reference"]}).to_string().into_bytes();
    assert_eq!(ask(place, "PATCH", MERGE, named).status, 200);
    let answer = ask(place, "PUT", "application/json", record.to_string().into_bytes());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

fn shown(place: &Place) -> Value {
    let answer = ask(place, "GET", "", Vec::new());
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

/// The record without what the server sets or derives.
fn writable(mut record: Value) -> Value {
    let members = record.as_object_mut().expect("a record");
    members.retain(|name, _| !SET_BY_SERVER.contains(&name.as_str()));
    if members.contains_key("given_name") || members.contains_key("family_name") {
        members.remove("full_name");
    }
    // Left out where it is empty, but there.
    members.entry("identifier_fields").or_insert(json!([]));
    record
}

fn without_names(mut record: Value) -> Value {
    for name in ["given_name", "family_name", "full_name"] {
        record.as_object_mut().expect("a record").remove(name);
    }
    record
}

fn ask(place: &Place, method: &str, media: &str, body: Vec<u8>) -> Answered {
    let headers = match media {
        "" => Vec::new(),
        _ => vec![("content-type".to_owned(), media.to_owned())],
    };
    let target = match method {
        "PUT" => "/v1/customers/by-reference/shop-1001".to_owned(),
        _ => place.fill("/v1/customers/{{number}}"),
    };
    let asked = Asked { method: method.to_owned(), target, headers, body };
    place.ask_signed(&patron_native::DIALECT, asked).expect("a request that can be sent")
}
