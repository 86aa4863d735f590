//! The provider's operations as data: every row of `operations.tsv`. What no line of
//! [`crate::operations`] serves is answered 501 to whoever signs in.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;
use patron_gateway::{Operation, operation::NOT_SERVED};

const TABLE: &str = include_str!("../operations.tsv");
/// Columns of a row; the last is the SDK's method, which only tests read.
const COLUMNS: usize = 11;

/// An operation of the provider.
#[derive(Debug)]
pub struct Row {
    /// Id.
    pub id: &'static str,
    /// Method.
    pub method: Method,
    /// Path, mount included.
    pub path: &'static str,
    /// Which header names its place.
    pub scope: Scope,
    /// Group in the reference.
    pub group: &'static str,
    /// One line for people.
    pub title: &'static str,
}

/// The header that says where an operation works (dossier §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `Space`.
    Space,
    /// `Account`.
    Account,
    /// None: what the operation answers is the same for everybody, or lies above the spaces.
    Nowhere,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| read(line).expect("operations.tsv is tested row by row")).collect()
});

static BY_ID: LazyLock<HashMap<&str, &Row>> =
    LazyLock::new(|| ROWS.iter().map(|row| (row.id, row)).collect());

fn read(line: &'static str) -> Option<Row> {
    let columns: Vec<&str> = line.split('\t').collect();
    let columns: [&str; COLUMNS] = columns.try_into().ok()?;
    let [id, method, path, scope, _parameters, _body, _status, _reply, group, title, _sdk] =
        columns;
    let scope = match scope {
        "space" => Scope::Space,
        "account" => Scope::Account,
        "-" => Scope::Nowhere,
        _ => return None,
    };
    let method = method.parse().ok()?;
    Some(Row { id, method, path, scope, group, title })
}

/// Whether an operation takes place in no space, so that none needs to be named; one that is named
/// is ignored. What is not served says so before it looks at anything.
pub fn is_of_no_space(operation: &str) -> bool {
    operation == NOT_SERVED || BY_ID.get(operation).is_some_and(|row| row.scope != Scope::Space)
}

/// The rows that these operations leave.
pub fn not_served(served: &[Operation]) -> Vec<Operation> {
    let is_served = |row: &&Row| !served.iter().any(|operation| operation.id == row.id);
    let refuse = |row: &Row| Operation::not_served(row.method.clone(), row.path, row.title);
    ROWS.iter().filter(is_served).map(|row| refuse(row).tag(row.group)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_and_has_an_id_of_its_own() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            assert!(read(line).is_some(), "{line}");
        }
        assert_eq!(BY_ID.len(), ROWS.len());
    }
}
