//! What clients send (dossier §1): JSON or forms, with numbers as strings and strings as numbers,
//! and `[]` where there is nothing to say.

use std::borrow::Cow;

use patron_gateway::{Exchange, decode, decode::Params};
use patron_model::{Failure, Problems, Timestamp, Why, text, time::Day};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Most levels of names such as `metadata[a][b]` in a form.
const FORM_DEPTH_MAX: usize = 10;
/// Most characters of a search text.
const SEARCH_CHARS_MAX: usize = 250;
/// Seconds of a day.
const DAY_SECONDS: i64 = 24 * 60 * 60;

/// The members of a body. `[]`, `{}`, `null` and blank bodies have none.
///
/// # Errors
/// `Malformed` when it is no JSON object and no form; `UnsupportedMediaType`.
pub fn members(exchange: &Exchange) -> Result<Map<String, Value>, Failure> {
    if exchange.is_form() {
        return form(&exchange.body);
    }
    let media = exchange.text_header("content-type")?.unwrap_or_default();
    if media.to_ascii_lowercase().starts_with("multipart/") {
        let supported = "application/json or application/x-www-form-urlencoded";
        return Err(Failure::UnsupportedMediaType { supported });
    }
    if exchange.body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match decode::json::<Value>(&exchange.body)? {
        Value::Object(members) => Ok(members),
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        Value::Null => Ok(Map::new()),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Failure::malformed("", Why::WrongType { expected: "an object" }))
        }
    }
}

/// The members as a wire type whose own members take any value.
///
/// # Errors
/// `Malformed` when one does not fit.
pub fn body<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, Failure> {
    serde_json::from_value(Value::Object(members)).map_err(|_| {
        Failure::malformed("", Why::Malformed { expected: "an object of the documented members" })
    })
}

/// A form as members: `address[city]=Douala` is a member of a member. A form cannot say `null`, so
/// an empty value stands for it.
fn form(body: &[u8]) -> Result<Map<String, Value>, Failure> {
    let mut members = Map::new();
    for (name, value) in decode::form(body)?.iter() {
        let value = if value.is_empty() { Value::Null } else { Value::String(value.to_owned()) };
        let names = names(name)?;
        if !names.is_empty() {
            insert(&mut members, &names, value);
        }
    }
    Ok(members)
}

/// `a[b][c]` as `a`, `b`, `c`. A name that is not of this form stands for itself.
fn names(name: &str) -> Result<Vec<&str>, Failure> {
    let Some((head, rest)) = name.split_once('[') else { return Ok(vec![name]) };
    let Some(rest) = rest.strip_suffix(']').filter(|_| !head.is_empty()) else {
        return Ok(vec![name]);
    };
    let names: Vec<&str> = std::iter::once(head).chain(rest.split("][")).collect();
    if names.len() > FORM_DEPTH_MAX {
        return Err(Failure::malformed("", Why::TooDeep { max: FORM_DEPTH_MAX }));
    }
    Ok(names)
}

fn insert(members: &mut Map<String, Value>, names: &[&str], value: Value) {
    let [name, rest @ ..] = names else { return };
    // `items[]` appends: the next number is the name.
    let name = if name.is_empty() { members.len().to_string() } else { (*name).to_owned() };
    if rest.is_empty() {
        members.insert(name, value);
        return;
    }
    let inner = members.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

/// A text as it may be written, for the description: as it is, or as the whole number it
/// consists of.
pub struct Written;

impl JsonSchema for Written {
    fn schema_name() -> Cow<'static, str> {
        "Written".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer", "null"]})
    }
}

/// A value as text: numbers by their digits, as clients send phone numbers and postal codes.
///
/// # Errors
/// `WrongType`.
pub fn text_of(value: &Value) -> Result<String, Why> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Ok(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Why::WrongType { expected: "a string" })
        }
    }
}

/// Query parameters, with every problem collected under the parameter's name.
#[derive(Debug)]
pub struct Asked {
    params: Params,
    problems: Problems,
}

