//! Tests of the dialect over HTTP, on the real router and a real store.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod auth;
mod coverage;
mod customers;
mod errors;
mod exports;
mod filters;
mod golden;
mod identifiers;
mod lists;
mod place;
mod webhook_endpoints;
