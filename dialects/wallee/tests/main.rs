//! The wallee dialect over HTTP, on the real router and a store of its own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on must fail loudly")]

mod addresses;
mod auth;
mod bulk;
mod catalogues;
mod comments;
mod coverage;
mod customers;
mod errors;
mod filters;
mod golden;
mod lists;
mod place;
mod places;
mod records;
mod sdk;
mod translation;
mod transport;
mod users;
mod webhook_endpoints;
