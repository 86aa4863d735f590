//! By what a person signs in. One plain record beside each person who can, under the person's
//! number. It changes with every way to sign in and with nothing else, so its revision says whether
//! a proof is still one.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp,
    card::Found,
    event::UntoldEvent,
    user::{User, UserKind},
};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Method;
use crate::{
    App, Cx,
    commit::Draft,
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    record::{Loaded, decode, page},
    search::{Field, Filter, Query},
};

/// Logins, under the numbers of their persons.
pub static LOGIN: Kind =
    Kind { name: "login", columns: &[Column::text("address", Index::Ordered)], terms: false };

/// Persons with one address, in as many accounts, who are looked through.
const SAME_ADDRESS_MAX: u32 = 50;

/// By what a person signs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// Number of the person.
    pub number: i64,
    uuid: Uuid,
    /// The account the person is managed in.
    pub account: i64,
    /// The e-mail address, as addresses are compared.
    pub address: String,
    /// When the password was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_at: Option<Timestamp>,
    /// Whether it has fewer characters than one that signs in alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_password_short: bool,
    /// How many passkeys the person has.
    #[serde(default)]
    pub passkeys: u32,
    /// How many providers bring the person.
    #[serde(default)]
    pub providers: u32,
    /// The second factor of the person; where there is none, nothing is asked beside a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// Counts the changes: devices that were known before one are unknown after it.
    pub epoch: i64,
}

/// A second factor: codes of an app, and codes on paper for when it is lost. The secret and the
/// hashes are in the vault.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Second {
    /// When it came into force.
    pub since: Timestamp,
    /// The step of the last code that was taken: none is taken twice.
    pub step: u64,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
}

impl Document for Login {
    named!(LOGIN, User, UntoldEvent, in_deployment);
    const JOURNALED: bool = false;

    fn columns(&self) -> Vec<Value> {
        vec![self.address.as_str().into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // The address was looked through with its person.
    }
}

impl Login {
    /// Whether there is any way to sign in.
    pub fn is_usable(&self) -> bool {
        self.password_at.is_some() || self.passkeys > 0 || self.providers > 0
    }

    /// By what the person can prove once more who they are.
    pub(super) fn proofs(&self) -> Vec<&'static str> {
        let known = [
            (Method::Password, self.password_at.is_some()),
            (Method::Passkey, self.passkeys > 0),
            (Method::Provider, self.providers > 0),
            (Method::Totp, self.second.is_some()),
            (Method::RecoveryCode, self.can_recover()),
        ];
        words(&known)
    }

    fn can_recover(&self) -> bool {
        self.second.is_some_and(|second| second.recovery_codes > 0)
    }

    /// By what the person can prove a second factor after a password.
    pub(super) fn second_methods(&self) -> Vec<&'static str> {
        words(&[
            (Method::Totp, self.second.is_some()),
            (Method::RecoveryCode, self.can_recover()),
            (Method::Passkey, self.passkeys > 0),
        ])
    }

    /// Whether the person has any second factor.
    pub(super) fn has_second(&self) -> bool {
        self.second.is_some() || self.passkeys > 0
    }

    /// By what a person who is at a level still has to prove the second factor.
    pub(super) fn awaited(&self, level: u8) -> Vec<&'static str> {
        let is_awaited = level < 2 && self.second.is_some();
        if is_awaited { self.second_methods() } else { Vec::new() }
    }
}

/// The words of those methods that there are.
fn words(known: &[(Method, bool)]) -> Vec<&'static str> {
    known.iter().filter(|(_, has)| *has).map(|(method, _)| method.as_str()).collect()
}

/// The login of a person.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn load(cx: &Cx, user: i64) -> Result<Option<Loaded<Login>>, Failure> {
    super::load(&cx.app, user).await
}

/// The login with an address: of an account where one is named, else the first that is usable.
pub(super) async fn by_address(
    cx: &Cx,
    address: &str,
    account: Option<i64>,
) -> Result<Option<Loaded<Login>>, Failure> {
    let predicate = Filter::equal(Field::Column("address"), address);
    let query = Query { predicate, limit: SAME_ADDRESS_MAX, ..Query::of(DEPLOYMENT) };
    let found = page::<Login>(cx, &query).await?.items;
    let fits = |login: &Loaded<Login>| match account {
        Some(account) => login.account == account,
        None => login.is_usable(),
    };
    Ok(found.into_iter().find(fits))
}

/// The login that somebody claims by its address, for the audit trail.
pub(crate) async fn claimed(app: &App, address: &str) -> Result<Option<Login>, Failure> {
    let predicate = Filter::equal(Field::Column("address"), address);
    let query = Query { predicate, limit: 1, ..Query::of(DEPLOYMENT) };
    let found = app.store.find(&LOGIN, &query).await.map_err(failure)?;
    let login = found.rows.first().map(decode::<Login>).transpose()?;
    Ok(login.map(|login| login.record))
}

/// Looks whether a login is still the one that a proof was checked against. One that changes after
/// this refuses the draft, which asserts it.
///
/// # Errors
/// `Unauthenticated` when it is not.
pub(super) async fn unchanged(cx: &Cx, login: &Loaded<Login>) -> Result<(), Failure> {
    let now = load(cx, login.number).await?;
    let is_same = now.is_some_and(|now| now.revision == login.revision);
    let reason = "what was proven changed meanwhile";
    if is_same { Ok(()) } else { Err(Failure::Unauthenticated { reason }) }
}

/// Notes that a person has another address, and signs in by that one from now on, where the person
/// signs in at all.
pub(crate) async fn moved(cx: &Cx, draft: &mut Draft<'_>, user: &User) -> Result<(), Failure> {
    match load(cx, user.number).await? {
        Some(_) => change(cx, draft, user, None, |_| ()).await.map(drop),
        // What was mailed to the former address is good no more.
        None => super::flows::end_all(cx, draft, user.number).await,
    }
}

/// Notes a change of the ways in which a person signs in: all sessions end, but the one that is
/// named, links that were mailed are good no more, and no browser is known any more.
pub(super) async fn change(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    keep: Option<i64>,
    changed: impl FnOnce(&mut Login),
) -> Result<Login, Failure> {
    let email = user.email.as_ref().filter(|_| user.kind == UserKind::Human);
    let address = email.map(patron_model::email::Email::key).unwrap_or_default();
    let before = load(cx, user.number).await?;
    let mut after = match &before {
        Some(before) => before.record.clone(),
        None => Login {
            number: user.number,
            uuid: new_uuid(),
            account: user.account,
            address: address.clone(),
            password_at: None,
            is_password_short: false,
            passkeys: 0,
            providers: 0,
            second: None,
            epoch: 0,
        },
    };
    after.address = address;
    after.epoch += 1;
    changed(&mut after);
    match &before {
        Some(before) => draft.replace(before, &after, UntoldEvent::Updated, &[])?,
        None => draft.insert(&after)?,
    }
    super::sessions::end_all(cx, draft, user.number, keep).await?;
    super::flows::end_all(cx, draft, user.number).await?;
    Ok(after)
}
