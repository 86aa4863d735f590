//! Offboarding: a space is deleted for good, with everything in it. First it is marked, and from
//! then on nothing answers; then its rows go in small steps, so that neighbours are not kept
//! waiting; then its keys; in the end the audit trail keeps a receipt. What is left is the number,
//! so that it is never given out again. Interrupted anywhere, [`sweep`] goes on.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use patron_model::{
    Failure,
    audit::Receipt,
    space::{Deletion, Key, Space},
    text::Name,
};
use patron_store::Counts;

use crate::{
    App, Cx,
    audit::{Act, target},
    commit::{ATTEMPTS_MAX, Action, Expect, Loaded, Saved, decode, raced},
    customers::page,
    documents::{DEPLOYMENT, SPACE},
    failure,
    keys::REMEMBERED,
    search::{Compare, Field, Filter, Order, Query},
    spaces, vault,
};

/// Rows removed in one transaction.
const ROWS_AT_ONCE: u32 = 500;
/// Pause between two transactions: the neighbours' turn.
const PAUSE: Duration = Duration::from_millis(5);
/// Keys removed in one transaction.
const KEYS_AT_ONCE: usize = 50;
/// Keys of an account that are looked at, at a time.
const KEYS_PAGE: u32 = 1_000;
/// How long a deleted space is swept again: for what a node wrote that had not heard of it.
const SWEPT_AGAIN_SECONDS: i64 = 24 * 3_600;
/// Deleted spaces looked at in one sweep.
const SWEPT_MAX: u32 = 1_000;
/// What a deleted space is called.
const NAME: &str = "deleted";

/// What goes when a space is deleted.
#[derive(Debug, Clone)]
pub struct Leaving {
    /// The space.
    pub space: Loaded<Space>,
    /// Rows by kind.
    pub counts: Counts,
    /// Keys that open this space only.
    pub keys: u64,
}

/// What would go with a space.
///
/// # Errors
/// `NotFound`.
pub async fn look(cx: &Cx, number: i64) -> Result<Leaving, Failure> {
    let space = spaces::get::<Space>(cx, number).await?;
    let counts = cx.app.store.count_tenant(number).await.map_err(failure)?;
    let keys = keys_of(cx, &space, usize::MAX).await?.len() as u64;
    Ok(Leaving { space, counts, keys })
}

/// Marks a space as deleted: from now on nothing answers for it, here at once and on other nodes
/// after half a second. [`finish`] removes what is in it.
///
/// # Errors
/// `NotFound`, `Stale`.
pub async fn begin(
    cx: &Cx,
    number: i64,
    expect: Expect,
    export_sha256: Option<String>,
) -> Result<Saved<Space>, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    if let Some(saved) = cx.replayed().await? {
        return Ok(saved);
    }
    for _ in 0..ATTEMPTS_MAX {
        let before: Loaded<Space> = spaces::get(&cx, number).await?;
        expect.check(before.version, before.revision)?;
        let counts = cx.app.store.count_tenant(number).await.map_err(failure)?;
        let keys = keys_of(&cx, &before, usize::MAX).await?.len() as u64;
        let export_sha256 = export_sha256.clone();
        let after = Space {
            version: before.version + 1,
            name: Name::parse(NAME).map_err(Failure::internal)?,
            require_precondition: false,
            dialects: std::collections::BTreeMap::new(),
            audit_reads: false,
            archived_at: None,
            updated_at: cx.now.max(before.updated_at),
            deletion: Some(Deletion { at: cx.now, counts, keys, export_sha256, done_at: None }),
            ..before.record.clone()
        };
        let mut draft = cx.draft();
        draft.forget(&before.record);
        draft.replace(&before, &after, Action::Deleted, &["deletion"])?;
        let revision = before.revision + 1;
        draft.outcome(&after, revision, Action::Deleted);
        if draft.settle().await? {
            cx.app.callers.forget();
            return Ok(Saved { record: after, revision, action: Action::Deleted, replayed: false });
        }
    }
    Err(raced())
}

/// Finishes in the background, unless this process is at it already.
pub fn finish_later(cx: &Cx, number: i64) {
    let cx = Cx { idempotency: None, dry_run: false, seen: None, ..cx.clone() };
    let leaving = Arc::clone(&cx.app);
    if !leaving.leaving.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
        return;
    }
    tokio::spawn(async move {
        if let Err(failure) = finish(&cx, number).await {
            // The next sweep goes on.
            tracing::warn!(space = number, failure = failure.name(), "a deletion was interrupted");
        }
        leaving.leaving.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    });
}

