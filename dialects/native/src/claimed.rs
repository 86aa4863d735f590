//! Which key, or whose address, a request claims to hold, for the audit trail of refusals: nothing
//! is checked here.

use patron_app::{audit::refusals::ADDRESS_CLAIM, secrets::sha256_hex};
use patron_gateway::Exchange;
use patron_model::email::Email;

/// The public half of the bearer key, which is its hash; the address of somebody who signs in.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    let Some(header) = exchange.header("authorization") else { return address(exchange) };
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| sha256_hex(token))
}

/// The address in the body of a sign-in.
fn address(exchange: &Exchange) -> Option<String> {
    if !exchange.path().starts_with("/v1/sign-in/") {
        return None;
    }
    let body: serde_json::Value = serde_json::from_slice(&exchange.body).ok()?;
    let email = Email::parse(body.get("email")?.as_str()?).ok()?;
    Some([ADDRESS_CLAIM, &email.key()].concat())
}
