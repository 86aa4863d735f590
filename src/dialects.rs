//! The APIs this program serves. A new one is one line here and one dependency line in `Cargo.toml`.

use patron_gateway::Dialect;

/// Every API. Keys of a new space are made, and numbered, in this order.
pub static DIALECTS: &[&Dialect] = &[
    &patron_wallee::DIALECT,
    &patron_native::DIALECT,
    &patron_verifone::DIALECT,
    &patron_monri::DIALECT,
    &patron_payabli::DIALECT,
    &patron_notchpay::DIALECT,
];
