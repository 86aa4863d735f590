//! Many customers at a time, as an import makes and changes them.

use async_recursion::async_recursion;
use patron_model::{
    Failure,
    customer::{Customer, CustomerPatch, Deed},
};
use patron_store::{Committed, Store, StoreError};
use tokio::task::JoinHandle;

use super::{change, changed, created};
use crate::{
    Cx,
    commit::{Decision, Draft, Expect, Saved, claims::Claims},
    record::{Id, Loaded},
    statistics::OfCustomers,
};

/// Customers that are prepared while the ones before them are written.
const HANDED_TOGETHER: usize = 64;

/// What shall become of one customer.
#[derive(Debug, Clone)]
pub enum Step {
    /// A new one.
    Create(CustomerPatch),
    /// One that was read, changed.
    Change(Box<Loaded<Customer>>, CustomerPatch),
}

/// Why a step was not made.
#[derive(Debug)]
pub enum Missed {
    /// Another writer was faster: read and decide again.
    Raced,
    /// It is refused.
    Refused(Failure),
}

/// Decides for a customer that is changed by a patch as one of many.
///
/// # Errors
/// `WrongState` when its status refuses that, `Invalid`.
pub fn changed_among_many<'a>(
    cx: &Cx,
    draft: Draft<'a>,
    before: &Loaded<Customer>,
    patch: CustomerPatch,
) -> Result<Decision<'a, Saved<Customer>>, Failure> {
    before.allows(Deed::ChangeAmongMany, cx.now)?;
    changed(cx, draft, before, patch)
}

/// As [`super::change`], of one of many.
///
/// # Errors
/// As [`super::change`], and `WrongState` when the status refuses it.
pub async fn change_among_many(
    cx: &Cx,
    id: Id,
    expect: Expect,
    decide: impl Fn(&Customer) -> Result<CustomerPatch, Failure> + Send + Sync,
) -> Result<Saved<Customer>, Failure> {
    let decide = |before: &Customer| {
        before.allows(Deed::ChangeAmongMany, cx.now)?;
        decide(before)
    };
    change(cx, id, expect, decide).await
}

/// Many new customers: one verdict for each, in order of the patches; of two with the same
/// reference either may be the one refused. Each patch comes with a context of its own, which
/// carries its idempotency mark. The store writes the first ones while the next are prepared.
#[async_recursion]
pub async fn create_many(rows: Vec<(Cx, CustomerPatch)>) -> Vec<Result<Saved<Customer>, Failure>> {
    let steps = rows.into_iter().map(|(cx, patch)| (cx, Step::Create(patch))).collect();
    let verdicts = write_many(steps).await.into_iter();
    let failed = |missed| match missed {
        Missed::Raced => Failure::Unavailable { retry_after_seconds: 1 },
        Missed::Refused(failure) => failure,
    };
    verdicts.map(|verdict| verdict.map_err(failed)).collect()
}

/// The same for new and changed customers. A change that changes nothing writes nothing.
#[async_recursion]
pub async fn write_many(steps: Vec<(Cx, Step)>) -> Vec<Result<Saved<Customer>, Missed>> {
    let mut handed = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some((cx, _)) = steps.peek() {
        let store = cx.app.store.clone();
        let together = steps.by_ref().take(HANDED_TOGETHER).collect();
        handed.push(Handed::over(store, together).await);
    }
    let mut verdicts = Vec::new();
    for handed in handed {
        verdicts.extend(handed.verdicts().await);
    }
    verdicts
}

/// A customer as it will be; where it is written, what it claims and what is counted of it.
type Drafted = (Saved<Customer>, Option<(Claims, OfCustomers)>);

/// Customers on their way into the store.
struct Handed {
    /// Each, or why it was not handed over.
    drafted: Vec<(Cx, Result<Drafted, Failure>)>,
    /// The store's verdicts on those that are written.
    committing: JoinHandle<Vec<Result<Committed, StoreError>>>,
}

impl Handed {
    async fn over(store: Store, steps: Vec<(Cx, Step)>) -> Handed {
        let (mut drafted, mut batches) = (Vec::with_capacity(steps.len()), Vec::new());
        for (cx, step) in steps {
            let prepared = cx.prepare(|draft| match &step {
                Step::Create(patch) => created(&cx, draft, patch.clone()),
                Step::Change(before, patch) => {
                    changed_among_many(&cx, draft, before, patch.clone())
                }
            });
            let prepared = prepared.await;
            let prepared = prepared.map(|(batch, saved)| {
                let is_written = !batch.writes.is_empty() || batch.answer.is_some();
                let claims = is_written.then(|| (Claims::of(&batch), OfCustomers::of(&batch)));
                batches.extend(is_written.then_some(batch));
                (saved, claims)
            });
            drafted.push((cx, prepared));
        }
        let committing = tokio::spawn(async move { store.commit_many(batches).await });
        Handed { drafted, committing }
    }

    async fn verdicts(self) -> Vec<Result<Saved<Customer>, Missed>> {
        let mut committed = self.committing.await.unwrap_or_default().into_iter();
        let mut verdicts = Vec::with_capacity(self.drafted.len());
        for (cx, drafted) in self.drafted {
            let verdict = match drafted {
                Ok((saved, Some((claims, counted)))) => match committed.next() {
                    Some(Ok(_)) => {
                        cx.app.count_customers(counted, cx.now);
                        Ok(saved)
                    }
                    Some(Err(StoreError::Conflict { .. })) => Err(Missed::Raced),
                    Some(Err(error)) => Err(Missed::Refused(claims.refused(&cx, error).await)),
                    None => {
                        let lost = Failure::internal("the store gave no verdict for a batch");
                        Err(Missed::Refused(lost))
                    }
                },
                Ok((saved, None)) => Ok(saved),
                Err(failure) => Err(Missed::Refused(failure)),
            };
            verdicts.push(verdict);
        }
        verdicts
    }
}
