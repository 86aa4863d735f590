//! Who holds which role where: how roles are granted and withdrawn, and that an account keeps an
//! owner.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun, Permission, Timestamp, Why,
    card::Found,
    event::{AccountEvent, AssignmentEvent},
    role::{ASSIGNMENTS_MAX, Assignment},
    space::{Account, Space},
    user::{User, UserKind},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    App, Cx,
    commit::{Draft, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    mails::notices,
    places,
    record::{self, Id, Loaded, Look, Page, decode, page},
    rights::{Grant, Place},
    roles,
    search::{After, Field, Filter, Query},
    users,
};

/// Roles that users hold. What is withdrawn stays and is found by its number alone.
pub static ASSIGNMENT: Kind = Kind {
    name: "assignment",
    columns: &[
        Column::text("grant", Index::UniqueEverywhere).guarding("role"),
        Column::int("user", Index::Ordered),
        Column::int("account", Index::Ordered),
        Column::int("role", Index::Ordered),
        Column::int("space", Index::None),
    ],
    terms: false,
};

impl Document for Assignment {
    named!(ASSIGNMENT, Assignment, AssignmentEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        if self.withdrawn_at.is_some() {
            return vec![Value::Null; ASSIGNMENT.columns.len()];
        }
        vec![
            self.claim().into(),
            self.user.into(),
            self.account.into(),
            self.role.into(),
            self.space.into(),
        ]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), self.space)
    }

    fn is_gone(&self) -> bool {
        self.withdrawn_at.is_some()
    }

    fn search_cards(&self, _: &mut Found) {
        // Numbers of our own.
    }
}

/// Where a role shall hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In an account, and in those below it or not.
    Account {
        /// Its number.
        number: i64,
        /// Whether below it, too.
        subaccounts: bool,
    },
    /// In one space.
    Space(i64),
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Assignment }
}

impl Where {
    /// The place.
    ///
    /// # Errors
    /// `Invalid` when there is no such account or space.
    async fn place(self, cx: &Cx) -> Result<Place, Failure> {
        let (member, found) = match self {
            Where::Space(number) => {
                let space = record::load::<Space>(cx, Look::at(Id::Number(number))).await;
                ("space", space.map(|space| (Some(number), space.account)))
            }
            Where::Account { number, .. } => {
                let account = record::load::<Account>(cx, Look::at(Id::Number(number))).await;
                ("account", account.map(|_| (None, number)))
            }
        };
        match found {
            Ok((space, account)) => {
                Ok(Place { space, path: places::path(&cx.app, account).await? })
            }
            Err(Failure::NotFound { .. }) => {
                Err(Failure::invalid(member, Why::Unknown { what: member }))
            }
            Err(failure) => Err(failure),
        }
    }
}

/// A new assignment, not yet checked.
pub(crate) async fn new(
    cx: &Cx,
    user: i64,
    role: i64,
    at: Where,
    account: i64,
) -> Result<Assignment, Failure> {
    let number = cx.app.store.reserve("assignment", 1).await.map_err(failure)?.start;
    let (space, subaccounts) = match at {
        Where::Space(space) => (Some(space), false),
        Where::Account { subaccounts, .. } => (None, subaccounts),
    };
    Ok(Assignment {
        number,
        uuid: new_uuid(),
        version: 1,
        user,
        role,
        account,
        space,
        subaccounts,
        created_at: cx.now,
        withdrawn_at: None,
    })
}

/// Gives a user a role at a place.
///
/// # Errors
/// `NotFound` when the caller does not see the user; `Invalid` for a role or place he does not
/// know; `Forbidden` when he may not grant roles there, or lacks what the role gives; `Exists` when
/// the user has it there; `WrongState` when the user holds [`ASSIGNMENTS_MAX`] roles.
#[async_recursion]
pub async fn grant(cx: &Cx, user: Id, role: i64, at: Where) -> Result<Saved<Assignment>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let user = users::get(cx, user).await?;
        let place = at.place(cx).await?;
        let account = place.path[0];
        cx.may_at(Permission::AccessGrant, &place)?;
        let found = roles::assignable(cx, role, &place.path).await?;
        if of_user(cx, user.number).await?.len() >= ASSIGNMENTS_MAX {
            let (is, needs) = ("a user with 200 roles", "one of them to be withdrawn");
            return Err(Failure::WrongState { is, needs });
        }
        let new = new(cx, user.number, role, at, account).await?;
        cx.may_give(&grant_of(&new, found.permissions()), &place.path)?;
        found.assert(&mut draft);
        draft.assert(&user);
        notices::roles(cx, &mut draft, &user, &[(new.clone(), true)]).await?;
        draft.create(new)
    })
    .await
}

