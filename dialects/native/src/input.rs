//! Every fault of a body at once: types, unknown members and values. Decoding ends at the first
//! fault, so the member at fault is taken out and the rest decoded again, until it fits.

use std::collections::HashMap;

use patron_gateway::{Request, decode};
use patron_model::{Failure, Problems, Why};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

/// Faults of one body that are looked for at most.
const FAULTS_MAX: usize = 50;
/// Bytes that are decoded again at most, all faults together.
const AGAIN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The faults of one request, gathered from all its parts before any is answered.
#[derive(Default)]
pub(crate) struct Faults {
    is_malformed: bool,
    problems: Problems,
}

impl Faults {
    /// What a part means; none when it has faults, which are kept.
    ///
    /// # Errors
    /// A failure that is no fault of the input.
    pub(crate) fn keep<T>(&mut self, part: Result<T, Failure>) -> Result<Option<T>, Failure> {
        let (problems, is_malformed) = match part {
            Ok(part) => return Ok(Some(part)),
            Err(Failure::Malformed(problems)) => (problems, true),
            Err(Failure::Invalid(problems)) => (problems, false),
            Err(failure) => return Err(failure),
        };
        self.is_malformed |= is_malformed;
        self.problems.append(problems);
        Ok(None)
    }

    /// Ends the gathering.
    ///
    /// # Errors
    /// With every fault: `Malformed` when anything was not understood, else `Invalid`.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Err(problems) = self.problems.into_result() else { return Ok(()) };
        match self.is_malformed {
            true => Err(Failure::Malformed(problems)),
            false => Err(Failure::Invalid(problems)),
        }
    }
}

/// The JSON object in a body without the members that do not fit, which are noted.
///
/// # Errors
/// `UnsupportedMediaType`; `Malformed` when it is no JSON object or nothing fits.
pub(crate) fn body<T: DeserializeOwned>(
    request: &Request,
    faults: &mut Faults,
) -> Result<T, Failure> {
    match crate::customers::read::body(request) {
        Err(Failure::Malformed(first)) => mended(&request.body, first, faults),
        outcome => outcome,
    }
}

fn mended<T: DeserializeOwned>(
    body: &[u8],
    first: Problems,
    faults: &mut Faults,
) -> Result<T, Failure> {
    // What is too large or no JSON object is not looked into.
    if !first.iter().all(|problem| is_of_member(&problem.field, &problem.why)) {
        return Err(Failure::Malformed(first));
    }
    let Ok(mut document) = serde_json::from_slice::<Value>(body) else {
        return Err(Failure::Malformed(first));
    };
    let mut left = HashMap::new();
    let mut found = Failure::Malformed(first);
    for again in 1..=FAULTS_MAX {
        let problems = match found {
            Failure::Malformed(problems) => problems,
            other => return Err(other),
        };
        let mut is_out = true;
        for problem in problems {
            let sent = take_out(&mut document, &problem.field, "", &mut left);
            is_out &= sent.is_some();
            let place = sent.unwrap_or(problem.field);
            faults.keep::<()>(Err(Failure::malformed(&place, problem.why)))?;
        }
        if !is_out || again * body.len() > AGAIN_BYTES_MAX {
            break;
        }
        let rest = serde_json::to_vec(&document).map_err(Failure::internal)?;
        match decode::json_object(&rest) {
            Ok(fits) => return Ok(fits),
            Err(failure) => found = failure,
        }
    }
    std::mem::take(faults).finish()?;
    Err(Failure::internal("a body with faults has none"))
}

fn is_of_member(field: &str, why: &Why) -> bool {
    let is_of_decoding = matches!(
        why,
        Why::WrongType { .. }
            | Why::UnknownField
            | Why::Misspelt { .. }
            | Why::Unknown { .. }
            | Why::Required
            | Why::Duplicate
    );
    is_of_decoding && !field.is_empty()
}

/// Takes the member at a dotted path out; answers its path as it was sent. `left` holds, for each
/// array something was taken out of, the places as sent of the items that are left.
fn take_out(
    value: &mut Value,
    path: &str,
    before: &str,
    left: &mut HashMap<String, Vec<usize>>,
) -> Option<String> {
    let join = |name: &str| match before {
        "" => name.to_owned(),
        before => format!("{before}.{name}"),
    };
    match value {
        Value::Object(members) => {
            if members.remove(path).is_some() {
                return Some(join(path));
            }
            // A name may hold dots itself.
            let at = path.match_indices('.').map(|(at, _)| at);
            let at = at.into_iter().find(|at| members.contains_key(&path[..*at]))?;
            let (name, rest) = (&path[..at], &path[at + 1..]);
            take_out(members.get_mut(name)?, rest, &join(name), left)
        }
        Value::Array(items) => {
            let (index, rest) = path.split_once('.').map_or((path, None), |(i, r)| (i, Some(r)));
            let index: usize = index.parse().ok().filter(|index| *index < items.len())?;
            let places = left.entry(before.to_owned());
            let places = places.or_insert_with(|| (0..items.len()).collect());
            let sent = join(&places.get(index)?.to_string());
            let Some(rest) = rest else {
                let empty = Value::Object(serde_json::Map::new());
                let is_of_objects = items.iter().any(Value::is_object);
                let item = items.get_mut(index)?;
                if is_of_objects && *item != empty {
                    // The others keep their places, by which their values are spoken of.
                    *item = empty;
                    return Some(sent);
                }
                items.remove(index);
                places.remove(index);
                return Some(sent);
            };
            take_out(items.get_mut(index)?, rest, &sent, left)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Where a body stops being JSON, where it does.
pub(super) fn broken_at(body: &[u8]) -> Option<Why> {
    let error = serde_json::from_slice::<IgnoredAny>(body).err()?;
    let reason = format!("no valid JSON from line {} column {}", error.line(), error.column());
    Some(Why::Syntax { reason })
}
