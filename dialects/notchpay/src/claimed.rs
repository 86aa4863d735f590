//! Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.

use patron_gateway::Exchange;

use crate::auth::{handle_of, public_key};

/// Its handle.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    public_key(exchange).map(handle_of)
}
