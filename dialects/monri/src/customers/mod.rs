//! Customers (dossier B): what comes in, what goes out, and the calls in between.

mod handlers;
pub mod read;
mod shape;
pub mod show;

pub use handlers::*;
pub use shape::SHAPE;
