//! From wire members to patches: every value is parsed, every problem is collected under the wire's
//! own field name, beside what decoding found.

use std::borrow::Cow;

use patron_model::{Failure, Patch, Problems, Why};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use crate::faults::{self, Faults};

/// A member of a JSON object: absent, `null`, or a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Member<T> {
    /// Not there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A value.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        // A member that is absent is never deserialised: `serde(default)` makes it `Absent`.
        Option::<T>::deserialize(source).map(|value| value.map_or(Member::Null, Member::Value))
    }
}

impl<T: JsonSchema> JsonSchema for Member<T> {
    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

impl<T> Member<T> {
    /// The value, when there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Member::Absent | Member::Null => None,
            Member::Value(value) => Some(value),
        }
    }

    /// A reference to the value, when there is one.
    pub fn as_ref(&self) -> Option<&T> {
        match self {
            Member::Absent | Member::Null => None,
            Member::Value(value) => Some(value),
        }
    }

    /// Whether it is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Member::Absent)
    }
}

/// What `null`, and what absence, mean to an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Absent keeps, `null` clears (JSON Merge Patch).
    NullClears,
    /// Absent and `null` both keep.
    NullKeeps,
    /// Absent and `null` both clear (full replacement).
    Replaces,
}

/// Reads the members of one body into patches, and collects its faults.
#[derive(Debug, Clone)]
pub struct Fields {
    reading: Reading,
    /// What is wrong so far; decoding may have found something already.
    pub faults: Faults,
}

impl Fields {
    /// For one body.
    pub fn new(reading: Reading) -> Fields {
        Fields { reading, faults: Faults::default() }
    }

    /// The JSON object in a body, and what does not fit in it.
    ///
    /// # Errors
    /// As [`faults::object`].
    pub fn read<T: DeserializeOwned>(
        body: &[u8],
        reading: Reading,
    ) -> Result<(T, Fields), Failure> {
        Fields::read_on(body, reading, Faults::default())
    }

    /// The same with what was found before.
    ///
    /// # Errors
    /// As [`faults::object`], with what was found before.
    pub fn read_on<T: DeserializeOwned>(
        body: &[u8],
        reading: Reading,
        mut faults: Faults,
    ) -> Result<(T, Fields), Failure> {
        match faults::object(body, &mut faults) {
            Ok(read) => Ok((read, Fields { reading, faults })),
            Err(failure) => {
                // What is no JSON, or has too many faults to go on.
                faults.keep::<()>(Err(failure))?;
                faults.finish()?;
                Err(Failure::internal("a body with faults has none"))
            }
        }
    }

    /// A member as a patch, with its value parsed.
    pub fn parse<W, T>(
        &mut self,
        field: &str,
        member: Member<W>,
        parse: impl FnOnce(W) -> Result<T, Why>,
    ) -> Patch<T> {
        match (member, self.reading) {
            (Member::Absent, Reading::Replaces)
            | (Member::Null, Reading::Replaces | Reading::NullClears) => Patch::Clear,
            (Member::Absent, _) | (Member::Null, Reading::NullKeeps) => Patch::Keep,
            (Member::Value(value), _) => match parse(value) {
                Ok(value) => Patch::Set(value),
                Err(why) => {
                    self.refuse(field, why);
                    Patch::Keep
                }
            },
        }
    }

    /// A text member as a patch.
    pub fn text<T>(
        &mut self,
        field: &str,
        member: Member<String>,
        parse: impl FnOnce(&str) -> Result<T, Why>,
    ) -> Patch<T> {
        self.parse(field, member, |text| parse(&text))
    }

    /// The members of an object within the body; their faults are told below its place.
    pub fn within<T>(
        &mut self,
        place: &str,
        reading: Reading,
        read: impl FnOnce(&mut Fields) -> T,
    ) -> T {
        let mut inner = Fields::new(reading);
        let read = read(&mut inner);
        self.faults.append_at(place, inner.faults);
        read
    }

    /// Notes a problem.
    pub fn refuse(&mut self, field: &str, why: Why) {
        self.faults.refuse(field, why);
    }

    /// Notes several problems.
    pub fn refuse_all(&mut self, problems: Problems) {
        self.faults.refuse_all(problems);
    }

    /// How `null` and absence are read.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// With every fault: `Malformed` when anything was not understood, else `Invalid`.
    pub fn finish(self) -> Result<(), Failure> {
        self.faults.finish()
    }
}
