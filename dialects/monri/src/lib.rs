//! Monri WebPay API v2: the customers API, over the common record.
//!
//! Read in this order:
//! - [`operations`]: every call, one line each.
//! - [`auth`]: three ways to sign in; beside it what two of them sign, and why nothing else has the
//!   same signature. [`tokens`]: what the third carries, and where it comes from.
//! - [`customers`] and [`payment_methods`]: wire shapes, conversions, handlers. [`lists`] is how
//!   lists are cut, [`limits`] how long Monri's fields are.
//! - [`webhook_endpoints`]: what endpoints are told of saved cards.
//! - [`errors`]: a failure as Monri says it.
//! - [`settings`]: what a space can switch. [`credentials`]: how keys look.
//!
//! What is exact, what is assumed and what is missing stands in this crate's `README.md`. "Dossier"
//! in comments is the description of Monri's API that this crate was built from.

mod auth;
mod claimed;
mod credentials;
mod customers;
mod errors;
mod limits;
mod lists;
mod operations;
mod payment_methods;
mod settings;
mod tokens;
mod webhook_endpoints;

pub use auth::digest;

use patron_gateway::{Dialect, Door, Exchange, Reply, dialect::exact, limits::QuotaState};
use serde_json::{Value, json};

/// The word for this API and its keys.
pub const NAME: &str = "monri";

/// The API.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &["/v2/customers", "/v2/merchants", "/v2/oauth"],
        route: exact,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: auth::covers_body,
        operations: operations::all,
        render: errors::render,
        finish,
    },
    title: "Monri",
    about: "Customers and their payment methods as the Customers API has them.",
    security,
    error_schema: |generator| generator.subschema_for::<errors::ErrorBody>(),
    error_media: "application/json",
    credentials: credentials::CREDENTIALS,
    customer: customers::SHAPE,
    webhooks: Some(&webhook_endpoints::NOTIFIER),
};

/// Nothing beyond what every answer of every API carries.
fn finish(_: &mut Reply, _: &Exchange, _: Option<QuotaState>) {}

fn security() -> Value {
    let with_path = "WP3-v2.1 <authenticity_token> <timestamp> <digest>; the digest is SHA-512, \
                     in hexadecimal, of merchant key, timestamp, authenticity token, path with \
                     query as sent, and body. Only POST has a body, a JSON object; a { in path or \
                     query is sent as %7B; the timestamp, in seconds or milliseconds, is at most \
                     300 seconds from now unless the space says otherwise. The method is not \
                     signed.";
    let without_path = "WP3-v2 <authenticity_token> <timestamp> <digest>; the same without the \
                        path. Only for requests with a body, and refused unless the space switched \
                        it on.";
    json!({
        "WP3-v2.1": {
            "type": "apiKey", "in": "header", "name": "Authorization", "description": with_path,
        },
        "WP3-v2": {
            "type": "apiKey", "in": "header", "name": "Authorization", "description": without_path,
        },
        "Bearer": {"type": "http", "scheme": "bearer", "description": "A token of POST /v2/oauth."},
    })
}
