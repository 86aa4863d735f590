//! Customers (dossier §8): what comes in, what goes out, and the handlers of `/customers`.

pub mod addresses;
mod handlers;
pub mod phones;
pub mod read;
mod shape;
pub mod show;

pub use handlers::*;
pub use shape::SHAPE;
