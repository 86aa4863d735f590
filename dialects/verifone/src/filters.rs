//! From RSQL to a question (dossier §8.3, §8.4). A field that a customer lacks makes `!=` and
//! `=out=` true and everything else false, which is what the store's two-valued logic says.

use std::sync::Arc;

use patron_app::search::{Compare, Field, Filter, SEARCHES_MAX, Value, customer};
use patron_model::{Failure, Timestamp, Why, space::Space};
use regex::{Regex, RegexBuilder};

use crate::{
    customers::fields::{Kind, Selector},
    limits,
    query::{self, Comparison, Expression, Operator},
    spaces,
};

/// Most characters of a pattern.
pub const PATTERN_CHARS_MAX: usize = 200;
/// Most bytes of a compiled pattern.
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting inside a pattern.
const PATTERN_DEPTH_MAX: u32 = 32;
/// Microseconds of the finest step that is shown.
const STEP_MICROS: i64 = 1_000;

/// The question an expression asks of the customers of these spaces.
///
/// # Errors
/// `Malformed` at `search`.
pub fn compile(text: &str, spaces: &[Arc<Space>]) -> Result<Filter, Failure> {
    let expression = query::parse(text).map_err(|fault| refused(fault.0))?;
    if searches(&expression) > SEARCHES_MAX {
        let what = "comparisons by =regex= and by name";
        return Err(refused(format!("it has more than {SEARCHES_MAX} {what}")));
    }
    filter(&expression, spaces)
}

/// Comparisons that look inside texts: patterns, and names, which may have to be derived.
fn searches(expression: &Expression) -> usize {
    match expression {
        Expression::Any(all) | Expression::All(all) => all.iter().map(searches).sum(),
        Expression::Comparison(Comparison { selector, operator, .. }) => {
            let is_name = Selector::find(selector)
                .is_some_and(|known| matches!(known.kind, Kind::FirstName | Kind::LastName));
            usize::from(is_name || *operator == Operator::Regex)
        }
    }
}

fn refused(reason: String) -> Failure {
    Failure::malformed("search", Why::Syntax { reason })
}

fn filter(expression: &Expression, spaces: &[Arc<Space>]) -> Result<Filter, Failure> {
    let each = |all: &[Expression]| {
        all.iter().map(|inner| filter(inner, spaces)).collect::<Result<Vec<_>, _>>()
    };
    match expression {
        Expression::Any(any) => Ok(Filter::Or(each(any)?)),
        Expression::All(all) => Ok(Filter::And(each(all)?)),
        Expression::Comparison(comparison) => compare(comparison, spaces),
    }
}

fn compare(comparison: &Comparison, spaces: &[Arc<Space>]) -> Result<Filter, Failure> {
    let Comparison { selector, operator, values, place } = comparison;
    let unknown = || {
        let hint = Selector::hint(selector);
        refused(format!("the selector at character {place} is not known{hint}"))
    };
    let selector = Selector::find(selector).ok_or_else(unknown)?;
    let barred = || {
        let name = selector.name;
        refused(format!("{name} does not take the operator at character {place}"))
    };
    match operator {
        Operator::Equal | Operator::In => equal_any(selector, values, spaces, *place),
        Operator::NotEqual | Operator::Out => {
            let equal = equal_any(selector, values, spaces, *place)?;
            Ok(Filter::Not(Box::new(equal)))
        }
        Operator::Regex => match selector.kind {
            Kind::Created | Kind::Updated => Err(barred()),
            _ => matching(selector, pattern(&values[0], *place)?, spaces),
        },
        Operator::Greater => ordered(selector, Compare::Greater, &values[0], *place, barred),
        Operator::AtLeast => ordered(selector, Compare::AtLeast, &values[0], *place, barred),
        Operator::Less => ordered(selector, Compare::Less, &values[0], *place, barred),
        Operator::AtMost => ordered(selector, Compare::AtMost, &values[0], *place, barred),
    }
}

