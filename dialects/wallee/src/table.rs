//! The provider's operations as data: every row of `operations.tsv`. What no line of
//! [`crate::operations`] serves is answered 501 to whoever signs in.

use std::collections::HashMap;
use std::sync::LazyLock;

use http::Method;
use patron_gateway::{
    Operation,
    operation::{self, NOT_SERVED, Parameter, Unguarded},
};

use crate::operations::{ACCOUNT, LIST, SEARCH, SPACE};

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
    /// Parameters of the query: name, and whether it is required.
    parameters: Vec<(&'static str, bool)>,
    /// Type of its body.
    pub body: Option<&'static str>,
    /// Status of its success.
    pub status: u16,
    /// Type of its answer.
    pub reply: &'static str,
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
    let [id, method, path, scope, parameters, body, status, reply, group, title, _sdk] = columns;
    let scope = match scope {
        "space" => Scope::Space,
        "account" => Scope::Account,
        "-" => Scope::Nowhere,
        _ => return None,
    };
    let parameter = |name: &'static str| match name.strip_suffix('!') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let parameters = parameters.split(',').filter(|name| *name != "-").map(parameter).collect();
    let body = Some(body).filter(|body| *body != "-");
    let (method, status) = (method.parse().ok()?, status.parse().ok()?);
    Some(Row { id, method, path, scope, parameters, body, status, reply, group, title })
}

impl Row {
    /// The beginning of its operation; [`described`] adds the rest of the row.
    pub fn line<F>(&self, handler: F) -> Unguarded<F> {
        operation::on(self.method.clone(), self.path, handler).named(self.id, self.title)
    }

    fn parameters(&self) -> Vec<Parameter> {
        let is_search = self.parameters.iter().any(|(name, _)| *name == "query");
        let known = if is_search { &SEARCH } else { &LIST };
        let parameter = |(name, is_required): &(&'static str, bool)| {
            let known = known.iter().find(|parameter| parameter.name == *name);
            let about = "As the provider describes it.";
            let parameter = known.copied().unwrap_or(Parameter::query(name, "string", about));
            if *is_required { parameter.required() } else { parameter }
        };
        self.parameters.iter().map(parameter).collect()
    }
}

/// The row of an operation.
pub fn row(id: &str) -> &'static Row {
    BY_ID.get(id).expect("every line of operations.rs has a row, or no server starts")
}

/// An operation with its group and parameters.
pub fn described(operation: Operation) -> Operation {
    let row = row(operation.id);
    let line = operation.tag(row.group).takes(&row.parameters());
    match row.scope {
        Scope::Space => line.takes(&[SPACE]),
        Scope::Account => line.takes(&[ACCOUNT]),
        Scope::Nowhere => line,
    }
}

/// The rows of a family: those whose ids begin with its name.
pub fn of_prefix(prefix: &'static str) -> impl Iterator<Item = &'static Row> {
    let is_of = move |row: &&Row| row.id.strip_prefix(prefix).is_some_and(|r| r.starts_with('_'));
    ROWS.iter().filter(is_of)
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
