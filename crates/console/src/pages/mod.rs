//! The pages, one module per noun.

mod customers;
mod developers;
mod doors;
mod home;
mod links;
mod operations;
mod spaces;

use patron_gateway::Operation;

use crate::{assets, operations::Table};

/// Every page and deed.
pub fn all(table: &Table) -> Vec<Operation> {
    let files = vec![
        table
            .page(
                "/console/assets/{file}",
                "console_asset",
                "Style sheet, script, icons",
                assets::get,
            )
            .public(),
    ];
    [
        files,
        doors::lines(table),
        home::lines(table),
        links::lines(table),
        spaces::lines(table),
        customers::lines(table),
        developers::lines(table),
        operations::lines(table),
    ]
    .into_iter()
    .flatten()
    .collect()
}
