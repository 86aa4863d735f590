//! Keys as an earlier version kept them.

use patron_model::{Failure, event::KeyEvent, space::Key};

use super::get;
use crate::{
    Cx,
    documents::DEPLOYMENT,
    record::{Id, page},
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
        let keys = page::<Key>(&cx, &query).await?.items;
        let Some(end) = keys.last() else { break };
        last = end.number;
        for key in &keys {
            if key.dialect == dialect && renewed(key).is_some() {
                changed += usize::from(renew_one(&cx, key.number, &renewed).await?);
            }
        }
    }
    Ok(changed)
}

async fn renew_one(
    cx: &Cx,
    number: i64,
    renewed: &(impl Fn(&Key) -> Option<Key> + Send + Sync),
) -> Result<bool, Failure> {
    cx.write(|mut draft| async {
        let before = match get(cx, Id::Number(number)).await {
            Ok(before) => before,
            Err(Failure::NotFound { .. }) => return Ok((draft, false)),
            Err(failure) => return Err(failure),
        };
        let Some(after) = renewed(&before) else { return Ok((draft, false)) };
        draft.forget(&before.record);
        draft.replace(&before, &after, KeyEvent::Updated, &["handle"])?;
        Ok((draft, true))
    })
    .await
}