impl Asked {
    /// The parameters of a request.
    pub fn of(exchange: &Exchange) -> Asked {
        Asked { params: exchange.query(), problems: Problems::new() }
    }

    /// A parameter that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A whole number from 1; numbers too large to be kept count as the largest.
    pub fn count(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let why = Why::WrongType { expected: "an integer" };
            self.problems.add(name, why);
            return None;
        }
        match text.parse().unwrap_or(u64::MAX) {
            0 => {
                let why = Why::Malformed { expected: "at least 1" };
                self.problems.add(name, why);
                None
            }
            count => Some(count),
        }
    }

    /// A text to search for.
    pub fn search(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?.to_owned();
        let checked = text::check(&text, 1, SEARCH_CHARS_MAX, false).map(|()| text);
        self.problems.check(name, checked)
    }

    /// The first moment of a day, or a moment.
    pub fn since(&mut self, name: &str) -> Option<Timestamp> {
        self.moment(name).map(|(at, _)| at)
    }

    /// The first moment after a day, or after a moment: ends are inclusive.
    pub fn before(&mut self, name: &str) -> Option<Timestamp> {
        let (at, is_day) = self.moment(name)?;
        let after = Timestamp::from_micros(at.micros().saturating_add(1));
        Some(if is_day { at.plus_seconds(DAY_SECONDS) } else { after })
    }

    fn moment(&mut self, name: &str) -> Option<(Timestamp, bool)> {
        let text = self.text(name)?;
        let is_day = Day::parse(text).is_ok();
        let why = Why::Malformed { expected: "a valid date" };
        let parsed = Timestamp::parse(text).map_err(|_| why);
        self.problems.check(name, parsed).map(|at| (at, is_day))
    }

    /// A number that may have decimals, rounded up to a whole one.
    pub fn amount(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let is_number = !whole.is_empty()
            && whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit());
        if !is_number {
            self.problems.add(name, Why::WrongType { expected: "a number" });
            return None;
        }
        let has_fraction = decimals.bytes().any(|digit| digit != b'0');
        let whole = whole.parse().unwrap_or(u64::MAX);
        Some(whole.saturating_add(u64::from(has_fraction)))
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// `Invalid` with every problem.
    pub fn finish(self) -> Result<(), Failure> {
        self.problems.into_result().map_err(Failure::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form_of(body: &str) -> Value {
        Value::Object(form(body.as_bytes()).expect("a form"))
    }

    #[test]
    fn reads_nested_form_names() {
        let want = json!({"name": "Awa N", "address": {"city": "Douala", "state": null}});
        assert_eq!(form_of("name=Awa+N&address[city]=Douala&address%5Bstate%5D="), want);
        let want = json!({"metadata": {"a": {"b": "1"}, "list": {"0": "x", "1": "y"}}});
        assert_eq!(form_of("metadata[a][b]=1&metadata[list][]=x&metadata[list][]=y"), want);
    }

    #[test]
    fn odd_form_names_do_no_harm() {
        assert_eq!(form_of("a[b=1&[c]=2"), json!({"a[b": "1", "[c]": "2"}));
        assert_eq!(form_of("a=1&a[b]=2"), json!({"a": {"b": "2"}}));
        let deep = format!("a{}=1", "[b]".repeat(FORM_DEPTH_MAX));
        assert!(form(deep.as_bytes()).is_err());
        let many = vec!["a=1"; decode::FORM_PAIRS_MAX + 1].join("&");
        assert!(form(many.as_bytes()).is_err());
    }

    #[test]
    fn numbers_pass_as_texts_and_nothing_else_does() {
        assert_eq!(text_of(&json!(237_600_000_000_u64)), Ok("237600000000".to_owned()));
        assert_eq!(text_of(&json!("x")), Ok("x".to_owned()));
        for wrong in [json!(true), json!([]), json!({}), json!(1.5)] {
            assert!(text_of(&wrong).is_err(), "{wrong}");
        }
    }
}
