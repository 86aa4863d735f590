//! Keys as an earlier version kept them.

use patron_model::{Failure, space::Key};

use crate::{
    Cx,
    commit::{ATTEMPTS_MAX, Action, Loaded, decode, raced},
    documents::{DEPLOYMENT, KEY},
    failure,
    search::{Compare, Field, Filter, Order, Query, SortKey},
};

/// Keys read at a time.
const CHUNK: u32 = 200;

/// Brings keys of a dialect to the form they have now: `renewed` answers a key as it is to be, or
/// nothing when it is right. The journal forgets what a changed key looked like before. Answers how
/// many were changed. Idempotent; several nodes may do it at once.
///
/// # Errors
/// Whatever the store says.
pub async fn renew(
    cx: &Cx,
    dialect: &str,
    renewed: impl Fn(&Key) -> Option<Key> + Send + Sync,
) -> Result<usize, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    let (mut changed, mut last) = (0, 0);
    loop {
        let predicate = Filter::Compare(Field::Number, Compare::Greater, last.into());
        let by_number = SortKey { field: Field::Number, descending: false };
        let order = Order { keys: vec![by_number], descending: false };
        let query = Query { predicate, order, limit: CHUNK, ..Query::of(DEPLOYMENT) };
        let rows = cx.app.store.find(&KEY, &query).await.map_err(failure)?.rows;
        let Some(end) = rows.last() else { break };
        last = end.number;
        for row in &rows {
            let key: Loaded<Key> = decode(row)?;
            if key.dialect == dialect && renewed(&key).is_some() {
                changed += usize::from(renew_one(&cx, key.number, &renewed).await?);
            }
        }
    }
    cx.app.callers.forget();
    Ok(changed)
}

async fn renew_one(
    cx: &Cx,
    number: i64,
    renewed: &(impl Fn(&Key) -> Option<Key> + Send + Sync),
) -> Result<bool, Failure> {
    for _ in 0..ATTEMPTS_MAX {
        let row = cx.app.store.get(&KEY, DEPLOYMENT, number).await.map_err(failure)?;
        let before: Option<Loaded<Key>> = row.as_ref().map(decode).transpose()?;
        let Some(before) = before else { return Ok(false) };
        let Some(after) = renewed(&before) else { return Ok(false) };
        let mut draft = cx.draft();
        draft.forget(&before.record);
        draft.replace(&before, &after, Action::Updated, &["handle"])?;
        if draft.settle().await? {
            return Ok(true);
        }
    }
    Err(raced())
}
