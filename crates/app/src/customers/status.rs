//! The status of a customer: verbs of its own, and its end at its term.

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Timestamp,
    customer::{Customer, StatusVerb},
    event::CustomerEvent,
    text::Note,
};

use super::{change, get};
use crate::{
    App, Cx,
    commit::{Expect, Saved},
    record::{Id, page},
    search::{Compare, Field, Filter, Order, Query},
};

/// Spaces that are asked together for terms that have passed.
const SPACES_AT_ONCE: usize = 200;
/// Customers whose terms are read with one question.
const ENDS_AT_ONCE: u32 = 200;

/// A living customer whose status is changed by a verb: the same as a patch of status, reason and
/// term, but refused where it would lift what somebody else has set.
///
/// # Errors
/// `NotFound`, `Stale`, `WrongState`.
#[async_recursion]
pub async fn set_status(
    cx: &Cx,
    id: Id,
    expect: Expect,
    verb: StatusVerb,
    reason: Note,
    until: Option<Timestamp>,
) -> Result<Saved<Customer>, Failure> {
    let decide = |before: &Customer| before.status_patch(verb, reason.clone(), until, cx.now);
    change(cx, id, expect, decide).await
}

/// Writes of every customer in these spaces whose status has reached its term that it is active
/// again, and answers how many that were. Whoever reads or filters was told so before: this is for
/// those who hear of changes. Several nodes may do this at once, and each end is written once.
///
/// # Errors
/// Whatever the store says; what was written stays.
#[async_recursion]
pub async fn end_statuses(app: &Arc<App>, spaces: &[i64]) -> Result<u64, Failure> {
    let mut ended = 0;
    for spaces in spaces.chunks(SPACES_AT_ONCE) {
        loop {
            let cx = app.operator(0, "status term");
            let until = || Field::Column("status_until");
            let predicate = Filter::Compare(until(), Compare::AtMost, cx.now.micros().into());
            let (tenants, order) = (spaces.to_vec(), Order::by(until(), false));
            let query = Query { tenants, predicate, order, limit: ENDS_AT_ONCE, ..Query::of(0) };
            let found = page::<Customer>(&cx, &query).await?;
            let before = ended;
            for customer in &found.items {
                ended += u64::from(end(&cx.in_space(customer.space), customer.number).await?);
            }
            // Where nothing came of any of them, the next look would find the same.
            if !found.more || ended == before {
                break;
            }
        }
    }
    Ok(ended)
}

/// Ends the status of one customer, unless somebody else did something about it.
async fn end(cx: &Cx, number: i64) -> Result<bool, Failure> {
    let ended = cx.write(|draft| async {
        let before = match get(cx, Id::Number(number)).await {
            Ok(before) => before,
            Err(Failure::NotFound { .. }) => return Ok((draft, false)),
            Err(failure) => return Err(failure),
        };
        let Some((after, changes)) = before.with_status_ended(cx.now) else {
            return Ok((draft, false));
        };
        let mut draft = draft;
        draft.replaced(&before, after, CustomerEvent::StatusEnded, &changes)?;
        Ok((draft, true))
    });
    ended.await
}
