//! Reference data (dossier §8.1): channels, countries, currencies and banks.

pub mod data;
mod handlers;

pub use handlers::*;
