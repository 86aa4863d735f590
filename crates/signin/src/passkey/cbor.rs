//! CBOR as authenticators write it (RFC 8949): one value, bounded, no member twice.

use ciborium::{Value, de::from_reader_with_recursion_limit};

/// Levels of what an authenticator nests. Attestation statements have three.
const DEPTH_MAX: usize = 8;
/// Members of one map.
const MEMBERS_MAX: usize = 64;

/// The first value of the bytes, with what follows it.
pub(super) fn first(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let mut rest = bytes;
    let value = from_reader_with_recursion_limit(&mut rest, DEPTH_MAX).ok()?;
    Some((value, rest))
}

/// The members of a map, none of them twice.
pub(super) fn members(value: Value) -> Option<Vec<(Value, Value)>> {
    let Value::Map(members) = value else { return None };
    let is_twice = |(at, (name, _)): (usize, &(Value, Value))| {
        members[..at].iter().any(|(before, _)| before == name)
    };
    let is_fine = members.len() <= MEMBERS_MAX && !members.iter().enumerate().any(is_twice);
    is_fine.then_some(members)
}

/// Takes a member out of a map by its name.
pub(super) fn take(members: &mut Vec<(Value, Value)>, name: impl Into<Value>) -> Option<Value> {
    let name = name.into();
    let at = members.iter().position(|(known, _)| *known == name)?;
    Some(members.swap_remove(at).1)
}

/// A whole number.
pub(super) fn int(value: Value) -> Option<i64> {
    value.into_integer().ok().and_then(|number| i64::try_from(number).ok())
}
