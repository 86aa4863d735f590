//! Merges: one customer takes another one over.

use async_recursion::async_recursion;
use patron_model::{
    Failure, Ids, Permission, Timestamp,
    card::Found,
    comment::Comment,
    customer::{Customer, Deed},
    event::{CommentEvent, CustomerEvent, MergeEvent, MethodEvent},
    payment_method::PaymentMethod,
};
use patron_store::{Column, Index, Kind, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::get;
use crate::{
    Cx,
    commit::{Decision, Draft, Expect, Saved, Settled},
    documents::{Document, named},
    idempotency::Touched,
    record::{Id, Loaded, page},
    search::{self, Filter, Query},
};

/// Most records that hang on an absorbed customer and can move in one merge.
pub const MOVED_MAX: usize = 10_000;

/// Merges, so that they can be looked at and undone.
pub static MERGE: Kind = Kind {
    name: "merge",
    columns: &[Column::int("survivor", Index::Ordered), Column::int("absorbed", Index::Ordered)],
    terms: false,
};

/// A merge of two customers: enough to look at it and to undo it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Merge {
    /// Number, unique in the deployment.
    pub number: i64,
    /// UUID.
    pub uuid: Uuid,
    /// Space.
    pub space: i64,
    /// The customer that stayed.
    pub survivor: i64,
    /// Its revision before.
    pub survivor_revision: i64,
    /// The customer that went.
    pub absorbed: i64,
    /// Its revision before.
    pub absorbed_revision: i64,
    /// Records that moved: kind and number.
    pub moved: Vec<(String, i64)>,
    /// When.
    pub at: Timestamp,
}

impl Document for Merge {
    named!(MERGE, Customer, MergeEvent, in_space);
    const SEEN_BY: Option<Permission> = Some(Permission::CustomerRead);

    fn subject(&self) -> i64 {
        self.survivor
    }

    fn related(&self) -> Vec<i64> {
        vec![self.absorbed]
    }

    fn columns(&self) -> Vec<Value> {
        vec![self.survivor.into(), self.absorbed.into()]
    }

    fn search_cards(&self, _: &mut Found) {
        // Numbers and times of our own.
    }
}

/// What a merge came to.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The customer that stayed.
    pub survivor: Saved<Customer>,
    /// What else it changed. Absent in the repeated answer of a merge of before layout 3, which was
    /// remembered by the survivor alone.
    pub beside: Option<Beside>,
}

/// What a merge changed beside the survivor.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The customer that went.
    pub absorbed: Saved<Customer>,
    /// The record of the merge.
    pub merge: Saved<Merge>,
}

impl Settled for Merged {
    fn touched(&self) -> Vec<Touched> {
        let mut touched = self.survivor.touched();
        if let Some(Beside { absorbed, merge }) = &self.beside {
            touched.extend(absorbed.touched());
            touched.extend(merge.touched());
        }
        touched
    }

    async fn recall(cx: &Cx, records: &[Touched]) -> Result<Merged, Failure> {
        let survivor = Saved::recall(cx, records).await?;
        let beside = match records {
            [_, absorbed, merge] => Some(Beside {
                absorbed: cx.recalled(absorbed).await?,
                merge: cx.recalled(merge).await?,
            }),
            _ => None,
        };
        Ok(Merged { survivor, beside })
    }
}

/// Merges `absorbed` into `survivor`: missing fields are taken over, everything that hangs on the
/// absorbed customer moves, and the merge is recorded so that it can be undone. One batch.
///
/// # Errors
/// `NotFound`, `Stale`, `Invalid`, `WrongState` when both are the same or a status refuses it,
/// `TooLarge` when more than
/// [`MOVED_MAX`] records would have to move.
#[async_recursion]
pub async fn merge(cx: &Cx, survivor: Id, absorbed: Id, expect: Expect) -> Result<Merged, Failure> {
    cx.settle(|draft| async {
        let stays = get(cx, survivor).await?;
        expect.check(stays.version, stays.revision)?;
        let goes = get(cx, absorbed).await?;
        if stays.number == goes.number {
            return Err(Failure::WrongState { is: "the same customer", needs: "another" });
        }
        stays.allows(Deed::Merge, cx.now)?;
        goes.allows(Deed::Merge, cx.now)?;
        let comments: Vec<Loaded<Comment>> = hanging(cx, goes.number).await?;
        let methods: Vec<Loaded<PaymentMethod>> = hanging(cx, goes.number).await?;
        if comments.len() + methods.len() > MOVED_MAX {
            return Err(Failure::TooLarge { limit: MOVED_MAX });
        }
        merged(cx, draft, &stays, &goes, (&comments, &methods))
    })
    .await
}

fn merged<'a>(
    cx: &Cx,
    mut draft: Draft<'a>,
    stays: &Loaded<Customer>,
    goes: &Loaded<Customer>,
    (comments, methods): (&[Loaded<Comment>], &[Loaded<PaymentMethod>]),
) -> Result<Decision<'a, Merged>, Failure> {
    let after = stays.record.absorb(&goes.record, cx.now)?;
    // The absorbed one first: its reference must be free before the survivor can take it.
    let gone = goes.absorbed_by(stays.number, cx.now);
    let changes = &["deleted_at", "merged_into"];
    let absorbed = draft.replaced(goes, gone, CustomerEvent::Absorbed, changes)?;
    let survivor = draft.replaced(stays, after, CustomerEvent::Merged, &["merge"])?;
    draft.relate(goes.number);
    let mut moved = Vec::new();
    for comment in comments {
        let next = comment.moved(stays.number);
        draft.replace(comment, &next, CommentEvent::Moved, &["customer"])?;
        draft.relate(goes.number);
        moved.push((Comment::KIND.name.to_owned(), comment.number));
    }
    for method in methods {
        let next = method.moved(stays.number);
        draft.replace(method, &next, MethodEvent::Moved, &["customer"])?;
        draft.relate(goes.number);
        moved.push((PaymentMethod::KIND.name.to_owned(), method.number));
    }
    moved.extend(goes.addresses().iter().map(|a| ("address".to_owned(), a.number)));
    let id = draft.next();
    let merge = Merge {
        number: id.number,
        uuid: id.uuid,
        space: cx.space,
        survivor: stays.number,
        survivor_revision: stays.revision,
        absorbed: goes.number,
        absorbed_revision: goes.revision,
        moved,
        at: cx.now,
    };
    draft.insert(&merge)?;
    let event = Some(MergeEvent::Created);
    let merge = Saved { record: merge, revision: 1, event, replayed: false };
    Ok(draft.answering(Merged { survivor, beside: Some(Beside { absorbed, merge }) }))
}

/// Everything of one kind that hangs on a customer, deleted records included.
async fn hanging<T: Document>(cx: &Cx, customer: i64) -> Result<Vec<Loaded<T>>, Failure> {
    let of_customer = Filter::equal(search::Field::Column("customer"), customer);
    let limit = u32::try_from(MOVED_MAX + 1).unwrap_or(u32::MAX);
    let query = Query { predicate: of_customer, limit, ..Query::of(cx.space) };
    Ok(page(cx, &query).await?.items)
}
