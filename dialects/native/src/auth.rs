//! Bearer keys: `Authorization: Bearer patron_…`. A key opens its own space; one for a whole account
//! opens another of its spaces when the request names it in `Patron-Space`.

use std::sync::Arc;

use patron_app::{
    App,
    secrets::sha256_hex,
    sign_in::{NO_TOKEN, Shown},
};
use patron_gateway::{
    BoxFuture, Claim, Exchange,
    browsers::{self, Cookies},
};
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
        let Some(header) = exchange.header("authorization") else {
            let token = Cookies::of(app.sign_in_options()).session(exchange).ok_or(missing)?;
            return person(app, exchange, token).await;
        };
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
        let space = match named_space(exchange)? {
            None => caller.home()?.number,
            Some(number) => caller.space(number).ok_or(Failure::Forbidden)?.number,
        };
        Ok(Claim::new(caller, space))
    })
}

/// The space that a request names.
fn named_space(exchange: &Exchange) -> Result<Option<i64>, Failure> {
    let Some(text) = exchange.text_header(SPACE_HEADER)? else { return Ok(None) };
    let wrong = Why::WrongType { expected: "the number of a space" };
    let number = text.trim().parse().map_err(|_| Failure::malformed("Patron-Space", wrong))?;
    Ok(Some(number))
}

/// The person of a session.
async fn person(app: &Arc<App>, exchange: &Exchange, token: &str) -> Result<Claim, Failure> {
    browsers::only_from_here(exchange, app.sign_in_options())?;
    let none = Failure::Unauthenticated { reason: NO_TOKEN };
    let csrf = exchange.header("patron-csrf").ok_or(none)?;
    let space = named_space(exchange)?;
    let caller = app.person(Shown { token, csrf: Some(csrf), space }).await?;
    Ok(match space {
        Some(space) => Claim::new(caller, space),
        None => Claim::unplaced(caller, "Patron-Space"),
    })
}

/// OpenAPI security scheme.
pub fn security() -> Value {
    let session = "The session of a person who signed in; with Patron-CSRF, from a page of the \
                   server. On this machine itself its name is patron.";
    json!({
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of Patron."},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-patron",
            "description": session},
    })
}
