//! The Payabli dialect: customers of a paypoint over the common record.
//!
//! - [`operations`]: every operation on one page. [`auth`]: who asks, entry points, keys.
//! - [`customers`]: what comes in as a change of the record, what goes out, which customer a
//!   request means, files in and out. [`payment_methods`] are shown with them.
//! - [`webhook_endpoints`]: notifications, which the engine of all webhooks sends.
//! - [`query`], [`filters`]: the list grammar. [`lists`]: many at once.
//! - [`envelopes`] and [`errors`]: the shapes around every answer.
//!
//! Three rules shape it. An entry point is the alias of a space, and a key may open several: so a
//! customer that is named by its number alone is looked for in all of them. A value that a client
//! sends back as it was shown changes nothing, because several are shown in another form than they
//! are kept (names, phone, time zone). And whatever is wrong is a 400: the SDKs retry a 409.

mod auth;
mod claimed;
mod credentials;
mod customers;
mod envelopes;
mod errors;
mod filters;
mod lists;
mod operations;
mod payment_methods;
mod query;
mod settings;
mod spaces;
mod tokens;
mod webhook_endpoints;

use std::borrow::Cow;

use patron_gateway::{
    Credentials, Dialect, Door, Exchange, Reply, dialect::KeyRoles, limits::QuotaState,
};
use serde_json::{Value, json};

/// Name of the dialect; also the word for its keys and for its own fields on the record.
pub const NAME: &str = "payabli";

/// The Payabli API over the common record.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &["/api"],
        route,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: |_| false,
        operations: operations::all,
        render: errors::render,
        finish,
    },
    title: "Payabli",
    about: "Customers of an entry point, their lists, exports and imports; notifications.",
    security,
    error_schema: errors::schema,
    error_media: "application/json",
    credentials: Credentials {
        roles: KeyRoles::INTEGRATION,
        keeps_user: false,
        sandbox: credentials::sandbox,
        switches: &settings::SWITCHES,
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

/// Paths match in any case and with or without trailing slash (dossier §1).
fn route(path: &str) -> Cow<'_, str> {
    let bare = match path.trim_end_matches('/') {
        "" => "/",
        bare => bare,
    };
    if bare.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(bare.to_ascii_lowercase())
    } else {
        Cow::Borrowed(bare)
    }
}

/// Nothing beyond what every answer of every API carries.
fn finish(_: &mut Reply, _: &Exchange, _: Option<QuotaState>) {}

fn security() -> Value {
    json!({
        "requestToken": {"type": "apiKey", "in": "header", "name": "requestToken"},
        "bearer": {"type": "http", "scheme": "bearer"},
    })
}
