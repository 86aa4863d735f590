//! A query with its fields resolved and its values typed. Customers and comments turn it into a
//! filter for the store; addresses, which are part of their customer, are tested one by one.

use patron_app::search::{Compare, Field, Filter};
use patron_model::{Timestamp, Why};

use crate::query::{Expression, Operator, Test};

/// Most fields a result is sorted by.
pub const SORT_FIELDS_MAX: usize = 8;
/// Microseconds of a day, the precision of a date.
const DAY: i64 = 86_400_000_000;
/// Microseconds of a millisecond, the precision of the moments that are shown.
const MILLISECOND: i64 = 1_000;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Whole,
    /// A moment.
    Moment,
    /// A text.
    Text,
    /// True or false.
    Flag,
}

/// A value of a field that is tested in memory. Moments are whole microseconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A whole number.
    Whole(i64),
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
}

/// A typed test of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// Not set.
    Missing,
    /// A whole number compares.
    Whole(Operator, i64),
    /// A moment compares with a span of time: what is shown is less precise than what is kept.
    Moment(Operator, Span),
    /// A text compares.
    Text(Operator, String),
    /// Is true or false.
    Flag(bool),
}

/// From a microsecond up to, but not including, another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: i64,
    until: i64,
}

/// A query over the fields `F` of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition<F> {
    /// All of these.
    And(Vec<Condition<F>>),
    /// Any of these.
    Or(Vec<Condition<F>>),
    /// Not this.
    Not(Box<Condition<F>>),
    /// A field passes a test.
    Is(F, Check),
}

/// Finds a field by its name.
pub type Resolve<'a, F> = &'a dyn Fn(&str) -> Option<(F, Kind)>;

/// Gives a query its meaning.
///
/// # Errors
/// `Unknown` for a field that cannot be searched, `Malformed` or `Syntax` for a value that does not
/// fit its field.
pub fn bind<F>(expression: &Expression, resolve: Resolve<'_, F>) -> Result<Condition<F>, Why> {
    let all = |all: &[Expression]| -> Result<Vec<Condition<F>>, Why> {
        all.iter().map(|inner| bind(inner, resolve)).collect()
    };
    Ok(match expression {
        Expression::And(inner) => Condition::And(all(inner)?),
        Expression::Or(inner) => Condition::Or(all(inner)?),
        Expression::Not(inner) => Condition::Not(Box::new(bind(inner, resolve)?)),
        Expression::Term(term) => {
            let (field, kind) = resolve(&term.field).ok_or(Why::Unknown { what: "field" })?;
            Condition::Is(field, check(kind, &term.test)?)
        }
    })
}

fn check(kind: Kind, test: &Test) -> Result<Check, Why> {
    let (operator, value) = match test {
        Test::Missing => return Ok(Check::Missing),
        Test::Compare(operator, value) => (*operator, value.as_str()),
    };
    let is_text = kind == Kind::Text;
    let only_equal = kind == Kind::Flag;
    let does_fit = match operator {
        Operator::Equal => true,
        Operator::Contains => is_text,
        Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => !only_equal,
    };
    if !does_fit {
        return Err(Why::Syntax { reason: "an operator does not fit its field".into() });
    }
    match kind {
        Kind::Text => Ok(Check::Text(operator, value.to_owned())),
        Kind::Whole => {
            let whole = value.parse();
            let whole = whole.map_err(|_| Why::Malformed { expected: "a whole number" })?;
            Ok(Check::Whole(operator, whole))
        }
        Kind::Moment => Ok(Check::Moment(operator, Span::parse(value)?)),
        Kind::Flag => match value {
            "true" => Ok(Check::Flag(true)),
            "false" => Ok(Check::Flag(false)),
            _ => Err(Why::Malformed { expected: "true or false" }),
        },
    }
}

impl Span {
    /// A date is the whole day, a moment with milliseconds that millisecond.
    fn parse(text: &str) -> Result<Span, Why> {
        let from = Timestamp::parse(text)?.micros();
        let is_date = text.len() == 10;
        let length = match (is_date, from % MILLISECOND) {
            (true, _) => DAY,
            (false, 0) => MILLISECOND,
            (false, _) => 1,
        };
        Ok(Span { from, until: from + length })
    }
}

