//! Values of a statement, and where they stand in it.

use std::fmt::{self, Write as _};

/// A bound value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Param {
    Int(i64),
    Text(String),
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

/// Where a bound value stands in a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placeholder {
    pub(crate) at: usize,
    /// The type, as PostgreSQL is told it; SQLite needs none.
    pub(crate) cast: Option<&'static str>,
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cast {
            None => write!(f, "?{}", self.at),
            Some(cast) => write!(f, "${}::{cast}", self.at),
        }
    }
}

impl Placeholder {
    /// Writes it: all that is formatted in most statements, so without the machinery of that.
    pub(crate) fn push_to(self, sql: &mut String) {
        match (self.cast, u8::try_from(self.at)) {
            (None, Ok(digit @ 0..=9)) => sql.extend(['?', char::from(b'0' + digit)]),
            _ => write!(sql, "{self}").expect("a String takes all that is written to it"),
        }
    }
}
