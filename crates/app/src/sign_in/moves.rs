//! Another address for a person, confirmed by a link that is mailed to it. Only then does the
//! person sign in by it.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Patch, Why,
    email::Email,
    event::UserEvent,
    user::{PERSON_EMAIL_CHARS_MAX, User, UserPatch},
};

use super::{
    flows::{self, Link, Purpose},
    in_use, logins, plain, told,
};
use crate::{
    Actor, Caller, Cx, Id,
    keys::NewSecret,
    mails::{
        self, Message, To, Transport,
        notices::{self, Change},
    },
    record::{self, Loaded, Look},
    vault::{self, Opened},
};

/// Where the address of a person is kept that is to be confirmed.
fn place(user: i64) -> String {
    format!("person:{user}:new_address")
}

/// Mails a link to another address of the person who asks.
///
/// # Errors
/// `Invalid` for an address that is too long; `WrongState` where no mails are sent; `TooMany` when
/// one was mailed a moment ago; `Forbidden` for keys.
#[async_recursion]
pub async fn ask(cx: &Cx, caller: &Caller, email: &Email) -> Result<(), Failure> {
    let cx = &plain(cx);
    caller.person.as_ref().ok_or(Failure::Forbidden)?;
    let user = &caller.user;
    if email.as_str().chars().count() > PERSON_EMAIL_CHARS_MAX {
        let why = Why::TooLong { max: PERSON_EMAIL_CHARS_MAX };
        return Err(Failure::invalid("email", why));
    }
    if cx.app.mail_transport() == Transport::Nowhere {
        let (is, needs) = ("a server that sends no mails", "mail.transport in its settings");
        return Err(Failure::WrongState { is, needs });
    }
    cx.write(|mut draft| async {
        let about = (user.number, Purpose::NewAddress);
        let Link { token, until } = flows::begin(cx, &mut draft, about, true).await?;
        let kept = NewSecret::Signing(email.as_str().as_bytes().to_vec());
        vault::set(cx, &mut draft, place(user.number), &kept).await?;
        let to = To { account: user.account, user: user.number, address: email.as_str() };
        mails::queue(cx, &mut draft, to, Message::NewAddress { token, until }).await?;
        draft.tell(told("email.change_asked", user));
        Ok((draft, ()))
    })
    .await
}

/// Confirms an address: the person signs in by it from now on, and all sessions end.
///
/// # Errors
/// `Invalid` for a link that is not good; `Exists` when another person of the account has the
/// address.
#[async_recursion]
pub async fn confirm(cx: &Cx, token: &str, browser: Option<&str>) -> Result<(), Failure> {
    let cx = &plain(cx);
    let flow = flows::live(cx, Purpose::NewAddress, token, browser).await?;
    let cx = &Cx { actor: Actor::Person(flow.user), ..cx.clone() };
    cx.write(|mut draft| async {
        let flow = flows::live(cx, Purpose::NewAddress, token, browser).await?;
        in_use(&cx.app, flow.user).await?.ok_or_else(flows::not_good)?;
        let place = place(flow.user);
        let Opened::Signing(address) = vault::open(&cx.app, &place).await? else {
            return Err(flows::not_good());
        };
        let address = String::from_utf8(address).map_err(Failure::internal)?;
        let email = Email::parse(&address).map_err(|_| flows::not_good())?;
        let before: Loaded<User> = record::load(cx, Look::at(Id::Number(flow.user))).await?;
        // Taken once: whoever takes it at the same moment ends it before this.
        draft.assert(&flow);
        vault::forget(cx, &mut draft, &place).await?;
        let patch = UserPatch { email: Patch::Set(email), ..UserPatch::default() };
        let (after, _) = before.apply(patch, cx.now)?;
        let after = after.verified(before.state, cx.now);
        draft.replace(&before, &after, UserEvent::Updated, &["email"])?;
        logins::moved(cx, &mut draft, &after).await?;
        notices::changed(cx, &mut draft, &before, Change::Address).await?;
        Ok((draft, ()))
    })
    .await
}

/// Notes that an address that was to be confirmed goes.
pub(super) async fn forget(
    cx: &Cx,
    draft: &mut crate::commit::Draft<'_>,
    user: i64,
) -> Result<(), Failure> {
    vault::forget(cx, draft, &place(user)).await
}
