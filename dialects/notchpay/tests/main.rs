//! Tests over HTTP against the real router, one module per part of the dossier.

mod addresses;
mod authentication;
mod blocking;
mod coverage;
mod customers;
mod failures;
mod golden;
mod lists;
mod other_apis;
mod payment_methods;
mod place;
mod public_keys;
mod resources;
