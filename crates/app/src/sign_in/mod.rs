//! Signing in: how persons prove who they are, and what they hold then.
//!
//! - [`logins`]: by what a person signs in, one record a person. Its revision changes with every
//!   way to sign in; whatever builds on a proof asserts it.
//! - [`by_password`]: address and password. [`passwords`]: how they are kept, checked and chosen.
//!   `refused`: those that nobody should take.
//! - [`second`]: codes of an app beside it, and recovery codes for when the app is lost.
//! - [`passkeys`] and [`by_provider`]: without a password. [`linked`]: who is brought by which
//!   provider. [`provider_proofs`]: providers as a fresh proof. [`challenges`]: what a browser
//!   answers once.
//! - [`flows`]: what is begun by a link that is mailed: [`invitations`], [`resets`] of a password,
//!   [`moves`] to another address.
//! - [`sessions`]: what a browser holds afterwards; they end on the server. [`persons`]: a session
//!   as who asks, by the same evaluator of rights as keys.
//!   [`ways`]: how others sign in, for whoever looks after them.
//! - [`guard`]: guessing costs the guesser, and nobody can lock out another. [`approvals`]: how who
//!   guesses no more gets a further browser in.
//!
//! None of it tells whether a person exists: unknown addresses are answered alike, cost the same
//! hash, the same reads and the same write. Nothing here is journaled.

pub mod approvals;
pub mod by_provider;
pub mod challenges;
pub mod flows;
pub mod guard;
pub mod invitations;
mod kept;
pub mod linked;
pub mod logins;
pub mod moves;
pub mod passkeys;
pub mod passwords;
mod persons;
pub mod provider_proofs;
mod refused;
pub mod resets;
pub mod second;
pub mod sessions;
pub mod ways;

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp, email::Email, space::Account, user::User};
use serde::{Deserialize, Serialize};

use self::{
    guard::Attempts,
    logins::Login,
    sessions::{Opened, Session},
};
pub use self::{
    persons::{NO_TOKEN, OVER, Shown, Standing},
    refused::look as look_at_breached,
};
use crate::{
    Actor, App, Caller, Cx,
    audit::{Act, target},
    commit::Draft,
    documents::DEPLOYMENT,
    failure,
    mails::{self, notices},
    places,
    record::{Loaded, decode},
};

/// What the settings say about signing in.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where browsers reach the server, without trailing slash.
    pub base_url: String,
}

impl Options {
    /// Whether cookies may only travel encrypted: everywhere but on this machine itself.
    pub fn is_secure(&self) -> bool {
        !self.is_plain_loopback()
    }

    fn is_plain_loopback(&self) -> bool {
        let Some(rest) = self.base_url.strip_prefix("http://") else { return false };
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(six) => six.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let is_loopback =
            host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        host == "localhost" || is_loopback
    }

    /// What browsers call where a page of this server comes from: scheme, host and port.
    pub fn origin(&self) -> &str {
        let after_scheme = self.base_url.find("://").map_or(0, |at| at + 3);
        let end = self.base_url[after_scheme..].find('/').map(|at| at + after_scheme);
        &self.base_url[..end.unwrap_or(self.base_url.len())]
    }
}

/// What all requests share.
#[derive(Default)]
pub(crate) struct Shared {
    options: OnceLock<Options>,
    hashing: passwords::Turns,
    networks: guard::Networks,
    asking: by_provider::Asking,
    /// The operator's file of breached passwords.
    breached: OnceLock<std::path::PathBuf>,
    asked: resets::Asked,
    /// Whether built-in roles demand no second factor.
    excused: AtomicBool,
}

impl Shared {
    pub(crate) fn are_owners_excused(&self) -> bool {
        self.excused.load(Ordering::Relaxed)
    }
}

impl App {
    /// Says what the settings say about signing in. Only the first word counts.
    pub fn signs_in_by(&self, options: Options) {
        let _ = self.sign_in.options.set(options);
    }

    /// Says whether built-in roles count without a second factor, as they do in sandboxes.
    pub fn excuses_owners(&self, excused: bool) {
        self.sign_in.excused.store(excused, Ordering::Relaxed);
    }

    /// What the settings say about signing in.
    pub fn sign_in_options(&self) -> &Options {
        self.sign_in.options.get_or_init(Options::default)
    }
}

/// By what somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A password.
    Password,
    /// A passkey: both factors at once.
    Passkey,
    /// A provider of OpenID Connect.
    Provider,
    /// A code of an app.
    Totp,
    /// A recovery code.
    RecoveryCode,
}

impl Method {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Password => "password",
            Method::Passkey => "passkey",
            Method::Provider => "provider",
            Method::Totp => "totp",
            Method::RecoveryCode => "recovery_code",
        }
    }
}

