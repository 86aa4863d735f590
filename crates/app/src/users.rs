//! Users: people and applications, how they are made, changed and ended, and what they may do.
//! Persons are asked for with `person:…`, applications with `application:…`, each at the account
//! the user belongs to.

mod own;

use std::collections::HashMap;

use async_recursion::async_recursion;
pub use own::{OwnPatch, update_own};
pub use patron_model::user::UserPatch;
use patron_model::{
    Failure, Noun, Permission, Permissions,
    card::Found,
    email::Email,
    event::UserEvent,
    permission::Role,
    provider::Provider,
    role::{Assignment, OwnRole},
    space::{Key, SecondFactor, Space},
    user::{User, UserKind, UserState},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    App, Cx, assignments,
    commit::{Decision, Draft, Expect, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    keys,
    mails::notices::{self, Change},
    places,
    record::{self, Id, Loaded, Look, Page, decode, page},
    rights::{Grant, Principal},
    roles,
    search::{Field, Filter, Query},
    sign_in, spaces,
};

/// Users.
pub static USER: Kind = Kind {
    name: "user",
    columns: &[
        Column::text("login", Index::UniqueEverywhere).guarding("email"),
        Column::int("account", Index::Ordered),
        Column::text("kind", Index::None),
        Column::text("state", Index::None),
    ],
    terms: false,
};

fn login(account: i64, email: &Email) -> String {
    format!("{account}:{}", email.key())
}

impl Document for User {
    named!(USER, User, UserEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        // A person is invited once into an account. Elsewhere the same address tells nothing.
        let login = self.email.as_ref().map(|email| login(self.account, email));
        vec![
            login.into(),
            self.account.into(),
            self.kind.as_str().into(),
            self.state.as_str().into(),
        ]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), None)
    }

    fn is_gone(&self) -> bool {
        self.state == UserState::Deleted
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", &self.name);
        found.maybe("given_name", self.given_name.as_ref());
        found.maybe("family_name", self.family_name.as_ref());
        if let Some(email) = &self.email {
            found.text("email", email.as_str());
        }
        if let Some(phone) = &self.phone {
            found.text("phone", phone.raw());
        }
    }
}

/// What lets a caller see users of a kind.
pub const fn seen_with(kind: UserKind) -> Permission {
    match kind {
        UserKind::Human => Permission::PersonRead,
        UserKind::Application => Permission::ApplicationRead,
    }
}

/// What lets a caller change users of a kind.
pub const fn changed_with(kind: UserKind) -> Permission {
    match kind {
        UserKind::Human => Permission::PersonWrite,
        UserKind::Application => Permission::ApplicationWrite,
    }
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::User }
}

/// Makes a user: a person who cannot sign in yet ([`sign_in::invitations`] sends an invitation), or
/// an application, which is in use at once.
///
/// # Errors
/// `Invalid`, also for an account that the caller may not make users in; `Exists` when the account
/// has a living person with the address.
#[async_recursion]
pub async fn create(
    cx: &Cx,
    kind: UserKind,
    account: i64,
    patch: UserPatch,
) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    may_make(cx, kind, account).await?;
    cx.settle(|draft| make(cx, draft, kind, (account, None), &patch)).await
}

/// Makes a person whom a provider is to bring, in the provider's account. The first sign-in through
/// it finds the person by the address, once there is one.
///
/// # Errors
/// As [`create`].
#[async_recursion]
pub async fn create_brought(
    cx: &Cx,
    provider: &Loaded<Provider>,
    patch: UserPatch,
) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    may_make(cx, UserKind::Human, provider.account).await?;
    let place = (provider.account, Some(provider.number));
    cx.settle(|mut draft| {
        draft.assert(provider);
        make(cx, draft, UserKind::Human, place, &patch)
    })
    .await
}

async fn make<'a>(
    cx: &Cx,
    draft: Draft<'a>,
    kind: UserKind,
    place: (i64, Option<i64>),
    patch: &UserPatch,
) -> Result<Decision<'a, Saved<User>>, Failure> {
    draft.create(made(cx, kind, place, patch.clone()).await?)
}

/// A new user, not yet kept anywhere.
pub(crate) async fn made(
    cx: &Cx,
    kind: UserKind,
    (account, provider): (i64, Option<i64>),
    patch: UserPatch,
) -> Result<User, Failure> {
    let number = keys::next_number(cx).await?;
    let blank = User {
        kind,
        state: match kind {
            UserKind::Human => UserState::Invited,
            UserKind::Application => UserState::Active,
        },
        provider,
        ..User::application(number, new_uuid(), account, "", cx.now)
    };
    let (user, _) = blank.apply(patch, cx.now)?;
    Ok(User { version: 1, ..user })
}

