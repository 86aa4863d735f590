//! Webhook endpoints (dossier §9): managed with the private key, told in JSON that JavaScript would
//! write the same way, signed by the endpoint's own secret and by the private key.

mod handlers;
mod notify;
mod wire;

pub use self::{
    handlers::{create, delete, list, retrieve, update},
    notify::NOTIFIER,
    wire::{EndpointView, WebhookBody},
};

/// Prefix of the ids of endpoints.
const ENDPOINT: &str = "ep";
