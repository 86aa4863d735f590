//! Notch Pay's API over the common record: customers, their payment methods, and reference data.
//!
//! - [`operations`]: every operation, one line each. [`auth`]: keys, grants, sandbox or live.
//! - [`envelope`]: the shape of answers and lists. [`errors`]: failures in the provider's words.
//! - [`customers`]: handlers; [`customer_body`] what comes in, [`customer`] what goes out.
//! - [`addresses`], [`phones`], [`ids`]: the parts of a customer that are translated.
//! - [`payment_methods`]: what a customer may pay with. [`resources`]: channels, countries,
//!   currencies, banks, from the files of [`catalogue`].
//! - [`lists`]: pages and filters. [`answers`]: shapes for the description.
//! - [`input`]: JSON and form bodies, and query parameters.
//!
//! What is exact, what was assumed and what is missing stands in the README of this folder.

pub mod addresses;
pub mod answers;
pub mod auth;
pub mod catalogue;
pub mod customer;
pub mod customer_body;
pub mod customers;
pub mod envelope;
pub mod errors;
pub mod ids;
pub mod input;
pub mod lists;
pub mod operations;
pub mod payment_methods;
pub mod phones;
pub mod resources;

use std::borrow::Cow;

use patron_gateway::Dialect;

/// Name of the dialect, of its keys and of its switches.
pub const NAME: &str = "notchpay";

/// The dialect.
pub static DIALECT: Dialect = Dialect {
    name: NAME,
    title: "Notch Pay",
    mounts: &["/customers", "/channels", "/countries", "/currencies", "/resources"],
    route,
    authenticate: auth::authenticate,
    claimed: auth::claimed,
    covers_body: |_| false,
    operations: operations::all,
    render: errors::render,
    finish: envelope::finish,
    security: auth::security,
    error_schema: |generator| generator.subschema_for::<errors::ErrorBody>(),
    error_media: "application/json",
    credentials: auth::CREDENTIALS,
};

/// Slashes at the end do not matter: an official plugin sends one (dossier §1).
fn route(path: &str) -> Cow<'_, str> {
    match path.trim_end_matches('/') {
        "" => Cow::Borrowed("/"),
        trimmed => Cow::Borrowed(trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::route;

    #[test]
    fn slashes_at_the_end_do_not_matter() {
        assert_eq!(route("/customers/"), "/customers");
        assert_eq!(route("/customers/a/block//"), "/customers/a/block");
        assert_eq!(route("/"), "/");
    }
}
