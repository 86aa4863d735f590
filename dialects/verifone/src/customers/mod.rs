//! Customers (dossier §5, §6): the wire form, both conversions, handlers, and what is searched.

pub mod fields;
mod handlers;
pub mod read;
mod shape;
pub mod show;
pub mod wire;

pub use handlers::*;
pub use shape::SHAPE;