/// What an assignment of a role with these permissions gives.
pub(crate) fn grant_of(held: &Assignment, permissions: patron_model::Permissions) -> Grant {
    let Assignment { account, space, subaccounts, .. } = *held;
    Grant { account, space, subaccounts, permissions, second_factor: false }
}

/// A living assignment that the caller may see.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Assignment>, Failure> {
    let held: Loaded<Assignment> = record::load(cx, Look::at(id)).await?;
    let place = place_of(cx, &held).await?;
    cx.may_at(Permission::AccessRead, &place).map_err(|_| not_found())?;
    Ok(held)
}

async fn place_of(cx: &Cx, held: &Assignment) -> Result<Place, Failure> {
    Ok(Place { space: held.space, path: places::path(&cx.app, held.account).await? })
}

/// A page of living assignments.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: Query) -> Result<Page<Assignment>, Failure> {
    let living = Filter::Not(Box::new(Filter::Missing(Field::Column("user"))));
    let predicate = query.predicate.and(living);
    page(cx, &Query { tenants: vec![DEPLOYMENT], predicate, ..query }).await
}

/// Takes a role from the user who holds it.
///
/// # Errors
/// `NotFound`; `Forbidden` when the caller may not grant roles there; `WrongState` when the account
/// would be left without an owner.
#[async_recursion]
pub async fn withdraw(cx: &Cx, user: Id, id: Id) -> Result<Saved<Assignment>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before: Loaded<Assignment> = record::load(cx, Look::at(id)).await?;
        let place = place_of(cx, &before).await?;
        // Whoever may not even see it there is not told that there is one.
        match (cx.may_at(Permission::AccessGrant, &place), get(cx, id).await) {
            (Ok(()), _) => {}
            (Err(refused), Ok(_)) => return Err(refused),
            (Err(_), Err(unseen)) => return Err(unseen),
        }
        let holder = record::load::<User>(cx, Look::at(user)).await.map_err(|_| not_found())?;
        if holder.number != before.user {
            return Err(not_found());
        }
        if let Some(user) = cx.app.user(before.user).await? {
            keep_owners(cx, &mut draft, &user, Some(&before)).await?;
            notices::roles(cx, &mut draft, &user, &[(before.record.clone(), false)]).await?;
        }
        let after = withdrawn(&before, cx.now);
        draft.change(&before, after, AssignmentEvent::Withdrawn, &["withdrawn_at"])
    })
    .await
}

fn withdrawn(before: &Assignment, now: Timestamp) -> Assignment {
    Assignment { version: before.version + 1, withdrawn_at: Some(now), ..before.clone() }
}

/// Notes that an assignment ends with something else.
pub(crate) fn end(
    draft: &mut Draft<'_>,
    held: &Loaded<Assignment>,
    now: Timestamp,
) -> Result<(), Failure> {
    let after = withdrawn(held, now);
    draft.replace(held, &after, AssignmentEvent::Withdrawn, &["withdrawn_at"])
}

/// Living assignments of a user.
pub(crate) async fn of_user(cx: &Cx, user: i64) -> Result<Vec<Loaded<Assignment>>, Failure> {
    let predicate = Filter::equal(Field::Column("user"), user);
    let limit = ASSIGNMENTS_MAX as u32;
    Ok(page(cx, &Query { predicate, limit, ..Query::of(DEPLOYMENT) }).await?.items)
}

/// Living assignments of several users.
pub(crate) async fn of_users(app: &App, users: &[i64]) -> Result<Vec<Assignment>, Failure> {
    let numbers = users.iter().map(|user| (*user).into()).collect();
    let predicate = Filter::OneOf(Field::Column("user"), numbers);
    let mut query = Query { predicate, limit: ASSIGNMENTS_MAX as u32, ..Query::of(DEPLOYMENT) };
    let mut held = Vec::new();
    loop {
        let found = app.store.find(&ASSIGNMENT, &query).await.map_err(failure)?;
        for row in &found.rows {
            query.after = Some(After { keys: Vec::new(), number: row.number });
            held.push(decode::<Assignment>(row)?.record);
        }
        if !found.more {
            return Ok(held);
        }
    }
}

