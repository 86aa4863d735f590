//! What the SQL engines share beside searches: rules for kinds, limits, and (below) the statements,
//! written once for both databases.

use std::ops::Range;

use crate::{Index, Kind, Shape, StoreError};

/// Most numbers one call may reserve.
pub(crate) const RESERVE_MAX: i64 = 1 << 32;
/// Numbers stay exact in JSON readers that know only doubles.
const NUMBER_END: i64 = 1 << 53;
/// Tables beside those of the kinds.
const OWN_TABLES: [&str; 5] = ["journal", "head", "answer", "counter", "meta"];

/// Refuses declarations that cannot become tables: a mistake in the program, found at the start.
pub(crate) fn check_kinds(kinds: &[&Kind]) -> Result<(), StoreError> {
    let is_name = |name: &str| {
        (1..=24).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && !name.contains("__")
    };
    let fixed = ["number", "tenant", "uuid", "revision", "doc"];
    for (at, kind) in kinds.iter().enumerate() {
        let wrong = |what: String| Err(StoreError::Engine(format!("kind {}: {what}", kind.name)));
        if !is_name(kind.name) || OWN_TABLES.contains(&kind.name) || kind.name.ends_with("_term") {
            return wrong("no name for a table".to_owned());
        }
        if kinds[..at].iter().any(|other| other.name == kind.name) {
            return wrong("declared twice".to_owned());
        }
        for (at, column) in kind.columns.iter().enumerate() {
            let twice = kind.columns[..at].iter().any(|other| other.name == column.name);
            if !is_name(column.name) || fixed.contains(&column.name) || twice {
                return wrong(format!("no name for a column: {}", column.name));
            }
        }
    }
    Ok(())
}

pub(crate) fn unknown_kind(name: &str) -> StoreError {
    StoreError::Engine(format!("the store was not opened with a kind {name}"))
}

pub(crate) fn not_empty() -> StoreError {
    StoreError::Engine("a dump can be restored into an empty store only".to_owned())
}

pub(crate) fn kind_named(
    kinds: &'static [&'static Kind],
    name: &str,
) -> Result<&'static Kind, StoreError> {
    kinds.iter().find(|kind| kind.name == name).copied().ok_or_else(|| unknown_kind(name))
}

/// Position of a column that `get_by` can look up.
pub(crate) fn unique_text_column(kind: &Kind, column: &str) -> Result<usize, StoreError> {
    let position = kind.columns.iter().position(|c| c.name == column);
    let unique = |c: &crate::Column| {
        c.shape == Shape::Text && matches!(c.index, Index::Unique | Index::UniqueEverywhere)
    };
    position.filter(|at| unique(&kind.columns[*at])).ok_or_else(|| {
        StoreError::Engine(format!("kind {} declares no unique text column {column}", kind.name))
    })
}

/// Within what a value of this column is unique: its tenant, or -1 for the whole deployment.
pub(crate) fn unique_scope(index: Index, tenant: i64) -> Option<i64> {
    match index {
        Index::None | Index::Ordered => None,
        Index::Unique => Some(tenant),
        Index::UniqueEverywhere => Some(-1),
    }
}

/// The block of `n` numbers that ends before `next`.
pub(crate) fn block(next: i64, n: i64, counter: &str) -> Result<Range<i64>, StoreError> {
    if next > NUMBER_END {
        return Err(StoreError::Engine(format!("counter {counter} is used up")));
    }
    Ok(next - n..next)
}
