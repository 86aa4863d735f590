//! What happened: history of a record, its state at a moment, and the feed of all changes.
//!
//! Every change appends exactly one entry in the same batch, numbered 1, 2, 3, … within its space in
//! commit order. Webhooks and the audit chain are readers of the same journal.

mod follow;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use async_recursion::async_recursion;
use patron_model::{Failure, Noun, Permission, Timestamp, Why, customer::Customer};
pub use patron_store::Entry;

pub use self::follow::Follower;
use crate::{
    App, Cx,
    documents::{CUSTOMER, Document},
    failure,
    record::{self, Id, Loaded, Look},
    search::{Field, Filter, Query, customer::living},
};

/// Longest wait for new entries.
pub const WAIT_SECONDS_MAX: u64 = 60;
/// Longest time between two looks at the store while waiting: other processes may write to it.
/// Half of it at least; how much more is left to chance, so that those who wait do not all look in
/// the same moment.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Shortest time between two looks: every commit to the space wakes all who wait for it.
const LOOK_GAP: Duration = Duration::from_millis(50);
/// Entries looked at for a version that lies far back.
const LOOK_BACK_MAX: usize = 100_000;
/// Entries read at a time.
const CHUNK: u32 = 200;

/// Entries of the space after a position, oldest first. Waits up to `wait` for the first one, and
/// no longer than the process may run; the request gives its place back meanwhile, so that waiting
/// keeps nobody from working.
///
/// # Errors
/// `Beyond` for a position behind the last entry: nobody can have read that far, unless the data
/// was restored from before. `Unavailable` when too many wait already, or there is no place to come
/// back to; whatever the store says.
#[async_recursion]
pub async fn events(
    cx: &Cx,
    after: i64,
    limit: u32,
    wait: Duration,
) -> Result<Vec<Entry>, Failure> {
    let look = || cx.app.store.entries(cx.space, after, limit);
    let mut news = cx.app.store.watch(cx.space);
    let entries = look().await.map_err(failure)?;
    if entries.is_empty() && after > 0 {
        // Asked now, not before: entries that came meanwhile do no harm.
        let head = cx.app.store.head(cx.space).await.map_err(failure)?;
        if after > head {
            return Err(Failure::Beyond { head });
        }
    }
    if !entries.is_empty() || wait.is_zero() {
        return Ok(entries);
    }
    let outside = cx.work.as_ref().map(|work| work.wait()).transpose()?;
    let deadline = tokio::time::Instant::now() + wait;
    let entries = loop {
        let now = tokio::time::Instant::now();
        let look_every = LOOK_EVERY.mul_f64(rand::random_range(0.5..1.0));
        let look_again = (now + look_every).min(deadline);
        // Either a commit of this process, or time to look for commits of others.
        let pause = async {
            let _ = tokio::time::timeout_at(look_again, news.changed()).await;
            tokio::time::sleep_until((now + LOOK_GAP).min(deadline)).await;
        };
        let is_stopping = tokio::select! {
            () = pause => false,
            () = cx.app.stopped() => true,
        };
        news.mark_unchanged();
        let entries = look().await.map_err(failure)?;
        if !entries.is_empty() || is_stopping || tokio::time::Instant::now() >= deadline {
            break entries;
        }
    };
    if let Some(outside) = outside {
        outside.end().await?;
    }
    Ok(entries)
}

impl App {
    /// Position of the last entry of a space.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn journal_head(&self, space: i64) -> Result<i64, Failure> {
        self.store.head(space).await.map_err(failure)
    }
}

