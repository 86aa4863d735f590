//! The native API over HTTP, on the engine the run is for.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

mod admin;
mod audit_log;
mod auth;
mod bulk;
mod concurrency;
mod coverage;
mod customers;
mod errors;
mod events;
mod golden;
mod hanging;
mod idempotency;
mod keys;
mod links;
mod lists;
mod notices;
mod offboarding;
mod passkeys;
mod past;
mod place;
mod providers;
mod second_factor;
mod sign_in;
mod status;
mod users;
