//! Invitations: a person is made, gets a link, and chooses a password with it. It removes no second
//! factor and signs nobody in.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Permission, Timestamp,
    event::UserEvent,
    space::Account,
    user::{User, UserKind, UserPatch, UserState},
};

use super::{
    flows::{self, Link, Purpose},
    guard, logins,
    passwords::{self, personal},
    plain, told,
};
use crate::{
    Actor, Cx, Id, Loaded, Saved,
    commit::Draft,
    documents::DEPLOYMENT,
    mails::{self, Message, To, Transport, texts},
    places,
    record::{self, Look},
    users,
};

/// Makes a person and invites them.
///
/// # Errors
/// As [`users::create`].
#[async_recursion]
pub async fn create(cx: &Cx, account: i64, patch: UserPatch) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    users::may_make(cx, UserKind::Human, account).await?;
    cx.settle(|mut draft| async {
        let user = users::made(cx, UserKind::Human, (account, None), patch.clone()).await?;
        if user.state != UserState::Inactive {
            invite(cx, &mut draft, &user).await?;
        }
        draft.create(user)
    })
    .await
}

/// Notes that a person is invited.
async fn invite(cx: &Cx, draft: &mut Draft<'_>, user: &User) -> Result<(), Failure> {
    let about = (user.number, Purpose::Invitation);
    let Link { token, until } = flows::begin(cx, draft, about, false).await?;
    let line = places::line(&cx.app, user.account).await?;
    let account = name_of(&line);
    mails::queue(cx, draft, To::person(user), Message::Invitation { account, token, until })
        .await?;
    draft.tell(told("user.invited", user));
    Ok(())
}

/// What the first of a line of accounts is called.
fn name_of(line: &[Account]) -> String {
    line.first().map(|account| account.name.as_str().to_owned()).unwrap_or_default()
}

/// Invites a person once more who cannot sign in yet.
///
/// # Errors
/// `NotFound`, `Forbidden`; `WrongState` for who signs in already; `TooMany` when the same was done
/// a moment ago.
#[async_recursion]
pub async fn again(cx: &Cx, id: Id) -> Result<User, Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let user = to_help(cx, id).await?;
        // The link may be shown to whoever asks: who has it becomes that person.
        users::may_stand_for(cx, &user).await?;
        if !is_invited(cx, &user).await? {
            let (is, needs) = ("a person who signs in or must not", "one who was only invited");
            return Err(Failure::WrongState { is, needs });
        }
        draft.assert(&user);
        invite(cx, &mut draft, &user).await?;
        Ok((draft, user.record))
    })
    .await
}

/// A person whom the caller may help to sign in.
pub(super) async fn to_help(cx: &Cx, id: Id) -> Result<Loaded<User>, Failure> {
    let user = users::get(cx, id).await?;
    cx.may_at(Permission::PersonWrite, &places::account(&cx.app, user.account).await?)?;
    match user.kind {
        UserKind::Human => Ok(user),
        UserKind::Application => Err(Failure::NotFound { noun: Noun::User }),
    }
}

/// Whether somebody may become a person by an invitation.
async fn is_invited(cx: &Cx, user: &User) -> Result<bool, Failure> {
    // Whom a provider brings signs in by that alone.
    let may =
        matches!(user.state, UserState::Invited | UserState::Active) && user.provider.is_none();
    Ok(may && logins::load(cx, user.number).await?.is_none_or(|login| !login.is_usable()))
}

/// Where an invitation is accepted, where no mails are sent: whoever invites hands it over.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn handed_over(cx: &Cx, user: &User) -> Result<Option<String>, Failure> {
    if cx.app.mail_transport() != Transport::Nowhere || user.kind != UserKind::Human {
        return Ok(None);
    }
    let link = flows::known(&plain(cx), user.number, Purpose::Invitation).await?;
    let base_url = &cx.app.sign_in_options().base_url;
    Ok(link.map(|link| texts::invitation(base_url, &link.token)))
}

/// An invitation as the invited person sees it.
#[derive(Debug)]
pub struct Shown {
    /// The address that was invited.
    pub email: String,
    /// Name of the account.
    pub account: String,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// Opens an invitation: from now on it serves this browser alone.
///
/// # Errors
/// `Invalid` for a link that is not good.
#[async_recursion]
pub async fn look(cx: &Cx, token: &str, sent: Option<&str>, own: &str) -> Result<Shown, Failure> {
    let cx = &plain(cx);
    cx.write(|mut draft| async {
        let flow = flows::live(cx, Purpose::Invitation, token, sent).await?;
        let user = invited(cx, flow.user).await?;
        flows::bind(&mut draft, &flow, own)?;
        let line = places::line(&cx.app, user.account).await?;
        let shown = Shown {
            email: user.email.as_ref().map(|email| email.as_str().to_owned()).unwrap_or_default(),
            account: name_of(&line),
            expires_at: flow.expires_at,
        };
        Ok((draft, shown))
    })
    .await
}

async fn invited(cx: &Cx, number: i64) -> Result<Loaded<User>, Failure> {
    let user: Loaded<User> =
        record::load(cx, Look::at(Id::Number(number))).await.map_err(|failure| match failure {
            Failure::NotFound { .. } => flows::not_good(),
            other => other,
        })?;
    let line = places::line(&cx.app, user.account).await?;
    let is_open = line.iter().all(|account| account.is_open());
    if is_open && is_invited(cx, &user).await? { Ok(user) } else { Err(flows::not_good()) }
}

/// Accepts an invitation by a password. What makes the browser a known device is answered.
///
/// # Errors
/// `Invalid` for a link that is not good, or a password that is refused.
#[async_recursion]
pub async fn accept(
    cx: &Cx,
    token: &str,
    browser: Option<&str>,
    password: &str,
) -> Result<String, Failure> {
    let cx = &plain(cx);
    passwords::bounded("password", password)?;
    let flow = flows::live(cx, Purpose::Invitation, token, browser).await?;
    let user = invited(cx, flow.user).await?;
    passwords::check(&cx.app, password, &personal(&user), passwords::CHARS_MIN).await?;
    let hashed = passwords::hashed(&cx.app, password).await?;
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    cx.write(|mut draft| async {
        let flow = flows::live(cx, Purpose::Invitation, token, browser).await?;
        let before = invited(cx, flow.user).await?;
        // Taken once: whoever takes it at the same moment ends it before this.
        draft.assert(&flow);
        let after = before.verified(UserState::Active, cx.now);
        draft.replace(&before, &after, UserEvent::Accepted, &["state"])?;
        let login = passwords::replace(cx, &mut draft, &after, &hashed, None).await?;
        Ok((draft, guard::device(cx, &login)))
    })
    .await
}
