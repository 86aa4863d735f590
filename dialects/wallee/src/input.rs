//! Members of bodies. `null` is the same as absence (dossier §3), what is shown already stays
//! untouched, and an empty text clears.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use patron_app::Expect;
use patron_gateway::{Fields, Member};
use patron_model::{Patch, Why};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::limits::at_most;

/// A JSON object and nothing else: left to itself, a structure is also read from an array, member
/// by member.
#[derive(Debug, Clone, Default)]
pub struct Object<T>(pub T);

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Object<T>, D::Error> {
        source.deserialize_map(Members(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<T: JsonSchema> JsonSchema for Object<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A text as it is shown, if it is.
pub type Shown<'a> = Option<Cow<'a, str>>;

/// A member that must be there; that it is absent or `null` is noted as not understood.
pub fn required<T>(fields: &mut Fields, name: &str, member: Member<T>) -> Option<T> {
    let value = member.value();
    if value.is_none() {
        fields.faults.misread(name, Why::Required);
    }
    value
}

/// The version that a change must name; where it names none, the change is refused anyway.
pub fn expected(fields: &mut Fields, version: Member<i32>) -> Expect {
    let version = required(fields, "version", version);
    version.map_or(Expect::Any, |version| Expect::Version(version.into()))
}

/// A text member as a patch of at most `max` characters.
///
/// A text that equals the one shown keeps what is there: who sends back what it read never
/// overwrites a value that was cut, or derived, for showing. An empty text clears: the SDK cannot
/// send `null`, and has no other way to say it.
pub fn text<T>(
    fields: &mut Fields,
    (name, max): (&str, usize),
    member: &Member<String>,
    shown: &Shown<'_>,
    parse: impl FnOnce(&str) -> Result<T, Why>,
) -> Patch<T> {
    match member.as_ref() {
        None => Patch::Keep,
        Some(sent) if Some(sent.as_str()) == shown.as_deref() => Patch::Keep,
        Some(sent) if sent.is_empty() => Patch::Clear,
        Some(sent) => fields.parse(name, Member::Value(sent), |sent| {
            at_most(sent, max)?;
            parse(sent)
        }),
    }
}

/// A text that is shown as it is kept, as a patch; an empty one clears, for the SDK cannot send
/// `null`.
pub fn clearing<T>(
    fields: &mut Fields,
    name: &str,
    member: Member<String>,
    parse: impl FnOnce(&str) -> Result<T, Why>,
) -> Patch<T> {
    text(fields, (name, usize::MAX), &member, &None, parse)
}

/// How many requests are answered in two minutes. Zero is no limit: the SDK cannot send `null`.
pub fn request_limit(member: Member<i64>) -> Patch<i64> {
    match member.value() {
        None => Patch::Keep,
        Some(0) => Patch::Clear,
        Some(limit) => Patch::Set(limit),
    }
}
