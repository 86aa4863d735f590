//! What a request has to bring: a session, and with a form the token of that session, from a page
//! of this server.

use std::sync::Arc;

use patron_app::{App, sign_in::Shown};
use patron_gateway::{
    BoxFuture, Claim, Exchange,
    browsers::{Cookies, FROM_ELSEWHERE},
    decode,
};
use patron_model::{Failure, Noun};

/// The field of a form that holds the token of the session.
pub const TOKEN: &str = "_token";
/// Why somebody is asked to sign in.
const NO_SESSION: &str = "no session";

/// Who asks, in the space of the path.
pub fn authenticate<'a>(
    app: &'a Arc<App>,
    exchange: &'a Exchange,
) -> BoxFuture<'a, Result<Claim, Failure>> {
    Box::pin(async move {
        let cookies = Cookies::of(app.sign_in_options());
        let none = Failure::Unauthenticated { reason: NO_SESSION };
        let token = cookies.session(exchange).ok_or(none)?;
        let csrf = match exchange.method.is_safe() {
            true => None,
            false => {
                from_here(exchange, app)?;
                let form = decode::form(&exchange.body)?;
                Some(form.get(TOKEN).unwrap_or_default().to_owned())
            }
        };
        let space = match exchange.param("space") {
            "" => None,
            sent => Some(sent.parse().map_err(|_| Failure::NotFound { noun: Noun::Space })?),
        };
        let caller = app.person(Shown { token, csrf: csrf.as_deref(), space }).await?;
        Ok(match space {
            Some(space) => Claim::new(caller, space),
            None => Claim::unplaced(caller, "space"),
        })
    })
}

/// Lets in forms of pages of this server: by where they come from, and by what the browser says of
/// that where it does.
///
/// # Errors
/// `Unauthenticated`.
pub fn from_here(exchange: &Exchange, app: &App) -> Result<(), Failure> {
    let sent = exchange.header("origin").unwrap_or_default();
    // Behind another name for this server, the name that the browser asked for counts.
    let authority = sent.split_once("://").map_or("", |(_, authority)| authority);
    let is_asked_for = !authority.is_empty() && exchange.header("host") == Some(authority);
    let is_own = sent == app.sign_in_options().origin() || is_asked_for;
    let is_same = exchange.header("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let refused = Failure::Unauthenticated { reason: FROM_ELSEWHERE };
    if is_own && is_same { Ok(()) } else { Err(refused) }
}
