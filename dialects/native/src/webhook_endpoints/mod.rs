//! Webhook endpoints: `/v1/webhook-endpoints`, and what they are told.

mod handlers;
mod read;
mod show;
mod wire;

pub use show::telling;

pub use handlers::{create, delete, end_secret, get, list, rotate, secrets, test, update};
pub use wire::{EndpointIn, EndpointOut, SecretIn, SecretOut};
