//! Customers of a paypoint (dossier §4): one, many, and as files.

pub mod consent;
pub mod exports;
pub mod fields;
mod handlers;
pub mod identifiers;
pub mod imports;
pub mod read;
mod shape;
pub mod show;
pub mod statistics;

pub use handlers::*;
pub use shape::SHAPE;