/// Entries of one record, of what hangs on it and of what is related to it, newest first.
///
/// # Errors
/// `Forbidden` for who may not see the past.
#[async_recursion]
pub async fn history(
    cx: &Cx,
    number: i64,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Entry>, Failure> {
    cx.may(Permission::CustomerPast)?;
    cx.app.store.history(cx.space, number, before, limit).await.map_err(failure)
}

/// The same of a record that hangs on a customer, whatever became of either.
///
/// # Errors
/// `Forbidden` for who may not see the past, or records of the noun; `NotFound`.
pub async fn history_of<T: Document>(
    cx: &Cx,
    customer: Id,
    id: Id,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Entry>, Failure> {
    cx.may(Permission::CustomerPast)?;
    T::SEEN_BY.map_or(Ok(()), |needed| cx.may(needed))?;
    let customer = Look::at(customer).or_deleted().following();
    let customer: Loaded<Customer> = record::load(cx, customer).await?;
    let child: Loaded<T> = record::load(cx, Look::at(id).or_deleted()).await?;
    match child.subject() == customer.number {
        true => history(cx, child.identity().0, before, limit).await,
        false => Err(Failure::NotFound { noun: T::NOUN }),
    }
}

/// A record as it was at a moment.
///
/// # Errors
/// `NotFound` when it did not exist then; `Forbidden` for who may not see the past; `Malformed`
/// when the moment is still to come: nobody knows what will be then.
pub async fn at_time<T: Document>(
    cx: &Cx,
    number: i64,
    at: Timestamp,
) -> Result<Loaded<T>, Failure> {
    cx.may(Permission::CustomerPast)?;
    if at > cx.now {
        let why = Why::Malformed { expected: "a moment that has been" };
        return Err(Failure::malformed("as_of", why));
    }
    let entry = cx.app.store.entry_at_time(cx.space, T::KIND.name, number, at.micros()).await;
    shown(cx, &entry.map_err(failure)?.ok_or(Failure::NotFound { noun: Noun::Entry })?)
}

/// Who made a record, as the journal names callers.
///
/// # Errors
/// `NotFound` when the journal has no such record.
pub async fn maker<T: Document>(cx: &Cx, number: i64) -> Result<String, Failure> {
    let first = cx.app.store.entry_at_revision(cx.space, T::KIND.name, number, 1).await;
    let first = first.map_err(failure)?.ok_or(Failure::NotFound { noun: T::NOUN })?;
    Ok(first.actor)
}

/// A record as it was in a version, the latest state that had it.
///
/// # Errors
/// `NotFound` when there is no such version; `Forbidden` for who may not see the past.
pub async fn at_version<T: Document>(
    cx: &Cx,
    number: i64,
    has_version: impl Fn(&T) -> bool,
) -> Result<Loaded<T>, Failure> {
    let mut before = None;
    let mut looked_at = 0;
    while looked_at < LOOK_BACK_MAX {
        let entries = history(cx, number, before, CHUNK).await?;
        looked_at += entries.len();
        before = entries.last().map(|entry| entry.seq);
        for entry in entries.iter().filter(|e| e.kind == T::KIND.name && e.number == number) {
            let loaded: Loaded<T> = read(entry)?;
            if has_version(&loaded) {
                cx.saw(entry.tenant, entry.subject);
                return Ok(loaded);
            }
        }
        if entries.is_empty() {
            break;
        }
    }
    Err(Failure::NotFound { noun: Noun::Entry })
}

/// The record in an entry, to be shown; whoever reads a customer so is told to the audit trail.
///
/// # Errors
/// `Internal` when it is not of this kind.
pub fn shown<T: Document>(cx: &Cx, entry: &Entry) -> Result<Loaded<T>, Failure> {
    if T::IS_PERSON {
        cx.saw(entry.tenant, entry.number);
    }
    read(entry)
}

/// The entries whose customer still is, and is what the entry says, by position: all that may be
/// shown of customers to who may not see the past.
///
/// # Errors
/// Whatever the store says.
#[async_recursion]
pub async fn present(cx: &Cx, entries: &[Entry]) -> Result<HashSet<i64>, Failure> {
    let of_customers = || entries.iter().filter(|entry| entry.kind == CUSTOMER.name);
    let numbers: BTreeSet<i64> = of_customers().map(|entry| entry.number).collect();
    if numbers.is_empty() {
        return Ok(HashSet::new());
    }
    let limit = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    let numbers = numbers.into_iter().map(Into::into).collect();
    let predicate = Filter::OneOf(Field::Number, numbers).and(living());
    let query = Query { predicate, limit, ..Query::of(cx.space) };
    let found = cx.app.store.find(&CUSTOMER, &query).await.map_err(failure)?;
    let now: HashSet<(i64, i64)> =
        found.rows.iter().map(|row| (row.number, row.revision)).collect();
    let is_now = |entry: &&Entry| now.contains(&(entry.number, entry.revision));
    Ok(of_customers().filter(is_now).map(|entry| entry.seq).collect())
}

/// The record in an entry.
///
/// # Errors
/// `Internal` when it is not of this kind.
fn read<T: Document>(entry: &Entry) -> Result<Loaded<T>, Failure> {
    let record = T::from_document(&entry.doc).map_err(Failure::internal)?;
    Ok(Loaded { record, revision: entry.revision })
}
