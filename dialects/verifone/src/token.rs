//! The token endpoint (dossier §3.2): client credentials for a JWT of our own.
//!
//! The token names its user and key; who may do what is looked up anew on every use, so a revoked
//! key refuses its tokens too. Claims as the 3DS specification wants them: `entity_id`, `sub`,
//! `roles`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_app::{App, Caller};
use patron_gateway::{Exchange, Reply, Request, decode::Params};
use patron_model::{Failure, Timestamp, Why};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{auth, entities, wire::TokenShown};

/// Seconds a token lasts.
const TOKEN_SECONDS: i64 = 3_600;
/// Most characters of the scopes asked for.
const SCOPE_CHARS_MAX: usize = 1_000;
/// Most bytes of a token that is looked at.
const TOKEN_BYTES_MAX: usize = 8_192;
/// What the signature is for.
const PURPOSE: &str = "verifone bearer";
/// The header of every token.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// What a token says.
#[derive(Serialize, Deserialize)]
struct Claims {
    /// User id.
    sub: String,
    /// Organisation of the user.
    entity_id: String,
    /// What the user may do.
    roles: Vec<String>,
    /// Scopes asked for.
    scope: String,
    /// The key it was got with.
    key: Uuid,
    /// Issued, in seconds.
    iat: i64,
    /// Lapses, in seconds.
    exp: i64,
}

/// `POST …/access_token`.
pub(crate) async fn issue(request: Request) -> Result<Reply, Failure> {
    if !request.is_form() {
        let supported = "application/x-www-form-urlencoded";
        return Err(Failure::UnsupportedMediaType { supported });
    }
    let form = Params::parse(&String::from_utf8_lossy(&request.body));
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            let why = Why::NotOneOf { allowed: "client_credentials" };
            return Err(Failure::malformed("grant_type", why));
        }
        None => return Err(Failure::malformed("grant_type", Why::Required)),
    }
    let scope = form.get("scope").unwrap_or_default();
    if scope.chars().count() > SCOPE_CHARS_MAX || !scope.bytes().all(is_scope_byte) {
        let expected = "scopes of printable ASCII, separated by blanks";
        return Err(Failure::malformed("scope", Why::Malformed { expected }));
    }
    let (user, key) = client(&request.exchange, &form)?;
    let caller = auth::by_key(&request.cx.app, &user, &key).await?;
    let access_token = signed(&request.cx.app, &caller, scope, request.now)?;
    let scope = scope.to_owned();
    let shown = TokenShown { access_token, scope, token_type: "Bearer", expires_in: TOKEN_SECONDS };
    Reply::json(200, &shown)
}

/// RFC 6749 appendix A.4, and the blank between scopes.
fn is_scope_byte(byte: u8) -> bool {
    (0x20..=0x7E).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Id and secret of the client: from the form or, as OAuth also allows, from a Basic header.
fn client(exchange: &Exchange, form: &Params) -> Result<(String, String), Failure> {
    let header = exchange.header("authorization").and_then(|header| {
        let (scheme, rest) = header.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then(|| auth::pair(rest.trim())).flatten()
    });
    if let Some(pair) = header {
        return Ok(pair);
    }
    let field = |name: &str| match form.get(name) {
        Some(value) if !value.is_empty() => Ok(value.to_owned()),
        _ => Err(Failure::malformed(name, Why::Required)),
    };
    Ok((field("client_id")?, field("client_secret")?))
}

fn signed(app: &App, caller: &Caller, scope: &str, now: Timestamp) -> Result<String, Failure> {
    let home = caller.space(caller.key.space).or(caller.spaces.first());
    let claims = Claims {
        sub: caller.key.handle.clone(),
        entity_id: home.map(|space| entities::shown(space)).unwrap_or_default(),
        roles: vec![caller.key.role.as_str().to_owned()],
        scope: scope.to_owned(),
        key: caller.key.uuid,
        iat: now.seconds(),
        exp: now.seconds() + TOKEN_SECONDS,
    };
    let payload = serde_json::to_vec(&claims).map_err(Failure::internal)?;
    let text = format!("{}.{}", BASE64URL.encode(HEADER), BASE64URL.encode(payload));
    let signature = app.secrets.sign(PURPOSE, &text);
    Ok(format!("{text}.{signature}"))
}

/// The holder of a token.
///
/// # Errors
/// `Unauthenticated` for a token that is not ours, was altered, has lapsed, or whose key is
/// revoked.
pub(crate) async fn accept(app: &App, token: &str, now: Timestamp) -> Result<Arc<Caller>, Failure> {
    let refused = |reason| Failure::Unauthenticated { reason };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(refused("a token that is too long"));
    }
    let (text, signature) = token.rsplit_once('.').ok_or(refused("not a token"))?;
    if !app.secrets.is_signed(PURPOSE, text, signature) {
        return Err(refused("a token that is not ours"));
    }
    let (_, payload) = text.split_once('.').ok_or(refused("not a token"))?;
    let payload = BASE64URL.decode(payload).map_err(|_| refused("not a token"))?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| refused("not a token"))?;
    if claims.exp <= now.seconds() {
        return Err(refused("a token that has lapsed"));
    }
    let caller = app.caller(crate::NAME, &claims.sub).await?;
    if caller.key.uuid == claims.key { Ok(caller) } else { Err(refused("a token of another key")) }
}
