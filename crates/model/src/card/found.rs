//! Searching whole values: texts, numbers, member names, and what names promise.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    DIGITS, contains_number,
    digits::{at_most, digits_only},
    names::Secret,
};
use crate::{Problems, Why};

/// Members that name another member: `{"name": "cvv", "value": "123"}`.
const NAMING: [&str; 8] = ["name", "key", "field", "label", "attribute", "property", "path", "k"];
/// Most members beside a name that are looked at as its value.
const NAMED_MAX: usize = 16;
/// Bytes of the longest text that is looked at as a part of a code.
const CODE_BYTES_MAX: usize = 32;
/// Signs between the names of a path: `/metadata/cvv`, `metadata[cvv]`, `metadata.cvv`.
const BETWEEN_NAMES: [char; 4] = ['/', '.', '[', ']'];

/// A member by which card data may come in, because it is turned into a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its dotted path in the body.
    pub path: &'static str,
    /// What it takes.
    pub takes: Taken,
}

/// What a member takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// A card number.
    Number,
    /// A security code.
    Code,
}

/// Card data that was found, with the fields it was found in.
#[derive(Debug, Default)]
pub struct Found(Vec<Finding>);

#[derive(Debug, PartialEq)]
struct Finding {
    field: String,
    why: Why,
    /// The text it was found in. Never leaves this module.
    text: String,
}

impl Found {
    /// Nothing yet.
    pub fn new() -> Found {
        Found::default()
    }

    /// Searches a text.
    pub fn text(&mut self, field: &str, text: &str) {
        if contains_number(text) {
            self.add(field, Why::CardNumber, text);
        }
    }

    /// Searches a text that need not be there.
    pub fn maybe<T: AsRef<str>>(&mut self, field: &str, text: Option<&T>) {
        if let Some(text) = text {
            self.text(field, text.as_ref());
        }
    }

    /// Searches texts that are shown as one, in this order.
    pub fn joined(&mut self, field: &str, parts: &[Option<&str>]) {
        let parts = parts.iter().copied().flatten();
        let digits: usize = parts.clone().map(at_most).sum();
        if digits >= *DIGITS.start() && parts.clone().all(|part| !contains_number(part)) {
            self.text(field, &parts.collect::<Vec<_>>().join(" "));
        }
    }

    /// Searches a member with its name, such as one of the integrator's own pairs.
    pub fn member(&mut self, object: &str, name: &str, value: &Value) {
        if contains_number(name) {
            self.add(object, Why::CardNumber, name);
            return;
        }
        if let Value::Null | Value::Bool(_) = value {
            return;
        }
        let field = if object.is_empty() { name.to_owned() } else { format!("{object}.{name}") };
        // A value in memory can always be walked through.
        drop(self.walk(&field, value, &[], Secret::of(name)));
    }

    /// Searches a JSON value.
    pub fn value(&mut self, field: &str, value: &Value) {
        if let Value::Null | Value::Bool(_) = value {
            return;
        }
        // A value in memory can always be walked through.
        drop(self.json(field, value, &[]));
    }

    /// Searches a JSON document as it is read, without building it. `accepted` members may hold
    /// what they take.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn json<'de, D: Deserializer<'de>>(
        &mut self,
        field: &str,
        source: D,
        accepted: &[Member],
    ) -> Result<(), D::Error> {
        self.walk(field, source, accepted, None)
    }

    fn walk<'de, D: Deserializer<'de>>(
        &mut self,
        field: &str,
        source: D,
        accepted: &[Member],
        promised: Option<Secret>,
    ) -> Result<(), D::Error> {
        let mut path = field.to_owned();
        let (depth, naming) = (0, false);
        let walk = Walk { found: self, path: &mut path, accepted, depth, promised, naming };
        walk.deserialize(source).map(drop)
    }

    /// Searches a pair of a form: a name such as `metadata[cvv]` and its value.
    pub fn pair(&mut self, name: &str, value: &str) {
        if contains_number(name) {
            self.add("", Why::CardNumber, name);
            return;
        }
        let promised = name.split(BETWEEN_NAMES).find_map(Secret::of);
        if promised.is_some_and(|secret| secret.is_in(value)) {
            self.add(name, Why::SecurityCode, value);
        }
        self.text(name, value);
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was not found in an earlier state: what lies there already need not be refused again.
    #[must_use]
    pub fn beyond(mut self, earlier: &Found) -> Found {
        self.0.retain(|finding| !earlier.0.contains(finding));
        self
    }

    /// The fields and what is wrong with them.
    pub fn into_problems(self) -> Problems {
        let mut problems = Problems::new();
        for Finding { field, why, .. } in self.0 {
            problems.add(field, why);
        }
        problems
    }

    fn add(&mut self, field: &str, why: Why, text: &str) {
        self.0.push(Finding { field: field.to_owned(), why, text: text.to_owned() });
    }
}

