//! Webhook endpoints: `/v1/webhook-endpoints`, and what they are told.

mod handlers;
pub mod keys;
mod notify;
mod read;
pub mod replays;
pub mod types;
mod wire;

pub use notify::NOTIFIER;

pub use handlers::{create, delete, end_secret, get, list, rotate, secrets, test, update};
pub use keys::{KeyIn as WebhookKeyIn, KeyOut as WebhookKeyOut};
pub use replays::{ReplayIn, ReplayOut};
pub use types::EventTypeOut;
pub use wire::{EndpointIn, EndpointOut, SecretIn, SecretOut};
