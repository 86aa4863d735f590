//! Cursors: opaque to callers, bound to the question they were given for.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use patron_app::{
    search::{After, Value},
    secrets::sha256_hex,
};
use patron_gateway::decode::Params;
use patron_model::{Failure, Why};
use serde::{Deserialize, Serialize};

/// Most characters of a cursor.
const CURSOR_CHARS_MAX: usize = 2_000;

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Place {
    /// After this record in the order of a list.
    #[serde(rename = "l")]
    List {
        /// Value of the sort key, when there is one.
        #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// Number of the record.
        #[serde(rename = "n")]
        number: i64,
    },
    /// After this match of a free-text search.
    #[serde(rename = "t")]
    Text {
        /// The term that matched.
        #[serde(rename = "t")]
        term: String,
        /// Number of the record.
        #[serde(rename = "n")]
        number: i64,
    },
}

/// A sort key's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Key {
    /// A number.
    #[serde(rename = "i")]
    Int(i64),
    /// A text.
    #[serde(rename = "t")]
    Text(String),
    /// Missing. Named, since `null` would be read back as no key at all.
    #[serde(rename = "m")]
    Null,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    q: String,
    p: Place,
}

/// Words that stand for a question: a cursor is only good for the one it came from.
pub fn question(parts: &[&str]) -> String {
    sha256_hex(&parts.join("\u{0}"))[..16].to_owned()
}

/// A place as a cursor.
pub fn write(question: &str, place: Place) -> Result<String, Failure> {
    let sealed = Sealed { q: question.to_owned(), p: place };
    let json = serde_json::to_vec(&sealed).map_err(Failure::internal)?;
    Ok(BASE64.encode(json))
}

/// A cursor that is of no use here.
pub fn bad() -> Failure {
    let why = Why::Malformed { expected: "a cursor from an earlier page of the same list" };
    Failure::malformed("cursor", why)
}

/// The place a cursor stands for.
pub fn read(cursor: &str, question: &str) -> Result<Place, Failure> {
    if cursor.len() > CURSOR_CHARS_MAX {
        return Err(bad());
    }
    let bytes = BASE64.decode(cursor).map_err(|_| bad())?;
    let sealed: Sealed = serde_json::from_slice(&bytes).map_err(|_| bad())?;
    if sealed.q == question { Ok(sealed.p) } else { Err(bad()) }
}

/// Where a list without an order of the caller's continues, where the query has a cursor.
pub fn after(params: &Params, question: &str) -> Result<Option<After>, Failure> {
    let Some(cursor) = params.get("cursor") else { return Ok(None) };
    read(cursor, question)?.after(false).ok_or_else(bad).map(Some)
}

impl Place {
    /// Where a list continues; none when the cursor is of another kind of list.
    pub fn after(self, sorted: bool) -> Option<After> {
        match self {
            Place::List { key, number } => {
                let keys = match (key, sorted) {
                    (Some(Key::Int(int)), true) => vec![Value::Int(int)],
                    (Some(Key::Text(text)), true) => vec![Value::Text(text)],
                    (Some(Key::Null), true) => vec![Value::Null],
                    (None, false) => Vec::new(),
                    (Some(_), false) | (None, true) => return None,
                };
                Some(After { keys, number })
            }
            Place::Text { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_back_for_the_same_question_only() {
        for key in [None, Some(Key::Null), Some(Key::Int(1)), Some(Key::Text("x".into()))] {
            let place = Place::List { key, number: 7 };
            let cursor = write("q", place.clone()).expect("written");
            assert_eq!(read(&cursor, "q").expect("read"), place);
            assert!(read(&cursor, "other").is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = read(&text, "q");
        }
    }
}
