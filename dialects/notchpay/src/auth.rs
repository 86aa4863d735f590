//! Who asks (dossier §2): the public key, raw, in `Authorization`; the private key of the same pair
//! in `X-Grant` where an operation is sensitive. Customers need no grant, but one that is sent must
//! be right.

use std::sync::Arc;

use patron_app::{Actor, App, Caller, Cx, keys::NewSecret};
use patron_gateway::{
    BoxFuture, Claim, Credentials, Exchange, Minted, SignRequest,
    dialect::{Example, KeyRoles, Shown, random_token},
};
use patron_model::{Failure, Noun};
use serde_json::{Value, json};

use crate::NAME;

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
/// Random bytes of a key's public and private half.
const PUBLIC_BYTES: usize = 16;
const PRIVATE_BYTES: usize = 24;

/// Keys of the sandbox: well known, worthless elsewhere.
const SANDBOX_PUBLIC: &str = "pk_test.patronsandbox000000000000000000";
const SANDBOX_PRIVATE: &str = "sk_test.patronsandbox000000000000000000";

/// How keys look.
pub const CREDENTIALS: Credentials = Credentials {
    roles: KeyRoles::INTEGRATION,
    keeps_user: false,
    sandbox,
    sandbox_switches: || Value::Null,
    mint,
    show,
    sign: sign_request,
    examples,
};

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
        let caller = app.caller(NAME, key).await?;
        exchange.claims(caller.key.number);
        check_grant(&caller, exchange)?;
        // Connected accounts are not kept here, so every named one is unknown.
        if sent(exchange, SYNC_HEADER).is_some() {
            return Err(Failure::NotFound { noun: Noun::Account });
        }
        let space = caller.home()?.number;
        Ok(Claim::new(caller, space))
    })
}

/// Which key a request claims to hold, for the audit trail of refusals: nothing is checked here.
pub fn claimed(exchange: &Exchange) -> Option<String> {
    public_key(exchange).map(str::to_owned)
}

/// The public key: raw, or with the scheme `Bearer`. A header that is no text is an unknown key.
fn public_key(exchange: &Exchange) -> Option<&str> {
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

/// Whether a request works with test data: its key says so.
pub fn is_sandbox(cx: &Cx) -> bool {
    match &cx.actor {
        Actor::Caller(caller) => is_test_key(&caller.key.handle),
        Actor::Operator | Actor::Anonymous => false,
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
    })
}

fn sandbox() -> Minted {
    Minted {
        handle: Some(SANDBOX_PUBLIC.to_owned()),
        secret: NewSecret::Bearer(SANDBOX_PRIVATE.to_owned()),
        shown: SANDBOX_PRIVATE.to_owned(),
    }
}

fn mint() -> Minted {
    let private = random_token("sk.", PRIVATE_BYTES);
    Minted {
        handle: Some(random_token("pk.", PUBLIC_BYTES)),
        secret: NewSecret::Bearer(private.clone()),
        shown: private,
    }
}

fn show(shown: &Shown<'_>) -> Value {
    json!({
        "base_url": shown.base_url,
        "public_key": shown.key.handle,
        "private_key": shown.secret,
    })
}

fn sign_request(request: &SignRequest<'_>) -> Result<Vec<(&'static str, String)>, Failure> {
    let key = request.credentials["public_key"].as_str();
    let key = key.ok_or_else(|| Failure::internal("the credentials have no public_key"))?;
    Ok(vec![("Authorization", key.to_owned())])
}

fn examples(_credentials: &Value) -> Vec<Example> {
    let create =
        json!({"name": "Awa Ndiaye", "email": "awa@example.org", "phone": "+237670000000"});
    let example = |title, method, target: &str, body: Option<Value>| Example {
        title,
        method,
        target: target.to_owned(),
        body: body.map(|body| body.to_string()),
        signed: false,
    };
    vec![
        example("Create a customer", "POST", "/customers", Some(create)),
        example("List customers", "GET", "/customers?limit=10", None),
        example("Search customers", "GET", "/customers?search=awa", None),
    ]
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
        for live in ["pk.x", "b.x", "pk_live_x", "pk.testing", "live_x"] {
            assert!(!is_test_key(live), "{live}");
        }
    }
}
