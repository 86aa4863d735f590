//! Who asks (dossier §2): a request token or an access token, and the entry point they ask at.
//!
//! A request token is recognised by its SHA-256, which is the key's public handle; it is also the
//! client id of the OAuth grant, with the request token as the client secret.

use std::sync::Arc;

use patron_app::{App, Caller, secrets::sha256_hex};
use patron_gateway::{BoxFuture, Claim, Exchange};
use patron_model::{Failure, Noun, Permissions, space::Space};

use crate::{NAME, tokens};

/// Hexadecimal digits of an entry point (dossier §2.2: 10 or 11).
const ENTRY_DIGITS: usize = 11;

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
            let hash = sha256_hex(token);
            Ok((by_secret(app, exchange, &hash, &hash).await?, Permissions::ALL))
        }
    }
}

/// The holder of a key by its handle and the hash of its secret.
pub async fn by_secret(
    app: &Arc<App>,
    exchange: &Exchange,
    handle: &str,
    hash: &str,
) -> Result<Arc<Caller>, Failure> {
    let caller = app.caller(NAME, handle).await?;
    exchange.claims(caller.key.number);
    if caller.has_secret_hash(hash) {
        Ok(caller)
    } else {
        Err(Failure::Unauthenticated { reason: "wrong secret" })
    }
}
