//! The dialect over HTTP: a real router, a real store.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

mod auth;
mod coverage;
mod customers;
mod errors;
mod golden;
mod lists;
mod place;
mod translation;
