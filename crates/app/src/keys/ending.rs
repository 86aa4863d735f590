//! Keys that end soon: those who may change them are told, some days before and once more.

use std::sync::Arc;

use async_recursion::async_recursion;
use patron_model::{
    Failure,
    event::KeyEvent,
    space::{Key, TOLD_DAYS_BEFORE},
};

use crate::{
    App, Cx,
    documents::DEPLOYMENT,
    mails::notices,
    record::{self, Id, Loaded, Look, page},
    search::{After, Compare, Filter, Query, fields},
};

/// Keys read at a time.
const KEYS_AT_ONCE: u32 = 200;
const DAY_SECONDS: i64 = 24 * 3_600;

/// Tells of every key whose end is near; of how many. What was told is written in the key, so that
/// of several nodes one tells it.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn tell_of_ends(app: &Arc<App>) -> Result<u64, Failure> {
    let cx = &app.operator(DEPLOYMENT, "keys");
    let days = TOLD_DAYS_BEFORE.into_iter().max().unwrap_or_default();
    let latest = cx.now.plus_seconds(days * DAY_SECONDS).micros();
    let ends = |compare, at: i64| Filter::Compare(fields::key::expires_at(), compare, at.into());
    let predicate = ends(Compare::Greater, cx.now.micros()).and(ends(Compare::AtMost, latest));
    let mut query = Query { predicate, limit: KEYS_AT_ONCE, ..Query::of(DEPLOYMENT) };
    let mut count = 0;
    loop {
        let found = page::<Key>(cx, &query).await?;
        for key in found.items.iter().filter(|key| key.end_to_tell(cx.now).is_some()) {
            tell(cx, key.number).await?;
            count += 1;
        }
        let Some(last) = found.items.last().filter(|_| found.more) else { return Ok(count) };
        query.after = Some(After { keys: Vec::new(), number: last.number });
    }
}

async fn tell(cx: &Cx, number: i64) -> Result<(), Failure> {
    let told = cx.settle(|mut draft| async {
        let before: Loaded<Key> = record::load(cx, Look::at(Id::Number(number))).await?;
        let Some(told) = before.end_to_tell(cx.now) else {
            let same = before.record.clone();
            return draft.change(&before, same, KeyEvent::Expiring, &[]);
        };
        notices::key_ends(cx, &mut draft, &before).await?;
        let after = Key { told: Some(told), ..before.record.clone() };
        draft.change(&before, after, KeyEvent::Expiring, &["told"])
    });
    told.await.map(drop)
}
