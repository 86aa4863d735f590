//! What is wrong with an input: which field and why, as data. Each dialect owns the sentences;
//! [`Why`]'s `Display` is the plain English one that those without own wording share.

use std::fmt;

use crate::spelling;

/// Everything that is wrong with one input, in the order it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the field (`addresses.0.city`), in the words of whoever found the fault.
    pub field: String,
    /// Why it is refused.
    pub why: Why,
}

/// Why a value is refused. Holds limits and expectations, never the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Nothing was given.
    Required,
    /// Too many characters (Unicode scalar values).
    TooLong {
        /// Characters allowed.
        max: usize,
    },
    /// Too few characters.
    TooShort {
        /// Characters needed.
        min: usize,
    },
    /// Not of the expected form.
    Malformed {
        /// What is expected: "an e-mail address".
        expected: &'static str,
    },
    /// Well formed, but no such thing is known.
    Unknown {
        /// What was looked for: "currency".
        what: &'static str,
    },
    /// A JSON value of another type.
    WrongType {
        /// What is expected: "a string".
        expected: &'static str,
    },
    /// A number outside its limits.
    OutOfRange {
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// One of a closed list is expected.
    NotOneOf {
        /// The list, comma separated.
        allowed: &'static str,
    },
    /// One of a closed list is expected, and this is much like one.
    NearlyOneOf {
        /// The list, comma separated.
        allowed: &'static str,
        /// The word that was probably meant.
        meant: &'static str,
    },
    /// Well formed, but no such thing is known; one whose name is much like it is.
    Misnamed {
        /// What was looked for: "field".
        what: &'static str,
        /// The name that was probably meant.
        meant: String,
    },
    /// Holds a control character.
    ControlCharacter,
    /// Holds a character outside the allowed set.
    Characters {
        /// The allowed set.
        allowed: &'static str,
    },
    /// Holds a card number.
    CardNumber,
    /// Holds a card security code.
    SecurityCode,
    /// Another living record has this value already.
    Taken,
    /// Several records have this value, and one is looked for.
    Ambiguous,
    /// Must equal something else.
    Mismatch {
        /// What it must equal.
        with: &'static str,
    },
    /// More entries than allowed.
    TooMany {
        /// Entries allowed.
        max: usize,
    },
    /// More bytes than allowed.
    TooLarge {
        /// Bytes allowed.
        max_bytes: usize,
    },
    /// Nested deeper than allowed.
    TooDeep {
        /// Levels allowed.
        max: usize,
    },
    /// Required because others are absent.
    RequiredWithout {
        /// The other fields.
        others: &'static str,
    },
    /// May not be changed.
    ReadOnly,
    /// Appears twice.
    Duplicate,
    /// No such member is known here.
    UnknownField,
    /// No such member is known here, but one whose name is much like it.
    Misspelt {
        /// The name that was probably meant.
        meant: String,
    },
    /// A search expression that cannot be understood, with the place and reason.
    Syntax {
        /// Reason, without the caller's text.
        reason: String,
    },
}

impl Why {
    /// Why a name is refused that is none of the known ones.
    pub fn unknown_field<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Why {
        match spelling::meant(name, known) {
            Some(meant) => Why::Misspelt { meant: meant.to_owned() },
            None => Why::UnknownField,
        }
    }

    /// Why a word is refused that is none of a closed, comma separated list.
    pub fn not_one_of(word: &str, allowed: &'static str) -> Why {
        match spelling::meant(word, allowed.split(", ")) {
            Some(meant) => Why::NearlyOneOf { allowed, meant },
            None => Why::NotOneOf { allowed },
        }
    }

    /// Why a name is refused that is none of those of what is known.
    pub fn unknown<'a>(
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Why {
        match spelling::meant(name, known) {
            Some(meant) => Why::Misnamed { what, meant: meant.to_owned() },
            None => Why::Unknown { what },
        }
    }

