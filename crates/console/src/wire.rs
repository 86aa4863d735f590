//! An answer as it came: members in the order in which they stand there.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A JSON value.
#[derive(Debug)]
pub enum Wire {
    /// What has nothing inside.
    Leaf(Value),
    /// An array.
    All(Vec<Wire>),
    /// An object.
    Members(Vec<(String, Wire)>),
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Wire;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Wire, E> {
        Ok(Wire::Leaf(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Wire, E> {
        Ok(Wire::Leaf(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Wire, E> {
        Ok(Wire::Leaf(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Wire, E> {
        Ok(Wire::Leaf(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Wire, E> {
        Ok(Wire::Leaf(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Wire, E> {
        Ok(Wire::Leaf(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Wire, A::Error> {
        let mut read = Vec::new();
        while let Some(one) = all.next_element()? {
            read.push(one);
        }
        Ok(if read.is_empty() { Wire::Leaf(Value::Array(Vec::new())) } else { Wire::All(read) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Wire, A::Error> {
        let mut read = Vec::new();
        while let Some(member) = members.next_entry()? {
            read.push(member);
        }
        Ok(match read.is_empty() {
            true => Wire::Leaf(Value::Object(serde_json::Map::new())),
            false => Wire::Members(read),
        })
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Wire, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}
