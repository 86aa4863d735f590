//! Where so much was guessed at a password that none from unknown browsers is looked at any more,
//! its person gets a link by mail: the browser in which it is opened becomes a known one, with a
//! budget of its own, and signs in there as always. So whoever guesses locks nobody out.
//!
//! It is mailed after the attempt was answered, so that neither the answer nor its time tells who
//! exists, and once while a link is good: nobody can use the mails up.

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::Failure;

use super::{
    flows::{self, Link, Purpose},
    guard, in_use, logins, plain, told,
};
use crate::{
    Actor, Cx,
    mails::{self, Message, To, Transport},
};

/// Mails a link to a person for whom no password from unknown browsers is looked at. Where too much
/// is asked for at a time, the next attempt asks again.
pub(super) fn ask(cx: &Cx, user: i64) {
    let place = Arc::clone(&cx.app.sign_in.asked.0).try_acquire_owned();
    let Ok(place) = place else { return };
    // What the request holds is not held any longer than it.
    let cx = Cx { work: None, seen: None, ..plain(cx) };
    tokio::spawn(async move {
        match mail_to(&cx, user).await {
            // One was mailed a moment ago.
            Ok(()) | Err(Failure::TooMany { .. }) => {}
            Err(failure) => {
                tracing::warn!(failure = failure.name(), "a link for a browser was not mailed");
            }
        }
        drop(place);
    });
}

async fn mail_to(cx: &Cx, user: i64) -> Result<(), Failure> {
    if cx.app.mail_transport() == Transport::Nowhere {
        return Ok(());
    }
    cx.write(|mut draft| async {
        let Some(login) = logins::load(cx, user).await? else { return Ok((draft, ())) };
        let is_wanted = login.password_at.is_some()
            && guard::is_closed(cx, user).await?
            && flows::known(cx, user, Purpose::Approval).await?.is_none();
        if let Some((user, _)) = in_use(&cx.app, user).await?.filter(|_| is_wanted) {
            draft.assert(&login);
            let about = (user.number, Purpose::Approval);
            let Link { token, until } = flows::begin(cx, &mut draft, about, false).await?;
            let message = Message::Approval { token, until };
            mails::queue(cx, &mut draft, To::person(&user), message).await?;
            draft.tell(told("sign_in.approval_asked", &user));
        }
        Ok((draft, ()))
    })
    .await
}

/// Makes the browser a known one that opened such a link; what makes it so is answered.
///
/// # Errors
/// `Invalid` for a link that is not good.
#[async_recursion]
pub async fn approve(cx: &Cx, token: &str, browser: Option<&str>) -> Result<String, Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let flow = flows::live(cx, Purpose::Approval, token, browser).await?;
        let (user, _) = in_use(&cx.app, flow.user).await?.ok_or_else(flows::not_good)?;
        let login = logins::load(cx, user.number).await?.ok_or_else(flows::not_good)?;
        let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
        draft.assert(&login);
        // Taken once: whoever takes it at the same moment ends it before this.
        draft.remove(&flow);
        draft.tell(told("sign_in.approved", &user));
        Ok((draft, guard::device(cx, &login)))
    })
    .await
}
