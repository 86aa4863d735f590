//! Reading one field out of a JSON document without building a tree: what [`crate::Field`]'s document
//! variants mean, in one place. The memory engine calls these functions directly, SQLite calls them
//! as SQL functions, PostgreSQL imitates them in SQL and is held against them by the contract suite.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// Digits allowed before and after the point of a decimal.
const DECIMAL_DIGITS_MAX: usize = 64;
/// Digits allowed in the exponent of a decimal.
const DECIMAL_EXPONENT_DIGITS_MAX: usize = 3;
/// Added to the exponent in a sort key, so that it is never negative.
const EXPONENT_BIAS: i64 = 50_000;

/// Unicode lower case: the folding of `Contains`, `StartsWith` and `EqualFolded`.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// A string as it is, a number as its JSON text, `true`/`false` as those words.
pub(crate) fn text_at(doc: &str, path: &[String]) -> Option<String> {
    let json = leaf(doc, path)?.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'n' | b'{' | b'[' => None,
        _ => Some(json.to_owned()),
    }
}

/// A JSON integer that fits 64 bits.
pub(crate) fn whole_at(doc: &str, path: &[String]) -> Option<i64> {
    leaf(doc, path)?.get().parse().ok()
}

/// The sort key (see [`decimal_key`]) of a JSON number or numeric string.
pub(crate) fn decimal_at(doc: &str, path: &[String]) -> Option<String> {
    let json = leaf(doc, path)?.get();
    match json.as_bytes().first()? {
        b'"' => decimal_key(&serde_json::from_str::<String>(json).ok()?),
        _ => decimal_key(json),
    }
}

/// A text that sorts byte by byte as the decimal sorts by value; equal values have equal keys.
/// `None` when the text is no decimal or exceeds the limits.
pub(crate) fn decimal_key(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    let digits_only = |digits: &str| {
        digits.len() <= DECIMAL_DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("1".to_owned());
    }
    let leading_zeros = (digits.len() - significant.len()) as i64;
    let magnitude = EXPONENT_BIAS + exponent + whole.len() as i64 - leading_zeros;
    let key = format!("{magnitude:05}{}", significant.trim_end_matches('0'));
    if !negative {
        return Some(format!("2{key}"));
    }
    // Larger magnitudes sort first: nines' complement, ended by something above every digit.
    let complement = key.bytes().map(|digit| char::from(b'9' - (digit - b'0')));
    Some(std::iter::once('0').chain(complement).chain(std::iter::once('~')).collect())
}

fn exponent_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty()
        || digits.len() > DECIMAL_EXPONENT_DIGITS_MAX
        || !digits.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    text.parse().ok()
}

/// The JSON at a path of member names; the last of members with the same name counts.
fn leaf<'d>(doc: &'d str, path: &[String]) -> Option<&'d RawValue> {
    Seed { path }.deserialize(&mut serde_json::Deserializer::from_str(doc)).ok()?
}

struct Seed<'p> {
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.path.is_empty() {
            return <&RawValue>::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((name, rest)) = self.path.split_first() else { return Ok(None) };
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(Wanted { name })? {
            if wanted {
                found = map.next_value_seed(Seed { path: rest })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a member has this name; compares in place instead of copying the name out.
struct Wanted<'p> {
    name: &'p str,
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Wanted<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn leaves() {
        let doc = r#"{"a":{"b\"c":"x\ny"},"n":1e2,"t":true,"z":null,"l":[1],"a2":7,"a2":8}"#;
        assert_eq!(text_at(doc, &path(&["a", "b\"c"])).as_deref(), Some("x\ny"));
        assert_eq!(text_at(doc, &path(&["n"])).as_deref(), Some("1e2"));
        assert_eq!(text_at(doc, &path(&["t"])).as_deref(), Some("true"));
        assert_eq!(text_at(doc, &path(&["z"])), None);
        assert_eq!(text_at(doc, &path(&["l"])), None);
        assert_eq!(text_at(doc, &path(&["l", "0"])), None);
        assert_eq!(text_at(doc, &path(&["a"])), None);
        assert_eq!(whole_at(doc, &path(&["a2"])), Some(8));
        assert_eq!(whole_at(doc, &path(&["n"])), None);
    }

    #[test]
    fn decimal_keys_sort_as_numbers() {
        let ascending = [
            "-1e3", "-12.5", "-12", "-1.2", "-1", "-0.012", "0", "0.001", "0.01", "1", "1.05",
            "1.5", "9", "10", "99.9", "1e3",
        ];
        let keys: Vec<_> = ascending.iter().map(|d| decimal_key(d).expect("a decimal")).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        assert_eq!(decimal_key("1.50"), decimal_key("15e-1"));
        assert_eq!(decimal_key("-0"), decimal_key("0.00"));
        for no in ["", "-", "1.", ".5", "+1", "1e", "1e1234", "0x1", " 1", "NaN"] {
            assert_eq!(decimal_key(no), None, "{no}");
        }
    }
}
