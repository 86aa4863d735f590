//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_gateway::{Exchange, decode::Params};
use serde_json::Value;

use crate::auth::pair;

/// The user of Basic credentials or of a token; at the token endpoint also the form's client.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    let in_header = exchange.header("authorization").and_then(|header| {
        let (scheme, rest) = header.trim().split_once(' ')?;
        if scheme.eq_ignore_ascii_case("basic") {
            return pair(rest.trim()).map(|(user, _)| user);
        }
        let claims = URL_SAFE_NO_PAD.decode(rest.trim().split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        claims["sub"].as_str().map(str::to_owned)
    });
    in_header.or_else(|| {
        let form = Params::parse(&String::from_utf8_lossy(&exchange.body));
        form.get("client_id").map(str::to_owned)
    })
}
