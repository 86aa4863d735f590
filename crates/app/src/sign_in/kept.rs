//! What records about signing in share: they are plain, and removed when they are over.

use patron_model::{Failure, Timestamp};
use patron_store::{Batch, StoreError, Write};

use crate::{
    App,
    documents::{DEPLOYMENT, Document},
    failure,
    search::{Compare, Field, Filter, Order, Query},
};

/// Records removed in one transaction.
const REMOVED_AT_ONCE: u32 = 200;

/// Removes records whose column, a moment in microseconds, lies before another moment; how many.
///
/// # Errors
/// Whatever the store says.
pub(super) async fn remove_before<T: Document>(
    app: &App,
    column: &'static str,
    before: Timestamp,
) -> Result<u64, Failure> {
    let old = Filter::Compare(Field::Column(column), Compare::Less, before.micros().into());
    let order = Order::by(Field::Column(column), false);
    let query = Query { predicate: old, order, limit: REMOVED_AT_ONCE, ..Query::of(DEPLOYMENT) };
    let mut removed = 0;
    loop {
        let found = app.store.find(T::KIND, &query).await.map_err(failure)?;
        let mut batch = Batch { tenant: DEPLOYMENT, ..Batch::default() };
        for row in &found.rows {
            let (tenant, number, revision) = (row.tenant, row.number, row.revision);
            batch.writes.push(Write::Remove { kind: T::KIND, tenant, number, revision });
        }
        match app.store.commit(batch).await {
            Ok(_) => removed += found.rows.len() as u64,
            // One of them is in use after all: all are looked at again in their time.
            Err(StoreError::Conflict { .. }) => return Ok(removed),
            Err(error) => return Err(failure(error)),
        }
        if !found.more {
            return Ok(removed);
        }
    }
}
