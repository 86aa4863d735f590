//! Patron's own REST API under `/v1`. A dialect like the others, so the kit cannot favour it.
//!
//! Bearer keys; RFC 9457 problem documents; strong `ETag` and `If-Match`; JSON Merge Patch and JSON
//! Patch; `Idempotency-Key` on every write; cursor pages; `Prefer: dry-run`. Every operation stands
//! in [`operations`].

mod accounts;
mod addresses;
mod assignments;
pub mod audit_log;
mod auth;
mod claimed;
mod comments;
mod conditions;
mod credentials;
mod customers;
mod errors;
mod events;
mod filters;
mod held;
mod keys;
mod links;
mod lists;
mod mails;
mod me;
mod oidc;
mod operations;
mod passkeys;
mod payment_methods;
mod permissions;
mod providers;
mod roles;
mod second_factor;
mod sessions;
mod sign_in;
pub mod spaces;
mod statistics;
mod users;
mod webhook_deliveries;
mod webhook_endpoints;
mod words;

pub use accounts::AccountOut;
pub use assignments::AssignmentOut;
pub use customers::rows;
pub use errors::problems;
pub use permissions::PermissionOut;
pub use roles::RoleOut;
pub use webhook_deliveries::{AttemptOut, DeliveryOut};
pub use webhook_endpoints::{EndpointOut, ReplayOut};

use patron_gateway::{
    Dialect, Door,
    dialect::{Credentials, KeyRoles, exact},
};
use patron_model::permission::Role;

/// Word for this API, its keys and its webhook endpoints.
pub const NAME: &str = "native";

/// The native API.
pub static DIALECT: Dialect = Dialect {
    door: Door {
        name: NAME,
        mounts: &["/v1"],
        route: exact,
        authenticate: auth::authenticate,
        claimed: claimed::claimed,
        covers_body: |_| false,
        operations: operations::all,
        render: errors::render,
        finish: errors::finish,
    },
    title: "Patron REST API",
    about: "Patron's own API: JSON, one resource for each noun, versions and preconditions, \
            idempotency keys, cursor pages.",
    security: auth::security,
    error_schema: |generator| generator.subschema_for::<errors::ProblemDocument>(),
    error_media: "application/problem+json",
    credentials: Credentials {
        roles: KeyRoles { first: Role::Administrator, later: Role::ReadOnly },
        keeps_user: false,
        sandbox: credentials::sandbox,
        switches: &[],
        sandbox_switches: || serde_json::Value::Null,
        mint: credentials::mint,
        show: credentials::show,
        sign: credentials::sign,
        examples: credentials::examples,
        sign_in: credentials::SIGN_IN,
    },
    customer: customers::SHAPE,
    webhooks: Some(&webhook_endpoints::NOTIFIER),
};
