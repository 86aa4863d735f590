//! What can be asked of a kind: a predicate, an order and a page. Search grammars of the dialects
//! compile to a [`Predicate`]; `sql.rs` turns it into SQL, `memory.rs` evaluates it directly, and the
//! contract suite holds the two against each other.

use regex::Regex;

use crate::StoreError;

/// A value of a column or of a field in a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// No value.
    Null,
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Value::Int(int)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Value::Null, Into::into)
    }
}

/// Something of a record that can be compared and sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    /// The record's number. Never missing.
    Number,
    /// The record's UUID as text. Never missing.
    Uuid,
    /// A declared column.
    Column(&'static str),
    /// A text in the document, by path of member names. JSON strings as they are, numbers as their
    /// JSON text, `true`/`false` as those words; null, objects, arrays and absence are missing.
    Text(Vec<String>),
    /// A whole number in the document, by path. Anything but a JSON integer is missing.
    Whole(Vec<String>),
    /// A decimal number in the document, by path: JSON number or numeric string, compared as a number.
    Decimal(Vec<String>),
    /// The first of these that is not missing. All alternatives are of one type.
    First(Vec<Field>),
}

impl Field {
    /// This one, or the other where this is missing. Both are of one type.
    #[must_use]
    pub fn or(self, other: Field) -> Field {
        match self {
            Field::First(mut all) => {
                all.push(other);
                Field::First(all)
            }
            one @ (Field::Number
            | Field::Uuid
            | Field::Column(_)
            | Field::Text(_)
            | Field::Whole(_)
            | Field::Decimal(_)) => Field::First(vec![one, other]),
        }
    }

    /// The same place read as a number; none where no text stands.
    pub fn as_decimal(&self) -> Option<Field> {
        match self {
            Field::Text(path) => Some(Field::Decimal(path.clone())),
            Field::First(all) => {
                all.iter().map(Field::as_decimal).collect::<Option<_>>().map(Field::First)
            }
            Field::Number
            | Field::Uuid
            | Field::Column(_)
            | Field::Whole(_)
            | Field::Decimal(_) => None,
        }
    }

    /// A text field at a path of member names.
    pub fn text(path: &[&str]) -> Field {
        Field::Text(path.iter().map(|name| (*name).to_owned()).collect())
    }
}

/// Comparison of a field with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal,
    /// Less than.
    Less,
    /// Less than or equal.
    AtMost,
    /// Greater than.
    Greater,
    /// Greater than or equal.
    AtLeast,
}

/// A condition on one record.
///
/// Two-valued logic: a comparison with a missing field is false, its negation true.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// Every record.
    All,
    /// All of these; true when empty.
    And(Vec<Predicate>),
    /// Any of these; false when empty.
    Or(Vec<Predicate>),
    /// The opposite.
    Not(Box<Predicate>),
    /// The field compares with the value. Texts compare by code point.
    Compare(Field, Compare, Value),
    /// The field equals one of the values.
    OneOf(Field, Vec<Value>),
    /// The field has no value.
    Missing(Field),
    /// The text contains the needle, both folded to lower case (Unicode).
    Contains(Field, String),
    /// The text starts with the prefix, both folded to lower case (Unicode).
    StartsWith(Field, String),
    /// The text equals the other, both folded to lower case (Unicode).
    EqualFolded(Field, String),
    /// The text has a match of the pattern anywhere (linear-time engine). Evaluated by the store on
    /// the rows that the rest of the predicate leaves, never by the database.
    Matches(Field, Regex),
    /// The record carries exactly this term.
    HasTerm(String),
}

impl Predicate {
    /// `field = value`.
    pub fn equal(field: Field, value: impl Into<Value>) -> Predicate {
        Predicate::Compare(field, Compare::Equal, value.into())
    }

    /// Both conditions.
    #[must_use]
    pub fn and(self, other: Predicate) -> Predicate {
        match (self, other) {
            (Predicate::All, other) => other,
            (this, Predicate::All) => this,
            (Predicate::And(mut all), other) => {
                all.push(other);
                Predicate::And(all)
            }
            (this, other) => Predicate::And(vec![this, other]),
        }
    }
}

/// Order of a result. Ties are broken by number in the same direction; a missing value sorts after
/// every value when ascending, before every value when descending.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Sort keys, most significant first. Empty means: by number.
    pub keys: Vec<SortKey>,
    /// Direction of the number that breaks ties (and of the whole order when `keys` is empty).
    pub descending: bool,
}

/// One key of an [`Order`].
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey {
    /// Field sorted by.
    pub field: Field,
    /// Largest first.
    pub descending: bool,
}

impl Order {
    /// Oldest first: by number.
    pub const fn by_number() -> Order {
        Order { keys: Vec::new(), descending: false }
    }

    /// Newest first: by number, descending.
    pub const fn newest_first() -> Order {
        Order { keys: Vec::new(), descending: true }
    }

    /// By one field.
    pub fn by(field: Field, descending: bool) -> Order {
        Order { keys: vec![SortKey { field, descending }], descending }
    }
}

/// Where a page begins: right after this place in the order, whether or not a record is there.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// Value of each sort key (same length as [`Order::keys`]).
    pub keys: Vec<Value>,
    /// Number of the record.
    pub number: i64,
}

/// A question: which records of one tenant, in which order, which part of them.
#[derive(Debug, Clone)]
pub struct Query {
    /// Tenants searched; one in nearly all cases.
    pub tenants: Vec<i64>,
    /// Condition.
    pub predicate: Predicate,
    /// Order.
    pub order: Order,
    /// Keyset position to continue after. Supported for an order with at most one key.
    pub after: Option<After>,
    /// Rows to skip (after `after`).
    pub offset: u64,
    /// Rows to answer at most.
    pub limit: u32,
}

impl Query {
    /// Everything of one tenant by number; refine with struct update.
    pub fn of(tenant: i64) -> Query {
        Query {
            tenants: vec![tenant],
            predicate: Predicate::All,
            order: Order::by_number(),
            after: None,
            offset: 0,
            limit: 50,
        }
    }
}

impl Query {
    /// Refuses a keyset position that does not fit the order.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Some(after) = &self.after else { return Ok(()) };
        if self.order.keys.len() > 1 || after.keys.len() != self.order.keys.len() {
            return Err(StoreError::Engine("this order cannot be continued by position".into()));
        }
        Ok(())
    }
}
