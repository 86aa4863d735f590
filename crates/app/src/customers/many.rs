//! Many customers at a time, as an import makes them.

use patron_model::{
    Failure,
    customer::{Customer, CustomerPatch},
};
use patron_store::{Committed, Store, StoreError};
use tokio::task::JoinHandle;

use super::created;
use crate::{
    Cx,
    commit::{Saved, refused},
};

/// New customers that are prepared while the ones before them are written.
const HANDED_TOGETHER: usize = 64;

/// Many new customers: one verdict for each, in order of the patches; of two with the same
/// reference either may be the one refused. Each patch comes with a context of its own, which
/// carries its idempotency mark. The store writes the first ones while the next are prepared.
pub async fn create_many(rows: Vec<(Cx, CustomerPatch)>) -> Vec<Result<Saved<Customer>, Failure>> {
    let mut handed = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some((cx, _)) = rows.peek() {
        let store = cx.app.store.clone();
        let together = rows.by_ref().take(HANDED_TOGETHER).collect();
        handed.push(Handed::over(store, together).await);
    }
    let mut verdicts = Vec::new();
    for handed in handed {
        verdicts.extend(handed.verdicts().await);
    }
    verdicts
}

/// New customers on their way into the store.
struct Handed {
    /// As they will be, or why they were not handed over.
    drafted: Vec<Result<Saved<Customer>, Failure>>,
    /// The store's verdicts on those that were.
    committing: JoinHandle<Vec<Result<Committed, StoreError>>>,
}

impl Handed {
    async fn over(store: Store, rows: Vec<(Cx, CustomerPatch)>) -> Handed {
        let (mut drafted, mut batches) = (Vec::with_capacity(rows.len()), Vec::new());
        for (cx, patch) in rows {
            let prepared = cx.prepare(|draft| created(&cx, draft, patch.clone())).await;
            drafted.push(prepared.map(|(batch, saved)| {
                batches.push(batch);
                saved
            }));
        }
        let committing = tokio::spawn(async move { store.commit_many(batches).await });
        Handed { drafted, committing }
    }

    async fn verdicts(self) -> Vec<Result<Saved<Customer>, Failure>> {
        let mut committed = self.committing.await.unwrap_or_default().into_iter();
        let mut verdict = |drafted: Result<Saved<Customer>, Failure>| {
            let saved = drafted?;
            match committed.next() {
                Some(Ok(_)) => Ok(saved),
                Some(Err(error)) => Err(refused(error)),
                None => Err(Failure::internal("the store gave no verdict for a batch")),
            }
        };
        self.drafted.into_iter().map(&mut verdict).collect()
    }
}
