//! What is about whoever looks at it: one's own page.

mod me;
mod ways;

use patron_gateway::Operation;

use crate::operations::Table;

/// The lines.
pub fn lines(table: &Table) -> Vec<Operation> {
    [me::lines(table), ways::lines(table)].into_iter().flatten().collect()
}