/// Removes everything that a deleted space holds, and answers the receipt. Can be repeated.
///
/// # Errors
/// `NotFound` when the space is not marked as deleted.
pub async fn finish(cx: &Cx, number: i64) -> Result<Receipt, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    // Other nodes remember whom they let in for so long.
    tokio::time::sleep(REMEMBERED).await;
    purge(&cx.app, number).await?;
    let space = deleted(&cx, number).await?;
    remove_keys(&cx, &space).await?;
    // Again: what was under way when the keys went.
    purge(&cx.app, number).await?;
    for _ in 0..ATTEMPTS_MAX {
        let before = deleted(&cx, number).await?;
        let Some(deletion) = before.deletion.clone() else { break };
        let now = cx.app.clock.now();
        let receipt = Receipt {
            counts: deletion.counts.clone(),
            keys: deletion.keys,
            deleted_at: deletion.at,
            purged_at: deletion.done_at.unwrap_or(now),
            export_sha256: deletion.export_sha256.clone(),
        };
        if deletion.done_at.is_some() {
            return Ok(receipt);
        }
        let deletion = Some(Deletion { done_at: Some(now), ..deletion });
        let after = Space { deletion, version: before.version + 1, ..before.record.clone() };
        let mut draft = cx.draft();
        draft.replace(&before, &after, Action::Updated, &["deletion"])?;
        draft.tell(Act {
            action: "space.purged".to_owned(),
            account: Some(before.account),
            space: Some(number),
            target: Some(target(SPACE.name, &[number])),
            receipt: Some(receipt.clone()),
            ..Act::default()
        });
        if draft.settle().await? {
            return Ok(receipt);
        }
    }
    Err(raced())
}

/// Goes on with deletions that were interrupted, and looks after those of late for what a node
/// wrote that had not heard of them.
///
/// # Errors
/// Whatever the store says.
pub async fn sweep(app: &Arc<App>) -> Result<(), Failure> {
    let cx = app.operator(DEPLOYMENT, "space delete");
    let since = cx.now.plus_seconds(-SWEPT_AGAIN_SECONDS);
    let gone = Filter::Compare(Field::Column("deleted_at"), Compare::Greater, i64::MIN.into());
    let order = Order::by(Field::Column("deleted_at"), true);
    let query = Query { predicate: gone, order, limit: SWEPT_MAX, ..Query::of(DEPLOYMENT) };
    for space in page::<Space>(&cx, &query).await?.items {
        match space.deletion.as_ref().map(|deletion| deletion.done_at) {
            Some(None) => finish_later(&cx, space.number),
            Some(Some(done_at)) if done_at > since => purge(app, space.number).await?,
            Some(Some(_)) | None => {}
        }
    }
    Ok(())
}

async fn purge(app: &App, number: i64) -> Result<(), Failure> {
    loop {
        match app.store.purge(number, ROWS_AT_ONCE).await {
            Ok(removed) if removed.is_empty() => return Ok(()),
            Ok(_) | Err(patron_store::StoreError::Full) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(failure(error)),
        }
    }
}

async fn deleted(cx: &Cx, number: i64) -> Result<Loaded<Space>, Failure> {
    let row = cx.app.store.get(&SPACE, DEPLOYMENT, number).await.map_err(failure)?;
    let not_found = Failure::NotFound { noun: patron_model::Noun::Space };
    let space: Loaded<Space> = decode(&row.ok_or(not_found.clone())?)?;
    if space.deletion.is_some() { Ok(space) } else { Err(not_found) }
}

/// Keys that open this space only, so many of them at most.
async fn keys_of(cx: &Cx, space: &Space, most: usize) -> Result<Vec<Loaded<Key>>, Failure> {
    let of_account = Filter::equal(Field::Column("account"), space.account);
    let mut query = Query { predicate: of_account, limit: KEYS_PAGE, ..Query::of(DEPLOYMENT) };
    let mut keys = Vec::new();
    loop {
        let found = page::<Key>(&cx.in_space(DEPLOYMENT), &query).await?;
        let last = found.items.last().map(|key| key.number);
        let is_of_space = |key: &Loaded<Key>| key.space == space.number && !key.account_wide;
        keys.extend(found.items.into_iter().filter(is_of_space));
        match last.filter(|_| found.more && keys.len() < most) {
            Some(number) => {
                query.after = Some(crate::search::After { keys: Vec::new(), number });
            }
            None => break,
        }
    }
    keys.truncate(most);
    Ok(keys)
}

async fn remove_keys(cx: &Cx, space: &Space) -> Result<(), Failure> {
    loop {
        let keys = keys_of(cx, space, KEYS_AT_ONCE).await?;
        if keys.is_empty() {
            cx.app.callers.forget();
            return Ok(());
        }
        for key in &keys {
            cx.app.forget_key_use(key.number).await?;
        }
        let mut draft = cx.draft();
        for key in &keys {
            draft.remove(key);
            if let Some(secret) = vault::find(&cx.app, &vault::of_key(key.number)).await? {
                draft.remove(&secret);
            }
        }
        // Refused as a whole when one of them was changed meanwhile: then they are read again.
        draft.settle().await?;
    }
}
