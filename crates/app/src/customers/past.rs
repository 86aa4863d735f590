//! What is deleted. Only who may see the past sees it; to everybody else a deleted customer is as
//! missing as one that never was, whatever way leads to it.

use std::borrow::Cow;

use async_recursion::async_recursion;
use patron_model::{Failure, Permission, Timestamp, customer::Customer, event::CustomerEvent};
use uuid::Uuid;

use super::{get, not_found};
use crate::{
    Cx,
    commit::{Expect, Saved},
    journal,
    record::{self, Id, Loaded, Look},
    search::{Filter, Query, customer::living, is_living},
};

/// What anybody who may read customers is told of a deleted one, in APIs that promise to say that
/// it is deleted: nothing about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// UUID.
    pub uuid: Uuid,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was deleted.
    pub deleted_at: Timestamp,
}

/// A customer; a deleted one too, for who may see the past.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get_any(cx: &Cx, id: Id) -> Result<Loaded<Customer>, Failure> {
    let look = Look::at(id);
    record::load(cx, if cx.has(Permission::CustomerPast) { look.or_deleted() } else { look }).await
}

/// A state of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The present one.
    Now,
    /// The one there was then.
    At(Timestamp),
    /// The last one of this version.
    Version(i64),
}

/// A customer in a state; an absorbed or deleted one too.
///
/// # Errors
/// `NotFound`, `Forbidden` for who may not see the past, `Malformed` for a moment still to come.
pub async fn state(cx: &Cx, id: Id, moment: Moment) -> Result<Loaded<Customer>, Failure> {
    let now = get_any(cx, id).await?;
    match moment {
        Moment::Now => Ok(now),
        Moment::At(at) => journal::at_time(cx, now.number, at).await,
        Moment::Version(version) => {
            let has = |customer: &Customer| customer.version == version;
            journal::at_version(cx, now.number, has).await
        }
    }
}

/// A living customer becomes again what it was in a version, as a new one; `fields` are those that
/// come back, else all that say who it is.
///
/// # Errors
/// `NotFound` for the customer and the version, `Forbidden` for who may not see the past, `Stale`,
/// `Exists` when its reference was taken meanwhile.
#[async_recursion]
pub async fn revert(
    cx: &Cx,
    id: Id,
    expect: Expect,
    version: i64,
    fields: Option<&[&'static str]>,
) -> Result<Saved<Customer>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, id).await?;
        expect.check(before.version, before.revision)?;
        let then = state(cx, Id::Number(before.number), Moment::Version(version)).await?;
        let steps = before.revision - then.revision;
        let (after, changes) = before.reverted(&then, fields, steps, cx.now);
        draft.change(&before, after, CustomerEvent::Updated, &changes)
    })
    .await
}

/// What is left to say of a deleted customer.
///
/// # Errors
/// `NotFound`, also when it lives.
#[async_recursion]
pub async fn trace(cx: &Cx, id: Id) -> Result<Trace, Failure> {
    let found: Customer = record::load(cx, Look::at(id).or_deleted()).await?.record;
    let deleted_at = found.deleted_at.ok_or_else(not_found)?;
    Ok(Trace { uuid: found.uuid, created_at: found.created_at, deleted_at })
}

/// The space, of several, in which a customer is or was.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn space_of(cx: &Cx, uuid: Uuid, spaces: &[i64]) -> Result<i64, Failure> {
    let look = Look::at(Id::Uuid(uuid)).within(spaces);
    Ok(record::row::<Customer>(cx, look).await?.tenant)
}

/// A filter without what the caller must not see.
pub(super) fn permitted<'a>(cx: &Cx, filter: &'a Filter) -> Cow<'a, Filter> {
    match cx.has(Permission::CustomerPast) || demands_living(filter) {
        true => Cow::Borrowed(filter),
        false => Cow::Owned(living().and(filter.clone())),
    }
}

/// The same for a whole question.
pub(super) fn permitted_query<'a>(cx: &Cx, query: &'a Query) -> Cow<'a, Query> {
    match permitted(cx, &query.predicate) {
        Cow::Borrowed(_) => Cow::Borrowed(query),
        Cow::Owned(predicate) => Cow::Owned(Query { predicate, ..query.clone() }),
    }
}

/// Whether a filter leaves the deleted out by itself, as most do.
fn demands_living(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) => all.iter().any(is_living),
        one => is_living(one),
    }
}