/// Who signs in by a password, and from where.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// E-mail address, as typed.
    pub email: &'a str,
    /// Password, byte for byte.
    pub password: &'a str,
    /// The account the person is managed in, where several have one with the address; the one that
    /// signed up first when absent.
    pub account: Option<i64>,
    /// The device cookie of the browser.
    pub device: Option<&'a str>,
}

impl std::fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attempt(…)")
    }
}

/// A proof of who somebody is: what a session is opened on.
#[derive(Debug, Clone)]
pub struct Proof {
    /// By what, in order.
    pub methods: Vec<Method>,
    /// 2: by two factors; 1: by one.
    pub level: u8,
}

const WRONG: Failure = Failure::Unauthenticated { reason: "wrong address or password" };

/// Signs a person in by address and password.
///
/// # Errors
/// `Unauthenticated` for whatever does not fit, always the same; `Invalid` for a password longer
/// than any can be; `TooMany` for a network that guessed too much; `Unavailable` when too many
/// wait.
pub async fn by_password(cx: &Cx, attempt: Attempt<'_>) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    passwords::bounded("password", attempt.password)?;
    let address = Email::parse(attempt.email).map(|email| email.key()).ok();
    let login = match &address {
        Some(address) => logins::by_address(cx, address, attempt.account).await?,
        None => None,
    };
    // Nobody has the number 0: what is asked about it is asked as often, and finds nothing.
    let number = login.as_ref().map_or(0, |login| login.number);
    let user = in_use(&cx.app, number).await?.map(|(user, _)| user);
    let kept = passwords::kept(&cx.app, number).await?;
    let login = login.filter(|_| user.is_some());
    let device = attempt.device.and_then(|sent| guard::known(cx, login.as_deref()?, sent));
    if device.is_none() {
        cx.app.sign_in.networks.check(cx)?;
    }
    let counted = match &login {
        Some(login) => Attempts::of(login.number, device),
        None => Attempts::of_nobody(cx, address.as_deref().unwrap_or_default()),
    };
    // The turn comes first: few count at a time, and do not race each other to the counts.
    let turn = cx.app.sign_in.hashing.take().await?;
    let kept = kept.filter(|_| login.is_some());
    let is_looked_at = counted.charge(cx).await?;
    let fits = passwords::fits(turn, kept.filter(|_| is_looked_at), attempt.password).await?;
    let (Some(login), Some(user), true) = (login, user, fits) else {
        if !is_looked_at {
            approvals::ask(cx, number);
        }
        cx.app.sign_in.networks.note_wrong(cx);
        return Err(WRONG);
    };
    let proof = Proof { methods: vec![Method::Password], level: 1 };
    let cx = &Cx { actor: Actor::Person(user.number), ..cx.clone() };
    cx.write(|mut draft| async {
        logins::unchanged(cx, &login).await?;
        let opened = open(cx, &mut draft, &login, &user, &proof, &counted).await?;
        Ok((draft, opened))
    })
    .await
}

/// Lets a person who signed in prove once more who they are. While the second factor is awaited, a
/// password proves nothing more: it was given, and whoever has it guesses at codes.
///
/// # Errors
/// As [`by_password`].
#[async_recursion]
pub async fn step_up(
    cx: &Cx,
    caller: &Caller,
    password: &str,
    device: Option<&str>,
) -> Result<Opened, Failure> {
    let cx = &plain(cx);
    passwords::bounded("password", password)?;
    let standing = caller.person.as_ref().ok_or(Failure::Forbidden)?;
    let user = &caller.user;
    let login = logins::load(cx, user.number).await?.ok_or(WRONG)?;
    let awaited = login.awaited(standing.level);
    if !awaited.is_empty() {
        return Err(Failure::StepUp { methods: awaited });
    }
    let kept = passwords::kept(&cx.app, user.number).await?;
    let counted = Attempts::of(user.number, device.and_then(|sent| guard::known(cx, &login, sent)));
    let turn = cx.app.sign_in.hashing.take().await?;
    let is_looked_at = counted.charge(cx).await?;
    if !passwords::fits(turn, kept.filter(|_| is_looked_at), password).await? {
        return Err(WRONG);
    }
    cx.write(|mut draft| async {
        logins::unchanged(cx, &login).await?;
        draft.assert(&login);
        counted.succeed(cx, &mut draft).await?;
        let renewed = sessions::renew(cx, &mut draft, user, standing.session, None).await?;
        Ok((draft, held(cx, &login, renewed)))
    })
    .await
}

