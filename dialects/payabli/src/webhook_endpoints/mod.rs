//! Notifications (dossier §5.6). Those with the method `web` are endpoints that are told; the
//! others are kept and shown: Patron sends no mails, messages or reports for them. [`logs`]: what
//! became of what was told.

mod handlers;
pub mod logs;
mod notify;
mod wire;

pub use self::{
    handlers::{add, delete, get, report, update},
    notify::NOTIFIER,
    wire::{NotificationBody, NotificationRecord},
};
