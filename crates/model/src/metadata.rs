//! Metadata: the integrator's own key/value pairs on a record.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Problems, Why};

/// Most keys.
pub const KEYS_MAX: usize = 100;
/// Most characters of a key.
pub const KEY_CHARS_MAX: usize = 100;
/// Most bytes of all keys and values as JSON.
pub const BYTES_MAX: usize = 32 * 1024;
/// Most levels of nesting inside a value.
pub const DEPTH_MAX: usize = 8;

/// Key/value pairs. Values are JSON; most dialects only know texts.
#[derive(Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, Value>);

/// A change of the metadata.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum MetadataPatch {
    /// Stays as it is.
    #[default]
    Keep,
    /// Becomes exactly this.
    Replace(Metadata),
    /// Key by key: `Some` sets, `None` removes, others stay.
    Merge(BTreeMap<String, Option<Value>>),
    /// As RFC 7396 merges: `null` removes, objects are merged member by member, others replace.
    MergeDeep(BTreeMap<String, Value>),
}

impl Metadata {
    /// Parses pairs: bounded in number, size and depth, without control characters.
    ///
    /// # Errors
    /// Every fault, under `field` and `field.<key>`.
    pub fn parse(field: &str, pairs: BTreeMap<String, Value>) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if pairs.len() > KEYS_MAX {
            problems.add(field, Why::TooMany { max: KEYS_MAX });
        }
        let mut bytes = 0;
        for (key, value) in &pairs {
            let path = || format!("{field}.{key}");
            if let Err(why) = crate::text::check(key, 1, KEY_CHARS_MAX, false) {
                problems.add(path(), why);
            }
            if depth(value) > DEPTH_MAX {
                problems.add(path(), Why::TooDeep { max: DEPTH_MAX });
            }
            if has_control(value) {
                problems.add(path(), Why::ControlCharacter);
            }
            bytes += key.len() + size(value);
        }
        if bytes > BYTES_MAX {
            problems.add(field, Why::TooLarge { max_bytes: BYTES_MAX });
        }
        problems.into_result().map(|()| Metadata(pairs))
    }

    /// The pairs.
    pub fn pairs(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs with every value as text: strings as they are, others as their JSON.
    pub fn texts(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(key, value)| (key.clone(), text_of(value))).collect()
    }

    /// After a change.
    ///
    /// # Errors
    /// When the result would break a limit.
    pub fn changed(&self, patch: MetadataPatch) -> Result<Metadata, Problems> {
        match patch {
            MetadataPatch::Keep => Ok(self.clone()),
            MetadataPatch::Replace(next) => Ok(next),
            MetadataPatch::Merge(changes) => {
                let mut pairs = self.0.clone();
                for (key, change) in changes {
                    match change {
                        Some(value) => pairs.insert(key, value),
                        None => pairs.remove(&key),
                    };
                }
                Metadata::parse("metadata", pairs)
            }
            MetadataPatch::MergeDeep(changes) => {
                let mut pairs = self.0.clone();
                for (key, change) in changes {
                    if let Some(value) = merged(pairs.remove(&key), change) {
                        pairs.insert(key, value);
                    }
                }
                Metadata::parse("metadata", pairs)
            }
        }
    }
}

/// RFC 7396 for one member: what becomes of it; `None` when it goes.
fn merged(before: Option<Value>, change: Value) -> Option<Value> {
    let changes = match change {
        Value::Null => return None,
        Value::Object(changes) => changes,
        other => return Some(other),
    };
    let mut members = match before {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    for (name, change) in changes {
        if let Some(value) = merged(members.remove(&name), change) {
            members.insert(name, value);
        }
    }
    Some(Value::Object(members))
}

/// A value as text: strings as they are, others as their JSON.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| size(item) + 1).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(key, item)| key.len() + size(item) + 4).sum::<usize>() + 2
        }
        Value::Number(number) => number.to_string().len(),
        Value::Null | Value::Bool(_) => 5,
    }
}

fn has_control(value: &Value) -> bool {
    let bad = |text: &str| crate::text::has_control(text, true);
    match value {
        Value::String(text) => bad(text),
        Value::Array(items) => items.iter().any(has_control),
        Value::Object(members) => members.iter().any(|(key, item)| bad(key) || has_control(item)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metadata({} keys)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pairs(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn merges_key_by_key() {
        let before = Metadata::parse("metadata", pairs(json!({"a": 1, "b": "x"}))).expect("valid");
        let change = BTreeMap::from([("a".into(), None), ("c".into(), Some(json!(true)))]);
        let after = before.changed(MetadataPatch::Merge(change)).expect("valid");
        assert_eq!(after.pairs(), &pairs(json!({"b": "x", "c": true})));
        assert_eq!(after.texts()["c"], "true");
    }

    #[test]
    fn merges_deep_as_rfc_7396_does() {
        let before = json!({"a": {"b": 1, "c": {"d": 2}}, "e": "x", "f": [1]});
        let before = Metadata::parse("metadata", pairs(before)).expect("valid");
        let change =
            json!({"a": {"b": null, "c": {"g": 3}}, "e": {"h": null}, "f": null, "i": null});
        let after = before.changed(MetadataPatch::MergeDeep(pairs(change))).expect("valid");
        assert_eq!(after.pairs(), &pairs(json!({"a": {"c": {"d": 2, "g": 3}}, "e": {}})));
    }

    #[test]
    fn is_bounded() {
        let many = (0..=KEYS_MAX).map(|n| (format!("k{n}"), json!(n))).collect();
        assert!(Metadata::parse("metadata", many).is_err());
        let big = pairs(json!({"a": "x".repeat(BYTES_MAX)}));
        assert!(Metadata::parse("metadata", big).is_err());
        for bad in ["x\u{1}", "x\u{202e}y", "\u{2066}"] {
            assert!(Metadata::parse("metadata", pairs(json!({"a": [bad]}))).is_err());
            assert!(Metadata::parse("metadata", pairs(json!({bad: "a"}))).is_err());
        }
    }
}
