//! Types of an API as data: which members an object has, what they may hold, which words an
//! enumeration knows. Descriptions are written from them, values are checked against them, and
//! [`crate::catalogue`] finds references by them. A dialect hands its types over as text, one JSON
//! object a line.

use std::collections::BTreeMap;

use patron_model::{
    Problems, Timestamp, Why,
    country::Country,
    currency::Currency,
    language::Language,
    metadata::{KEY_CHARS_MAX, KEYS_MAX},
    text,
};
use regex::Regex;
use schemars::{Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Deepest nesting of a value that is looked at.
const DEPTH_MAX: usize = 16;
/// The one pattern that is common, and what it allows in words.
const PRINTABLE: (&str, &str) = (r"^(?:[\t\x20-\x7e]*)$", "printable ASCII characters and tabs");

/// The types of an API, by name.
#[derive(Debug)]
pub struct Schemas(BTreeMap<String, Shape>);

/// What a type is.
#[derive(Debug)]
pub enum Shape {
    /// An object with these members.
    Object(Vec<Field>),
    /// A text that is one of these words.
    Words(Vec<String>),
}

/// A member of an object.
#[derive(Debug)]
pub struct Field {
    /// Name.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// Whether it must be given.
    pub required: bool,
    /// Whether only the server writes it.
    pub read_only: bool,
    /// Fewest characters.
    pub length_min: Option<usize>,
    /// Most characters.
    pub length_max: Option<usize>,
    /// Smallest number.
    pub min: Option<i64>,
    /// Largest number.
    pub max: Option<i64>,
    /// What the whole text matches.
    pub pattern: Option<Regex>,
}

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// A text that is the tag of a language.
    Language,
    /// A text that is the code of a country.
    Country,
    /// A text that is the code of a currency.
    Currency,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// `YYYY-MM-DD`.
    Date,
    /// A moment (RFC 3339).
    Moment,
    /// Any JSON value.
    Anything,
    /// A list of these.
    List(Box<Holds>),
    /// An object whose members, of any name, hold these.
    Map(Box<Holds>),
    /// A type by name.
    Type(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    fields: Option<BTreeMap<String, Written>>,
    values: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    r#type: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    read_only: bool,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
}

impl Written {
    fn field(self, name: String) -> Result<Field, String> {
        let whole = |pattern: String| Regex::new(&format!("^(?:{pattern})$"));
        let pattern = self.pattern.map(whole).transpose().map_err(|error| error.to_string())?;
        Ok(Field {
            name,
            holds: Holds::parse(&self.r#type),
            required: self.required,
            read_only: self.read_only,
            length_min: self.min_length,
            length_max: self.max_length,
            min: self.min,
            max: self.max,
            pattern,
        })
    }
}

impl Holds {
    /// Reads `string`, `language`, `country`, `currency`, `integer`, `number`, `boolean`, `date`,
    /// `date-time`, `any`, `array<…>`, `map<string,…>` or the name of a type.
    pub fn parse(text: &str) -> Holds {
        let inside = |open: &str| text.strip_prefix(open)?.strip_suffix('>');
        if let Some(inner) = inside("array<") {
            return Holds::List(Box::new(Holds::parse(inner)));
        }
        if let Some(inner) = inside("map<string,") {
            return Holds::Map(Box::new(Holds::parse(inner)));
        }
        match text {
            "string" => Holds::Text,
            "language" => Holds::Language,
            "country" => Holds::Country,
            "currency" => Holds::Currency,
            "integer" => Holds::Whole,
            "number" => Holds::Number,
            "boolean" => Holds::Flag,
            "date" => Holds::Date,
            "date-time" => Holds::Moment,
            "any" => Holds::Anything,
            name => Holds::Type(name.to_owned()),
        }
    }
}

impl Schemas {
    /// Reads types, one JSON object a line: `{"name":…,"fields":{…}}`, or with `"values":[…]`.
    ///
    /// # Errors
    /// The number of the first line that is none, and why.
    pub fn parse(text: &str) -> Result<Schemas, String> {
        let mut types = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let read = serde_json::from_str::<Line>(line);
            let read = read.map_err(|error| format!("line {}: {error}", number + 1))?;
            let fields = |fields: BTreeMap<String, Written>| {
                let fields = fields.into_iter().map(|(name, written)| written.field(name));
                let fields = fields.collect::<Result<Vec<Field>, String>>();
                fields.map_err(|error| format!("line {}: {error}", number + 1))
            };
            let shape = match (read.fields, read.values) {
                (Some(written), None) => Shape::Object(fields(written)?),
                (None, Some(words)) => Shape::Words(words),
                _ => return Err(format!("line {}: fields or values", number + 1)),
            };
            types.insert(read.name, shape);
        }
        Ok(Schemas(types))
    }

    /// A type.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.0.get(name)
    }

    /// The members of a type; none of what is no object.
    pub fn fields(&self, name: &str) -> &[Field] {
        match self.0.get(name) {
            Some(Shape::Object(fields)) => fields,
            Some(Shape::Words(_)) | None => &[],
        }
    }

    /// A member of a type.
    pub fn field(&self, of: &str, name: &str) -> Option<&Field> {
        self.fields(of).iter().find(|field| field.name == name)
    }

    // ---- values ---------------------------------------------------------------------------------

    /// What is wrong with a value that should be of a type.
    pub fn check(&self, holds: &Holds, value: &Value) -> Problems {
        let mut problems = Problems::new();
        self.look(("", 0), holds, value, &mut problems);
        problems
    }

    fn look(&self, at: (&str, usize), holds: &Holds, value: &Value, problems: &mut Problems) {
        let (path, depth) = at;
        if depth > DEPTH_MAX {
            return problems.add(path, Why::TooDeep { max: DEPTH_MAX });
        }
        let wrong = |expected| Why::WrongType { expected };
        match (holds, value) {
            (Holds::Anything, _)
            | (Holds::Number, Value::Number(_))
            | (Holds::Flag, Value::Bool(_)) => {}
            (Holds::Text, Value::String(text)) => {
                problems.check(path, text::check(text, 0, usize::MAX, true));
            }
            (Holds::Language, Value::String(tag)) => {
                problems.check(path, Language::parse(tag));
            }
            (Holds::Country, Value::String(code)) => {
                problems.check(path, Country::parse(code));
            }
            (Holds::Currency, Value::String(code)) => {
                problems.check(path, Currency::parse(code));
            }
            (Holds::Whole, Value::Number(number)) if number.is_i64() => {}
            (Holds::Date, Value::String(text)) if text.len() == 10 => {
                problems.check(path, Timestamp::parse(text));
            }
            (Holds::Moment, Value::String(text)) => {
                problems.check(path, Timestamp::parse(text));
            }
            (Holds::List(inner), Value::Array(items)) => {
                for (n, item) in items.iter().enumerate() {
                    self.look((&joined(path, &n.to_string()), depth + 1), inner, item, problems);
                }
            }
            (Holds::Map(inner), Value::Object(members)) => {
                if members.len() > KEYS_MAX {
                    problems.add(path, Why::TooMany { max: KEYS_MAX });
                }
                for (name, member) in members {
                    problems.check(path, text::check(name, 1, KEY_CHARS_MAX, false));
                    self.look((&joined(path, name), depth + 1), inner, member, problems);
                }
            }
            (Holds::Type(name), value) => self.look_at_type(at, name, value, problems),
            (Holds::Text | Holds::Language | Holds::Country | Holds::Currency, _) => {
                problems.add(path, wrong("a string"));
            }
            (Holds::Whole, _) => problems.add(path, wrong("a whole number")),
            (Holds::Number, _) => problems.add(path, wrong("a number")),
            (Holds::Flag, _) => problems.add(path, wrong("true or false")),
            (Holds::Date, _) => problems.add(path, wrong("a date")),
            (Holds::Moment, _) => problems.add(path, wrong("a moment")),
            (Holds::List(_), _) => problems.add(path, wrong("a list")),
            (Holds::Map(_), _) => problems.add(path, wrong("an object")),
        }
    }

    fn look_at_type(
        &self,
        (path, depth): (&str, usize),
        name: &str,
        value: &Value,
        problems: &mut Problems,
    ) {
        match (self.0.get(name), value) {
            (Some(Shape::Words(words)), Value::String(word)) => {
                if !words.contains(word) {
                    problems.add(path, Why::Unknown { what: "word" });
                }
            }
            (Some(Shape::Object(fields)), Value::Object(members)) => {
                for name in members.keys().filter(|name| !fields.iter().any(|f| f.name == **name)) {
                    problems.add(joined(path, name), Why::UnknownField);
                }
                for field in fields {
                    let path = joined(path, &field.name);
                    match members.get(&field.name).filter(|value| !value.is_null()) {
                        Some(value) => {
                            self.look((&path, depth + 1), &field.holds, value, problems);
                            field.bound(&path, value, problems);
                        }
                        None if field.required => problems.add(path, Why::Required),
                        None => {}
                    }
                }
            }
            (Some(Shape::Words(_)), _) => {
                problems.add(path, Why::WrongType { expected: "a string" });
            }
            (Some(Shape::Object(_)), _) => {
                problems.add(path, Why::WrongType { expected: "an object" });
            }
            (None, _) => problems.add(path, Why::Unknown { what: "type" }),
        }
    }

    // ---- descriptions ---------------------------------------------------------------------------

    /// The schema of a type expression; every type it needs becomes a definition.
    pub fn describe(&self, expression: &str, generator: &mut SchemaGenerator) -> Schema {
        let described = self.describe_holds(&Holds::parse(expression), generator);
        described.as_object().cloned().unwrap_or_default().into()
    }

    fn describe_holds(&self, holds: &Holds, generator: &mut SchemaGenerator) -> Value {
        match holds {
            Holds::Text | Holds::Language | Holds::Country | Holds::Currency => {
                json!({"type": "string"})
            }
            Holds::Whole => json!({"type": "integer", "format": "int64"}),
            Holds::Number => json!({"type": "number"}),
            Holds::Flag => json!({"type": "boolean"}),
            Holds::Date => json!({"type": "string", "format": "date"}),
            Holds::Moment => json!({"type": "string", "format": "date-time"}),
            Holds::Anything => json!({}),
            Holds::List(inner) => {
                json!({"type": "array", "items": self.describe_holds(inner, generator)})
            }
            Holds::Map(inner) => {
                let inner = self.describe_holds(inner, generator);
                json!({"type": "object", "additionalProperties": inner})
            }
            Holds::Type(name) => {
                if !generator.definitions().contains_key(name) {
                    // First its place, so that a type may hold itself.
                    generator.definitions_mut().insert(name.clone(), json!({}));
                    let definition = self.define(name, generator);
                    generator.definitions_mut().insert(name.clone(), definition);
                }
                json!({"$ref": format!("#/components/schemas/{name}")})
            }
        }
    }

    fn define(&self, name: &str, generator: &mut SchemaGenerator) -> Value {
        match self.0.get(name) {
            Some(Shape::Words(words)) => json!({"type": "string", "enum": words}),
            Some(Shape::Object(fields)) => {
                let mut properties = Map::new();
                for field in fields {
                    let mut described = self.describe_holds(&field.holds, generator);
                    field.describe_bounds(&mut described);
                    properties.insert(field.name.clone(), described);
                }
                let required = fields.iter().filter(|field| field.required);
                let required: Vec<&str> = required.map(|field| field.name.as_str()).collect();
                let mut object = json!({"type": "object", "properties": properties});
                if !required.is_empty() {
                    object["required"] = json!(required);
                }
                object
            }
            None => json!({}),
        }
    }
}

