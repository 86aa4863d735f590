//! Webhook URLs and the listeners that are told at them (dossier §10). Both are endpoints: a URL is
//! one that asks for nothing itself. Their handlers know which of the two a path is of; the other
//! one is not found there.

mod bulk;
mod entities;
mod handlers;
mod notify;
mod wire;

use patron_gateway::dialect::Switch;

pub use self::{
    bulk::{create_many, delete_many, update_many},
    handlers::{create, delete, encryption_key, list, retrieve, search, update},
    notify::NOTIFIER,
    wire::{WebhookListener, WebhookListenerIn, WebhookUrl, WebhookUrlIn},
};

/// Whether new listeners get signatures, as a space sets it.
pub const SIGNED: Switch = Switch {
    name: handlers::SIGNED_SWITCH,
    takes: "true or false: whether what new webhook listeners are told is signed",
    accepts: serde_json::Value::is_boolean,
};

/// What a path is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// URLs.
    Urls,
    /// Listeners.
    Listeners,
}

impl Of {
    /// The last part of the path of all of them.
    fn path(self) -> &'static str {
        match self {
            Of::Urls => "webhooks/urls",
            Of::Listeners => "webhooks/listeners",
        }
    }
}
