//! Offboarding: a space is deleted for good, with everything in it. First it is marked, and from
//! then on nothing answers; then its rows go in small steps, so that neighbours are not kept
//! waiting; then its keys, with applications that have no other key and no role elsewhere; in the
//! end the audit trail keeps a receipt. What is left is the number,
//! so that it is never given out again. Interrupted anywhere, [`sweep`] goes on.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_recursion::async_recursion;
use patron_model::{
    Failure, Noun,
    audit::Receipt,
    event::{SpaceEvent, UserEvent},
    role::Assignment,
    space::{Deletion, Key, Space},
    user::{User, UserKind},
};
use patron_store::Counts;

use crate::{
    App, Cx, assignments,
    audit::{Act, target},
    commit::{Draft, Expect, Saved},
    documents::{DEPLOYMENT, SPACE},
    failure,
    keys::REMEMBERED,
    record::{self, Id, Loaded, Look, page},
    search::{Compare, Field, Filter, Order, Query},
    spaces, vault, webhooks,
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
#[async_recursion]
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
#[async_recursion]
pub async fn begin(
    cx: &Cx,
    number: i64,
    expect: Expect,
    export_sha256: Option<String>,
) -> Result<Saved<Space>, Failure> {
    let cx = &cx.in_space(DEPLOYMENT);
    cx.settle(|mut draft| async {
        let before: Loaded<Space> = spaces::get(cx, number).await?;
        expect.check(before.version, before.revision)?;
        let deletion = Deletion {
            at: cx.now,
            by: cx.user(),
            counts: cx.app.store.count_tenant(number).await.map_err(failure)?,
            keys: keys_of(cx, &before, usize::MAX).await?.len() as u64,
            export_sha256: export_sha256.clone(),
            done_at: None,
        };
        let after = before.deleted(deletion, cx.now)?;
        draft.forget(&before.record);
        draft.change(&before, after, SpaceEvent::Deleted, &["deletion"])
    })
    .await
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
#[async_recursion]
pub async fn finish(cx: &Cx, number: i64) -> Result<Receipt, Failure> {
    let cx = cx.in_space(DEPLOYMENT);
    // Other nodes remember whom they let in for so long.
    tokio::time::sleep(REMEMBERED).await;
    // First, as they are found by the endpoints they are of.
    webhooks::forget_secrets(&cx, number).await?;
    purge(&cx.app, number).await?;
    let (space, _) = deleted(&cx, number).await?;
    withdraw_roles(&cx, &space).await?;
    remove_keys(&cx, &space).await?;
    // Again: what was under way when the keys went.
    purge(&cx.app, number).await?;
    cx.write(|draft| purged(&cx, draft, number)).await
}

/// Notes that nothing is left, unless that has been done, and answers the receipt.
async fn purged<'a>(
    cx: &Cx,
    mut draft: Draft<'a>,
    number: i64,
) -> Result<(Draft<'a>, Receipt), Failure> {
    let (before, deletion) = deleted(cx, number).await?;
    let now = cx.app.clock.now();
    let receipt = Receipt {
        counts: deletion.counts.clone(),
        keys: deletion.keys,
        deleted_at: deletion.at,
        purged_at: deletion.done_at.unwrap_or(now),
        export_sha256: deletion.export_sha256.clone(),
    };
    if deletion.done_at.is_some() {
        return Ok((draft, receipt));
    }
    let deletion = Some(Deletion { done_at: Some(now), ..deletion });
    let after = Space { deletion, version: before.version + 1, ..before.record.clone() };
    draft.replace(&before, &after, SpaceEvent::Updated, &["deletion"])?;
    draft.tell(Act {
        action: "space.purged".to_owned(),
        account: Some(before.account),
        space: Some(number),
        target: Some(target(SPACE.name, &[number])),
        receipt: Some(receipt.clone()),
        ..Act::default()
    });
    Ok((draft, receipt))
}

/// Goes on with deletions that were interrupted, and looks after those of late for what a node
/// wrote that had not heard of them.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
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
            Ok(removed) if removed.is_empty() => {
                app.faces.forget_space(number);
                return Ok(());
            }
            Ok(_) | Err(patron_store::StoreError::Full) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(failure(error)),
        }
    }
}

/// A space that is on its way out, and its deletion.
async fn deleted(cx: &Cx, number: i64) -> Result<(Loaded<Space>, Deletion), Failure> {
    let space: Loaded<Space> = record::load(cx, Look::at(Id::Number(number)).or_deleted()).await?;
    let deletion = space.deletion.clone().ok_or(Failure::NotFound { noun: Noun::Space })?;
    Ok((space, deletion))
}

/// Keys that open this space only, so many of them at most.
async fn keys_of(cx: &Cx, space: &Space, most: usize) -> Result<Vec<Loaded<Key>>, Failure> {
    let of_account = Filter::equal(Field::Column("account"), space.account);
    let mut query = Query { predicate: of_account, limit: KEYS_PAGE, ..Query::of(DEPLOYMENT) };
    let mut keys = Vec::new();
    loop {
        let found = page::<Key>(cx, &query).await?;
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
            return Ok(());
        }
        for key in &keys {
            cx.app.forget_key_use(key.number).await?;
        }
        cx.write(|mut draft| async {
            for key in keys_of(cx, space, KEYS_AT_ONCE).await? {
                vault::forget(cx, &mut draft, &vault::of_key(key.number)).await?;
                draft.remove(&key);
            }
            Ok((draft, ()))
        })
        .await?;
        let mut users: Vec<i64> = keys.iter().map(|key| key.user).collect();
        users.sort_unstable();
        users.dedup();
        for user in users {
            cx.write(|draft| without_key(cx, draft, user)).await?;
        }
    }
}

/// Withdraws what was assigned in the space.
async fn withdraw_roles(cx: &Cx, space: &Space) -> Result<(), Failure> {
    let here = Filter::equal(Field::Column("account"), space.account)
        .and(Filter::equal(Field::Column("space"), space.number));
    loop {
        let limit = u32::try_from(KEYS_AT_ONCE).unwrap_or(1);
        let query = Query { predicate: here.clone(), limit, ..Query::of(DEPLOYMENT) };
        if page::<Assignment>(cx, &query).await?.items.is_empty() {
            return Ok(());
        }
        cx.write(|mut draft| async {
            for held in page::<Assignment>(cx, &query).await?.items {
                assignments::end(&mut draft, &held, cx.now)?;
            }
            Ok((draft, ()))
        })
        .await?;
    }
}

/// Deletes an application whose last key went, unless it holds a role elsewhere.
async fn without_key<'a>(
    cx: &Cx,
    mut draft: Draft<'a>,
    user: i64,
) -> Result<(Draft<'a>, ()), Failure> {
    let of_user = Filter::equal(Field::Column("user"), user);
    let query = Query { predicate: of_user, limit: 1, ..Query::of(DEPLOYMENT) };
    let is_used = !page::<Key>(cx, &query).await?.items.is_empty()
        || !page::<Assignment>(cx, &query).await?.items.is_empty();
    let user = match record::load::<User>(cx, Look::at(Id::Number(user))).await {
        Err(Failure::NotFound { .. }) => return Ok((draft, ())),
        user => user?,
    };
    if is_used || user.kind != UserKind::Application {
        return Ok((draft, ()));
    }
    draft.forget(&user.record);
    draft.replace(&user, &user.deleted(cx.now), UserEvent::Deleted, &["state"])?;
    Ok((draft, ()))
}
