//! Faces: a document may begin with what is shown of its record most often, rendered when it was
//! written. It is derived from the rest, so the journal keeps documents without it.

use std::borrow::Cow;
use std::ops::Range;

/// How a document begins that has a face: its length in bytes follows, then the face.
const LENGTH: &str = "{\"shown_bytes\":";
const FACE: &str = ",\"shown\":";

/// A document of a record, a JSON object, with a face, a JSON value.
pub fn with_face(record: &str, face: &str) -> String {
    let members = record.strip_prefix('{').unwrap_or(record);
    let length = face.len().to_string();
    [LENGTH, &length, FACE, face, ",", members].concat()
}

/// Where the face of a document is, if it has one.
pub fn face_of(document: &str) -> Option<Range<usize>> {
    let (length, _) = document.strip_prefix(LENGTH)?.split_once(FACE)?;
    let start = LENGTH.len() + length.len() + FACE.len();
    let end = start.checked_add(length.parse().ok()?)?;
    document.get(start..end).map(|_| start..end)
}

/// A document without its face.
pub fn faceless(document: &str) -> Cow<'_, str> {
    let members = face_of(document).and_then(|face| document.get(face.end..)?.strip_prefix(','));
    members.map_or(Cow::Borrowed(document), |members| Cow::Owned(["{", members].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_face_and_the_record_are_found_again() {
        let document = with_face(r#"{"number":1}"#, r#"{"a":"ü"}"#);
        assert_eq!(document, r#"{"shown_bytes":10,"shown":{"a":"ü"},"number":1}"#);
        assert_eq!(face_of(&document).map(|face| &document[face]), Some(r#"{"a":"ü"}"#));
        assert_eq!(faceless(&document), r#"{"number":1}"#);
        for other in [r#"{"number":1}"#, r#"{"shown_bytes":99,"shown":{},"number":1}"#, "{}"] {
            assert_eq!((face_of(other), faceless(other)), (None, Cow::Borrowed(other)));
        }
    }
}
