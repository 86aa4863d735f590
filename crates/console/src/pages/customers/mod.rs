//! Customers: the list, a new one, one of them now and then, and what hangs on it.

mod addresses;
mod beside;
mod create;
mod edit;
mod list;
mod past;
mod record;
mod seen;
mod timeline;

use patron_gateway::Operation;
use patron_model::Permission::{CustomerPast, CustomerRead, CustomerWrite};

use crate::operations::Table;

/// The lines.
#[rustfmt::skip]
pub fn lines(table: &Table) -> Vec<Operation> {
    const ALL: &str = "/console/s/{space}/customers";
    const ASK: &str = "/console/s/{space}/customers/ask";
    const NEW: &str = "/console/s/{space}/customers/new";
    const ONE: &str = "/console/s/{space}/customers/{id}";
    const EDIT: &str = "/console/s/{space}/customers/{id}/edit";
    const DELETE: &str = "/console/s/{space}/customers/{id}/delete";
    const RESTORE: &str = "/console/s/{space}/customers/{id}/restore";
    const SEEN: &str = "/console/s/{space}/customers/{id}/seen";
    const TIMELINE: &str = "/console/s/{space}/customers/{id}/timeline";
    vec![
        table.page(ALL, "console_customers", "Customers", list::list).needs(CustomerRead),
        table.deed(ASK, "console_ask_customers", "Ask for customers", list::ask)
            .does("list_customers"),
        table.page(NEW, "console_new_customer", "A new customer", create::form)
            .needs(CustomerWrite),
        table.deed(NEW, "console_create_customer", "Create a customer", create::create)
            .does("create_customer"),
        table.page(ONE, "console_customer", "A customer", record::record).needs(CustomerRead),
        table.deed(EDIT, "console_edit_customer", "Change a customer", edit::edit)
            .does("update_customer"),
        table.deed(DELETE, "console_delete_customer", "Delete a customer", edit::delete)
            .does("delete_customer"),
        table.deed(RESTORE, "console_restore_customer", "Restore a customer", edit::restore)
            .does("restore_customer"),
        table.page(SEEN, "console_customer_seen", "A customer as every API shows it", seen::seen)
            .needs(CustomerRead),
        table.page(TIMELINE, "console_customer_timeline", "What happened to a customer",
            timeline::timeline).needs(CustomerPast),
    ]
    .into_iter()
    .chain(addresses::lines(table))
    .chain(beside::lines(table))
    .chain(past::lines(table))
    .collect()
}
