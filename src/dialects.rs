//! The APIs this program serves. A new one is one line here and one dependency line in `Cargo.toml`.

use std::sync::Arc;

use patron_app::App;
use patron_gateway::Dialect;
use patron_model::Failure;

/// Every API. Keys of a new space are made, and numbered, in this order.
pub static DIALECTS: &[&Dialect] = &[
    &patron_wallee::DIALECT,
    &patron_native::DIALECT,
    &patron_verifone::DIALECT,
    &patron_monri::DIALECT,
    &patron_payabli::DIALECT,
    &patron_notchpay::DIALECT,
];

/// Brings what an earlier version kept for single APIs to the form of this one, and lets go of what
/// the database still holds of the old form. Idempotent; several nodes may do it at once.
///
/// # Errors
/// Whatever the store says.
pub async fn renew(app: &Arc<App>) -> Result<(), Failure> {
    let hidden = patron_notchpay::auth::hide_public_keys(app).await?;
    if hidden > 0 {
        tracing::info!(hidden, "{hidden} public keys that were kept in clear are now hashes");
        if let Err(error) = app.store.compact().await {
            tracing::warn!(error = %error, "the clear ones may still rest in unused pages");
        }
    }
    Ok(())
}
