//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_app::secrets::sha256_hex;
use patron_gateway::Exchange;
use serde_json::Value;

/// The hash of a request token, the holder of an access token, or the client id sent to the token
/// endpoint.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    if let Some((_, token)) = exchange.header("authorization").and_then(|v| v.split_once(' ')) {
        let content = URL_SAFE_NO_PAD.decode(token.trim().split('.').next()?).ok()?;
        let content: Value = serde_json::from_slice(&content).ok()?;
        return content["sub"].as_str().map(str::to_owned);
    }
    match exchange.header("requesttoken").map(str::trim) {
        Some(token) if !token.is_empty() => Some(sha256_hex(token)),
        _ => {
            let body: Value = serde_json::from_slice(&exchange.body).ok()?;
            body["clientId"].as_str().map(str::to_ascii_lowercase)
        }
    }
}
