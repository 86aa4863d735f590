//! Who asks: the three schemes of merchants' servers and apps (dossier A.2). `WP3-v2.1` and
//! `Bearer` open every operation; `WP3-v2`, which does not bind the path, only what is sent with a
//! body, and only where the space switched it on.

mod borders;
pub mod digest;

use std::sync::Arc;

use patron_app::{App, Caller};
use patron_gateway::{BoxFuture, Claim, Exchange};
use patron_model::{Failure, Permissions, Timestamp, space::Space};

use self::digest::Signed;
use crate::{NAME, settings, tokens};

/// Timestamps from here on are milliseconds: in seconds this is the year 5138.
const MILLIS_FROM: u64 = 100_000_000_000;

/// What an `Authorization` header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authorization<'a> {
    /// `WP3-v2.1` or `WP3-v2`.
    Digest { binds_path: bool, authenticity_token: &'a str, timestamp: &'a str, digest: &'a str },
    /// `Bearer`.
    Bearer { token: &'a str },
}

/// Finds the merchant who signed the request, or for whom the token was made.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(sign_in(app, exchange))
}

/// Whether the request is signed by a digest, which covers the body.
pub fn covers_body(exchange: &Exchange) -> bool {
    match exchange.header("authorization").and_then(parse) {
        Some(Authorization::Digest { .. }) => true,
        Some(Authorization::Bearer { .. }) | None => false,
    }
}

async fn sign_in(app: &App, exchange: &Exchange) -> Result<Claim, Failure> {
    let header = exchange.header("authorization").ok_or_else(|| refused("no authorization"))?;
    let authorization = parse(header).ok_or_else(|| refused("unreadable authorization"))?;
    let (caller, carried) = match authorization {
        Authorization::Bearer { token } => by_token(app, exchange, token).await?,
        Authorization::Digest { binds_path, authenticity_token, timestamp, digest } => {
            let parts = borders::Parts {
                binds_path,
                timestamp,
                authenticity_token,
                method: &exchange.method,
                target: &exchange.target,
                body: &exchange.body,
            };
            borders::check(&parts)?;
            let caller = app.caller(NAME, authenticity_token).await?;
            exchange.claims(caller.key.number);
            check_digest(&caller, &parts, digest)?;
            check_space(caller.home()?, &parts, exchange.now)?;
            (caller, Permissions::ALL)
        }
    };
    let space = caller.home()?.number;
    Ok(Claim::new(caller, space).cut(carried))
}

fn refused(reason: &'static str) -> Failure {
    Failure::Unauthenticated { reason }
}

/// Parts are separated by exactly one blank; the name of a scheme has no case (RFC 9110 §11.1).
fn parse(header: &str) -> Option<Authorization<'_>> {
    let parts: Vec<&str> = header.split(' ').collect();
    match parts[..] {
        [scheme, token] if scheme.eq_ignore_ascii_case("Bearer") => {
            Some(Authorization::Bearer { token })
        }
        [scheme, authenticity_token, timestamp, digest] => {
            let binds_path = scheme.eq_ignore_ascii_case("WP3-v2.1");
            let is_known = binds_path || scheme.eq_ignore_ascii_case("WP3-v2");
            let is_whole = !authenticity_token.is_empty() && !timestamp.is_empty();
            (is_known && is_whole).then_some(Authorization::Digest {
                binds_path,
                authenticity_token,
                timestamp,
                digest,
            })
        }
        _ => None,
    }
}

fn check_digest(caller: &Caller, parts: &borders::Parts<'_>, digest: &str) -> Result<(), Failure> {
    let signed = Signed {
        merchant_key: caller.signing_secret()?,
        timestamp: parts.timestamp,
        authenticity_token: parts.authenticity_token,
        body: parts.body,
    };
    let computed =
        if parts.binds_path { signed.with_path(parts.target) } else { signed.without_path() };
    if digest::is_same(digest, &computed) { Ok(()) } else { Err(refused("wrong digest")) }
}

/// What a space does not accept unless it is switched on: the scheme that does not bind the path,
/// and times far from now.
fn check_space(space: &Space, parts: &borders::Parts<'_>, now: Timestamp) -> Result<(), Failure> {
    if !parts.binds_path && !settings::allows_unbound_path(space) {
        return Err(refused("the space refuses WP3-v2"));
    }
    let Some(window) = settings::timestamp_window_seconds(space) else { return Ok(()) };
    let is_near = seconds_of(parts.timestamp)
        .is_some_and(|seconds| seconds.abs_diff(now.seconds()) <= window);
    if is_near { Ok(()) } else { Err(refused("a timestamp outside the window")) }
}

/// A time in seconds, sent in seconds or milliseconds.
fn seconds_of(timestamp: &str) -> Option<i64> {
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let sent: u64 = timestamp.parse().ok()?;
    i64::try_from(if sent >= MILLIS_FROM { sent / 1_000 } else { sent }).ok()
}

/// The key a token was made for must still be good; the token's scopes cut what it may do.
async fn by_token(
    app: &App,
    exchange: &Exchange,
    token: &str,
) -> Result<(Arc<Caller>, Permissions), Failure> {
    let claims = tokens::read(app, token, exchange.now)?;
    let caller = app.caller(NAME, &claims.sub).await?;
    let carried = claims.scopes.iter().map(|scope| scope.permissions());
    Ok((caller, carried.fold(Permissions::NONE, Permissions::or)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_three_schemes_and_nothing_else() {
        let bearer = Authorization::Bearer { token: "a.b.c" };
        assert_eq!(parse("Bearer a.b.c"), Some(bearer));
        assert_eq!(parse("bearer a.b.c"), Some(bearer));
        let digest = |binds_path| Authorization::Digest {
            binds_path,
            authenticity_token: "token",
            timestamp: "1",
            digest: "00",
        };
        assert_eq!(parse("WP3-v2.1 token 1 00"), Some(digest(true)));
        assert_eq!(parse("WP3-v2 token 1 00"), Some(digest(false)));
        for bad in [
            "",
            "Bearer",
            "Bearer a b",
            "WP3-v2.1 token 1",
            "WP3-v2.1  token 1 00",
            "WP3-v2.1 token 1 00 ",
            "WP3-v2-Client token",
            "WP3-v3 token 1 00",
            "Basic token 1 00",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
