//! JSON as JavaScript's `JSON.stringify(JSON.parse(text))` writes it: several clients sign that
//! instead of the bytes they received. Numbers are doubles, and names that are whole numbers come
//! first in an object, in order.

use std::collections::BTreeMap;
use std::io;

use patron_model::Failure;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, ser::Formatter};

/// From here on JavaScript writes a number with an exponent, and below the other one too.
const EXPONENT_FROM: i32 = 21;
const EXPONENT_BELOW: i32 = -7;
/// Names below this that are whole numbers come first.
const INDEX_MAX: u64 = u32::MAX as u64;

/// A value as JavaScript writes it.
///
/// # Errors
/// `Internal`, which cannot be.
pub fn written(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(&mut text, Numbers))
        .map_err(Failure::internal)?;
    Ok(text)
}

/// Writes numbers as doubles.
struct Numbers;

impl Formatter for Numbers {
    fn write_f64<W: io::Write + ?Sized>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        out.write_all(number(value).as_bytes())
    }

    #[allow(clippy::cast_precision_loss, reason = "that is what JavaScript does")]
    fn write_i64<W: io::Write + ?Sized>(&mut self, out: &mut W, value: i64) -> io::Result<()> {
        self.write_f64(out, value as f64)
    }

    #[allow(clippy::cast_precision_loss, reason = "that is what JavaScript does")]
    fn write_u64<W: io::Write + ?Sized>(&mut self, out: &mut W, value: u64) -> io::Result<()> {
        self.write_f64(out, value as f64)
    }
}

/// `Number::toString` of ECMAScript: the fewest digits that are read back as the same number.
fn number(value: f64) -> String {
    // "-1.25e-7": sign, digits, exponent.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) if value != 0.0 => ("-", rest),
        Some(rest) => ("", rest),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    if exponent >= EXPONENT_FROM || exponent <= EXPONENT_BELOW {
        let mark = if exponent < 0 { "-" } else { "+" };
        return format!("{sign}{mantissa}e{mark}{}", exponent.unsigned_abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", zeros(-exponent - 1));
    }
    if count <= exponent + 1 {
        return format!("{sign}{digits}{}", zeros(exponent + 1 - count));
    }
    let (whole, rest) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
    format!("{sign}{whole}.{rest}")
}

struct Ordered<'a>(&'a Value);

fn index(name: &str) -> Option<u64> {
    let number = name.parse::<u64>().ok()?;
    (number < INDEX_MAX && number.to_string() == name).then_some(number)
}

fn in_order<'a, S: Serializer>(
    pairs: impl Iterator<Item = (&'a String, &'a Value)>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut pairs: Vec<_> = pairs.collect();
    // Stable: other names stay as they are.
    pairs.sort_by_key(|(name, _)| index(name).unwrap_or(INDEX_MAX));
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, &Ordered(value))?;
    }
    map.end()
}

/// Writes pairs in the order of JavaScript.
///
/// # Errors
/// Whatever the serializer says.
pub fn pairs<S: Serializer>(
    pairs: &BTreeMap<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    in_order(pairs.iter(), serializer)
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => in_order(members.iter(), serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                self.0.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As Node.js 22 prints them.
    #[test]
    fn numbers_are_those_of_javascript() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-12.0, "-12"),
            (0.1, "0.1"),
            (123.456, "123.456"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-6, "0.000001"),
            (1.25e-7, "1.25e-7"),
            (9_007_199_254_740_993.0, "9007199254740992"),
        ] {
            assert_eq!(number(value), text);
        }
        let text = written(&json!([9_007_199_254_740_993_u64, -3, 1.0])).expect("JSON");
        assert_eq!(String::from_utf8_lossy(&text), "[9007199254740992,-3,1]");
    }

    #[test]
    fn names_that_are_numbers_come_first() {
        let pairs = BTreeMap::from(
            ["b", "10", "2", "01", "-1", "a"]
                .map(|name| (name.to_owned(), json!({"9": 1, "10": 2}))),
        );
        let mut text = Vec::new();
        super::pairs(&pairs, &mut serde_json::Serializer::new(&mut text)).expect("JSON");
        let inner = r#"{"9":1,"10":2}"#;
        let want = ["2", "10", "-1", "01", "a", "b"].map(|name| format!("\"{name}\":{inner}"));
        assert_eq!(String::from_utf8_lossy(&text), format!("{{{}}}", want.join(",")));
    }
}
