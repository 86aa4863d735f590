//! What a kind of record declares: its name and the columns that can be searched, sorted and kept
//! unique. Everything else about a record lives in its document, which the store does not read.

/// A kind of record: one table. Declared as a `static` beside the use case that owns it.
#[derive(Debug)]
pub struct Kind {
    /// Table name; also the word for this kind in the journal.
    pub name: &'static str,
    /// Columns beside the fixed ones (number, tenant, uuid, revision, doc), in a fixed order.
    pub columns: &'static [Column],
    /// Whether free-text terms are kept for this kind.
    pub terms: bool,
}

/// One declared column of a [`Kind`].
#[derive(Debug)]
pub struct Column {
    /// Column name in the table.
    pub name: &'static str,
    /// Type in the table.
    pub shape: Shape,
    /// How it is indexed.
    pub index: Index,
    /// The field, in the words of the use case, whose value it keeps unique; none where no caller
    /// chooses the value.
    pub guards: Option<&'static str>,
}

impl Column {
    /// A column of integers.
    pub const fn int(name: &'static str, index: Index) -> Column {
        Column { name, shape: Shape::Int, index, guards: None }
    }

    /// A column of text.
    pub const fn text(name: &'static str, index: Index) -> Column {
        Column { name, shape: Shape::Text, index, guards: None }
    }

    /// The same, keeping a field unique that callers choose.
    #[must_use]
    pub const fn guarding(self, field: &'static str) -> Column {
        Column { guards: Some(field), ..self }
    }
}

/// Type of a declared column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 64-bit integer, nullable.
    Int,
    /// UTF-8 text compared byte by byte, nullable.
    Text,
}

/// How a declared column is indexed. Every index starts with the tenant except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Not indexed.
    None,
    /// `(tenant, column, number)`: equality, ranges and ordered pages.
    Ordered,
    /// The same among the records that have a value: costs the others nothing, and finds none of
    /// them.
    Sparse,
    /// `(tenant, column)` unique among the records that have a value.
    Unique,
    /// `(column)` unique in the whole deployment among the records that have a value.
    UniqueEverywhere,
}

impl Kind {
    /// Position of a declared column.
    ///
    /// # Panics
    /// When the kind does not declare it: a mistake in the program, not in its input.
    pub fn position(&self, column: &str) -> usize {
        match self.columns.iter().position(|c| c.name == column) {
            Some(position) => position,
            None => panic!("kind {} declares no column {column}", self.name),
        }
    }
}
