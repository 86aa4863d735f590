//! Bearer keys: `Authorization: Bearer patron_…`. A key opens its own space; one for a whole account
//! opens another of its spaces when the request names it in `Patron-Space`.

use std::sync::Arc;

use patron_app::{App, secrets::sha256_hex};
use patron_gateway::{BoxFuture, Claim, Exchange};
use patron_model::{Failure, Why};
use serde_json::{Value, json};

/// Header that names another space of the key's account.
const SPACE_HEADER: &str = "patron-space";

/// Who asks, and in which space.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let missing = Failure::Unauthenticated { reason: "no bearer key" };
        let header = exchange.header("authorization").ok_or(missing)?;
        let not_bearer = Failure::Unauthenticated { reason: "not a bearer key" };
        let (scheme, token) = header.split_once(' ').ok_or(not_bearer.clone())?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(not_bearer);
        }
        let token = token.trim();
        let hash = sha256_hex(token);
        let caller = app.caller("native", &hash).await?;
        if !caller.has_secret_hash(&hash) {
            return Err(Failure::Unauthenticated { reason: "wrong secret" });
        }
        let space = match exchange.text_header(SPACE_HEADER)? {
            None => caller.home()?.number,
            Some(text) => {
                let wrong = Why::WrongType { expected: "the number of a space" };
                let number: i64 =
                    text.trim().parse().map_err(|_| Failure::malformed("Patron-Space", wrong))?;
                caller.space(number).ok_or(Failure::Forbidden)?.number
            }
        };
        Ok(Claim::new(caller, space))
    })
}

/// OpenAPI security scheme.
pub fn security() -> Value {
    json!({"bearer": {"type": "http", "scheme": "bearer", "description": "An API key of Patron."}})
}
