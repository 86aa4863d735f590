//! Roles that accounts make for themselves. Built-in ones are `patron_model::permission::Role`.

use async_recursion::async_recursion;
pub use patron_model::role::RolePatch;
use std::collections::BTreeMap;

use patron_model::{
    Failure, Noun, Permission, Permissions, Why,
    card::Found,
    event::RoleEvent,
    permission::Role,
    role::{BUILT_IN_ROLES_MAX, OwnRole, ROLES_MAX},
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    Cx, assignments,
    commit::{Expect, Saved},
    documents::{DEPLOYMENT, Document, named},
    failure,
    ids::new_uuid,
    places,
    record::{self, Id, Loaded, Look, Page, page},
    rights::Grant,
    search::{Field, Filter, Query},
    spaces,
};

/// Roles that accounts make for themselves.
pub static ROLE: Kind = Kind {
    name: "role",
    // None once it is deleted.
    columns: &[Column::int("account", Index::Ordered)],
    terms: false,
};

impl Document for OwnRole {
    named!(ROLE, Role, RoleEvent, in_deployment);

    fn columns(&self) -> Vec<Value> {
        vec![self.deleted_at.is_none().then_some(self.account).into()]
    }

    fn audit_place(&self) -> (Option<i64>, Option<i64>) {
        (Some(self.account), None)
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn search_cards(&self, found: &mut Found) {
        found.text("name", self.name.as_str());
        for name in self.names.values() {
            found.text("name", name.as_str());
        }
        found.text("description", &self.description);
    }
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Role }
}

/// Whoever makes a role holds all that it gives, in its account and below: wherever it may hold.
async fn may_make(cx: &Cx, account: i64, permissions: Permissions) -> Result<(), Failure> {
    let path = places::path(&cx.app, account).await?;
    let (space, subaccounts, second_factor) = (None, true, false);
    let given = Grant { account, space, subaccounts, permissions, second_factor };
    cx.may_give(&given, &path)
}

/// Makes a role in an account.
///
/// # Errors
/// `Invalid`, also for an account that the caller may not make roles in; `Forbidden` when it would
/// give what the caller lacks; `WrongState` when the account has [`ROLES_MAX`] roles.
#[async_recursion]
pub async fn create(cx: &Cx, account: i64, patch: RolePatch) -> Result<Saved<OwnRole>, Failure> {
    let permissions = patch.permissions.unwrap_or_default();
    let cx = &cx.in_space(DEPLOYMENT);
    spaces::account_named(cx, "account", account, Permission::RoleWrite).await?;
    may_make(cx, account, permissions).await?;
    let name = patch.name.clone().ok_or(Failure::invalid("name", Why::Required))?;
    cx.settle(|draft| async {
        let of_account = Filter::equal(Field::Column("account"), account);
        let count = cx.app.store.count(&ROLE, &[DEPLOYMENT], &of_account);
        let count = count.await.map_err(failure)?;
        if count >= ROLES_MAX as u64 {
            let (is, needs) = ("an account with 100 roles of its own", "one of them to go");
            return Err(Failure::WrongState { is, needs });
        }
        let next = cx.app.store.reserve("role", 1).await.map_err(failure)?.start;
        let role = OwnRole {
            number: BUILT_IN_ROLES_MAX + next,
            uuid: new_uuid(),
            account,
            version: 1,
            name: name.clone(),
            names: BTreeMap::new(),
            description: String::new(),
            permissions,
            second_factor: false,
            created_at: cx.now,
            updated_at: cx.now,
            deleted_at: None,
        };
        let (role, _) = role.apply(patch.clone(), cx.now)?;
        draft.create(OwnRole { version: 1, ..role })
    })
    .await
}

/// A living role of an account, which the caller may see.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<OwnRole>, Failure> {
    let role: Loaded<OwnRole> = record::load(cx, Look::at(id)).await?;
    let place = places::account(&cx.app, role.account).await?;
    cx.may_at(Permission::RoleRead, &place).map_err(|_| not_found())?;
    Ok(role)
}

/// The same, also one that was deleted.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get_ever(cx: &Cx, id: Id) -> Result<Loaded<OwnRole>, Failure> {
    let role: Loaded<OwnRole> = record::load(cx, Look::at(id).or_deleted()).await?;
    let place = places::account(&cx.app, role.account).await?;
    cx.may_at(Permission::RoleRead, &place).map_err(|_| not_found())?;
    Ok(role)
}

/// A page of living roles.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn list(cx: &Cx, query: Query) -> Result<Page<OwnRole>, Failure> {
    page(cx, &Query { tenants: vec![DEPLOYMENT], ..query }).await
}

/// A changed role, for all who hold it.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`; `Forbidden` when it would give what the caller lacks;
/// `WrongState` when accounts might be left without an owner.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: &RolePatch,
) -> Result<Saved<OwnRole>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.now)?;
        may_make(cx, before.account, after.permissions).await?;
        let owns = |role: &OwnRole| role.permissions.has(Permission::AccessOwn);
        if owns(&before) && !owns(&after) && assignments::is_held(cx, before.number).await? {
            let (is, needs) = ("a role that owns accounts", "other owners, and nobody to hold it");
            return Err(Failure::WrongState { is, needs });
        }
        draft.change(&before, after, RoleEvent::Updated, &changes)
    })
    .await
}

async fn to_change(cx: &Cx, id: Id) -> Result<Loaded<OwnRole>, Failure> {
    let role = get(cx, id).await?;
    let place = places::account(&cx.app, role.account).await?;
    cx.may_at(Permission::RoleWrite, &place)?;
    Ok(role)
}

/// Deletes a role that nobody holds.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`; `WrongState` while somebody holds it.
#[async_recursion]
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<OwnRole>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|draft| async {
        let before = to_change(cx, id).await?;
        expect.check(before.version, before.revision)?;
        if assignments::is_held(cx, before.number).await? {
            let (is, needs) = ("a role that users hold", "to be withdrawn from all of them");
            return Err(Failure::WrongState { is, needs });
        }
        let after = before.deleted(cx.now);
        draft.change(&before, after, RoleEvent::Deleted, &["state"])
    })
    .await
}

/// A role that can be assigned at a place. An own one is asserted as it was read: one that changes
/// meanwhile refuses the draft.
pub(crate) enum Assignable {
    BuiltIn(Role),
    Own(Loaded<OwnRole>),
}

impl Assignable {
    pub(crate) fn permissions(&self) -> Permissions {
        match self {
            Assignable::BuiltIn(role) => role.permissions(),
            Assignable::Own(role) => role.permissions,
        }
    }

    pub(crate) fn assert(&self, draft: &mut crate::Draft<'_>) {
        match self {
            Assignable::BuiltIn(_) => {}
            Assignable::Own(role) => draft.assert(role),
        }
    }
}

/// Finds such a role: built in, or of an account on the path.
///
/// # Errors
/// `Invalid` when there is none.
pub(crate) async fn assignable(cx: &Cx, number: i64, path: &[i64]) -> Result<Assignable, Failure> {
    if let Some(role) = Role::numbered(number) {
        return Ok(Assignable::BuiltIn(role));
    }
    let unknown = || Failure::invalid("role", Why::Unknown { what: "role" });
    match record::load::<OwnRole>(cx, Look::at(Id::Number(number))).await {
        Ok(role) if path.contains(&role.account) => Ok(Assignable::Own(role)),
        Ok(_) | Err(Failure::NotFound { .. }) => Err(unknown()),
        Err(failure) => Err(failure),
    }
}
