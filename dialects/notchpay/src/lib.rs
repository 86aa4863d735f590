//! Notch Pay's API over the common record: customers, their payment methods, and reference data.
//!
//! - [`operations`]: every operation, one line each. [`auth`]: keys, grants, sandbox or live.
//! - [`envelopes`]: the shape of answers and lists. [`errors`]: failures in the provider's words.
//! - [`customers`]: what comes in, what goes out, handlers. [`ids`]: how records are named.
//! - [`payment_methods`]: what a customer may pay with. [`catalogues`]: channels, countries,
//!   currencies, banks.
//! - [`webhook_endpoints`]: who is told what happened, and how. [`js`]: JSON as JavaScript writes
//!   it.
//! - [`lists`]: pages and filters.
//! - [`input`]: JSON and form bodies, and query parameters.
//!
//! What is exact, what was assumed and what is missing stands in the README of this folder.

pub mod auth;
mod catalogues;
mod claimed;
mod credentials;
mod customers;
mod envelopes;
mod errors;
pub mod ids;
mod input;
mod js;
mod lists;
mod operations;
mod payment_methods;
mod webhook_endpoints;

use std::borrow::Cow;

use patron_gateway::{Dialect, Door};

/// Name of the dialect, of its keys and of its switches.
pub const NAME: &str = "notchpay";

/// The dialect.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &[
            "/customers",
            "/channels",
            "/countries",
            "/currencies",
            "/resources",
            "/webhooks",
        ],
        route,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: |_| false,
        operations: operations::all,
        render: errors::render,
        finish: envelopes::finish,
    },
    title: "Notch Pay",
    about: "Customers and their payment methods.",
    security: auth::security,
    error_schema: |generator| generator.subschema_for::<errors::ErrorBody>(),
    error_media: "application/json",
    credentials: credentials::CREDENTIALS,
    customer: customers::SHAPE,
    webhooks: Some(&webhook_endpoints::NOTIFIER),
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
