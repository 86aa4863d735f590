//! Use cases of customers. Each reads, decides with the pure functions of the model, and settles.

mod lists;
mod many;
mod merge;
mod past;

use patron_model::{
    Failure, Ids, Noun, Patch, Timestamp,
    customer::{Customer, CustomerPatch},
    text::Reference,
};
use patron_store::Row;
use uuid::Uuid;

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Draft, Expect, Loaded, Saved, decode, raced},
    documents::CUSTOMER,
    failure,
    shown::Seen,
};

pub(crate) use self::lists::page;
pub use self::lists::{Page, TextPosition, count, list, search_text, see_list};
use self::past::stored;
pub use self::past::{Trace, get_any, space_of, trace};
pub use self::{many::create_many, merge::merge};

/// Most records that hang on an absorbed customer and can move in one merge.
pub const MOVED_MAX: usize = 10_000;
/// Numbers that a customer with as many addresses as allowed takes.
const ADDRESSES_MAX_IDS: i64 = patron_model::address::ADDRESSES_MAX as i64;
/// Absorbed customers followed from one to the next.
const MERGE_CHAIN_MAX: usize = 64;

/// How a customer is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// By number.
    Number(i64),
    /// By UUID.
    Uuid(Uuid),
}

impl Id {
    /// Reads either form from a path.
    ///
    /// # Errors
    /// `NotFound`: what cannot be an id names nothing.
    pub fn parse(text: &str) -> Result<Id, Failure> {
        let number = || text.parse().ok().filter(|n: &i64| *n > 0).map(Id::Number);
        number()
            .or_else(|| text.parse().ok().map(Id::Uuid))
            .ok_or(Failure::NotFound { noun: Noun::Customer })
    }
}

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Customer }
}

async fn row(cx: &Cx, id: Id) -> Result<Row, Failure> {
    let store = &cx.app.store;
    let row = match id {
        Id::Number(number) => store.get(&CUSTOMER, cx.space, number).await,
        Id::Uuid(uuid) => store.get_by_uuid(&CUSTOMER, cx.space, uuid).await,
    };
    let row = row.map_err(failure)?.ok_or_else(not_found)?;
    cx.saw(row.tenant, row.number);
    Ok(row)
}

/// A living customer to be shown; an absorbed one answers as the customer that took it over.
///
/// # Errors
/// `NotFound`.
pub async fn see(cx: &Cx, id: Id) -> Result<Seen, Failure> {
    match Seen::of(row(cx, id).await?)? {
        shown @ Seen::Shown(_) => Ok(shown),
        Seen::Loaded(_) => Ok(Seen::Loaded(Box::new(get_following(cx, id).await?))),
    }
}

/// A living customer.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
    let found = stored(cx, id).await?;
    if found.is_deleted() { Err(not_found()) } else { Ok(found) }
}

/// A living customer; an absorbed one answers as the customer that took it over.
///
/// # Errors
/// `NotFound`.
pub async fn get_following(cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
    let mut found = stored(cx, id).await?;
    for _ in 0..MERGE_CHAIN_MAX {
        match found.merged_into {
            Some(survivor) => found = stored(cx, Id::Number(survivor)).await?,
            None => break,
        }
    }
    if found.is_deleted() { Err(not_found()) } else { Ok(found) }
}

/// A living customer by number in whichever space it is, for keys that open several.
///
/// # Errors
/// `NotFound`, also when it lives in none of `spaces`.
pub async fn get_in_spaces(
    cx: &Cx,
    number: i64,
    spaces: &[i64],
) -> Result<Loaded<Customer>, Failure> {
    let row = cx.app.store.get_anywhere(&CUSTOMER, number).await.map_err(failure)?;
    let row = row.filter(|row| spaces.contains(&row.tenant)).ok_or_else(not_found)?;
    cx.saw(row.tenant, row.number);
    let found = decode::<Customer>(&row)?;
    if found.is_deleted() { Err(not_found()) } else { Ok(found) }
}

/// The same for reading: an absorbed customer answers as the customer that took it over.
///
/// # Errors
/// `NotFound`, also when it lives in none of `spaces`.
pub async fn get_in_spaces_following(
    cx: &Cx,
    number: i64,
    spaces: &[i64],
) -> Result<Loaded<Customer>, Failure> {
    let row = cx.app.store.get_anywhere(&CUSTOMER, number).await.map_err(failure)?;
    let row = row.filter(|row| spaces.contains(&row.tenant)).ok_or_else(not_found)?;
    cx.saw(row.tenant, row.number);
    let found = decode::<Customer>(&row)?;
    match (found.merged_into, found.is_deleted()) {
        (Some(survivor), _) => get_following(&cx.in_space(row.tenant), Id::Number(survivor)).await,
        (None, true) => Err(not_found()),
        (None, false) => Ok(found),
    }
}

/// The living customer with a reference.
///
/// # Errors
/// `NotFound`.
pub async fn get_by_reference(cx: &Cx, reference: &str) -> Result<Loaded<Customer>, Failure> {
    find_by_reference(cx, reference).await?.ok_or_else(not_found)
}

async fn find_by_reference(cx: &Cx, reference: &str) -> Result<Option<Loaded<Customer>>, Failure> {
    let row = cx.app.store.get_by(&CUSTOMER, cx.space, "reference", reference).await;
    let row = row.map_err(failure)?;
    if let Some(row) = &row {
        cx.saw(row.tenant, row.number);
    }
    row.as_ref().map(decode).transpose()
}