impl<F> Condition<F> {
    /// As a filter of the store.
    pub fn filter(&self, compile: &impl Fn(&F, &Check) -> Filter) -> Filter {
        let all = |inner: &[Condition<F>]| inner.iter().map(|c| c.filter(compile)).collect();
        match self {
            Condition::And(inner) => Filter::And(all(inner)),
            Condition::Or(inner) => Filter::Or(all(inner)),
            Condition::Not(inner) => Filter::Not(Box::new(inner.filter(compile))),
            Condition::Is(field, check) => compile(field, check),
        }
    }

    /// Whether some field is asked for what the test says.
    pub fn asks(&self, test: &impl Fn(&F, &Check) -> bool) -> bool {
        match self {
            Condition::And(inner) | Condition::Or(inner) => inner.iter().any(|c| c.asks(test)),
            Condition::Not(inner) => inner.asks(test),
            Condition::Is(field, check) => test(field, check),
        }
    }

    /// Whether it holds, given the values of the fields.
    pub fn holds(&self, value: &impl Fn(&F) -> Option<Value>) -> bool {
        match self {
            Condition::And(inner) => inner.iter().all(|c| c.holds(value)),
            Condition::Or(inner) => inner.iter().any(|c| c.holds(value)),
            Condition::Not(inner) => !inner.holds(value),
            Condition::Is(field, check) => check.holds(value(field).as_ref()),
        }
    }
}

impl Check {
    /// As a filter on one field of the store.
    pub fn filter(&self, field: Field) -> Filter {
        match self {
            Check::Missing => Filter::Missing(field),
            Check::Whole(operator, whole) => compared(field, *operator, *whole),
            Check::Moment(operator, Span { from, until }) => {
                let bound = |compare, at: i64| Filter::Compare(field.clone(), compare, at.into());
                match operator {
                    Operator::Less => bound(Compare::Less, *from),
                    Operator::AtMost => bound(Compare::Less, *until),
                    Operator::Greater => bound(Compare::AtLeast, *until),
                    Operator::AtLeast => bound(Compare::AtLeast, *from),
                    Operator::Equal | Operator::Contains => {
                        bound(Compare::AtLeast, *from).and(bound(Compare::Less, *until))
                    }
                }
            }
            Check::Text(Operator::Contains, text) => Filter::Contains(field, text.clone()),
            Check::Text(operator, text) => compared(field, *operator, text.as_str()),
            Check::Flag(flag) => Filter::equal(field, if *flag { "true" } else { "false" }),
        }
    }

    /// Whether a value passes: the same meaning as the filter's.
    pub fn holds(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Check::Missing, value) => value.is_none(),
            (Check::Whole(operator, want), Some(Value::Whole(have))) => operator.holds(have, want),
            (Check::Moment(operator, Span { from, until }), Some(Value::Whole(at))) => {
                match operator {
                    Operator::Less => at < from,
                    Operator::AtMost => at < until,
                    Operator::Greater => at >= until,
                    Operator::AtLeast => at >= from,
                    Operator::Equal | Operator::Contains => (from..until).contains(&at),
                }
            }
            (Check::Text(Operator::Contains, needle), Some(Value::Text(text))) => {
                text.to_lowercase().contains(&needle.to_lowercase())
            }
            (Check::Text(operator, want), Some(Value::Text(have))) => operator.holds(have, want),
            (Check::Flag(want), Some(Value::Flag(have))) => have == want,
            // A value that is missing compares with nothing.
            (Check::Whole(..) | Check::Moment(..) | Check::Text(..) | Check::Flag(_), _) => false,
        }
    }
}

fn compared(
    field: Field,
    operator: Operator,
    value: impl Into<patron_app::search::Value>,
) -> Filter {
    let compare = match operator {
        Operator::Equal | Operator::Contains => Compare::Equal,
        Operator::Less => Compare::Less,
        Operator::AtMost => Compare::AtMost,
        Operator::Greater => Compare::Greater,
        Operator::AtLeast => Compare::AtLeast,
    };
    Filter::Compare(field, compare, value.into())
}

impl Operator {
    fn holds<T: Ord + ?Sized>(self, have: &T, want: &T) -> bool {
        match self {
            Operator::Equal | Operator::Contains => have == want,
            Operator::Less => have < want,
            Operator::AtMost => have <= want,
            Operator::Greater => have > want,
            Operator::AtLeast => have >= want,
        }
    }
}

