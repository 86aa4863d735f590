//! The Verifone eCommerce Customer API, version 2.
//!
//! Five operations on one resource, at the full mount `/oidc/customer-service/v2/customer` and at
//! the short `/v2/customer`, and the token endpoint of the sign-in host. Create answers 200, update
//! is a `POST`, delete answers 204, a list is a bare array and needs an RSQL `search`.
//!
//! - [`operations`]: every operation. [`auth`]: Basic and Bearer; [`tokens`]: where bearers come
//!   from; [`credentials`]: how keys are made and shown.
//! - [`spaces`]: which spaces stand behind an `entity_id`.
//! - [`customers`]: the bodies, the two conversions, create, read, update, delete; [`limits`]: what
//!   their fields may hold.
//! - [`lists`]: list and search; [`query`]: the grammar; [`filters`]: from grammar to question.
//! - [`errors`]: failures in Verifone's shape, and in OAuth's on the token endpoint.

mod auth;
mod claimed;
mod credentials;
mod customers;
mod errors;
mod filters;
mod limits;
mod lists;
mod operations;
pub mod query;
mod spaces;
mod tokens;

use patron_gateway::{
    Dialect, Door,
    dialect::{Credentials, KeyRoles, exact},
};

/// Name of the dialect; also the word for its keys, switches and extras.
pub(crate) const NAME: &str = "verifone";

/// The Verifone Customer API.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &[
            "/oidc/customer-service",
            "/v2/customer",
            "/oauth2/realms/root/realms/VerifoneServices",
        ],
        route: exact,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: |_| false,
        operations: operations::all,
        render: errors::render,
        finish: errors::finish,
    },
    title: "Verifone Customer API v2",
    about: "Customers as the eCommerce Customer API has them, with its RSQL searches.",
    security: auth::security,
    error_schema: |generator| generator.subschema_for::<errors::ErrorBody>(),
    error_media: "application/json",
    credentials: Credentials {
        roles: KeyRoles::INTEGRATION,
        keeps_user: true,
        sandbox: credentials::sandbox,
        switches: &spaces::SWITCHES,
        sandbox_switches: || serde_json::Value::Null,
        mint: credentials::mint,
        show: credentials::show,
        sign: credentials::sign,
        examples: credentials::examples,
        sign_in: credentials::SIGN_IN,
    },
    customer: customers::SHAPE,
    webhooks: None,
};
