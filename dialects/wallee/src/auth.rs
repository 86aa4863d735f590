//! Sign-in: a JWT per request, HS256, bound to method and raw path (dossier §2), and the `Space`
//! header that names the tenant.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use patron_app::{
    App, Caller,
    secrets::{hmac_sha256, same},
};
use patron_gateway::{BoxFuture, Claim, Exchange, dialect::Switch};
use patron_model::{Failure, Timestamp, Why};
use serde::Deserialize;
use serde_json::Value;

use crate::{NAME, table};

/// Seconds a token's time of issue may differ from ours; the space switch [`WINDOW_SWITCH`] of the
/// key's own space sets another number. The provider's window is not known (dossier §2).
const WINDOW_SECONDS: i64 = 300;
const WINDOW_SWITCH: &str = "token_window_seconds";
/// How old a token may be, as a space sets it.
pub const WINDOW: Switch = Switch {
    name: WINDOW_SWITCH,
    takes: "whole seconds, as a number or a text",
    accepts: |value| match value {
        Value::String(seconds) => seconds.trim().parse().is_ok_and(|seconds: i64| seconds >= 0),
        seconds => seconds.as_i64().is_some_and(|seconds| seconds >= 0),
    },
};
/// A time of issue beyond this is in milliseconds: seconds reach it in the year 33658.
const SECONDS_MAX: f64 = 1e12;

#[derive(Deserialize)]
struct Header {
    alg: String,
    ver: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: Value,
    iat: f64,
    request_path: String,
    request_method: String,
}

/// Who asks, and in which space.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let caller = sign_in(app, exchange).await?;
        let is_of_no_space = table::is_of_no_space(exchange.operation);
        let space = if is_of_no_space { 0 } else { space(&caller, exchange)? };
        Ok(Claim::new(caller, space))
    })
}

fn refused(reason: &'static str) -> Failure {
    Failure::Unauthenticated { reason }
}

/// The checks in the dossier's order (§2).
async fn sign_in(app: &Arc<App>, exchange: &Exchange) -> Result<Arc<Caller>, Failure> {
    let token = bearer(exchange).ok_or_else(|| refused("no bearer token"))?;
    let (signed, signature) =
        token.rsplit_once('.').ok_or_else(|| refused("not a token of three parts"))?;
    let (header, claims) = signed
        .split_once('.')
        .filter(|(_, claims)| !claims.contains('.'))
        .ok_or_else(|| refused("not a token of three parts"))?;
    let header: Header = part(header).ok_or_else(|| refused("unreadable token header"))?;
    if header.alg != "HS256" {
        return Err(refused("another algorithm than HS256"));
    }
    if header.ver.is_some_and(|version| version != 1) {
        return Err(refused("another token version than 1"));
    }
    let claims: Claims = part(claims).ok_or_else(|| refused("unreadable token claims"))?;
    let user = user(&claims.sub).ok_or_else(|| refused("sub is no user id"))?;
    let sent = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let signs = |caller: &Caller| {
        let expected = hmac_sha256(caller.signing_secret()?, signed.as_bytes());
        Ok(same(&expected, &sent))
    };
    // After a rotation the user has several keys, and each may sign.
    let callers = app.callers(NAME, &user).await?;
    exchange.claims(callers.number());
    let caller = callers.who(app, signs)?;
    let caller = caller.ok_or_else(|| refused("wrong signature"))?;
    if claims.request_method != exchange.method.as_str() {
        return Err(refused("token for another method"));
    }
    // Byte for byte: percent-encoding and the order of parameters are part of what was signed.
    if claims.request_path != exchange.target {
        return Err(refused("token for another path"));
    }
    if !is_fresh(claims.iat, exchange.now, window(&caller)) {
        return Err(refused("token issued too long ago or in the future"));
    }
    Ok(caller)
}

fn bearer(exchange: &Exchange) -> Option<&str> {
    let (scheme, token) = exchange.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn part<T: serde::de::DeserializeOwned>(encoded: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

/// The user id: a number from some SDKs, a string from others.
fn user(sub: &Value) -> Option<String> {
    let id = match sub {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    id.map(|id| id.to_string())
}

/// A value that cannot be read never loosens anything: it closes the window.
fn window(caller: &Caller) -> i64 {
    let space = caller.space(caller.key.space);
    let switch = space.and_then(|space| space.dialects.get(NAME)?.get(WINDOW_SWITCH));
    match switch {
        None | Some(Value::Null) => WINDOW_SECONDS,
        Some(Value::String(seconds)) => seconds.trim().parse().unwrap_or(0),
        Some(seconds) => seconds.as_i64().unwrap_or(0),
    }
}

fn is_fresh(issued: f64, now: Timestamp, window_seconds: i64) -> bool {
    let seconds = if issued > SECONDS_MAX { issued / 1_000.0 } else { issued };
    #[allow(clippy::cast_precision_loss, reason = "seconds are far below 2^53")]
    let (now, window) = (now.seconds() as f64, window_seconds as f64);
    (now - seconds).abs() <= window
}

/// The space the request is for: the caller's key must open it (dossier §2, scope headers).
fn space(caller: &Caller, exchange: &Exchange) -> Result<i64, Failure> {
    let sent = exchange.text_header("space")?.map(str::trim).unwrap_or_default();
    if sent.is_empty() {
        return Err(Failure::malformed("space", Why::Required));
    }
    let number: i64 = sent
        .parse()
        .map_err(|_| Failure::malformed("space", Why::WrongType { expected: "a whole number" }))?;
    caller.space(number).map(|space| space.number).ok_or(Failure::Forbidden)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_id_is_a_number_or_a_string_of_one() {
        assert_eq!(user(&json!(512)), Some("512".into()));
        assert_eq!(user(&json!("512")), Some("512".into()));
        for bad in [json!(1.5), json!("five"), json!(null), json!([512]), json!(true)] {
            assert_eq!(user(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_fresh_for_five_minutes_before_and_after() {
        let now = Timestamp::from_micros(1_767_323_045_000_000);
        for (issued, fresh) in [
            (1_767_323_045.0, true),
            (1_767_322_745.0, true),
            (1_767_322_744.0, false),
            (1_767_323_345.0, true),
            (1_767_323_346.0, false),
            (1_767_323_045_000.0, true),
            (1_767_322_744_000.0, false),
            (f64::NAN, false),
        ] {
            assert_eq!(is_fresh(issued, now, WINDOW_SECONDS), fresh, "{issued}");
        }
    }
}