/// The field equals one of the values.
fn equal_any(
    selector: &Selector,
    values: &[String],
    spaces: &[Arc<Space>],
    place: usize,
) -> Result<Filter, Failure> {
    let field = selector.field();
    Ok(match selector.kind {
        Kind::Id | Kind::Text => one_of(field, values),
        Kind::Entity => {
            of_spaces(field, spaces, |space| values.iter().any(|value| spaces::means(space, value)))
        }
        Kind::Email => {
            // The index finds it, the document confirms the case.
            let keys: Vec<String> = values.iter().map(|value| value.to_lowercase()).collect();
            one_of(customer::email_key(), &keys).and(one_of(field, values))
        }
        Kind::Phone => {
            let known = values.iter().map(|value| customer::has_phone(value, None));
            Filter::Or(std::iter::once(one_of(field, values)).chain(known).collect())
        }
        Kind::WorkPhone => {
            Filter::Or(values.iter().map(|value| customer::has_work_phone(value, None)).collect())
        }
        Kind::FirstName | Kind::LastName => {
            let derived = values.iter().filter_map(|value| derived(selector.kind, value));
            let mut any = vec![one_of(field, values)];
            any.extend(derived);
            Filter::Or(any)
        }
        Kind::Digits => {
            let fitting: Vec<String> =
                values.iter().filter(|value| limits::tax(value).is_ok()).cloned().collect();
            one_of(field, &fitting)
        }
        Kind::Number => {
            Filter::Or(values.iter().map(|v| number(&field, Compare::Equal, v)).collect())
        }
        Kind::Created | Kind::Updated => {
            let mut any = Vec::new();
            for value in values {
                let at = moment(value, place)?;
                let not_after = timed(selector, Compare::AtMost, at);
                any.push(timed(selector, Compare::AtLeast, at).and(not_after));
            }
            Filter::Or(any)
        }
    })
}

fn one_of(field: Field, values: &[String]) -> Filter {
    match values {
        [only] => Filter::equal(field, only.as_str()),
        several => Filter::OneOf(field, several.iter().map(|v| Value::from(v.as_str())).collect()),
    }
}

/// Customers of those spaces that fit.
fn of_spaces(field: Field, spaces: &[Arc<Space>], fits: impl Fn(&Space) -> bool) -> Filter {
    let fitting = spaces.iter().filter(|space| fits(space));
    Filter::OneOf(field, fitting.map(|space| Value::Int(space.number)).collect())
}

/// A name that is derived from a full name, where no part of it was given: the last word is the
/// last name, the words before it the first name, a single word is a first name.
fn derived(kind: Kind, value: &str) -> Option<Filter> {
    let spaced = value.contains(char::is_whitespace);
    if value.is_empty() || value.trim() != value || (spaced && kind == Kind::LastName) {
        return None;
    }
    let text = regex::escape(value);
    let (own, form) = match (kind, spaced) {
        (Kind::LastName, _) => ("family_name", format!(r"\S\s+{text}\s*$")),
        (_, true) => ("given_name", format!(r"^\s*{text}\s+\S+\s*$")),
        (_, false) => ("given_name", format!(r"^\s*{text}(\s+\S+)?\s*$")),
    };
    let form = Regex::new(&form).ok()?;
    Some(Filter::And(vec![
        Filter::Missing(customer::billing(own)),
        Filter::Missing(customer::given_name()),
        Filter::Missing(customer::family_name()),
        // Cheap for the store, and leaves few for the pattern.
        Filter::Contains(customer::full_name(), value.to_owned()),
        Filter::Matches(customer::full_name(), form),
    ]))
}

/// `=regex=`: an unanchored, case-sensitive search by a linear-time engine.
fn pattern(text: &str, place: usize) -> Result<Regex, Failure> {
    if text.chars().count() > PATTERN_CHARS_MAX {
        let max = PATTERN_CHARS_MAX;
        return Err(refused(format!("the pattern at character {place} is longer than {max}")));
    }
    let built = RegexBuilder::new(text)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .nest_limit(PATTERN_DEPTH_MAX)
        .build();
    built.map_err(|_| refused(format!("the pattern at character {place} cannot be used")))
}

