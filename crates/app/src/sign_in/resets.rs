//! Another password for who forgot it, by a link that is mailed. Asking for one is answered before
//! anything is looked at, so the answer tells nobody who exists: neither by what it is nor by how
//! long it takes.

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure,
    email::Email,
    event::UserEvent,
    user::{User, UserState},
};
use tokio::sync::Semaphore;

use super::{
    flows::{self, Link, Purpose},
    guard, in_use, invitations, logins,
    passwords::{self, personal},
    plain, told,
};
use crate::{
    Actor, Cx, Id,
    commit::Draft,
    mails::{self, Message, To, Transport},
    record::{self, Loaded, Look},
};

/// Requests that are worked on at a time; further ones are answered 503.
const ASKED_MAX: usize = 64;

/// Room for requests that were answered and are still worked on.
pub(crate) struct Asked(pub(super) Arc<Semaphore>);

impl Default for Asked {
    fn default() -> Asked {
        Asked(Arc::new(Semaphore::new(ASKED_MAX)))
    }
}

/// Mails a link to whoever has an address and a password, if anybody does. It is worked on after
/// this has answered.
///
/// # Errors
/// `Unavailable` when too many asked.
pub fn ask(cx: &Cx, email: &str, account: Option<i64>) -> Result<(), Failure> {
    let full = |_| Failure::Unavailable { retry_after_seconds: 1 };
    let place = Arc::clone(&cx.app.sign_in.asked.0).try_acquire_owned().map_err(full)?;
    // What the request holds is not held any longer than it.
    let cx = Cx { work: None, seen: None, ..plain(cx) };
    let email = Email::parse(email).map(|email| email.key()).ok();
    tokio::spawn(async move {
        let done = match &email {
            Some(address) => mail_to(&cx, address, account).await,
            None => Ok(()),
        };
        match done {
            // One was mailed a moment ago.
            Ok(()) | Err(Failure::TooMany { .. }) => {}
            Err(failure) => {
                tracing::warn!(failure = failure.name(), "a link for a password was not mailed");
            }
        }
        drop(place);
    });
    Ok(())
}

async fn mail_to(cx: &Cx, address: &str, account: Option<i64>) -> Result<(), Failure> {
    if cx.app.mail_transport() == Transport::Nowhere {
        return Ok(());
    }
    cx.write(|mut draft| async {
        let login = logins::by_address(cx, address, account).await?;
        // Whoever signs in by other means only gets no password by this.
        let login = login.filter(|login| login.password_at.is_some());
        let Some(login) = login else { return Ok((draft, ())) };
        if let Some((user, _)) = in_use(&cx.app, login.number).await? {
            draft.assert(&login);
            mail(cx, &mut draft, &user).await?;
        }
        Ok((draft, ()))
    })
    .await
}

/// Notes that a link is mailed.
async fn mail(cx: &Cx, draft: &mut Draft<'_>, user: &User) -> Result<(), Failure> {
    let about = (user.number, Purpose::PasswordReset);
    let Link { token, until } = flows::begin(cx, draft, about, false).await?;
    mails::queue(cx, draft, To::person(user), Message::PasswordReset { token, until }).await?;
    draft.tell(told("password.reset_asked", user));
    Ok(())
}

/// Mails a link to a person who asked somebody for help.
///
/// # Errors
/// `NotFound`, `Forbidden`; `WrongState` where no mails are sent, or for who does not sign in yet;
/// `TooMany` when one was mailed a moment ago.
#[async_recursion]
pub async fn send(cx: &Cx, id: Id) -> Result<(), Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let user = invitations::to_help(cx, id).await?;
        if cx.app.mail_transport() == Transport::Nowhere {
            let (is, needs) = ("a server that sends no mails", "mail.transport in its settings");
            return Err(Failure::WrongState { is, needs });
        }
        let login = logins::load(cx, user.number).await?;
        let is_in_use = in_use(&cx.app, user.number).await?.is_some();
        let Some(login) = login.filter(|login| login.is_usable() && is_in_use) else {
            let (is, needs) = ("a person who does not sign in", "one who does, or an invitation");
            return Err(Failure::WrongState { is, needs });
        };
        draft.assert(&login);
        draft.assert(&user);
        mail(cx, &mut draft, &user).await?;
        Ok((draft, ()))
    })
    .await
}

/// Sets another password by a link. All sessions end; what makes the browser a known device is
/// answered, so that its person gets in whoever guessed at the password.
///
/// # Errors
/// `Invalid` for a link that is not good, or a password that is refused.
#[async_recursion]
pub async fn reset(
    cx: &Cx,
    token: &str,
    browser: Option<&str>,
    password: &str,
) -> Result<String, Failure> {
    let cx = &plain(cx);
    passwords::bounded("password", password)?;
    let flow = flows::live(cx, Purpose::PasswordReset, token, browser).await?;
    let (user, _) = in_use(&cx.app, flow.user).await?.ok_or_else(flows::not_good)?;
    let least = passwords::chars_min(cx, user.number).await?;
    passwords::check(&cx.app, password, &personal(&user), least).await?;
    let hashed = passwords::hashed(&cx.app, password).await?;
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    cx.write(|mut draft| async {
        let flow = flows::live(cx, Purpose::PasswordReset, token, browser).await?;
        in_use(&cx.app, flow.user).await?.ok_or_else(flows::not_good)?;
        let before: Loaded<User> = record::load(cx, Look::at(Id::Number(flow.user))).await?;
        // Taken once: whoever takes it at the same moment ends it before this.
        draft.assert(&flow);
        if before.email_verified_at.is_none() {
            let after = before.verified(UserState::Active, cx.now);
            draft.replace(&before, &after, UserEvent::Updated, &["email_verified_at"])?;
        }
        let login = passwords::replace(cx, &mut draft, &before, &hashed, None).await?;
        Ok((draft, guard::device(cx, &login)))
    })
    .await
}
