//! The Monri dialect over HTTP: every test talks to a server of its own.

mod auth;
mod coverage;
mod customers;
mod errors;
mod golden;
mod lists;
mod payment_methods;
mod place;
mod sdk;
mod tokens;
mod translation;
mod vectors;