/// Whether the caller may make users of a kind in an account.
///
/// # Errors
/// `Invalid` for an account where he may not, which is as unknown to him as one that there is not.
#[async_recursion]
pub async fn may_make(cx: &Cx, kind: UserKind, account: i64) -> Result<(), Failure> {
    spaces::account_named(cx, "account", account, changed_with(kind)).await.map(|_| ())
}

/// A living user that the caller may see.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<User>, Failure> {
    let user: Loaded<User> = record::load(cx, Look::at(id)).await?;
    let place = places::account(&cx.app, user.account).await?;
    cx.may_at(seen_with(user.kind), &place).map_err(|_| not_found())?;
    Ok(user)
}

/// The same, also one that was deleted.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get_ever(cx: &Cx, id: Id) -> Result<Loaded<User>, Failure> {
    let user: Loaded<User> = record::load(cx, Look::at(id).or_deleted()).await?;
    let place = places::account(&cx.app, user.account).await?;
    cx.may_at(seen_with(user.kind), &place).map_err(|_| not_found())?;
    Ok(user)
}

/// The living person of an account who has an address.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn with_address(
    cx: &Cx,
    account: i64,
    email: &Email,
) -> Result<Option<Loaded<User>>, Failure> {
    record::find_by(&cx.in_space(DEPLOYMENT), "login", &login(account, email)).await
}

/// A page of living users.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: Query) -> Result<Page<User>, Failure> {
    let gone = Filter::equal(Field::Column("state"), UserState::Deleted.as_str());
    let predicate = query.predicate.and(Filter::Not(Box::new(gone)));
    page(cx, &Query { tenants: vec![DEPLOYMENT], predicate, ..query }).await
}

/// A changed user. A person with another address signs in by that one: the sessions end.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`, `Invalid`, `Exists`; `WrongState` when an account would be
/// left without an owner. `Forbidden` also for the address of somebody who may do more: whoever
/// reads what is sent there is that person one day.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &UserPatch,
) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now)?;
        let event = match (before.is_active(), after.is_active()) {
            (false, true) => UserEvent::Activated,
            (true, false) => {
                assignments::keep_owners(cx, &mut draft, &before, None).await?;
                UserEvent::Deactivated
            }
            (true, true) | (false, false) => UserEvent::Updated,
        };
        if after.kind == UserKind::Human && changes.contains(&"email") {
            may_stand_for(cx, &before).await?;
            sign_in::logins::moved(cx, &mut draft, &after).await?;
            if before.is_active() {
                notices::changed(cx, &mut draft, &before, Change::Address).await?;
            }
        }
        draft.change(&before, after, event, &changes)
    })
    .await
}

/// Whether whoever asks may do all that a user may, or is that user: else nobody changes how that
/// user signs in.
///
/// # Errors
/// `Forbidden` when not.
#[async_recursion]
pub async fn may_stand_for(cx: &Cx, user: &User) -> Result<(), Failure> {
    if cx.user() == Some(user.number) {
        return Ok(());
    }
    let held = cx.app.held_by(&[user.number]).await?;
    for one in held.of(user.number) {
        let path = places::path(&cx.app, one.account).await?;
        cx.may_give(&assignments::grant_of(one, held.role(one.role).1), &path)?;
    }
    Ok(())
}

async fn to_change(cx: &Cx, id: Id) -> Result<Loaded<User>, Failure> {
    let user = get(cx, id).await?;
    let place = places::account(&cx.app, user.account).await?;
    cx.may_at(changed_with(user.kind), &place)?;
    Ok(user)
}

/// Deletes a user: its keys end, it holds no role any more, and nothing of a person stays, in the
/// journal neither. Its number is never given out again.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`; `WrongState` when an account would be left without an owner.
#[async_recursion]
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<User>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        if before.is_active() {
            assignments::keep_owners(cx, &mut draft, &before, None).await?;
        }
        end(cx, &mut draft, &before).await?;
        let after = before.deleted(cx.now);
        draft.forget(&before.record);
        draft.change(&before, after, UserEvent::Deleted, &["state"])
    })
    .await
}

/// Ends the keys of a user, whatever roles it holds, and what it signs in by.
async fn end(cx: &Cx, draft: &mut Draft<'_>, user: &User) -> Result<(), Failure> {
    for key in keys::good_of_user(cx, user.number).await? {
        keys::end(cx, draft, &key).await?;
    }
    for held in assignments::of_user(cx, user.number).await? {
        assignments::end(draft, &held, cx.now)?;
    }
    sign_in::end_all(cx, draft, user.number).await
}

/// The roles that users hold, and what these may do.
#[derive(Debug, Default)]
pub struct Held {
    assignments: HashMap<i64, Vec<Assignment>>,
    roles: HashMap<i64, HeldRole>,
    /// Whom the accounts ask where the roles are held; nothing is known of it for applications,
    /// whom nobody asks.
    asked: HashMap<i64, SecondFactor>,
}

