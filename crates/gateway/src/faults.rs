//! Every fault of a request at once: types, unknown members and values of its body, parameters of
//! its query.
//!
//! Decoding ends at the first fault, so what is at fault is taken out of the body and the rest is
//! decoded again, until it fits; the values of what fits are looked at by whoever asked for it, and
//! noted in the same [`Faults`].

use std::collections::HashMap;
use std::fmt;

use patron_model::{Failure, Problems, Why};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::decode::{self, Params};

/// Faults of one body that are looked for at most.
const FAULTS_MAX: usize = 50;
/// Bytes that are decoded again at most, all faults together.
const AGAIN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The faults of one request, gathered from all its parts before any is answered.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    is_malformed: bool,
    problems: Problems,
    /// Places in the body that were left out because what stands there does not fit.
    left_out: Vec<String>,
}

impl Faults {
    /// What a part means; none when it has faults, which are kept.
    ///
    /// # Errors
    /// A failure that is no fault of the input.
    pub fn keep<T>(&mut self, part: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match part {
            Ok(part) => return Ok(Some(part)),
            Err(Failure::Malformed(problems)) => self.misread_all(problems),
            Err(Failure::Invalid(problems)) => self.refuse_all(problems),
            Err(failure) => return Err(failure),
        }
        Ok(None)
    }

    /// Notes something that is understood and refused.
    pub fn refuse(&mut self, field: impl Into<String>, why: Why) {
        let field = field.into();
        // What stands there was left out: that nothing is left there is no fault of its own.
        let is_left_out = |place: &String| {
            field.strip_prefix(place.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('.'))
        };
        let is_absence = matches!(why, Why::Required | Why::RequiredWithout { .. });
        if !(is_absence && self.left_out.iter().any(is_left_out)) {
            self.problems.add(field, why);
        }
    }

    /// Notes all of these as understood and refused.
    pub fn refuse_all(&mut self, problems: Problems) {
        problems.into_iter().for_each(|problem| self.refuse(problem.field, problem.why));
    }

    /// Notes something that is not understood.
    pub fn misread(&mut self, field: impl Into<String>, why: Why) {
        let before = self.problems.iter().len();
        self.refuse(field, why);
        self.is_malformed |= self.problems.iter().len() > before;
    }

    /// Notes all of these as not understood.
    pub fn misread_all(&mut self, problems: Problems) {
        problems.into_iter().for_each(|problem| self.misread(problem.field, problem.why));
    }

    /// A good value; a bad one is noted as not understood.
    pub fn understood<T>(&mut self, field: &str, parsed: Result<T, Why>) -> Option<T> {
        parsed.map_err(|why| self.misread(field, why)).ok()
    }

    /// A parameter that is a whole number within limits; `default` when it is absent or empty, and
    /// where it is none, which is noted.
    pub fn int(&mut self, params: &Params, name: &str, default: i64, min: i64, max: i64) -> i64 {
        match params.int(name, default, min, max) {
            Ok(value) => value,
            Err(why) => {
                self.misread(name, why);
                default
            }
        }
    }

