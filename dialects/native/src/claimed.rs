//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use patron_app::secrets::sha256_hex;
use patron_gateway::Exchange;

/// The public half of the bearer key, which is its hash.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    let (scheme, token) = exchange.header("authorization")?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| sha256_hex(token))
}
