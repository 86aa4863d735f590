//! The wallee Web Service API v2.0, as `app-wallee.com`, PostFinance Checkout and their sister
//! brands expose it, over the common record.
//!
//! - [`operations`]: every operation that is served, one line each; [`table`] has all that the
//!   provider has.
//! - [`auth`]: the token bound to method and path, and the `Space` header.
//! - [`transport`]: what may be sent and accepted. [`errors`]: failures in the provider's shape.
//! - [`customers`], [`addresses`], [`comments`]: wire types, both conversions, handlers.
//!   [`input`] is how members of bodies are read.
//! - [`webhook_endpoints`]: URLs and listeners, what they are told, and who signs it.
//! - [`families`]: the catalogues, one line each; [`catalogues`] answers all of them.
//! - [`tables`]: the records that are tables, a few lines each; [`records`] answers all of them.
//! - [`query`] reads the search grammar, [`filters`] gives it types and evaluates it, [`lists`]
//!   holds parameters and envelopes of lists and searches.
//! - [`limits`]: what the official SDK refuses to read, and what is shown instead.

mod accounts;
mod addresses;
mod auth;
mod catalogues;
mod claimed;
mod comments;
mod credentials;
mod customers;
mod errors;
mod exports;
pub mod families;
mod filters;
mod input;
mod limits;
mod lists;
mod operations;
pub mod query;
mod records;
mod roles;
mod spaces;
mod table;
pub mod tables;
mod transport;
mod users;
mod webhook_endpoints;

use patron_gateway::{
    Credentials, Dialect, Door,
    dialect::{KeyRoles, exact},
};
use serde_json::{Value, json};

/// Word for this dialect.
pub const NAME: &str = "wallee";
/// Where it answers.
pub(crate) const MOUNT: &str = "/api/v2.0";

/// The dialect.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &[MOUNT],
        route: exact,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: |_| false,
        operations: operations::all,
        render: errors::render,
        finish: |_, _, _| {},
    },
    title: "wallee Web Service API v2.0",
    about: "Customers, addresses and comments as the Web Service API v2.0 has them, with its \
            searches and catalogues.",
    security,
    error_schema: |generator| generator.subschema_for::<errors::ErrorBody>(),
    error_media: "application/json",
    credentials: Credentials {
        roles: KeyRoles::INTEGRATION,
        keeps_user: true,
        sandbox: credentials::sandbox,
        switches: &[auth::WINDOW, webhook_endpoints::SIGNED],
        sandbox_switches: || Value::Null,
        mint: credentials::mint,
        show: credentials::show,
        sign: credentials::sign,
        examples: credentials::examples,
        sign_in: credentials::SIGN_IN,
    },
    customer: customers::SHAPE,
    webhooks: Some(&webhook_endpoints::NOTIFIER),
};

fn security() -> Value {
    json!({"jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "HS256 over sub, iat, requestPath and requestMethod, anew for each request.",
    }})
}
