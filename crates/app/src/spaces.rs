//! Use cases of accounts and spaces.

use std::collections::BTreeMap;

use patron_model::{
    Failure, Why,
    space::{Account, Space},
    text::Name,
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Document, Expect, Loaded, Saved, decode, raced},
    customers::{Page, page},
    documents::{DEPLOYMENT, SPACE},
    failure,
    ids::new_uuid,
    search::{Field, Filter, Query},
};

/// What shall become of a space.
#[derive(Debug, Clone, Default)]
pub struct SpacePatch {
    /// Its name.
    pub name: Option<Name>,
    /// Whether a change without precondition is refused.
    pub require_precondition: Option<bool>,
    /// Whether the audit trail says who read which customer.
    pub audit_reads: Option<bool>,
    /// Switches of single dialects; each named dialect's switches are replaced.
    pub dialects: Option<BTreeMap<String, Value>>,
    /// Whether it is archived.
    pub archived: Option<bool>,
}

/// What shall become of an account.
#[derive(Debug, Clone, Default)]
pub struct AccountPatch {
    /// Its name.
    pub name: Option<Name>,
    /// Whether it is archived.
    pub archived: Option<bool>,
}

/// People tell accounts and spaces apart by their names.
fn can_be_read(name: &Name) -> Result<(), Failure> {
    match name.as_str().trim().is_empty() {
        true => Err(Failure::invalid("name", Why::TooShort { min: 1 })),
        false => Ok(()),
    }
}

/// A new account.
///
/// # Errors
/// `Invalid` for a name without letters.
pub async fn create_account(
    cx: &Cx,
    parent: Option<i64>,
    name: Name,
) -> Result<Saved<Account>, Failure> {
    can_be_read(&name)?;
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    let number = cx.app.store.reserve("account", 1).await.map_err(failure)?.start;
    let account = Account {
        number,
        uuid: new_uuid(),
        version: 1,
        parent,
        name,
        created_at: cx.now,
        updated_at: cx.now,
        archived_at: None,
    };
    insert(&cx, account).await
}

/// A new space of an account. UUID and switches of dialects may be given, so that a sandbox can
/// have well-known ones.
///
/// # Errors
/// `NotFound` when the account is, `Invalid` for a name without letters.
pub async fn create_space(
    cx: &Cx,
    account: i64,
    uuid: Option<Uuid>,
    name: Name,
    dialects: BTreeMap<String, Value>,
) -> Result<Saved<Space>, Failure> {
    can_be_read(&name)?;
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    get::<Account>(&cx, account).await?;
    let number = cx.app.store.reserve("space", 1).await.map_err(failure)?.start;
    let space = Space {
        number,
        uuid: uuid.unwrap_or_else(new_uuid),
        account,
        version: 1,
        name,
        require_precondition: false,
        dialects,
        created_at: cx.now,
        updated_at: cx.now,
        archived_at: None,
        audit_reads: false,
        deletion: None,
    };
    let saved = insert(&cx, space).await?;
    cx.app.callers.forget();
    Ok(saved)
}

async fn insert<T: Document>(cx: &Cx, noun: T) -> Result<Saved<T>, Failure> {
    let mut draft = cx.draft();
    draft.insert(&noun)?;
    draft.outcome(&noun, 1, Action::Created);
    if draft.settle().await? {
        Ok(Saved { record: noun, revision: 1, action: Action::Created, replayed: false })
    } else {
        Err(raced())
    }
}

/// An account or space by number.
///
/// # Errors
/// `NotFound`.
pub async fn get<T: Document>(cx: &Cx, number: i64) -> Result<Loaded<T>, Failure> {
    let row = cx.app.store.get(T::KIND, DEPLOYMENT, number).await.map_err(failure)?;
    let found: Loaded<T> = decode(&row.ok_or(Failure::NotFound { noun: T::NOUN })?)?;
    if found.is_gone() { Err(Failure::NotFound { noun: T::NOUN }) } else { Ok(found) }
}

/// A page of accounts or spaces.
///
/// # Errors
/// Whatever the store says.
pub async fn list<T: Document>(cx: &Cx, query: Query) -> Result<Page<T>, Failure> {
    let mut query = Query { tenants: vec![DEPLOYMENT], ..query };
    if T::KIND.name == SPACE.name {
        query.predicate = query.predicate.and(Filter::Missing(Field::Column("deleted_at")));
    }
    page(&cx.in_space(DEPLOYMENT), &query).await
}

/// A changed space.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid` for a name without letters.
pub async fn update_space(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: SpacePatch,
) -> Result<Saved<Space>, Failure> {
    patch.name.as_ref().map_or(Ok(()), can_be_read)?;
    update(cx, number, |before: &Loaded<Space>| {
        expect.check(before.version, before.revision)?;
        let mut after = before.record.clone();
        after.name = patch.name.clone().unwrap_or(after.name);
        after.require_precondition =
            patch.require_precondition.unwrap_or(after.require_precondition);
        after.audit_reads = patch.audit_reads.unwrap_or(after.audit_reads);
        for (dialect, switches) in patch.dialects.clone().unwrap_or_default() {
            after.dialects.insert(dialect, switches);
        }
        after.dialects.retain(|_, switches| !switches.is_null());
        after.archived_at = match patch.archived {
            Some(true) => after.archived_at.or(Some(cx.now)),
            Some(false) => None,
            None => after.archived_at,
        };
        if after != before.record {
            after.version += 1;
            after.updated_at = cx.now.max(after.updated_at);
        }
        Ok(after)
    })
    .await
}

/// A changed account.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid` for a name without letters.
pub async fn update_account(
    cx: &Cx,
    number: i64,
    expect: Expect,
    patch: AccountPatch,
) -> Result<Saved<Account>, Failure> {
    patch.name.as_ref().map_or(Ok(()), can_be_read)?;
    update(cx, number, |before: &Loaded<Account>| {
        expect.check(before.version, before.revision)?;
        let mut after = before.record.clone();
        after.name = patch.name.clone().unwrap_or(after.name);
        after.archived_at = match patch.archived {
            Some(true) => after.archived_at.or(Some(cx.now)),
            Some(false) => None,
            None => after.archived_at,
        };
        if after != before.record {
            after.version += 1;
            after.updated_at = cx.now.max(after.updated_at);
        }
        Ok(after)
    })
    .await
}

async fn update<T: Document + PartialEq>(
    cx: &Cx,
    number: i64,
    decide: impl Fn(&Loaded<T>) -> Result<T, Failure> + Send,
) -> Result<Saved<T>, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before: Loaded<T> = get(&cx, number).await?;
        let after = decide(&before)?;
        let mut draft = cx.draft();
        let (revision, action) = if after == before.record {
            (before.revision, Action::Unchanged)
        } else {
            draft.replace(&before, &after, Action::Updated, &["settings"])?;
            (before.revision + 1, Action::Updated)
        };
        draft.outcome(&after, revision, action);
        if draft.settle().await? {
            cx.app.callers.forget();
            return Ok(Saved { record: after, revision, action, replayed: false });
        }
    }
    Err(raced())
}
