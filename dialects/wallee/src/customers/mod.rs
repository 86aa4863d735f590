//! Customers (dossier §6.2): one, many at once, and what is searched.

pub mod bulk;
pub mod fields;
mod handlers;
pub mod read;
mod shape;
pub mod show;

pub use handlers::*;
pub use shape::SHAPE;
