//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_gateway::Exchange;
use serde_json::Value;

/// The user id in the token's claims.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    let (_, token) = exchange.header("authorization")?.split_once(' ')?;
    let claims = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    match &claims["sub"] {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
