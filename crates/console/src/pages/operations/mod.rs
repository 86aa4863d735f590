//! People, roles, the audit log: who may do what, and who did.

mod audit;
pub mod confirm;
pub mod edits;
mod people;
mod person;
mod places;
mod roles;

use patron_gateway::Operation;

use crate::operations::Table;

/// The lines.
pub fn lines(table: &Table) -> Vec<Operation> {
    [people::lines(table), person::lines(table), roles::lines(table), audit::lines(table)]
        .into_iter()
        .flatten()
        .collect()
}
