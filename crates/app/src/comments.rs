//! Use cases of comments on customers.

use patron_model::{Failure, Ids, Noun, Patch, comment::Comment, text::Content};

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Expect, Loaded, Saved, decode, raced},
    customers::{self, Id, Page},
    documents::COMMENT,
    failure,
    search::{Field, Filter, Query},
};

fn not_found() -> Failure {
    Failure::NotFound { noun: Noun::Comment }
}

/// Comments of one customer that are not deleted: a filter to be narrowed further.
pub fn of_customer(customer: i64) -> Filter {
    Filter::equal(Field::Column("customer"), customer)
        .and(Filter::Missing(Field::Column("deleted_at")))
}

/// A page of comments of a living customer; the query's filter narrows it.
///
/// # Errors
/// `NotFound` when the customer is.
pub async fn list(cx: &Cx, customer: Id, query: Query) -> Result<Page<Comment>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let predicate = of_customer(customer.number).and(query.predicate);
    customers::page(cx, &Query { predicate, ..query }).await
}

/// One comment of a living customer.
///
/// # Errors
/// `NotFound`.
pub async fn get(cx: &Cx, customer: Id, id: Id) -> Result<Loaded<Comment>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let row = match id {
        Id::Number(number) => cx.app.store.get(&COMMENT, cx.space, number).await,
        Id::Uuid(uuid) => cx.app.store.get_by_uuid(&COMMENT, cx.space, uuid).await,
    };
    let comment: Loaded<Comment> = decode(&row.map_err(failure)?.ok_or_else(not_found)?)?;
    let is_here = comment.customer == customer.number && comment.deleted_at.is_none();
    if is_here { Ok(comment) } else { Err(not_found()) }
}

/// A new comment.
///
/// # Errors
/// `NotFound` when the customer is.
pub async fn create(
    cx: &Cx,
    customer: Id,
    content: Option<Content>,
    pinned: bool,
) -> Result<Saved<Comment>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let customer = customers::get(cx, customer).await?;
        cx.app.ensure_ids(1).await?;
        let id = cx.app.next();
        let comment = Comment {
            number: id.number,
            uuid: id.uuid,
            space: cx.space,
            customer: customer.number,
            version: 1,
            content: content.clone(),
            pinned,
            created_by: cx.actor_number(),
            edited_by: None,
            created_at: cx.now,
            edited_at: None,
            updated_at: cx.now,
            deleted_at: None,
        };
        let mut draft = cx.draft();
        // The customer must still be there when the comment is.
        draft.assert(&customer);
        draft.insert(&comment)?;
        draft.outcome(&comment, 1, Action::Created);
        if draft.settle().await? {
            return Ok(Saved {
                record: comment,
                revision: 1,
                action: Action::Created,
                replayed: false,
            });
        }
    }
    Err(raced())
}

/// What shall become of a comment.
#[derive(Debug, Clone, Default)]
pub struct CommentPatch {
    /// The text.
    pub content: Patch<Content>,
    /// Whether it is pinned.
    pub pinned: Option<bool>,
}

/// A changed comment. Pinning is a change, but not an edit of the text.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    patch: CommentPatch,
) -> Result<Saved<Comment>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let mut after = before.record.clone();
        let mut changes = Vec::new();
        if patch.content.clone().change(&mut after.content) {
            after.edited_by = Some(cx.actor_number());
            after.edited_at = Some(cx.now);
            changes.push("content");
        }
        if let Some(pinned) = patch.pinned.filter(|pinned| *pinned != after.pinned) {
            after.pinned = pinned;
            changes.push("pinned");
        }
        if let Some(saved) = settle(cx, &before, after, Action::Updated, &changes).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

/// Hides a comment.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn delete(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
) -> Result<Saved<Comment>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let after = Comment { deleted_at: Some(cx.now), ..before.record.clone() };
        if let Some(saved) = settle(cx, &before, after, Action::Deleted, &["deleted_at"]).await? {
            return Ok(saved);
        }
    }
    Err(raced())
}

async fn settle(
    cx: &Cx,
    before: &Loaded<Comment>,
    after: Comment,
    action: Action,
    changes: &[&'static str],
) -> Result<Option<Saved<Comment>>, Failure> {
    let mut draft = cx.draft();
    if changes.is_empty() {
        draft.outcome(&after, before.revision, Action::Unchanged);
        let (record, revision) = (after, before.revision);
        let saved = Saved { record, revision, action: Action::Unchanged, replayed: false };
        return Ok(draft.settle().await?.then_some(saved));
    }
    let updated_at = cx.now.max(before.updated_at);
    let after = Comment { version: before.version + 1, updated_at, ..after };
    let revision = before.revision + 1;
    draft.replace(before, &after, action, changes)?;
    draft.outcome(&after, revision, action);
    let saved = Saved { record: after, revision, action, replayed: false };
    Ok(draft.settle().await?.then_some(saved))
}
