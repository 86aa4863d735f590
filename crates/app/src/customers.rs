//! Use cases of customers. Each reads, decides with the pure functions of the model, and settles.

mod bulk;
mod document;
mod lists;
mod many;
mod merge;
mod numbers;
mod past;
mod status;

use std::pin::Pin;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Ids, Noun, Patch, Timestamp,
    customer::{Customer, CustomerPatch},
    event::CustomerEvent,
    text::Reference,
};

use crate::{
    Cx,
    commit::{Decision, Draft, Expect, Saved},
    record::{self, Id, Loaded, Look},
    search::{Field, Filter},
    shown::Seen,
};

pub use self::bulk::{Fate, Item, bulk_item, bulk_together};
pub use self::document::CUSTOMER;
pub use self::lists::{TextPosition, count, list, search_text, see_list};
pub use self::many::{
    Missed, Step, change_among_many, changed_among_many, create_many, write_many,
};
pub use self::merge::{Beside, MERGE, MOVED_MAX, Merge, Merged, merge};
pub use self::past::{Moment, Trace, get_any, revert, space_of, state, trace};
pub use self::status::{end_statuses, set_status};

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Customer }
}

/// What hangs on a customer and is not deleted: a filter to be narrowed further.
pub fn hanging_on(customer: i64) -> Filter {
    Filter::equal(Field::Column("customer"), customer)
        .and(Filter::Missing(Field::Column("deleted_at")))
}

/// A customer to be shown.
///
/// # Errors
/// `NotFound`.
pub fn see<'a>(
    cx: &'a Cx,
    look: Look<'a>,
) -> Pin<Box<dyn Future<Output = Result<Seen, Failure>> + Send + 'a>> {
    Box::pin(async move {
        match Seen::of(record::row::<Customer>(cx, look).await?)? {
            // It lives and was not taken over: it is the one that was looked for.
            shown @ Seen::Shown(_) => Ok(shown),
            Seen::Loaded(_) => Ok(Seen::Loaded(Box::new(record::load(cx, look).await?))),
        }
    })
}

/// A living customer.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
    record::load(cx, Look::at(id)).await
}

/// A living customer; an absorbed one answers as the customer that took it over.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get_following(cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
    record::load(cx, Look::at(id).following()).await
}

/// The living customer with a reference.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get_by_reference(cx: &Cx, reference: &str) -> Result<Loaded<Customer>, Failure> {
    find_by_reference(cx, reference).await?.ok_or_else(not_found)
}

/// The same, where nobody may have it.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn find_by_reference(
    cx: &Cx,
    reference: &str,
) -> Result<Option<Loaded<Customer>>, Failure> {
    record::find_by(cx, "reference", reference).await
}

/// A new customer.
///
/// # Errors
/// `Invalid`, `Exists` when the reference is taken.
#[async_recursion]
pub async fn create(cx: &Cx, patch: CustomerPatch) -> Result<Saved<Customer>, Failure> {
    cx.settle(|draft| async { created(cx, draft, patch.clone()) }).await
}

/// Decides for a new customer.
///
/// # Errors
/// `Invalid`.
pub fn created<'a>(
    cx: &Cx,
    draft: Draft<'a>,
    patch: CustomerPatch,
) -> Result<Decision<'a, Saved<Customer>>, Failure> {
    let customer = Customer::create(draft.next(), cx.space, patch, cx.now, &draft)?;
    draft.create(customer)
}

/// Decides for a customer changed by a patch.
///
/// # Errors
/// `Invalid`.
pub fn changed<'a>(
    cx: &Cx,
    draft: Draft<'a>,
    before: &Loaded<Customer>,
    patch: CustomerPatch,
) -> Result<Decision<'a, Saved<Customer>>, Failure> {
    let (after, changes) = before.record.apply(patch, cx.now, &draft)?;
    draft.change(before, after, CustomerEvent::Updated, &changes)
}

/// A changed customer. A change that changes nothing keeps version and time.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`, `Exists` when the new reference is taken.
#[async_recursion]
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
    decide: impl Fn(&Customer) -> Result<CustomerPatch, Failure> + Send + Sync,
) -> Result<Saved<Customer>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        changed(cx, draft, &before, decide(&before)?)
    })
    .await
}

/// Creates or updates the customer with a reference, as one atomic call.
///
/// # Errors
/// `Stale` when `expect` names another version (or there is none), `PreconditionFailed` when
/// `create_only` and there is one, `Invalid`.
#[async_recursion]
pub async fn put_by_reference(
    cx: &Cx,
    reference: &Reference,
    expect: Expect,
    create_only: bool,
    patch: CustomerPatch,
) -> Result<Saved<Customer>, Failure> {
    cx.settle(|mut draft| async {
        let mut patch = patch.clone();
        let Some(before) = find_by_reference(cx, reference.as_str()).await? else {
            expect.check(0, 0)?;
            patch.reference = Patch::Set(reference.clone());
            // Somebody else created it just now: it is an update after all.
            draft.taken_is_raced();
            return created(cx, draft, patch);
        };
        if create_only {
            return Err(Failure::PreconditionFailed { what: "If-None-Match" });
        }
        expect.check(before.version, before.revision)?;
        changed(cx, draft, &before, patch)
    })
    .await
}

/// Hides a customer and what hangs on it. Its reference is free again.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn delete(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Customer>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let after = before.deleted(cx.now);
        draft.change(&before, after, CustomerEvent::Deleted, &["deleted_at"])
    })
    .await
}

/// Brings a deleted customer back, with everything that hung on it.
///
/// # Errors
/// `NotFound`, also for who may not see the past; `WrongState` when it was absorbed by another;
/// `Exists` when its reference has been taken meanwhile.
#[async_recursion]
pub async fn restore(cx: &Cx, id: Id, expect: Expect) -> Result<Saved<Customer>, Failure> {
    cx.settle(|draft| async {
        let before = get_any(cx, id).await?;
        expect.check(before.version, before.revision)?;
        if before.merged_into.is_some() {
            return Err(Failure::WrongState { is: "merged into another", needs: "deleted" });
        }
        if !before.is_deleted() {
            return Ok(draft.keep(before));
        }
        let after = before.restored(cx.now);
        draft.change(&before, after, CustomerEvent::Restored, &["deleted_at"])
    })
    .await
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
