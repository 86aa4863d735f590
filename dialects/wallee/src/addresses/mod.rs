//! Addresses of customers (dossier §6.3), and the address inside an address (§6.1).

mod handlers;
pub mod postal;

pub use handlers::*;
