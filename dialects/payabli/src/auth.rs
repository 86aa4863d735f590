//! Who asks (dossier §2): a request token or an access token, and the entry point they ask at.
//!
//! A request token is recognised by its SHA-256, which is the key's public handle; it is also the
//! client id of the OAuth grant, with the request token as the client secret.

use std::sync::Arc;

use patron_app::{App, Caller, keys::NewSecret, secrets::sha256_hex};
use patron_gateway::{
    BoxFuture, Claim, Exchange, Minted, SignRequest,
    dialect::{Example, Shown, random_token},
};
use patron_model::{Failure, Noun, Permissions, space::Space};
use serde_json::{Value, json};

use crate::{NAME, tokens};

/// Hexadecimal digits of an entry point (dossier §2.2: 10 or 11).
const ENTRY_DIGITS: usize = 11;
/// The well-known request token of the sandbox.
const SANDBOX_TOKEN: &str = "o.patron-sandbox-payabli-request-token";
/// Random bytes of a request token.
const TOKEN_BYTES: usize = 32;

/// The entry point of a space: the last digits of its UUID.
pub fn entry_of(space: &Space) -> String {
    let digits = space.uuid.simple().to_string();
    digits[digits.len() - ENTRY_DIGITS..].to_owned()
}

/// Who asks, and in which space when the path names an entry point.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let (caller, carried) = identify(app, exchange).await?;
        let names_entry = exchange.params.iter().any(|(name, _)| *name == "entry");
        let space = if names_entry { space_of(&caller, exchange.param("entry"))? } else { 0 };
        Ok(Claim::new(caller, space).cut(carried))
    })
}

/// A space that answers at an entry point, among those the caller's key opens. Another's entry
/// point is as unknown as one that does not exist.
fn space_of(caller: &Caller, entry: &str) -> Result<i64, Failure> {
    let found = caller.spaces.iter().find(|space| entry_of(space).eq_ignore_ascii_case(entry));
    found.map(|space| space.number).ok_or(Failure::NotFound { noun: Noun::Space })
}

/// The holder of a token, and what the token carries.
async fn identify(
    app: &Arc<App>,
    exchange: &Exchange,
) -> Result<(Arc<Caller>, Permissions), Failure> {
    let authorization = exchange.header("authorization").and_then(|value| value.split_once(' '));
    if let Some((scheme, token)) = authorization
        && scheme.eq_ignore_ascii_case("bearer")
    {
        let content = tokens::read(app, token.trim(), exchange.now)?;
        let caller = app.caller(NAME, &content.sub).await?;
        return Ok((caller, content.permissions.unwrap_or(Permissions::ALL)));
    }
    match exchange.header("requesttoken").map(str::trim) {
        None | Some("") => Err(Failure::Unauthenticated { reason: "no token" }),
        Some(token) => {
            Ok((by_secret(app, exchange, &sha256_hex(token), token).await?, Permissions::ALL))
        }
    }
}

/// The holder of a key by handle and secret.
pub async fn by_secret(
    app: &Arc<App>,
    exchange: &Exchange,
    handle: &str,
    secret: &str,
) -> Result<Arc<Caller>, Failure> {
    let caller = app.caller(NAME, handle).await?;
    exchange.claims(caller.key.number);
    if caller.has_secret(secret) {
        Ok(caller)
    } else {
        Err(Failure::Unauthenticated { reason: "wrong secret" })
    }
}

/// The well-known key of the sandbox.
pub fn sandbox() -> Minted {
    minted(SANDBOX_TOKEN.to_owned())
}

/// A new random key.
pub fn mint() -> Minted {
    minted(random_token("o.", TOKEN_BYTES))
}

fn minted(token: String) -> Minted {
    Minted {
        handle: Some(sha256_hex(&token)),
        secret: NewSecret::Bearer(token.clone()),
        shown: token,
    }
}

/// How a key is shown.
pub fn show(shown: &Shown<'_>) -> Value {
    json!({
        "base_url": format!("{}/api", shown.base_url),
        "request_token": shown.secret,
        "entry": entry_of(shown.space),
        "org_id": shown.key.account,
        "client_id": shown.key.handle,
        "client_secret": shown.secret,
    })
}

/// The header that authenticates a request.
///
/// # Errors
/// `Malformed` when the credentials hold no request token.
pub fn sign(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let token = request.credentials["request_token"].as_str();
    let token =
        token.ok_or_else(|| Failure::malformed("request_token", patron_model::Why::Required))?;
    Ok(vec![("requesttoken", token.to_owned())])
}

/// Calls to try it out with.
pub fn examples(credentials: &Value) -> Vec<Example> {
    let entry = credentials["entry"].as_str().unwrap_or_default();
    let body = json!({
        "customerNumber": "M-2204", "firstname": "Noor", "lastname": "Haddad",
        "email": "noor@example.org", "phone": "(423) 555-0117", "address": "9 Mill St",
        "city": "Erwin", "state": "TN", "zip": "37650", "country": "US", "timeZone": -5,
        "additionalFields": {"segment": "retail"}, "identifierFields": ["email"],
    });
    let example = |title, method, target, body: Option<Value>| Example {
        title,
        method,
        target,
        body: body.map(|body| body.to_string()),
        signed: false,
    };
    vec![
        example("Add a customer", "POST", format!("/api/Customer/single/{entry}"), Some(body)),
        example("List customers", "GET", format!("/api/Query/customers/{entry}"), None),
        example(
            "Find customers by e-mail address",
            "GET",
            format!("/api/Query/customers/{entry}?email(ct)=example&sortBy=asc(lastname)"),
            None,
        ),
    ]
}
