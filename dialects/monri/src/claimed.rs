//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_gateway::Exchange;
use serde_json::Value;

/// The authenticity token of a digest, the one a bearer token was made for, or the client id sent
/// to the token endpoint.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    let Some(header) = exchange.header("authorization") else {
        let body: Value = serde_json::from_slice(&exchange.body).ok()?;
        return body["client_id"].as_str().map(str::to_owned);
    };
    let mut parts = header.split(' ');
    let (scheme, token) = (parts.next()?, parts.next()?);
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Some(token.to_owned());
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}
