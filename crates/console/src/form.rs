//! The fields of a customer and of an address: one table for what pages show, forms ask and lists
//! can be narrowed by. A field is called what the API calls it, so a fault finds its input by
//! itself.

use std::collections::HashMap;

use patron_gateway::decode::Params;
use patron_model::{Failure, Problems, Why};
use serde_json::{Map, Value};

use crate::words::Words;

/// How a field is typed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line.
    Line,
    /// A line of letters that run from left to right whatever the language: phones, codes.
    Code,
    /// An e-mail address.
    Email,
    /// Several lines.
    Text,
    /// A day.
    Day,
    /// One of these words, each with a sentence of its own.
    Choice(&'static [&'static str]),
    /// Yes or no, each with a sentence of its own.
    Flag,
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// What the API calls it; its label is the sentence `field-<name>`.
    pub name: &'static str,
    /// How it is typed in.
    pub kind: Kind,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind }
}

/// Who a customer is.
pub const WHO: &[Field] = &[
    field("given_name", Kind::Line),
    field("family_name", Kind::Line),
    field("full_name", Kind::Line),
    field("title", Kind::Line),
    field("company_name", Kind::Line),
    field("company_registration_number", Kind::Code),
    field("tax_number", Kind::Code),
];
/// How to reach them.
pub const REACH: &[Field] = &[
    field("email", Kind::Email),
    field("phone", Kind::Code),
    field("work_phone", Kind::Code),
    field("language", Kind::Code),
    field("currency", Kind::Code),
    field("time_zone", Kind::Code),
];
/// What else there is.
pub const MORE: &[Field] = &[
    field("reference", Kind::Code),
    field("status", Kind::Choice(&["active", "inactive", "locked", "blocked"])),
    field("status_reason", Kind::Line),
    field("status_until", Kind::Code),
    field("balance", Kind::Code),
    field("portal_user_name", Kind::Line),
    field("description", Kind::Text),
];
/// What an address says.
pub const ADDRESS: &[Field] = &[
    field("purpose", Kind::Choice(&["billing", "shipping", "both", "other"])),
    field("organization_name", Kind::Line),
    field("salutation", Kind::Line),
    field("given_name", Kind::Line),
    field("middle_name", Kind::Line),
    field("family_name", Kind::Line),
    field("gender", Kind::Choice(&["", "female", "male"])),
    field("date_of_birth", Kind::Code),
    field("line1", Kind::Line),
    field("line2", Kind::Line),
    field("line3", Kind::Line),
    field("postal_code", Kind::Code),
    field("city", Kind::Line),
    field("dependent_locality", Kind::Line),
    field("state", Kind::Line),
    field("country", Kind::Code),
    field("sorting_code", Kind::Code),
    field("email", Kind::Email),
    field("phone", Kind::Code),
    field("mobile_phone", Kind::Code),
    field("commercial_register_number", Kind::Code),
    field("sales_tax_number", Kind::Code),
    field("social_security_number", Kind::Code),
];

/// Who a person is who works here.
pub const PERSON: &[Field] = &[
    field("given_name", Kind::Line),
    field("family_name", Kind::Line),
    field("email", Kind::Email),
    field("phone", Kind::Code),
    field("language", Kind::Code),
    field("time_zone", Kind::Code),
];

/// What a person sets for themselves.
pub const SETTINGS: &[Field] = &[
    field("given_name", Kind::Line),
    field("family_name", Kind::Line),
    field(
        "language",
        Kind::Choice(&["", "en-GB", "en-US", "de-DE", "de-AT", "de-CH", "fr-FR", "fr-CH"]),
    ),
    field("time_zone", Kind::Code),
    field("theme", Kind::Choice(&["system", "light", "dark"])),
    field("shortcuts", Kind::Flag),
];

/// A field as a form shows it.
#[derive(Debug, Clone)]
pub struct Input {
    /// What the API calls it, and the input.
    pub name: &'static str,
    /// What people call it.
    pub label: String,
    /// The value that was typed, or that is there.
    pub value: String,
    /// Why it is refused.
    pub why: Option<String>,
    /// What is to be known when it is filled in.
    pub hint: Option<String>,
    kind: Kind,
    /// Words to choose from, what people call them, and which is chosen.
    pub choices: Vec<(String, String, bool)>,
}