/// Notes what a proven person gets: a session, and a device that is known from now on.
pub(crate) async fn open(
    cx: &Cx,
    draft: &mut Draft<'_>,
    login: &Loaded<Login>,
    user: &User,
    proof: &Proof,
    counted: &Attempts,
) -> Result<Opened, Failure> {
    draft.assert(login);
    // Half a proof forgives no guess and makes no browser known: whoever has the password could
    // guess at codes for ever.
    if login.awaited(proof.level).is_empty() && counted.succeed(cx, draft).await? {
        notices::new_browser(cx, draft, user).await?;
    }
    let opened = sessions::open(cx, draft, user, proof).await?;
    Ok(held(cx, login, opened))
}

/// What a browser holds of a session and what it holds beside it.
fn held(cx: &Cx, login: &Login, (session, token): (Session, String)) -> Opened {
    let second_factor = login.awaited(session.level);
    let device = second_factor.is_empty().then(|| guard::device(cx, login));
    let csrf = sessions::csrf(&cx.app, &session);
    Opened { session, token, csrf, device, second_factor }
}

/// A request as those about signing in are worked on: in the deployment, not remembered, and never
/// only tried out, which would be a guess that nobody counts.
pub(crate) fn plain(cx: &Cx) -> Cx {
    Cx { dry_run: false, idempotency: None, ..cx.in_space(DEPLOYMENT) }
}

/// A person who may sign in, with the account: active, in accounts that are all open.
pub(crate) async fn in_use(app: &App, number: i64) -> Result<Option<(User, Account)>, Failure> {
    let Some(user) = app.user(number).await?.filter(User::is_active) else { return Ok(None) };
    let line = places::open_line(app, user.account).await?;
    Ok(line.into_iter().flatten().next().map(|account| (user, account)))
}

/// What the audit trail is told of how a person signs in.
fn told(action: &str, user: &User) -> Act {
    Act {
        action: action.to_owned(),
        account: Some(user.account),
        target: Some(target("user", &[user.number])),
        ..Act::default()
    }
}

/// Ends everything that a person who is no more signs in by.
///
/// # Errors
/// Whatever the store says.
pub(crate) async fn end_all(cx: &Cx, draft: &mut Draft<'_>, user: i64) -> Result<(), Failure> {
    mails::forget(cx, draft, user).await?;
    flows::end_all(cx, draft, user).await?;
    moves::forget(cx, draft, user).await?;
    let Some(login) = logins::load(cx, user).await? else { return Ok(()) };
    sessions::end_all(cx, draft, user, None).await?;
    passwords::forget(cx, draft, user).await?;
    second::forget(cx, draft, user).await?;
    passkeys::forget(cx, draft, user).await?;
    by_provider::forget(cx, draft, user).await?;
    guard::forget(cx, draft, user).await?;
    draft.remove(&login);
    Ok(())
}

/// Removes what is over: sessions, links that were mailed, and counts of guesses that no longer
/// count.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn sweep(app: &App, now: Timestamp) -> Result<u64, Failure> {
    let sessions = kept::remove_before::<Session>(app, "ends_at", now).await?;
    let since = now.plus_seconds(-guard::KEPT_SECONDS);
    let answered = kept::remove_before::<challenges::Answered>(app, "expires_at", now).await?;
    let flows = kept::remove_before::<flows::Flow>(app, "expires_at", now).await?;
    Ok(sessions
        + answered
        + flows
        + kept::remove_before::<guard::Guard>(app, "seen_at", since).await?)
}

/// A record of a kind, whatever became of it.
pub(crate) async fn load<T: crate::documents::Document>(
    app: &App,
    number: i64,
) -> Result<Option<Loaded<T>>, Failure> {
    let row = app.store.get(T::KIND, DEPLOYMENT, number).await.map_err(failure)?;
    row.as_ref().map(decode).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_secure_but_on_this_machine() {
        for (base_url, is_secure, origin) in [
            ("https://pay.example.com", true, "https://pay.example.com"),
            ("https://127.0.0.1:8080", true, "https://127.0.0.1:8080"),
            ("http://pay.example.com/x", true, "http://pay.example.com"),
            ("http://127.0.0.1:8080/a/b", false, "http://127.0.0.1:8080"),
            ("http://localhost:8080", false, "http://localhost:8080"),
            ("http://[::1]:8080", false, "http://[::1]:8080"),
            ("http://localhost.example.com", true, "http://localhost.example.com"),
            ("http://127.0.0.1.example.com", true, "http://127.0.0.1.example.com"),
            ("", true, ""),
        ] {
            let options = Options { base_url: base_url.to_owned() };
            assert_eq!(options.is_secure(), is_secure, "{base_url}");
            assert_eq!(options.origin(), origin, "{base_url}");
        }
    }
}
