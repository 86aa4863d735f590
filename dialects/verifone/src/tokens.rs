//! The token endpoint (dossier §3.2): client credentials for a JWT of our own.
//!
//! The token names its user and key and carries the scopes that were asked for, as far as the key
//! has them. What the key may do is looked up anew on every use, so a token never opens more than
//! its key, and a revoked key refuses its tokens too. Claims as the 3DS specification wants them:
//! `entity_id`, `sub`, `roles`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use patron_app::{App, Caller};
use patron_gateway::{Exchange, Faults, Reply, Request, decode, decode::Params};
use patron_model::{Failure, Permission, Permissions, Timestamp, Why};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{auth, customers::wire::TokenShown, spaces};

/// Seconds a token lasts.
const TOKEN_SECONDS: i64 = 3_600;
/// What can be asked for and what it carries. The provider hands scopes out to each client and
/// publishes no names, so these are ours; `openid` is what clients of OpenID servers always send.
const SCOPES: [(&str, Permissions); 4] = [
    ("openid", Permissions::NONE),
    ("customer", EVERYTHING),
    ("customer:read", Permissions::of(&[Permission::CustomerRead])),
    ("customer:write", Permissions::of(&[Permission::CustomerWrite])),
];
const SCOPE_WORDS: &str = "openid, customer, customer:read, customer:write";
/// What this API's operations need.
const EVERYTHING: Permissions =
    Permissions::of(&[Permission::CustomerRead, Permission::CustomerWrite]);
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
    /// Scopes it carries.
    scope: String,
    /// The key it was got with.
    key: Uuid,
    /// Issued, in seconds.
    iat: i64,
    /// Lapses, in seconds.
    exp: i64,
}

/// `POST …/access_token`.
pub async fn issue(request: Request) -> Result<Reply, Failure> {
    if !request.is_form() {
        let supported = "application/x-www-form-urlencoded";
        return Err(Failure::UnsupportedMediaType { supported });
    }
    let form = decode::form(&request.body)?;
    let mut faults = Faults::default();
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => faults.misread("grant_type", Why::NotOneOf { allowed: "client_credentials" }),
        None => faults.misread("grant_type", Why::Required),
    }
    let asked = form.get("scope").unwrap_or_default().trim();
    let unknown = Why::NotOneOf { allowed: SCOPE_WORDS };
    // A parameter without a value is as one that was left out (RFC 6749 §3.1).
    let wanted = if asked.is_empty() { Ok(EVERYTHING) } else { carried(asked).ok_or(unknown) };
    let wanted = faults.understood("scope", wanted).unwrap_or(EVERYTHING);
    faults.finish()?;
    let (user, key) = client(&request.exchange, &form)?;
    let caller = auth::by_key(&request.cx.app, &request, &user, &key).await?;
    caller.admit(request.client)?;
    let granted = wanted.and(caller.rights_in(0));
    if granted.is_empty() {
        let expected = "scopes of which the key has at least one";
        return Err(Failure::malformed("scope", Why::Malformed { expected }));
    }
    // Said in the words it was asked for where it is all of that, else in those of what is left.
    let words: Vec<&str> = granted.iter().map(Permission::as_str).collect();
    let is_whole = granted == wanted && !asked.is_empty();
    let scope = if is_whole { asked.to_owned() } else { words.join(" ") };
    let access_token = signed(&request.cx.app, &caller, &scope, request.now)?;
    let shown = TokenShown { access_token, scope, token_type: "Bearer", expires_in: TOKEN_SECONDS };
    Reply::json(200, &shown)
}

/// What scopes carry together; `None` when one is not known.
fn carried(scopes: &str) -> Option<Permissions> {
    let known = |word: &str| SCOPES.iter().find(|(known, _)| *known == word).map(|(_, set)| *set);
    scopes
        .split(' ')
        .filter(|word| !word.is_empty())
        .try_fold(Permissions::NONE, |all, word| known(word).map(|more| all.or(more)))
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
        entity_id: home.map(|space| spaces::shown(space)).unwrap_or_default(),
        roles: caller.roles.clone(),
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

/// The holder of a token, and what the token carries.
///
/// # Errors
/// `Unauthenticated` for a token that is not ours, was altered, has lapsed, or whose key is
/// revoked.
pub async fn accept(
    app: &App,
    token: &str,
    now: Timestamp,
) -> Result<(Arc<Caller>, Permissions), Failure> {
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
    // Tokens of an earlier version carry whatever was asked for.
    let carried = carried(&claims.scope).ok_or(refused("a token with unknown scopes"))?;
    let callers = app.callers(crate::NAME, &claims.sub).await?;
    let caller = callers.who(app, |caller| Ok(caller.key.uuid == claims.key))?;
    Ok((caller.ok_or(refused("a token of another key"))?, carried))
}