impl Input {
    /// A field with a value, and the faults that were found.
    pub fn of(field: &Field, value: &str, words: &Words, faults: &Faults) -> Input {
        let Field { name, kind } = *field;
        let input = Input::new(name, words.t(&format!("field-{name}")), kind, value, faults);
        let shown = |word: &&'static str| match *word {
            "" => {
                let none = format!("{name}-none");
                (String::new(), if words.has(&none) { words.t(&none) } else { String::new() })
            }
            word => (word.to_owned(), words.t(&format!("{name}-{word}"))),
        };
        match kind {
            Kind::Choice(all) => input.among(all.iter().map(shown).collect()),
            Kind::Flag => input.among(["true", "false"].iter().map(shown).collect()),
            Kind::Line | Kind::Code | Kind::Email | Kind::Text | Kind::Day => input,
        }
    }

    /// The same for a field that is called otherwise.
    pub fn new(
        name: &'static str,
        label: String,
        kind: Kind,
        value: &str,
        faults: &Faults,
    ) -> Input {
        let (value, why) = (value.to_owned(), faults.of(name));
        Input { name, label, value, why, hint: None, kind, choices: Vec::new() }
    }

    /// With what is to be known when it is filled in.
    #[must_use]
    pub fn hinted(self, hint: String) -> Input {
        Input { hint: Some(hint), ..self }
    }

    /// One of these words, with what people call them.
    #[must_use]
    pub fn among(mut self, choices: Vec<(String, String)>) -> Input {
        let chosen = |(word, label): (String, String)| {
            let is_chosen = word == self.value;
            (word, label, is_chosen)
        };
        self.choices = choices.into_iter().map(chosen).collect();
        self
    }

    /// Whether it has several lines.
    pub fn is_text(&self) -> bool {
        self.kind == Kind::Text
    }

    /// The type of the input.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Email => "email",
            Kind::Day => "date",
            Kind::Line | Kind::Code | Kind::Text | Kind::Choice(_) | Kind::Flag => "text",
        }
    }

    /// The parts of the page that say more of it.
    pub fn described(&self) -> String {
        let parts = [(self.hint.is_some(), "hint"), (self.why.is_some(), "why")];
        let parts = parts.into_iter().filter(|(is_there, _)| *is_there);
        let parts = parts.map(|(_, part)| format!("{}-{part}", self.name));
        parts.collect::<Vec<String>>().join(" ")
    }

    /// Whether its letters run from left to right whatever the language.
    pub fn is_code(&self) -> bool {
        matches!(self.kind, Kind::Code | Kind::Email)
    }
}

/// Faults of an input, in sentences, by field.
#[derive(Debug, Clone, Default)]
pub struct Faults(HashMap<String, String>);

/// What is wrong with a refused input.
///
/// # Errors
/// The failure itself, where it is no fault of what was sent.
pub fn problems(failure: &Failure) -> Result<Problems, Failure> {
    match failure {
        Failure::Invalid(problems) | Failure::Malformed(problems) => Ok(problems.clone()),
        Failure::Exists { field, .. } => Ok(Problems::one(*field, Why::Taken)),
        other => Err(other.clone()),
    }
}

impl Faults {
    /// Those of a refused input.
    ///
    /// # Errors
    /// The failure itself, where it is no fault of what was sent.
    pub fn of_failure(failure: &Failure, words: &Words) -> Result<Faults, Failure> {
        let mut all = HashMap::new();
        for problem in &problems(failure)? {
            let why = words.why(&problem.why);
            all.entry(problem.field.clone()).or_insert(why);
        }
        Ok(Faults(all))
    }

    /// Notes a sentence at a field.
    pub fn note(&mut self, field: &str, sentence: String) {
        self.0.insert(field.to_owned(), sentence);
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Why a field is refused.
    pub fn of(&self, field: &str) -> Option<String> {
        self.0.get(field).cloned()
    }

    /// One, in a sentence.
    pub fn one(field: &str, why: String) -> Faults {
        Faults(HashMap::from([(field.to_owned(), why)]))
    }

    /// Field, what people call it, and sentence: for the summary, those without an input last.
    pub fn summary(&self, inputs: &[Input]) -> Vec<(String, String, String)> {
        let known = inputs.iter().filter_map(|input| {
            Some((input.name.to_owned(), input.label.clone(), input.why.clone()?))
        });
        let others = self.0.iter().filter(|(name, _)| inputs.iter().all(|i| i.name != *name));
        let others = others.map(|(name, why)| (String::new(), name.clone(), why.clone()));
        known.chain(others).collect()
    }
}

/// A value of a record as a text that can be typed in; nothing for what is not there.
pub fn text(record: &Value, name: &str) -> String {
    match &record[name] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a form says of these fields, as the API takes it: an empty one clears.
pub fn body(form: &Params, fields: &[Field], only_given: bool) -> Value {
    let mut body = Map::new();
    for field in fields {
        let Some(sent) = form.get(field.name) else { continue };
        // Browsers send two characters for the end of a line.
        let sent = sent.replace("\r\n", "\n");
        match (sent.is_empty(), only_given) {
            (true, true) => {}
            (true, false) => {
                body.insert(field.name.to_owned(), Value::Null);
            }
            (false, _) => {
                body.insert(field.name.to_owned(), Value::String(sent));
            }
        }
    }
    Value::Object(body)
}
