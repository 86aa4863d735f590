//! Notifications (dossier §5.6). Those with the method `web` are endpoints that are told; the
//! others are kept and shown: Patron sends no mails, messages or reports for them.

mod handlers;
mod notify;
mod wire;

pub use self::{
    handlers::{add, delete, get, update},
    notify::NOTIFIER,
    wire::{NotificationBody, NotificationRecord},
};