/// Active persons who may do something at a place, so many at most.
pub(crate) async fn persons_with(
    cx: &Cx,
    permission: Permission,
    place: &Place,
    limit: usize,
) -> Result<Vec<User>, Failure> {
    let above = place.path.iter().map(|number| (*number).into()).collect();
    let predicate = Filter::OneOf(Field::Column("account"), above);
    let query = Query { predicate, limit: OWNERS_MAX, ..Query::of(DEPLOYMENT) };
    let mut persons: Vec<User> = Vec::new();
    for held in page::<Assignment>(cx, &query).await?.items {
        let is_here = grant_of(&held, patron_model::Permissions::NONE).covers(place);
        let is_known = persons.iter().any(|known| known.number == held.user);
        if !is_here || is_known || !cx.app.role(held.role).await?.permissions.has(permission) {
            continue;
        }
        let user = cx.app.user(held.user).await?;
        persons.extend(user.filter(|user| user.kind == UserKind::Human && user.is_active()));
        if persons.len() == limit {
            break;
        }
    }
    Ok(persons)
}

/// Whether anybody holds a role.
pub(crate) async fn is_held(cx: &Cx, role: i64) -> Result<bool, Failure> {
    let predicate = Filter::equal(Field::Column("role"), role);
    let query = Query { predicate, limit: 1, ..Query::of(DEPLOYMENT) };
    Ok(!page::<Assignment>(cx, &query).await?.items.is_empty())
}

// ---- owners ---------------------------------------------------------------------------------

/// Owners of an account that are looked at, at most.
const OWNERS_MAX: u32 = 1_000;

/// An account keeps an owner: refuses that this user loses a role, or all of them when none is
/// named, if an account it owns would be left without another active person who does. The rows of
/// the accounts are replaced with it, so that two who remove each other cannot both win.
pub(crate) async fn keep_owners(
    cx: &Cx,
    draft: &mut Draft<'_>,
    user: &User,
    lost: Option<&Assignment>,
) -> Result<(), Failure> {
    if user.kind != UserKind::Human || !user.is_active() {
        return Ok(());
    }
    let held = cx.app.held_by(&[user.number]).await?;
    let mut accounts: Vec<Loaded<Account>> = Vec::new();
    for own in held.of(user.number) {
        let is_lost = lost.is_none_or(|lost| lost.number == own.number);
        let owns = held.role(own.role).1.has(Permission::AccessOwn);
        if !is_lost || !owns || own.space.is_some() {
            continue;
        }
        // Before the owners are looked at: whoever removes one of them after this is noticed.
        if accounts.iter().all(|known| known.number != own.account) {
            accounts.push(record::load(cx, Look::at(Id::Number(own.account))).await?);
        }
        let path = places::path(&cx.app, own.account).await?;
        if !has_other_owner(cx, own, &path, user, lost).await? {
            let (is, needs) = ("the last owner of an account", "another owner first");
            return Err(Failure::WrongState { is, needs });
        }
    }
    for before in accounts {
        let version = before.version + 1;
        let updated_at = cx.now.max(before.updated_at);
        let after = Account { version, updated_at, ..before.record.clone() };
        draft.replace(&before, &after, AccountEvent::Updated, &["owners"])?;
    }
    Ok(())
}

/// Whether somebody else owns whatever is owned by an assignment, or the same user by another one
/// that stays.
async fn has_other_owner(
    cx: &Cx,
    own: &Assignment,
    path: &[i64],
    user: &User,
    lost: Option<&Assignment>,
) -> Result<bool, Failure> {
    let above = path.iter().map(|number| (*number).into()).collect();
    let predicate =
        Filter::OneOf(Field::Column("account"), above).and(Filter::Missing(Field::Column("space")));
    let query = Query { predicate, limit: OWNERS_MAX, ..Query::of(DEPLOYMENT) };
    let all: Page<Assignment> = page(cx, &query).await?;
    for other in &all.items {
        let stays =
            other.user != user.number || lost.is_some_and(|lost| lost.number != other.number);
        let is_own = grant_of(own, patron_model::Permissions::NONE);
        let is_other = grant_of(other, patron_model::Permissions::NONE);
        if other.number == own.number || !stays || !is_other.encloses(&is_own, path) {
            continue;
        }
        let found = roles::assignable(cx, other.role, path).await;
        let owns = found.is_ok_and(|role| role.permissions().has(Permission::AccessOwn));
        let somebody = match owns {
            true => cx.app.user(other.user).await?,
            false => None,
        };
        if somebody.is_some_and(|user| user.kind == UserKind::Human && user.is_active()) {
            return Ok(true);
        }
    }
    Ok(false)
}