/// A new customer.
///
/// # Errors
/// `Invalid`, `Exists` when the reference is taken.
pub async fn create(cx: &Cx, patch: CustomerPatch) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    let (draft, customer) = draft_create(cx, patch).await?;
    match draft.settle().await? {
        true => Ok(saved(customer, 1, Action::Created)),
        false => Err(raced()),
    }
}

async fn draft_create(cx: &Cx, patch: CustomerPatch) -> Result<(Draft<'_>, Customer), Failure> {
    let wanted = i64::try_from(patch.add_addresses.len()).unwrap_or(i64::MAX);
    cx.app.ensure_ids(wanted.min(ADDRESSES_MAX_IDS) + 8).await?;
    let app = &*cx.app;
    let customer = Customer::create(app.next(), cx.space, patch, cx.now, app)?;
    let mut draft = cx.draft();
    draft.insert(&customer)?;
    draft.outcome(&customer, 1, Action::Created);
    Ok((draft, customer))
}

fn saved(record: Customer, revision: i64, action: Action) -> Saved<Customer> {
    Saved { record, revision, action, replayed: false }
}

/// A changed customer. A change that changes nothing keeps version and time.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`, `Exists` when the new reference is taken.
pub async fn update(
    cx: &Cx,
    id: Id,
    expect: Expect,
    patch: CustomerPatch,
) -> Result<Saved<Customer>, Failure> {
    change(cx, id, expect, |_| Ok(patch.clone())).await
}

/// A customer changed by a patch that depends on what is there. `decide` may run several times.
///
/// # Errors
/// As [`update`], and whatever `decide` answers.
pub async fn change(
    cx: &Cx,
    id: Id,
    expect: Expect,
    decide: impl Fn(&Customer) -> Result<CustomerPatch, Failure> + Send,
) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let patch = decide(&before)?;
        if let Some(saved) = settle_change(cx, &before, patch).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

async fn settle_change(
    cx: &Cx,
    before: &Loaded<Customer>,
    patch: CustomerPatch,
) -> Result<Option<Saved<Customer>>, Failure> {
    cx.app.ensure_ids(8).await?;
    let (after, changes) = before.record.apply(patch, cx.now, &*cx.app)?;
    settle_as(cx, before, after, Action::Updated, &changes).await
}

/// Settles a decided next state; no changes means that nothing is written.
pub(crate) async fn settle_as(
    cx: &Cx,
    before: &Loaded<Customer>,
    after: Customer,
    action: Action,
    changes: &[&'static str],
) -> Result<Option<Saved<Customer>>, Failure> {
    let mut draft = cx.draft();
    let (revision, action) = if changes.is_empty() {
        (before.revision, Action::Unchanged)
    } else {
        draft.replace(before, &after, action, changes)?;
        (before.revision + 1, action)
    };
    draft.outcome(&after, revision, action);
    Ok(draft.settle().await?.then(|| saved(after, revision, action)))
}

/// Creates or updates the customer with a reference, as one atomic call.
///
/// # Errors
/// `Stale` when `expect` names another version (or there is none), `Exists` when `create_only` and
/// there is one, `Invalid`.
pub async fn put_by_reference(
    cx: &Cx,
    reference: &Reference,
    expect: Expect,
    create_only: bool,
    patch: CustomerPatch,
) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let mut patch = patch.clone();
        let Some(before) = find_by_reference(cx, reference.as_str()).await? else {
            expect.check(0, 0)?;
            patch.reference = Patch::Set(reference.clone());
            let (draft, customer) = draft_create(cx, patch).await?;
            match draft.settle().await {
                Ok(true) => return Ok(saved(customer, 1, Action::Created)),
                // Somebody else created it just now: it is an update after all.
                Ok(false) | Err(Failure::Exists { .. }) => continue,
                Err(failure) => return Err(failure),
            }
        };
        if create_only {
            return Err(Failure::PreconditionFailed { what: "If-None-Match" });
        }
        expect.check(before.version, before.revision)?;
        if let Some(saved) = settle_change(cx, &before, patch).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

/// Hides a customer and what hangs on it. Its reference is free again.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let after = before.deleted(cx.now);
        let settled = settle_as(cx, &before, after, Action::Deleted, &["deleted_at"]).await?;
        if let Some(saved) = settled {
            return Ok(saved);
        }
    }
    Err(raced())
}

/// Brings a deleted customer back, with everything that hung on it.
///
/// # Errors
/// `NotFound`, also for who may not see the past; `WrongState` when it was absorbed by another;
/// `Exists` when its reference has been taken meanwhile.
pub async fn restore(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get_any(cx, id).await?;
        expect.check(before.version, before.revision)?;
        if before.merged_into.is_some() {
            return Err(Failure::WrongState { is: "merged into another", needs: "deleted" });
        }
        let (after, changes): (_, &[&'static str]) = if before.is_deleted() {
            (before.restored(cx.now), &["deleted_at"])
        } else {
            (before.record.clone(), &[])
        };
        if let Some(saved) = settle_as(cx, &before, after, Action::Restored, changes).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

/// Every e-mail address ever linked to a customer, newest last.
pub fn email_addresses(customer: &Customer) -> Vec<(String, Timestamp)> {
    let former = customer.former_emails.iter();
    let current = customer.email.as_ref();
    let mut all: Vec<(String, Timestamp)> = former
        .filter(|former| Some(&former.email) != current)
        .map(|former| (former.email.as_str().to_owned(), former.since))
        .collect();
    if let Some(email) = current {
        let since = customer.email_since.unwrap_or(customer.created_at);
        all.push((email.as_str().to_owned(), since));
    }
    all
}