    /// A stable machine word for the fault.
    pub fn code(&self) -> &'static str {
        match self {
            Why::Required | Why::RequiredWithout { .. } => "required",
            Why::TooLong { .. } => "too_long",
            Why::TooShort { .. } => "too_short",
            Why::Malformed { .. } => "malformed",
            Why::Unknown { .. } | Why::Misnamed { .. } => "unknown",
            Why::WrongType { .. } => "wrong_type",
            Why::OutOfRange { .. } => "out_of_range",
            Why::NotOneOf { .. } | Why::NearlyOneOf { .. } => "not_one_of",
            Why::ControlCharacter => "control_character",
            Why::Characters { .. } => "characters",
            Why::CardNumber => "card_number",
            Why::SecurityCode => "security_code",
            Why::Taken => "taken",
            Why::Ambiguous => "ambiguous",
            Why::Mismatch { .. } => "mismatch",
            Why::TooMany { .. } => "too_many",
            Why::TooLarge { .. } => "too_large",
            Why::TooDeep { .. } => "too_deep",
            Why::ReadOnly => "read_only",
            Why::Duplicate => "duplicate",
            Why::UnknownField | Why::Misspelt { .. } => "unknown_field",
            Why::Syntax { .. } => "syntax",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Required => write!(f, "Must be given."),
            Why::TooLong { max } => write!(f, "Must be at most {max} characters long."),
            Why::TooShort { min } => write!(f, "Must be at least {min} characters long."),
            Why::Malformed { expected } => write!(f, "Must be {expected}."),
            Why::Unknown { what } => write!(f, "No such {what} is known."),
            Why::WrongType { expected } => write!(f, "Must be {expected}."),
            Why::OutOfRange { min, max } => write!(f, "Must be between {min} and {max}."),
            Why::NotOneOf { allowed } => write!(f, "Must be one of {allowed}."),
            Why::NearlyOneOf { allowed, meant } => {
                write!(f, "Must be one of {allowed}; did you mean {meant}?")
            }
            Why::Misnamed { what, meant } => {
                write!(f, "No such {what} is known; did you mean {meant}?")
            }
            Why::ControlCharacter => write!(f, "Must not contain control characters."),
            Why::Characters { allowed } => write!(f, "May only contain {allowed}."),
            Why::CardNumber => {
                write!(f, "Looks like a card number; card numbers are never stored here.")
            }
            Why::SecurityCode => write!(f, "Card security codes are never accepted here."),
            Why::Taken => write!(f, "Is already used by another record."),
            Why::Ambiguous => write!(f, "Is used by several records."),
            Why::Mismatch { with } => write!(f, "Must equal {with}."),
            Why::TooMany { max } => write!(f, "Must have at most {max} entries."),
            Why::TooLarge { max_bytes } => write!(f, "Must be at most {max_bytes} bytes."),
            Why::TooDeep { max } => write!(f, "Must be nested at most {max} levels deep."),
            Why::RequiredWithout { others } => write!(f, "Must be given when {others} is absent."),
            Why::ReadOnly => write!(f, "Cannot be changed."),
            Why::Duplicate => write!(f, "Must not appear twice."),
            Why::UnknownField => write!(f, "Is not known here."),
            Why::Misspelt { meant } => write!(f, "Is not known here; did you mean {meant}?"),
            Why::Syntax { reason } => write!(f, "Cannot be understood: {reason}."),
        }
    }
}

impl Problems {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A single fault.
    pub fn one(field: impl Into<String>, why: Why) -> Self {
        let mut problems = Self::new();
        problems.add(field, why);
        problems
    }

    /// Notes a fault.
    pub fn add(&mut self, field: impl Into<String>, why: Why) {
        self.0.push(Problem { field: field.into(), why });
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// The same faults with renamed fields: core words to a dialect's words.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> String) -> Self {
        let renamed = |p: Problem| Problem { field: rename(&p.field), why: p.why };
        Problems(self.0.into_iter().map(renamed).collect())
    }

    /// Takes over all faults of another collection.
    pub fn append(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// Keeps a good value and notes a bad one.
    pub fn check<T>(&mut self, field: &str, parsed: Result<T, Why>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(why) => {
                self.add(field, why);
                None
            }
        }
    }

    /// `Ok` when nothing is wrong.
    ///
    /// # Errors
    /// The collection itself when it holds a fault.
    pub fn into_result(self) -> Result<(), Problems> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
