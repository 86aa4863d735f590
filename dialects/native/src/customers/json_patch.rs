//! JSON Patch (RFC 6902), one operation at a time on a document that never outgrows its bounds.
//!
//! A `copy` doubles what it copies: two dozen of them make gigabytes out of a kilobyte. So each
//! operation is looked at before it is carried out, and refused when its result would be larger or
//! deeper than any customer can be.

use json_patch::{Patch, PatchErrorKind, PatchOperation};
use patron_model::{Failure, Why};
use serde_json::Value;

/// Bytes of the document after any operation, written as JSON: eight times what metadata may take,
/// and more than all members together at their longest.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Levels of the document after any operation: as many as JSON that is read may have.
const DOCUMENT_DEPTH_MAX: usize = 128;

/// Applies all operations in order.
///
/// # Errors
/// `PreconditionFailed` when a `test` does not hold, `Invalid` when an operation cannot be applied
/// or would make the document too large or too deep.
pub(super) fn apply(document: &mut Value, operations: &Patch) -> Result<(), Failure> {
    // An upper bound: what is removed is only subtracted when the bound is reached.
    let mut bytes = size(document);
    for (at, operation) in operations.0.iter().enumerate() {
        let added = added(document, operation)?;
        if bytes + added > DOCUMENT_BYTES_MAX {
            bytes = size(document);
        }
        bytes += added;
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(Failure::invalid("", Why::TooLarge { max_bytes: DOCUMENT_BYTES_MAX }));
        }
        if let Err(error) = json_patch::patch(document, std::slice::from_ref(operation)) {
            if matches!(error.kind, PatchErrorKind::TestFailed) {
                return Err(Failure::PreconditionFailed { what: "A test of the JSON Patch" });
            }
            let reason = format!("operation {at} cannot be applied");
            return Err(Failure::invalid("", Why::Syntax { reason }));
        }
    }
    Ok(())
}

/// Bytes an operation adds at most.
fn added(document: &Value, operation: &PatchOperation) -> Result<usize, Failure> {
    // No name is longer than the path it stands in.
    let (path, value, grows) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value), true),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value), true),
        PatchOperation::Copy(copy) => (&copy.path, document.pointer(copy.from.as_str()), true),
        PatchOperation::Move(moving) => {
            (&moving.path, document.pointer(moving.from.as_str()), false)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(0),
    };
    // What is not there cannot be copied or moved: applying the operation says so.
    let Some(value) = value else { return Ok(0) };
    if path.as_str().matches('/').count() + depth(value) > DOCUMENT_DEPTH_MAX {
        return Err(Failure::invalid("", Why::TooDeep { max: DOCUMENT_DEPTH_MAX }));
    }
    let name = path.as_str().len() + 4;
    Ok(if grows { size(value) + name } else { name })
}

/// Bytes of a value as JSON, without escapes.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, member)| name.len() + size(member) + 4).sum::<usize>() + 2
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(document: &mut Value, operations: &Value) -> Result<(), String> {
        let operations: Patch = serde_json::from_value(operations.clone()).expect("a patch");
        apply(document, &operations).map_err(|failure| match failure {
            Failure::Invalid(problems) => problems.iter().map(|p| p.why.code()).collect(),
            other => other.name().to_owned(),
        })
    }

    #[test]
    fn a_document_that_is_copied_into_itself_stays_small() {
        let mut operations =
            vec![json!({"op": "add", "path": "/metadata/a", "value": "x".repeat(1_000)})];
        for n in 0..24 {
            let path = format!("/metadata/b{n}");
            operations.push(json!({"op": "copy", "from": "/metadata", "path": path}));
        }
        let mut document = json!({"metadata": {}});
        assert_eq!(outcome(&mut document, &json!(operations)), Err("too_large".into()));
        assert!(size(&document) <= DOCUMENT_BYTES_MAX);
    }

    #[test]
    fn no_way_of_growing_goes_past_the_bounds() {
        let long = "x".repeat(DOCUMENT_BYTES_MAX / 3);
        let start = || json!({"m": {"a": long, "list": [1]}});
        let many = |operation: Value| json!(vec![operation; 190]);
        for operations in [
            json!([{"op": "copy", "from": "/m/a", "path": "/m/b"},
                   {"op": "copy", "from": "/m/a", "path": "/m/c"}]),
            json!([{"op": "add", "path": "/m/b", "value": format!("{long}{long}")}]),
            json!([{"op": "replace", "path": "/m/list", "value": [long, long, long]}]),
            many(json!({"op": "copy", "from": "/m/a", "path": "/m/list/0"})),
            many(json!({"op": "copy", "from": "/m/list", "path": "/m/list/-"})),
            many(json!({"op": "add", "path": "/m/list/0", "value": "x".repeat(2_000)})),
            many(json!({"op": "copy", "from": "", "path": "/m/all"})),
        ] {
            let mut document = start();
            let outcome = outcome(&mut document, &operations);
            assert!(
                outcome == Err("too_large".into()) || outcome == Err("too_deep".into()),
                "{outcome:?} {operations}"
            );
            assert!(size(&document) <= DOCUMENT_BYTES_MAX && depth(&document) <= 128);
        }
        // Deep instead of large.
        let deep = (0..100).fold(json!({}), |inner, _| json!({"a": inner}));
        let end = "/a".repeat(100);
        let mut document = json!({"m": deep, "n": deep});
        let copy = json!([{"op": "copy", "from": "/n", "path": format!("/m{end}/b")}]);
        assert_eq!(outcome(&mut document, &copy), Err("too_deep".into()));
        let moving = json!([{"op": "move", "from": "/n", "path": format!("/m{end}/b")}]);
        assert_eq!(outcome(&mut document, &moving), Err("too_deep".into()));
    }

    #[test]
    fn what_is_taken_away_makes_room() {
        let half = "x".repeat(DOCUMENT_BYTES_MAX / 2);
        let mut operations = Vec::new();
        for _ in 0..10 {
            operations.push(json!({"op": "add", "path": "/a", "value": half}));
            operations.push(json!({"op": "test", "path": "/a", "value": half}));
            operations.push(json!({"op": "move", "from": "/a", "path": "/b"}));
            operations.push(json!({"op": "remove", "path": "/b"}));
        }
        let mut document = json!({});
        assert_eq!(outcome(&mut document, &json!(operations)), Ok(()));
        assert_eq!(document, json!({}));
        let test = json!([{"op": "test", "path": "", "value": 1}]);
        assert_eq!(outcome(&mut document, &test), Err("precondition_failed".into()));
        let missing = json!([{"op": "copy", "from": "/x", "path": "/y"}]);
        assert_eq!(outcome(&mut document, &missing), Err("syntax".into()));
    }
}