impl Field {
    fn bound(&self, path: &str, value: &Value, problems: &mut Problems) {
        if let Value::String(text) = value {
            let length = text.chars().count();
            if let Some(max) = self.length_max.filter(|max| length > *max) {
                problems.add(path, Why::TooLong { max });
            }
            if let Some(min) = self.length_min.filter(|min| length < *min) {
                problems.add(path, Why::TooShort { min });
            }
            if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
                let (printable, allowed) = PRINTABLE;
                let expected = "of the form that the description says";
                let is_printable = pattern.as_str() == printable;
                let other = Why::Malformed { expected };
                problems.add(path, if is_printable { Why::Characters { allowed } } else { other });
            }
        }
        if let Some(number) = value.as_i64() {
            let (min, max) = (self.min.unwrap_or(i64::MIN), self.max.unwrap_or(i64::MAX));
            if !(min..=max).contains(&number) {
                problems.add(path, Why::OutOfRange { min, max });
            }
        }
    }

    fn describe_bounds(&self, described: &mut Value) {
        let bounds = [
            ("minLength", self.length_min.map(Value::from)),
            ("maxLength", self.length_max.map(Value::from)),
            ("minimum", self.min.map(Value::from)),
            ("maximum", self.max.map(Value::from)),
            ("pattern", self.pattern.as_ref().map(|pattern| pattern.as_str().into())),
        ];
        for (name, bound) in bounds {
            if let Some(bound) = bound {
                described[name] = bound;
            }
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: &str = concat!(
        r#"{"name":"Colour","values":["RED","BLUE"]}"#,
        "\n",
        r#"{"name":"Thing","fields":{"id":{"type":"integer","readOnly":true,"min":1},"#,
        r#""name":{"type":"map<string,string>"},"colour":{"type":"Colour"},"#,
        r#""code":{"type":"string","required":true,"minLength":2,"maxLength":3},"#,
        r#""mark":{"type":"string","pattern":"[\\t\\x20-\\x7e]*"},"#,
        r#""sign":{"type":"string","pattern":"[0-9]+"},"tag":{"type":"language"},"#,
        r#""land":{"type":"country"},"money":{"type":"currency"},"#,
        r#""inner":{"type":"array<Thing>"},"on":{"type":"date"},"at":{"type":"date-time"}}}"#,
    );

    fn faults(value: &Value) -> Vec<(String, &'static str)> {
        let schemas = Schemas::parse(TYPES).expect("types");
        let problems = schemas.check(&Holds::parse("Thing"), value);
        problems.into_iter().map(|problem| (problem.field, problem.why.code())).collect()
    }

    #[test]
    fn values_are_checked_member_by_member() {
        let good = json!({"id": 1, "name": {"en": "a"}, "code": "ab", "colour": "RED",
            "inner": [{"code": "čšž"}], "on": "2026-01-02", "at": "2026-01-02T03:04:05Z"});
        assert_eq!(faults(&good), []);
        assert_eq!(faults(&json!({"code": "ab", "colour": null})), [], "null is absence");
        for (value, field, code) in [
            (json!({}), "code", "required"),
            (json!({"code": "a"}), "code", "too_short"),
            (json!({"code": "abcd"}), "code", "too_long"),
            (json!({"code": 7}), "code", "wrong_type"),
            (json!({"code": "ab", "id": 0}), "id", "out_of_range"),
            (json!({"code": "ab", "id": 1.5}), "id", "wrong_type"),
            (json!({"code": "ab", "colour": "GREEN"}), "colour", "unknown"),
            (json!({"code": "ab", "name": {"en": 1}}), "name.en", "wrong_type"),
            (json!({"code": "ab", "inner": [{"code": "abcd"}]}), "inner.0.code", "too_long"),
            (json!({"code": "ab", "more": 1}), "more", "unknown_field"),
            (json!({"code": "ab", "on": "2026-13-02"}), "on", "malformed"),
            (json!({"code": "ab", "at": true}), "at", "wrong_type"),
            (json!({"code": "ab", "mark": "č"}), "mark", "characters"),
            (json!({"code": "ab", "sign": "7a"}), "sign", "malformed"),
            (json!({"code": "a\u{0}"}), "code", "control_character"),
            (json!({"code": "ab", "tag": "-"}), "tag", "malformed"),
            (json!({"code": "ab", "land": "ZZ"}), "land", "unknown"),
            (json!({"code": "ab", "money": "ZZZ"}), "money", "unknown"),
            (json!({"code": "ab", "money": 1}), "money", "wrong_type"),
            (json!({"code": "ab", "name": {"": "a"}}), "name", "too_short"),
            (json!([]), "", "wrong_type"),
        ] {
            assert_eq!(faults(&value), [(field.to_owned(), code)], "{value}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = (0..100)
            .fold(json!({"code": "ab"}), |inner, _| json!({"code": "ab", "inner": [inner]}));
        assert!(faults(&deep).iter().any(|(_, code)| *code == "too_deep"));
    }

    #[test]
    fn descriptions_hold_what_they_refer_to() {
        let schemas = Schemas::parse(TYPES).expect("types");
        let mut generator = SchemaGenerator::default();
        let described = schemas.describe("array<Thing>", &mut generator).to_value();
        assert_eq!(described["items"]["$ref"], "#/components/schemas/Thing");
        let thing = &generator.definitions()["Thing"];
        assert_eq!(thing["properties"]["code"]["maxLength"], 3);
        assert_eq!(thing["required"], json!(["code"]));
        assert_eq!(generator.definitions()["Colour"]["enum"], json!(["RED", "BLUE"]));
    }

    #[test]
    fn what_is_no_type_is_named() {
        for bad in [r#"{"name":"A"}"#, r#"{"name":"A","fields":{"a":{"type":"b","more":1}}}"#, "x"]
        {
            assert!(Schemas::parse(bad).expect_err("no type").starts_with("line 1: "), "{bad}");
        }
    }
}
