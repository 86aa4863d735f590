//! Tests over HTTP against the real router, one module per part of the dossier.

mod addresses;
mod auth;
mod blocking;
mod catalogues;
mod coverage;
mod customers;
mod errors;
mod golden;
mod lists;
mod payment_methods;
mod place;
mod public_keys;
mod translation;
mod webhook_endpoints;
