//! Bearer keys: `Authorization: Bearer patron_…`. A key opens its own space; one for a whole account
//! opens another of its spaces when the request names it in `Patron-Space`.

use std::sync::Arc;

use patron_app::{App, keys::NewSecret, secrets::sha256_hex};
use patron_gateway::{
    BoxFuture, Claim, Exchange, Minted, SignRequest,
    dialect::{Example, Shown, random_token},
};
use patron_model::{Failure, Why};
use serde_json::{Value, json};

/// Header that names another space of the key's account.
const SPACE_HEADER: &str = "patron-space";
/// The sandbox's key: well known, of no use anywhere else.
const SANDBOX_KEY: &str = "patron_sandbox_0123456789abcdef0123456789abcdef";

/// Who asks, and in which space.
pub(crate) fn authenticate<'a>(
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
pub(crate) fn security() -> Value {
    json!({"bearer": {"type": "http", "scheme": "bearer", "description": "An API key of Patron."}})
}

fn minted(token: String) -> Minted {
    let handle = Some(sha256_hex(&token));
    Minted { handle, secret: NewSecret::Bearer(token.clone()), shown: token }
}

/// The sandbox's key.
pub(crate) fn sandbox() -> Minted {
    minted(SANDBOX_KEY.to_owned())
}

/// A random key.
pub(crate) fn mint() -> Minted {
    minted(random_token("patron_", 24))
}

/// The credentials as they are shown.
pub(crate) fn show(shown: &Shown<'_>) -> Value {
    json!({"api_key": shown.secret})
}

/// Headers that authenticate a request.
pub(crate) fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["api_key"].as_str().unwrap_or_default();
    Ok(vec![("Authorization", format!("Bearer {key}"))])
}

/// Calls to try it out.
pub(crate) fn examples(_credentials: &Value) -> Vec<Example> {
    let body = json!({"given_name": "Ada", "family_name": "Lovelace", "email": "ada@example.com"});
    vec![
        Example {
            title: "create or update by your own reference, in one call",
            method: "PUT",
            target: "/v1/customers/by-reference/shop-1815".into(),
            body: Some(body.to_string()),
            signed: false,
        },
        Example {
            title: "search by the beginnings of words",
            method: "GET",
            target: "/v1/customers?q=ada&limit=5".into(),
            body: None,
            signed: false,
        },
        Example {
            title: "everything that happened",
            method: "GET",
            target: "/v1/events?after=0&limit=5".into(),
            body: None,
            signed: false,
        },
    ]
}