fn matching(selector: &Selector, pattern: Regex, spaces: &[Arc<Space>]) -> Result<Filter, Failure> {
    let field = selector.field();
    Ok(match selector.kind {
        Kind::Entity => of_spaces(field, spaces, |space| pattern.is_match(&spaces::shown(space))),
        Kind::Digits => {
            let shown = Filter::Matches(field.clone(), fixed(r"^[0-9]{1,9}$")?);
            shown.and(Filter::Matches(field, pattern))
        }
        _ => Filter::Matches(field, pattern),
    })
}

fn fixed(pattern: &str) -> Result<Regex, Failure> {
    Regex::new(pattern).map_err(Failure::internal)
}

/// `=gt=`, `=ge=`, `=lt=`, `=le=`: for moments, and for the one number.
fn ordered(
    selector: &Selector,
    compare: Compare,
    value: &str,
    place: usize,
    barred: impl Fn() -> Failure,
) -> Result<Filter, Failure> {
    match selector.kind {
        Kind::Created | Kind::Updated => Ok(timed(selector, compare, moment(value, place)?)),
        Kind::Number => Ok(number(&selector.field(), compare, value)),
        Kind::Text
        | Kind::Id
        | Kind::Entity
        | Kind::Email
        | Kind::Phone
        | Kind::WorkPhone
        | Kind::FirstName
        | Kind::LastName
        | Kind::Digits => Err(barred()),
    }
}

/// As numbers when both sides consist of digits only, else as texts (dossier §8.3).
fn number(field: &Field, compare: Compare, value: &str) -> Filter {
    let as_text = Filter::Compare(field.clone(), compare, value.into());
    let is_digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let (true, Some(decimal), Ok(digits)) = (is_digits, field.as_decimal(), Regex::new("^[0-9]+$"))
    else {
        return as_text;
    };
    let whole = || Filter::Matches(field.clone(), digits.clone());
    let as_number = Filter::Compare(decimal, compare, value.into());
    Filter::Or(vec![whole().and(as_number), Filter::Not(Box::new(whole())).and(as_text)])
}

fn moment(text: &str, place: usize) -> Result<i64, Failure> {
    let dated = Timestamp::parse(text).map(Timestamp::micros);
    dated.map_err(|_| {
        refused(format!("a date such as 2025-01-01T00:00:00Z is expected after character {place}"))
    })
}

/// Moments are kept in microseconds and shown in milliseconds; what is shown is what is compared.
fn timed(selector: &Selector, compare: Compare, at: i64) -> Filter {
    let floor = at.div_euclid(STEP_MICROS) * STEP_MICROS;
    let ceiling = if floor == at { at } else { floor + STEP_MICROS };
    let (is_lower_bound, bound) = match compare {
        Compare::AtLeast => (true, ceiling),
        Compare::Greater => (true, floor + STEP_MICROS),
        Compare::Less => (false, ceiling),
        Compare::AtMost | Compare::Equal => (false, floor + STEP_MICROS),
    };
    let own = if is_lower_bound { Compare::AtLeast } else { Compare::Less };
    let check = |field: Field| Filter::Compare(field, own, Value::Int(bound));
    if selector.kind == Kind::Created {
        return check(selector.field());
    }
    // The youngest of them: one is late enough, or all are early enough.
    let sides = customer::addresses_updated_at();
    if is_lower_bound {
        let any = std::iter::once(selector.field()).chain(sides).map(check);
        return Filter::Or(any.collect());
    }
    let or_missing = |field: Field| Filter::Or(vec![Filter::Missing(field.clone()), check(field)]);
    Filter::And(std::iter::once(check(selector.field())).chain(sides.map(or_missing)).collect())
}
