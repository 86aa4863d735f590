//! What one sees first in a space, and one's own page.

mod me;
mod overview;
mod warnings;
mod ways;

use patron_gateway::Operation;

use crate::operations::Table;

/// The lines.
pub fn lines(table: &Table) -> Vec<Operation> {
    [overview::lines(table), me::lines(table), ways::lines(table)].into_iter().flatten().collect()
}
