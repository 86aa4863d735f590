//! Merges: one customer takes another one over.

use patron_model::{
    Failure, Ids, comment::Comment, customer::Customer, payment_method::PaymentMethod,
};

use super::{Id, MOVED_MAX, get, page, saved};
use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Document, Draft, Expect, Loaded, Saved, raced},
    documents::{COMMENT, Merge, PAYMENT_METHOD},
    search::{self, Filter, Query},
};

/// Merges `absorbed` into `survivor`: missing fields are taken over, everything that hangs on the
/// absorbed customer moves, and the merge is recorded so that it can be undone. One batch.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`, `WrongState` when both are the same, `TooLarge` when more than
/// [`MOVED_MAX`] records would have to move.
pub async fn merge(
    cx: &Cx,
    survivor: Id,
    absorbed: Id,
    expect: Expect,
) -> Result<Saved<Customer>, Failure> {
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let stays = get(cx, survivor).await?;
        expect.check(stays.version, stays.revision)?;
        let goes = get(cx, absorbed).await?;
        if stays.number == goes.number {
            return Err(Failure::WrongState { is: "the same customer", needs: "another" });
        }
        let after = stays.record.absorb(&goes.record, cx.now)?;
        let comments: Vec<Loaded<Comment>> = hanging(cx, goes.number).await?;
        let methods: Vec<Loaded<PaymentMethod>> = hanging(cx, goes.number).await?;
        if comments.len() + methods.len() > MOVED_MAX {
            return Err(Failure::TooLarge { limit: MOVED_MAX });
        }
        let draft = draft_merge(cx, &stays, &goes, &after, &comments, &methods).await?;
        if draft.settle().await? {
            return Ok(saved(after, stays.revision + 1, Action::Merged));
        }
    }
    Err(raced())
}

async fn draft_merge<'a>(
    cx: &'a Cx,
    stays: &Loaded<Customer>,
    goes: &Loaded<Customer>,
    after: &Customer,
    comments: &[Loaded<Comment>],
    methods: &[Loaded<PaymentMethod>],
) -> Result<Draft<'a>, Failure> {
    cx.app.ensure_ids(1).await?;
    let mut draft = cx.draft();
    // The absorbed one first: its reference must be free before the survivor can take it.
    let gone = goes.absorbed_by(stays.number, cx.now);
    draft.replace(goes, &gone, Action::Absorbed, &["deleted_at", "merged_into"])?;
    draft.replace(stays, after, Action::Merged, &["merge"])?;
    let mut moved = Vec::new();
    for comment in comments {
        let next = Comment { customer: stays.number, ..comment.record.clone() };
        draft.replace(comment, &next, Action::Moved, &["customer"])?;
        moved.push((COMMENT.name.to_owned(), comment.number));
    }
    for method in methods {
        let next =
            PaymentMethod { customer: stays.number, is_default: false, ..method.record.clone() };
        draft.replace(method, &next, Action::Moved, &["customer"])?;
        moved.push((PAYMENT_METHOD.name.to_owned(), method.number));
    }
    moved.extend(goes.addresses().iter().map(|a| ("address".to_owned(), a.number)));
    let id = cx.app.next();
    draft.insert(&Merge {
        number: id.number,
        uuid: id.uuid,
        space: cx.space,
        survivor: stays.number,
        survivor_revision: stays.revision,
        absorbed: goes.number,
        absorbed_revision: goes.revision,
        moved,
        at: cx.now,
    })?;
    draft.outcome(after, stays.revision + 1, Action::Merged);
    Ok(draft)
}

/// Everything of one kind that hangs on a customer, deleted records included.
async fn hanging<T: Document>(cx: &Cx, customer: i64) -> Result<Vec<Loaded<T>>, Failure> {
    let of_customer = Filter::equal(search::Field::Column("customer"), customer);
    let limit = u32::try_from(MOVED_MAX + 1).unwrap_or(u32::MAX);
    let query = Query { predicate: of_customer, limit, ..Query::of(cx.space) };
    Ok(page(cx, &query).await?.items)
}
