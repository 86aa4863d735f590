//! Every operation that is served. The description is checked in: a change of the API shows in
//! review.

use patron_gateway::openapi;
use patron_native::DIALECT;

#[test]
fn openapi_is_the_description_that_is_checked_in() {
    let document = openapi::document(&DIALECT, "0.1.0");
    let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        known == text,
        "openapi.json differs: run with UPDATE_SNAPSHOTS=1 and review the change"
    );
}

#[test]
fn every_operation_has_an_id_a_title_and_a_reply() {
    let mut ids = std::collections::BTreeSet::new();
    for operation in (DIALECT.operations)() {
        assert!(ids.insert(operation.id), "{} appears twice", operation.id);
        assert!(!operation.title.is_empty() && !operation.replies.is_empty(), "{}", operation.id);
        assert!(!operation.tag.is_empty(), "{}", operation.id);
    }
}

#[test]
fn every_operation_lies_under_a_mount() {
    for operation in (DIALECT.operations)() {
        let is_under = |mount: &&str| {
            operation.path.strip_prefix(mount).is_some_and(|r| r.is_empty() || r.starts_with('/'))
        };
        assert!(DIALECT.mounts.iter().any(is_under), "{}", operation.path);
    }
}
