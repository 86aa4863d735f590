//! The Monri dialect over HTTP: every test talks to a server of its own.

mod coverage;
mod customers;
mod errors;
mod golden;
mod lists;
mod merchant;
mod oauth;
mod payment_methods;
mod sdk;
mod shown;
mod signing;
mod vectors;
