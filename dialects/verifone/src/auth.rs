//! Who asks (dossier §3): `Basic` with user id and API key, or `Bearer` with a token of our own.

use std::sync::Arc;

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use patron_app::{App, Caller};
use patron_gateway::{BoxFuture, Claim, Exchange};
use patron_model::{Failure, Permissions};
use serde_json::{Value, json};

use crate::{NAME, tokens};

/// Base64 with or without padding: some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn refused(reason: &'static str) -> Failure {
    Failure::Unauthenticated { reason }
}

/// Who asks. Which space a request is for is said by its body or found with the record; until then
/// it is the key's own.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let header = exchange.header("authorization").ok_or(refused("no credentials"))?;
        let (scheme, rest) = header.trim().split_once(' ').ok_or(refused("no credentials"))?;
        let (caller, carried) = if scheme.eq_ignore_ascii_case("basic") {
            let (user, key) = pair(rest.trim()).ok_or(refused("unreadable Basic credentials"))?;
            (by_key(app, exchange, &user, &key).await?, Permissions::ALL)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            tokens::accept(app, rest.trim(), exchange.now).await?
        } else {
            return Err(refused("unknown scheme"));
        };
        let space = caller.space(caller.key.space).or(caller.spaces.first());
        let space = space.ok_or(Failure::Forbidden)?.number;
        Ok(Claim::new(caller, space).cut(carried))
    })
}

/// User and key of Basic credentials, split at the first colon. The user is an opaque text (§3.1).
pub fn pair(encoded: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    let (user, key) = text.split_once(':')?;
    Some((user.to_owned(), key.to_owned()))
}

/// The holder of an API key.
pub async fn by_key(
    app: &App,
    exchange: &Exchange,
    user: &str,
    key: &str,
) -> Result<Arc<Caller>, Failure> {
    // After a rotation the user has several keys, and each is good.
    let callers = app.callers(NAME, user).await?;
    exchange.claims(callers.number());
    let caller = callers.who(app, |caller| Ok(caller.has_secret(key)))?;
    caller.ok_or(refused("wrong API key"))
}

/// OpenAPI security schemes.
pub fn security() -> Value {
    json!({
        "BasicAuth": {"type": "http", "scheme": "basic", "description": "User id and API key."},
        "BearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_vector() {
        let encoded = "Nzc3YzMxYjMtYTg1Zi00ODIzLTkzYTUtOTA1NWQxYjpjR0VGRkxqWXVVQ3RtZXJYbGhUZkFkYV\
                       BwWVZuWERKWm1n";
        let (user, key) = pair(encoded).expect("a pair");
        assert_eq!(user, "777c31b3-a85f-4823-93a5-9055d1b");
        assert_eq!(user.len(), 31);
        assert_eq!(key, "cGEFFLjYuUCtmerXlhTfAdaPpYVnXDJZmg");
    }

    #[test]
    fn splits_at_the_first_colon_and_takes_any_padding() {
        assert_eq!(pair("dTphOmI="), Some(("u".into(), "a:b".into())));
        assert_eq!(pair("dTphOmI"), Some(("u".into(), "a:b".into())));
        assert_eq!(pair("dXNlcg=="), None, "no colon");
        assert_eq!(pair("!!"), None);
        assert_eq!(pair("/zo="), None, "not UTF-8");
    }
}
