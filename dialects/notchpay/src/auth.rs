//! Who asks (dossier §2): the public key, raw, in `Authorization`; the private key of the same
//! pair in `X-Grant`. A grant that is sent must be right. Without one the public rights of the key
//! decide (the provider lets a public key do everything with customers, and so does the sandbox):
//! `full`, `create`, or `none`. Public keys stand in browsers and apps, so they are kept as a hash.

use std::sync::Arc;

use patron_app::{Actor, App, Caller, Cx, journal, keys, secrets::sha256_hex};
use patron_gateway::{BoxFuture, Claim, Exchange, Request};
use patron_model::{
    Failure, Noun, Permission, Permissions,
    customer::Customer,
    space::{Key, PublicRights},
};
use serde_json::{Value, json};

use crate::{NAME, credentials::SANDBOX_PUBLIC, route};

/// No key was sent.
pub const NO_KEY: &str = "no key";
/// The grant is not the private key of the pair.
pub const WRONG_GRANT: &str = "wrong grant key";

/// Headers a public key comes in, the present one first.
const KEY_HEADERS: [&str; 2] = ["authorization", "n-authorization"];
/// Headers a private key comes in, the present one first.
const GRANT_HEADERS: [&str; 2] = ["x-grant", "grant-authorization"];
/// Header that names a connected account.
const SYNC_HEADER: &str = "x-sync";
/// Longest key that is looked up.
const KEY_CHARS_MAX: usize = 200;
/// What the handle of a test key begins with; [`is_test_key`] knows it too.
const TEST_MARK: &str = "test.";
/// Hexadecimal digits of SHA-256.
const HASH_CHARS: usize = 64;

/// Finds the holder of the public key and checks the grant, if one was sent.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let key = public_key(exchange).ok_or(Failure::Unauthenticated { reason: NO_KEY })?;
        if key.len() > KEY_CHARS_MAX {
            return Err(Failure::Unauthenticated { reason: "not a key" });
        }
        let caller = app.caller(NAME, &handle_of(key)).await?;
        exchange.claims(caller.key.number);
        check_grant(&caller, exchange)?;
        let rights = if has_grant(exchange) {
            Permissions::ALL
        } else {
            alone(caller.key.public_rights, exchange)
        };
        // Connected accounts are not kept here, so every named one is unknown.
        if sent(exchange, SYNC_HEADER).is_some() {
            return Err(Failure::NotFound { noun: Noun::Account });
        }
        let space = caller.home()?.number;
        Ok(Claim::new(caller, space).cut(rights))
    })
}

/// The public key: raw, or with the scheme `Bearer`. A header that is no text is an unknown key.
pub fn public_key(exchange: &Exchange) -> Option<&str> {
    let value = KEY_HEADERS.iter().find_map(|name| sent(exchange, name))?;
    let bare = match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => value,
    };
    // A blank header or a scheme without a key is no key at all.
    (!bare.is_empty() && !bare.eq_ignore_ascii_case("bearer")).then_some(bare)
}

/// A header that is not blank; one that is no text counts as an unknown value.
fn sent<'a>(exchange: &'a Exchange, name: &str) -> Option<&'a str> {
    let value = exchange.headers.get(name)?;
    let text = value.to_str().unwrap_or("?").trim();
    (!text.is_empty()).then_some(text)
}

fn check_grant(caller: &Caller, exchange: &Exchange) -> Result<(), Failure> {
    for name in GRANT_HEADERS {
        if let Some(grant) = sent(exchange, name)
            && !caller.has_secret(grant)
        {
            return Err(Failure::Unauthenticated { reason: WRONG_GRANT });
        }
    }
    Ok(())
}

/// Whether a grant was sent. Once sign-in is over it is a right one.
pub fn has_grant(exchange: &Exchange) -> bool {
    GRANT_HEADERS.iter().any(|name| sent(exchange, name).is_some())
}

/// Whether a public key came alone.
pub fn lacks_grant(exchange: &Exchange) -> bool {
    public_key(exchange).is_some() && !has_grant(exchange)
}

/// What a public key may do with a request that comes without a grant.
fn alone(rights: PublicRights, exchange: &Exchange) -> Permissions {
    match rights {
        PublicRights::Full => Permissions::ALL,
        PublicRights::None => Permissions::NONE,
        PublicRights::Create => {
            let path = route(exchange.path());
            let segments: Vec<&str> = path.split('/').collect();
            match (exchange.method.as_str(), &segments[..]) {
                ("POST", ["", "customers"]) => Permissions::of(&[Permission::CustomerWrite]),
                // Its own only: [`check_own`].
                ("GET", ["", "customers", _]) => Permissions::of(&[Permission::CustomerRead]),
                _ => Permissions::NONE,
            }
        }
    }
}