/// A walk through a JSON document: one value of it.
struct Walk<'w> {
    found: &'w mut Found,
    path: &'w mut String,
    accepted: &'w [Member],
    /// Names on the way here: a name may have dots in it, the path of an accepted member does not.
    depth: usize,
    /// What the names on the way here promise.
    promised: Option<Secret>,
    /// Whether the value may be the name of another one.
    naming: bool,
}

/// What a value was.
#[derive(Clone, Copy)]
enum Leaf {
    /// Digits without letters: how many.
    Digits(usize),
    /// The name of something secret.
    Name(Secret),
    /// Anything else.
    Other,
}

impl Walk<'_> {
    /// The value below a name or place.
    fn below(&mut self, promised: Option<Secret>, naming: bool) -> Walk<'_> {
        let (accepted, depth) = (self.accepted, self.depth + 1);
        Walk { found: self.found, path: self.path, accepted, depth, promised, naming }
    }

    fn enter(&mut self, name: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        length
    }

    fn takes(&self, what: Taken) -> bool {
        let is_here = |path: &str| path == *self.path && path.split('.').count() == self.depth;
        self.accepted.iter().any(|member| member.takes == what && is_here(member.path))
    }

    fn text(self, text: &str) -> Leaf {
        let is_secret = self.promised.is_some_and(|secret| secret.is_in(text));
        if is_secret && !self.takes(Taken::Code) {
            self.found.add(self.path, Why::SecurityCode, text);
        }
        if contains_number(text) && !self.takes(Taken::Number) {
            self.found.add(self.path, Why::CardNumber, text);
        }
        let name = self.naming.then(|| text.split(BETWEEN_NAMES).find_map(Secret::of)).flatten();
        // Long texts are no digits of a code.
        let digits = || (text.len() <= CODE_BYTES_MAX).then(|| digits_only(text)).flatten();
        match (name, digits()) {
            (Some(secret), _) => Leaf::Name(secret),
            (None, Some(digits)) => Leaf::Digits(digits),
            (None, None) => Leaf::Other,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Leaf;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Leaf, D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Leaf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Leaf, A::Error> {
        let (mut place, mut digits, mut all_digits) = (0usize, 0, true);
        let before = self.found.0.len();
        loop {
            let length = self.enter(&place.to_string());
            let promised = self.promised;
            let item = items.next_element_seed(self.below(promised, false))?;
            self.path.truncate(length);
            match item {
                None => break,
                Some(Leaf::Digits(count)) => digits += count,
                Some(Leaf::Name(_) | Leaf::Other) => all_digits = false,
            }
            place += 1;
        }
        // A code digit by digit: ["1", "2", "3"].
        let is_secret = self.promised.is_some_and(|secret| secret.fits(digits));
        if is_secret && all_digits && place > 1 && self.found.0.len() == before {
            self.found.add(self.path, Why::SecurityCode, "");
        }
        Ok(Leaf::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Leaf, A::Error> {
        let mut named = None;
        let mut values: Vec<(String, usize)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            // A name that is itself a card number must not be repeated in the answer.
            if contains_number(&name) {
                self.found.add("", Why::CardNumber, &name);
                members.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            let length = self.enter(&name);
            let promised = Secret::of(&name).or(self.promised);
            let naming = NAMING.contains(&name.as_str());
            match members.next_value_seed(self.below(promised, naming))? {
                Leaf::Name(secret) => named = Some(secret),
                Leaf::Digits(digits) if values.len() < NAMED_MAX => {
                    values.push((self.path.clone(), digits));
                }
                Leaf::Digits(_) | Leaf::Other => {}
            }
            self.path.truncate(length);
        }
        if let Some(secret) = named {
            let codes = values.into_iter().filter(|(_, digits)| secret.fits(*digits));
            for (path, _) in codes {
                self.found.add(&path, Why::SecurityCode, "");
            }
        }
        Ok(Leaf::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Leaf, E> {
        Ok(self.text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Leaf, E> {
        Ok(self.text(&number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Leaf, E> {
        Ok(self.text(&number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Leaf, E> {
        // Without an exponent, however it was written.
        Ok(self.text(&number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }

    fn visit_unit<E>(self) -> Result<Leaf, E> {
        Ok(Leaf::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: &Value) -> Vec<String> {
        let mut found = Found::new();
        found.value("", value);
        let text = value.to_string();
        let mut read = Found::new();
        let mut source = serde_json::Deserializer::from_str(&text);
        read.json("", &mut source, &[]).expect("JSON");
        let fields = |found: Found| -> Vec<String> {
            found.into_problems().into_iter().map(|problem| problem.field).collect()
        };
        let (found, read) = (fields(found), fields(read));
        assert_eq!(found, read, "a value and its text");
        found
    }

    #[test]
    fn finds_card_data_wherever_it_hides() {
        assert_eq!(fields(&json!({"a": {"b": ["x", "4111 1111 1111 1111"]}})), ["a.b.1"]);
        assert_eq!(fields(&json!({"a": 4111111111111111_u64})), ["a"]);
        assert_eq!(fields(&json!({"a": 4_111_111_111_111_111.0})), ["a"]);
        assert_eq!(fields(&json!({"4111111111111111": "x"})), [""]);
        assert_eq!(fields(&json!({"m": {"cvv": "123"}})), ["m.cvv"]);
        assert_eq!(fields(&json!({"c-v\u{2013}v": "123"})), ["c-v\u{2013}v"]);
        assert_eq!(fields(&json!({"m": {"cid": "customer 123"}})), Vec::<String>::new());
    }

    #[test]
    fn finds_security_codes_however_they_are_wrapped() {
        for name in ["cvn", "cv2", "cvvCode", "card_code", "track2"] {
            assert_eq!(fields(&json!({name: "123"})), [name]);
        }
        assert_eq!(fields(&json!({"pin": 4711})), ["pin"]);
        assert_eq!(fields(&json!({"cvv": {"value": "123"}})), ["cvv.value"]);
        assert_eq!(fields(&json!({"cvv": {"a": {"b": [0, 123]}}})), ["cvv.a.b.1"]);
        assert_eq!(fields(&json!({"cvv": ["123"]})), ["cvv.0"]);
        assert_eq!(fields(&json!({"cvv": ["1", "2", "3"]})), ["cvv"]);
        assert_eq!(fields(&json!([{"name": "cvv", "value": "123"}])), ["0.value"]);
        assert_eq!(fields(&json!([{"value": 123, "key": "card cvc"}])), ["0.value"]);
        let patch = json!([{"op": "add", "path": "/metadata/cvv", "value": "123"}]);
        assert_eq!(fields(&patch), ["0.value"]);
        for harmless in [
            json!({"cvv": null, "cvc": true, "pin": "4 km", "cvv_result": "M"}),
            json!({"name": "Anna", "zip": "8400"}),
            json!({"code": "123", "track": "123", "postal_code": "123"}),
        ] {
            assert_eq!(fields(&harmless), Vec::<String>::new(), "{harmless}");
        }
    }

    #[test]
    fn finds_them_in_forms_and_in_joined_texts() {
        let mut found = Found::new();
        found.pair("metadata[cvv]", "123");
        found.pair("metadata[a][pin]", "4711");
        found.pair("a[4111111111111111]", "x");
        found.joined("name", &[Some("41111111"), None, Some("11111111")]);
        found.joined("name", &[Some("Anna"), Some("Muster")]);
        let fields: Vec<String> = found.into_problems().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["metadata[cvv]", "metadata[a][pin]", "", "name"]);
    }

    #[test]
    fn only_the_accepted_member_may_hold_it() {
        let accepted = [Member { path: "card.number", takes: Taken::Number }];
        let look = |value: Value| {
            let mut found = Found::new();
            found.json("", &value, &accepted).expect("JSON");
            found.into_problems().into_iter().map(|p| p.field).collect::<Vec<_>>()
        };
        let pan = "4111111111111111";
        assert_eq!(look(json!({"card": {"number": pan}})), Vec::<String>::new());
        assert_eq!(look(json!({"card": {"number": [pan]}})), ["card.number.0"]);
        assert_eq!(look(json!({"card": {"holder": pan}})), ["card.holder"]);
        assert_eq!(look(json!({"card.number": pan})), ["card.number"]);
        assert_eq!(look(json!({"card": {"number": pan, "cvv": "123"}})), ["card.cvv"]);
    }

    #[test]
    fn what_lay_there_already_is_not_refused_again() {
        let state = |text: &str| {
            let mut found = Found::new();
            found.text("name", text);
            found.text("other", "4111111111111111");
            found
        };
        let after = || state("5555555555554444");
        assert!(after().beyond(&after()).is_empty());
        assert!(!after().beyond(&state("Anna")).is_empty());
        assert!(!after().beyond(&state("4111111111111111")).is_empty());
    }
}
