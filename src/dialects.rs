//! The APIs this program serves. A new one is one line here and one dependency line in `Cargo.toml`.

use patron_gateway::Dialect;

/// Every API. Keys of a new space are made in this order.
pub static DIALECTS: &[&Dialect] = &[&patron_native::DIALECT];