/// Lets a public key without a grant read what it made itself; unless it may do everything.
///
/// # Errors
/// `NotFound`, as for what never was.
pub(crate) async fn check_own(request: &Request, customer: i64) -> Result<(), Failure> {
    let Actor::Caller(caller) = &request.cx.actor else { return Ok(()) };
    if caller.key.public_rights == PublicRights::Full || has_grant(request) {
        return Ok(());
    }
    let maker = journal::maker::<Customer>(&request.cx, customer).await?;
    let is_own = maker == request.cx.actor_name();
    if is_own { Ok(()) } else { Err(Failure::NotFound { noun: Noun::Customer }) }
}

/// How a public key is kept: enough to recognise it, and whether it is a test key.
pub fn handle_of(key: &str) -> String {
    let mark = if is_test_key(key) { TEST_MARK } else { "" };
    format!("{mark}{}", sha256_hex(key))
}

/// Keys that an earlier version kept with their public half in clear get the handle they have now,
/// and the journal forgets the clear one. The sandbox's key may do alone what it always could.
/// Answers how many there were.
///
/// # Errors
/// Whatever the store says.
pub async fn hide_public_keys(app: &Arc<App>) -> Result<usize, Failure> {
    keys::renew(&app.operator(0, "hide public keys"), NAME, hidden).await
}

/// A key as it is kept now; none when it is.
fn hidden(key: &Key) -> Option<Key> {
    let hash = key.handle.strip_prefix(TEST_MARK).unwrap_or(&key.handle);
    if hash.len() == HASH_CHARS && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let is_sandbox = key.handle == SANDBOX_PUBLIC;
    let public_rights = if is_sandbox { PublicRights::Full } else { key.public_rights };
    Some(Key { handle: handle_of(&key.handle), public_rights, ..key.clone() })
}

/// Whether a request works with test data: its key says so.
pub fn is_sandbox(cx: &Cx) -> bool {
    match &cx.actor {
        Actor::Caller(caller) => is_test_key(&caller.key.handle),
        Actor::Operator | Actor::Person(_) | Actor::Anonymous => false,
    }
}

/// Whether a public key is one of the sandbox: `sb.…`, or `test` as a word of its own.
pub fn is_test_key(key: &str) -> bool {
    key.starts_with("sb.") || key.split(['.', '_', '-']).any(|word| word == "test")
}

/// Security schemes of the description.
pub fn security() -> Value {
    json!({
        "publicKey": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The public key, without a scheme. `Bearer` is accepted as well.",
        },
        "grant": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Grant",
            "description": "The private key of the pair. Without it the public rights of the key \
                            decide: full, create (and read what it created) or none.",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(header: &'static str, value: &str) -> Option<String> {
        let now = patron_model::Timestamp::from_micros(0);
        let mut exchange = Exchange::new(http::Method::GET, "/customers", now);
        exchange.headers.insert(header, value.parse().expect("a header value"));
        public_key(&exchange).map(str::to_owned)
    }

    #[test]
    fn reads_the_key_raw_and_with_a_scheme() {
        assert_eq!(key_of("authorization", "pk.a").as_deref(), Some("pk.a"));
        assert_eq!(key_of("authorization", "Bearer pk.a").as_deref(), Some("pk.a"));
        assert_eq!(key_of("authorization", "bearer  pk.a").as_deref(), Some("pk.a"));
        assert_eq!(key_of("n-authorization", "pk.a").as_deref(), Some("pk.a"));
        assert_eq!(key_of("authorization", "  "), None);
        assert_eq!(key_of("authorization", "Bearer "), None);
        assert_eq!(key_of("x-other", "pk.a"), None);
    }

    #[test]
    fn knows_test_keys() {
        for test in ["sb.x", "pk_test.x", "test_x", "pk_test_x", SANDBOX_PUBLIC] {
            assert!(is_test_key(test), "{test}");
        }
        assert!(is_test_key(&handle_of(SANDBOX_PUBLIC)));
        assert!(!is_test_key(&handle_of("pk.x")));
        for live in ["pk.x", "b.x", "pk_live_x", "pk.testing", "live_x"] {
            assert!(!is_test_key(live), "{live}");
        }
    }
}