    /// Takes over what was found elsewhere, at places below this one.
    pub(crate) fn append_at(&mut self, place: &str, other: Faults) {
        self.is_malformed |= other.is_malformed;
        for problem in other.problems {
            self.refuse(decode::joined(place, &problem.field), problem.why);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Ends the gathering.
    ///
    /// # Errors
    /// With every fault: `Malformed` when anything was not understood, else `Invalid`.
    pub fn finish(self) -> Result<(), Failure> {
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
/// `Malformed` when it is no JSON object, when nothing of it fits, or when there are too many
/// faults to go on.
pub fn object<T: DeserializeOwned>(body: &[u8], faults: &mut Faults) -> Result<T, Failure> {
    match decode::json_object(body) {
        Err(Failure::Malformed(first)) => mended(body, first, faults),
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
    let Ok(mut document) = serde_json::from_slice::<Box<RawValue>>(body) else {
        return Err(Failure::Malformed(first));
    };
    let mut left = HashMap::new();
    let mut found = first;
    for again in 1..=FAULTS_MAX {
        let mut is_out = true;
        for problem in found {
            let is_repeated = problem.why == Why::Duplicate;
            let Some(out) = take_out(&document, &problem.field, "", is_repeated, &mut left) else {
                is_out = false;
                faults.misread(problem.field, problem.why);
                continue;
            };
            document = out.rest;
            faults.misread(out.place.as_str(), problem.why);
            if out.was_repeated && !is_repeated {
                faults.misread(out.place.as_str(), Why::Duplicate);
            }
            if !is_repeated {
                faults.left_out.push(out.place);
            }
        }
        if !is_out || again * body.len() > AGAIN_BYTES_MAX {
            break;
        }
        match decode::json_object(document.get().as_bytes()) {
            Err(Failure::Malformed(problems)) => found = problems,
            outcome => return outcome,
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

/// The members of an object as they stand in it, repeated ones too.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        source.deserialize_map(InOrder)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        target.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What is left when something was taken out of a document.
struct Out {
    rest: Box<RawValue>,
    /// Where it stood, as it was sent.
    place: String,
    /// Whether it stood there more than once.
    was_repeated: bool,
}

/// Takes the member at a dotted path out: all of that name, or the last one of them. `left` holds,
/// for each array something was taken out of, the places as sent of the items that are left.
fn take_out(
    value: &RawValue,
    path: &str,
    before: &str,
    last_only: bool,
    left: &mut HashMap<String, Vec<usize>>,
) -> Option<Out> {
    if value.get().starts_with('{') {
        let mut members: Members = serde_json::from_str(value.get()).ok()?;
        let place = decode::joined(before, path);
        let named = members.0.iter().filter(|(name, _)| name == path).count();
        if named > 0 {
            match members.0.iter().rposition(|(name, _)| name == path).filter(|_| last_only) {
                Some(last) => drop(members.0.remove(last)),
                None => members.0.retain(|(name, _)| name != path),
            }
            let rest = serde_json::value::to_raw_value(&members).ok()?;
            return Some(Out { rest, place, was_repeated: named > 1 });
        }
        // A name may hold dots itself.
        let (name, rest, at) = path.match_indices('.').find_map(|(dot, _)| {
            let name = &path[..dot];
            let at = members.0.iter().rposition(|(known, _)| known == name)?;
            Some((name, &path[dot + 1..], at))
        })?;
        let out = take_out(&members.0[at].1, rest, &decode::joined(before, name), last_only, left)?;
        members.0[at].1 = out.rest;
        let rest = serde_json::value::to_raw_value(&members).ok()?;
        return Some(Out { rest, ..out });
    }
    let mut items: Vec<Box<RawValue>> = serde_json::from_str(value.get()).ok()?;
    let (index, rest) = path.split_once('.').map_or((path, None), |(i, r)| (i, Some(r)));
    let index: usize = index.parse().ok().filter(|index| *index < items.len())?;
    let places = left.entry(before.to_owned()).or_insert_with(|| (0..items.len()).collect());
    let place = decode::joined(before, &places.get(index)?.to_string());
    let out = match rest {
        Some(rest) => {
            let out = take_out(&items[index], rest, &place, last_only, left)?;
            items[index] = out.rest;
            Out { rest: RawValue::NULL.to_owned(), ..out }
        }
        None => {
            let is_of_objects = items.iter().any(|item| item.get().starts_with('{'));
            if is_of_objects && items[index].get() != "{}" {
                // The others keep their places, by which their values are spoken of.
                items[index] = RawValue::from_string("{}".to_owned()).ok()?;
            } else {
                items.remove(index);
                places.remove(index);
            }
            Out { rest: RawValue::NULL.to_owned(), place, was_repeated: false }
        }
    };
    let rest = serde_json::value::to_raw_value(&items).ok()?;
    Some(Out { rest, ..out })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Member;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Body {
        name: Member<String>,
        age: Member<i64>,
        inner: Vec<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        city: Member<String>,
    }

    fn told(body: &str) -> (Option<Body>, Vec<String>) {
        let mut faults = Faults::default();
        let read = object::<Body>(body.as_bytes(), &mut faults);
        let kept = match read {
            Ok(kept) => Some(kept),
            Err(failure) => {
                assert!(faults.is_empty());
                faults.keep::<()>(Err(failure)).expect("a fault of the input");
                None
            }
        };
        let told = faults.problems.iter().map(|p| format!("{} {}", p.field, p.why.code()));
        (kept, told.collect())
    }

    #[test]
    fn every_fault_of_decoding_is_told_and_the_rest_is_read() {
        let (kept, told) = told(
            r#"{"nmae": 1, "name": "a", "age": {},
                "inner": [{"city": 7}, 7, {"city": "b", "x": 1}]}"#,
        );
        let want = [
            "nmae unknown_field",
            "age wrong_type",
            "inner.0.city wrong_type",
            "inner.1 wrong_type",
            "inner.2.x unknown_field",
        ];
        assert_eq!(told, want);
        let kept = kept.expect("what fits");
        assert_eq!(kept.name, Member::Value("a".into()));
        assert_eq!(kept.inner[2].city, Member::Value("b".into()));
        assert_eq!(kept.age, Member::Absent);
    }

    #[test]
    fn what_is_repeated_is_told_once_for_each_name() {
        let body = r#"{"name": "a", "name": "b", "age": [], "age": 2, "age": 3,
            "inner": [{"city": "a", "city": "b"}]}"#;
        let (kept, told) = told(body);
        let want = ["name duplicate", "age wrong_type", "age duplicate", "inner.0.city duplicate"];
        assert_eq!(told, want);
        assert_eq!(kept.expect("what fits").name, Member::Value("a".into()));
    }

    #[test]
    fn what_was_left_out_is_not_missed_as_well() {
        let mut faults = Faults::default();
        let body: Body = object(br#"{"name": 7, "inner": [1, {}]}"#, &mut faults).expect("a body");
        assert_eq!((body.name, body.age), (Member::Absent, Member::Absent));
        faults.refuse("name", Why::Required);
        faults.refuse("inner.0.city", Why::Required);
        faults.refuse("inner.1.city", Why::Required);
        faults.refuse("age", Why::Required);
        let Err(Failure::Malformed(problems)) = faults.finish() else { panic!("faults") };
        let told: Vec<String> =
            problems.iter().map(|p| format!("{} {}", p.field, p.why.code())).collect();
        let want =
            ["name wrong_type", "inner.0 wrong_type", "inner.1.city required", "age required"];
        assert_eq!(told, want);
    }

    #[test]
    fn how_long_is_looked_for_faults_is_bounded() {
        let many: Vec<String> = (0..2 * FAULTS_MAX).map(|n| format!("\"x{n}\": 1")).collect();
        let (kept, faults) = told(&format!("{{{}}}", many.join(",")));
        assert!(kept.is_none());
        assert_eq!(faults.len(), FAULTS_MAX);
        let deep = format!("{{\"age\": \"x\", \"name\": {}1{}}}", "[".repeat(300), "]".repeat(300));
        let (_, faults) = told(&deep);
        assert_eq!(faults, ["age wrong_type", "name wrong_type"]);
    }
}