/// A role that somebody holds. One that is no more may do nothing.
#[derive(Debug, Default)]
pub struct HeldRole {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Whether it counts for a person only who has proven a second factor.
    pub second_factor: bool,
}

impl Held {
    /// Roles that a user holds, each at its place.
    pub fn of(&self, user: i64) -> &[Assignment] {
        self.assignments.get(&user).map_or(&[], Vec::as_slice)
    }

    /// What people call a role, and what it may do; one that is no more may do nothing.
    pub fn role(&self, number: i64) -> (&str, Permissions) {
        let known = self.roles.get(&number);
        known.map_or(("", Permissions::NONE), |role| (&role.name, role.permissions))
    }

    /// What a user may do, and where.
    pub fn principal(&self, user: i64) -> Principal {
        let by_role = |role: i64| self.roles.get(&role).is_some_and(|role| role.second_factor);
        let asked = |account: i64| self.asked.get(&account).copied().unwrap_or_default();
        let grant = |held: &Assignment| Grant {
            account: held.account,
            space: held.space,
            subaccounts: held.subaccounts,
            permissions: self.role(held.role).1,
            second_factor: asked(held.account).demands(by_role(held.role)),
        };
        Principal::new(self.of(user).iter().map(grant).collect())
    }

    /// The same as if a key's application held this role already: for what is only tried out.
    pub fn foresee(&mut self, key: &Key, role: i64, known: HeldRole) {
        let held = Assignment {
            number: 0,
            uuid: uuid::Uuid::nil(),
            version: 1,
            user: key.user,
            role,
            account: key.account,
            space: (!key.account_wide).then_some(key.space),
            subaccounts: key.account_wide,
            created_at: key.created_at,
            withdrawn_at: None,
        };
        self.assignments.insert(key.user, vec![held]);
        self.roles.insert(role, known);
    }

    /// What a key may do at some place or other.
    pub fn permissions(&self, key: &Key) -> Permissions {
        self.principal(key.user).anywhere().and(key.cut())
    }
}

/// The records of these users, and of the roles they hold where a space is: kind and number.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn records_of(
    app: &App,
    users: &[i64],
    space: &Space,
) -> Result<Vec<(&'static str, i64)>, Failure> {
    let mut records: Vec<_> = users.iter().map(|user| (USER.name, *user)).collect();
    for held in assignments::of_users(app, users).await? {
        let is_here = held.space.is_none_or(|number| number == space.number);
        if held.account == space.account && is_here {
            records.push((assignments::ASSIGNMENT.name, held.number));
            records.push((roles::ROLE.name, held.role));
        }
    }
    records.sort_unstable();
    records.dedup();
    Ok(records)
}

/// Users whose roles are read with one question.
const USERS_AT_ONCE: usize = 200;

impl App {
    /// The roles that these users hold.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn held_by(&self, users: &[i64]) -> Result<Held, Failure> {
        let mut held = Held::default();
        for some in users.chunks(USERS_AT_ONCE) {
            for assignment in assignments::of_users(self, some).await? {
                held.assignments.entry(assignment.user).or_default().push(assignment);
            }
        }
        let mut numbers: Vec<i64> =
            held.assignments.values().flatten().map(|assignment| assignment.role).collect();
        numbers.sort_unstable();
        numbers.dedup();
        for number in numbers {
            held.roles.insert(number, self.role(number).await?);
        }
        Ok(held)
    }

    /// The roles that a person holds, and whom the accounts ask for a second factor where they are
    /// held.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn held_by_person(&self, user: i64) -> Result<Held, Failure> {
        let mut held = self.held_by(&[user]).await?;
        let accounts: Vec<i64> = held.of(user).iter().map(|one| one.account).collect();
        held.asked = places::second_factors(self, &accounts).await?;
        Ok(held)
    }

    /// A role, as it counts.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn role(&self, number: i64) -> Result<HeldRole, Failure> {
        if let Some(built_in) = Role::numbered(number) {
            let is_excused = self.sign_in.are_owners_excused();
            return Ok(HeldRole {
                name: built_in.as_str().to_owned(),
                permissions: built_in.permissions(),
                second_factor: built_in.demands_second_factor() && !is_excused,
            });
        }
        let row = self.store.get(&roles::ROLE, DEPLOYMENT, number).await.map_err(failure)?;
        let role = row.as_ref().map(decode::<OwnRole>).transpose()?.map(|role| role.record);
        let known = role.map(|OwnRole { name, permissions, second_factor, .. }| HeldRole {
            name: name.as_str().to_owned(),
            permissions,
            second_factor,
        });
        Ok(known.unwrap_or_default())
    }

    /// A user whatever became of it.
    pub(crate) async fn user(&self, number: i64) -> Result<Option<User>, Failure> {
        let row = self.store.get(&USER, DEPLOYMENT, number).await.map_err(failure)?;
        Ok(row.as_ref().map(decode::<User>).transpose()?.map(|user| user.record))
    }
}
