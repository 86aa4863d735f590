//! Use cases of comments on customers.

use async_recursion::async_recursion;
pub use patron_model::comment::CommentPatch;
use patron_model::{
    Failure, Ids, Permission, Timestamp, card::Found, comment::Comment, event::CommentEvent,
    text::Content,
};
use patron_store::{Column, Index, Kind, Value};

use crate::{
    Cx,
    commit::{Expect, Saved},
    customers,
    documents::{Document, named},
    record::{self, Id, Loaded, Page},
    search::Query,
};

/// Comments on customers.
pub static COMMENT: Kind = Kind {
    name: "comment",
    columns: &[Column::int("customer", Index::Ordered), Column::int("deleted_at", Index::None)],
    terms: false,
};

impl Document for Comment {
    named!(COMMENT, Comment, CommentEvent, in_space);
    const SEEN_BY: Option<Permission> = Some(Permission::CommentRead);

    fn subject(&self) -> i64 {
        self.customer
    }

    fn is_gone(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.customer.into(), self.deleted_at.map(Timestamp::micros).into()]
    }

    fn search_cards(&self, found: &mut Found) {
        found.maybe("content", self.content.as_ref());
    }
}

/// A page of comments of a living customer; the query's filter narrows it.
///
/// # Errors
/// `NotFound` when the customer is.
#[async_recursion]
pub async fn list(cx: &Cx, customer: Id, query: Query) -> Result<Page<Comment>, Failure> {
    let customer = customers::get(cx, customer).await?;
    let predicate = customers::hanging_on(customer.number).and(query.predicate);
    record::page(cx, &Query { predicate, ..query }).await
}

/// One comment of a living customer.
///
/// # Errors
/// `NotFound`.
#[async_recursion]
pub async fn get(cx: &Cx, customer: Id, id: Id) -> Result<Loaded<Comment>, Failure> {
    let customer = customers::get(cx, customer).await?;
    record::load_of(cx, customer.number, id).await
}

/// A new comment.
///
/// # Errors
/// `NotFound` when the customer is.
#[async_recursion]
pub async fn create(
    cx: &Cx,
    customer: Id,
    content: Option<Content>,
    pinned: bool,
) -> Result<Saved<Comment>, Failure> {
    cx.settle(|mut draft| async {
        let customer = customers::get(cx, customer).await?;
        // The customer must still be there when the comment is.
        draft.assert(&customer);
        let place = (cx.space, customer.number);
        let said = (content.clone(), pinned);
        let comment = Comment::create(draft.next(), place, cx.actor_number(), said, cx.now);
        draft.create(comment)
    })
    .await
}

/// A changed comment.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn update(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
    patch: CommentPatch,
) -> Result<Saved<Comment>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        let (after, changes) = before.apply(patch.clone(), cx.actor_number(), cx.now);
        draft.change(&before, after, CommentEvent::Updated, &changes)
    })
    .await
}

/// Hides a comment.
///
/// # Errors
/// `NotFound`, `Stale`.
#[async_recursion]
pub async fn delete(
    cx: &Cx,
    customer: Id,
    id: Id,
    expect: Expect,
) -> Result<Saved<Comment>, Failure> {
    cx.settle(|draft| async {
        let before = get(cx, customer, id).await?;
        expect.check(before.version, before.revision)?;
        draft.change(&before, before.deleted(cx.now), CommentEvent::Deleted, &["deleted_at"])
    })
    .await
}