/// Reads an order: fields with `:ASC` or `:DESC`, separated by commas. The flag says descending.
///
/// # Errors
/// `Unknown` for a field that cannot be sorted by, `NotOneOf` for another direction, `TooMany`.
pub fn order<F>(text: &str, resolve: Resolve<'_, F>) -> Result<Vec<(F, bool)>, Why> {
    let mut keys = Vec::new();
    if text.trim().is_empty() {
        return Ok(keys);
    }
    for part in text.split(',') {
        let (name, direction) = part.rsplit_once(':').unwrap_or((part, "ASC"));
        let descending = descends(direction.trim())?;
        let (field, _) = resolve(name.trim()).ok_or(Why::Unknown { what: "field" })?;
        keys.push((field, descending));
    }
    match keys.len() > SORT_FIELDS_MAX {
        true => Err(Why::TooMany { max: SORT_FIELDS_MAX }),
        false => Ok(keys),
    }
}

/// Reads a direction.
///
/// # Errors
/// `NotOneOf`.
pub fn descends(direction: &str) -> Result<bool, Why> {
    if direction.eq_ignore_ascii_case("ASC") {
        Ok(false)
    } else if direction.eq_ignore_ascii_case("DESC") {
        Ok(true)
    } else {
        Err(Why::not_one_of(direction, "ASC, DESC"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query;

    fn resolve(name: &str) -> Option<(&'static str, Kind)> {
        match name {
            "id" => Some(("id", Kind::Whole)),
            "at" => Some(("at", Kind::Moment)),
            "name" => Some(("name", Kind::Text)),
            "gone" => Some(("gone", Kind::Text)),
            "flag" => Some(("flag", Kind::Flag)),
            _ => None,
        }
    }

    fn value(field: &&'static str) -> Option<Value> {
        match *field {
            "id" => Some(Value::Whole(5)),
            // 2026-01-02T03:04:05.678901Z
            "at" => Some(Value::Whole(1_767_323_045_678_901)),
            "name" => Some(Value::Text("Žluť Anna".into())),
            "flag" => Some(Value::Flag(true)),
            _ => None,
        }
    }

    fn meaning(text: &str) -> Result<bool, Why> {
        let expression = query::parse(text)?.expect("a query");
        Ok(bind(&expression, &resolve)?.holds(&value))
    }

    #[test]
    fn evaluates_every_operator() {
        for (text, want) in [
            ("id:5", true),
            ("id:4", false),
            ("id:>4 id:<6 id:>=5 id:<=5", true),
            ("id:>5 OR id:<5", false),
            ("-id:5", false),
            ("name:'Žluť Anna'", true),
            ("name:'žluť anna'", false),
            ("name:~'ŽLUŤ a'", true),
            ("name:>A", true),
            ("name:*", false),
            ("gone:*", true),
            ("gone:x", false),
            ("-gone:x", true),
            ("gone:<x", false),
            ("flag:true", true),
            ("-flag:false", true),
            ("at:2026-01-02", true),
            ("at:2026-01-02T03:04:05.678Z", true),
            ("at:2026-01-02T04:04:05.678+01:00", true),
            ("at:2026-01-02T03:04:05.678902Z", false),
            ("at:>2026-01-02T03:04:05.678Z", false),
            ("at:<=2026-01-02T03:04:05.678Z", true),
            ("at:>=2026-01-02", true),
            ("at:>2026-01-02", false),
            ("at:<2026-01-02", false),
            ("at:<=2026-01-02", true),
            ("at:<'2026-01-03'", true),
        ] {
            assert_eq!(meaning(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit_the_field() {
        for text in [
            "unknown:1",
            "id:five",
            "id:5.0",
            "id:99999999999999999999",
            "id:~5",
            "at:yesterday",
            "at:~2026",
            "flag:yes",
            "flag:>true",
            "flag:~t",
        ] {
            assert!(meaning(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_orders() {
        assert_eq!(order("id", &resolve), Ok(vec![("id", false)]));
        assert_eq!(order("name:DESC, id:ASC", &resolve), Ok(vec![("name", true), ("id", false)]));
        assert_eq!(order("", &resolve), Ok(vec![]));
        for bad in ["nope", "id:UP", "id:", ",", "id,,id", &["id"; 9].join(",")] {
            assert!(order(bad, &resolve).is_err(), "{bad}");
        }
    }
}
