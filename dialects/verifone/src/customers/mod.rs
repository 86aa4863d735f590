//! Customers (dossier §5, §6): the wire form, both conversions, handlers, and what is searched.

pub(crate) mod fields;
mod handlers;
pub(crate) mod read;
pub(crate) mod show;
pub(crate) mod wire;

pub(crate) use handlers::*;
