//! Predicates and orders evaluated in Rust. This is the meaning of `query.rs`: the memory engine runs
//! it directly, and whatever a database cannot evaluate alike is left to it.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::document::{decimal_at, decimal_key, fold, text_at, whole_at};
use crate::{After, Compare, Field, Kind, Order, Predicate, Row, Shape, Value};

/// A record together with what is not in its [`Row`]: all a predicate may ask about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Kind of the record.
    pub kind: &'a Kind,
    /// The record.
    pub row: &'a Row,
    /// Values of the declared columns, in the order of [`Kind::columns`].
    pub columns: &'a [Value],
    /// Its terms, sorted.
    pub terms: &'a [String],
}

impl Subject<'_> {
    /// The document; nothing is found in one that is damaged.
    fn json(&self) -> Cow<'_, str> {
        self.row.doc.json().unwrap_or_default()
    }
}

/// What a field is compared as. A value of another domain never compares with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Int,
    Text,
    Decimal,
}

impl Domain {
    /// The value as it is compared: decimals by sort key, values of other domains missing.
    pub(crate) fn sortable(self, value: &Value) -> Value {
        match (self, value) {
            (Domain::Int, Value::Int(_)) | (Domain::Text, Value::Text(_)) => value.clone(),
            (Domain::Decimal, Value::Int(int)) => decimal_key(&int.to_string()).into(),
            (Domain::Decimal, Value::Text(text)) => decimal_key(text).into(),
            _ => Value::Null,
        }
    }
}

impl Field {
    /// What this field is compared as.
    pub(crate) fn domain(&self, kind: &Kind) -> Domain {
        match self {
            Field::Number | Field::Whole(_) => Domain::Int,
            Field::Uuid | Field::Text(_) => Domain::Text,
            Field::Decimal(_) => Domain::Decimal,
            Field::Column(name) => match kind.columns[kind.position(name)].shape {
                Shape::Int => Domain::Int,
                Shape::Text => Domain::Text,
            },
            Field::First(fields) => fields.first().map_or(Domain::Text, |field| field.domain(kind)),
        }
    }

    /// The value of this field, as a caller puts it into [`After`].
    pub fn value(&self, subject: &Subject<'_>) -> Value {
        match self {
            Field::Decimal(path) => match decimal_at(&subject.json(), path) {
                Some(_) => text_at(&subject.json(), path).into(),
                None => Value::Null,
            },
            Field::First(fields) => first(fields, |field| field.value(subject)),
            _ => self.sortable(subject),
        }
    }

    /// The value of this field as it is compared.
    pub(crate) fn sortable(&self, subject: &Subject<'_>) -> Value {
        match self {
            Field::Number => Value::Int(subject.row.number),
            Field::Uuid => Value::Text(subject.row.uuid.to_string()),
            Field::Column(name) => subject.columns[subject.kind.position(name)].clone(),
            Field::Text(path) => text_at(&subject.json(), path).into(),
            Field::Whole(path) => whole_at(&subject.json(), path).into(),
            Field::Decimal(path) => decimal_at(&subject.json(), path).into(),
            Field::First(fields) => first(fields, |field| field.sortable(subject)),
        }
    }

    /// The text of this field; `None` when it is missing or no text.
    fn text_of(&self, subject: &Subject<'_>) -> Option<String> {
        match (self.domain(subject.kind), self.sortable(subject)) {
            (Domain::Text, Value::Text(text)) => Some(text),
            _ => None,
        }
    }
}

fn first(fields: &[Field], value: impl Fn(&Field) -> Value) -> Value {
    fields.iter().map(value).find(|value| *value != Value::Null).unwrap_or(Value::Null)
}

impl Compare {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Compare::Equal => ordering.is_eq(),
            Compare::Less => ordering.is_lt(),
            Compare::AtMost => ordering.is_le(),
            Compare::Greater => ordering.is_gt(),
            Compare::AtLeast => ordering.is_ge(),
        }
    }
}

impl Predicate {
    /// Whether the condition holds for a record.
    ///
    /// # Panics
    /// When it names a column that the kind does not declare, or `columns` is shorter than the
    /// kind's: mistakes in the program, not in its input.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        match self {
            Predicate::All => true,
            Predicate::And(all) => all.iter().all(|p| p.matches(subject)),
            Predicate::Or(any) => any.iter().any(|p| p.matches(subject)),
            Predicate::Not(inner) => !inner.matches(subject),
            Predicate::Compare(field, compare, value) => {
                let value = field.domain(subject.kind).sortable(value);
                compared(&field.sortable(subject), &value).is_some_and(|o| compare.holds(o))
            }
            Predicate::OneOf(field, values) => {
                let domain = field.domain(subject.kind);
                let actual = field.sortable(subject);
                actual != Value::Null && values.iter().any(|v| domain.sortable(v) == actual)
            }
            Predicate::Missing(field) => field.sortable(subject) == Value::Null,
            Predicate::Contains(field, needle) => {
                field.text_of(subject).is_some_and(|text| fold(&text).contains(&fold(needle)))
            }
            Predicate::StartsWith(field, prefix) => {
                field.text_of(subject).is_some_and(|text| fold(&text).starts_with(&fold(prefix)))
            }
            Predicate::EqualFolded(field, other) => {
                field.text_of(subject).is_some_and(|text| fold(&text) == fold(other))
            }
            Predicate::Matches(field, regex) => {
                field.text_of(subject).is_some_and(|text| regex.is_match(&text))
            }
            Predicate::HasTerm(term) => subject.terms.contains(term),
        }
    }
}

/// Comparison of two values of one domain; `None` when one is missing.
fn compared(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The place of a record in an order: its sortable keys and its number.
pub(crate) type Place = (Vec<Value>, i64);

impl Order {
    pub(crate) fn place(&self, subject: &Subject<'_>) -> Place {
        let keys = self.keys.iter().map(|key| key.field.sortable(subject)).collect();
        (keys, subject.row.number)
    }

    pub(crate) fn place_after(&self, after: &After, kind: &Kind) -> Place {
        let keys = self.keys.iter().zip(&after.keys);
        (keys.map(|(k, v)| k.field.domain(kind).sortable(v)).collect(), after.number)
    }

    /// Which of two places comes first.
    pub(crate) fn compare(&self, a: &Place, b: &Place) -> Ordering {
        for ((key, x), y) in self.keys.iter().zip(&a.0).zip(&b.0) {
            let ascending = match (x, y) {
                (Value::Null, Value::Null) => Ordering::Equal,
                (Value::Null, _) => Ordering::Greater,
                (_, Value::Null) => Ordering::Less,
                _ => compared(x, y).unwrap_or(Ordering::Equal),
            };
            let ordering = if key.descending { ascending.reverse() } else { ascending };
            if ordering.is_ne() {
                return ordering;
            }
        }
        let by_number = a.1.cmp(&b.1);
        if self.descending { by_number.reverse() } else { by_number }
    }
}
