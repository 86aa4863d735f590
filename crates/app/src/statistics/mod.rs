//! What happened in a space, counted by the minute: requests, customers made and changed, attempts
//! to deliver.
//!
//! Nothing is written while a request is answered. Each node counts in memory and adds what it
//! counted to the rows of its spaces once a minute ([`App::write_statistics`]): an hour is a row,
//! and rows are a ring of [`KEPT_HOURS`], so a space never has more. Nodes add to the same rows,
//! each if nobody did meanwhile, else once more. A node that is killed loses what it counted since
//! it wrote last, a minute at most; one that is stopped loses nothing.

mod reading;
mod row;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp, space::Space};
use patron_store::{Batch, NewEntry, StoreError, Write};
use tokio::sync::RwLock;

pub use self::reading::{Asked, POINTS_MAX, Point, Step, Told, read};
pub(crate) use self::row::{STATISTIC, Statistic};
use self::row::{hour_of, minute_of};
use crate::{
    App,
    commit::record_of,
    customers::CUSTOMER,
    documents::{DEPLOYMENT, Document as _, SPACE},
    failure,
    record::{Loaded, decode},
};

/// Hours that are kept: 35 days.
pub const KEPT_HOURS: i64 = 35 * 24;
/// Minutes of spaces that wait to be written, at most; what is counted beyond is lost. A node that
/// works for a thousand spaces gets there after an hour and a half without its store.
const WAITING_MAX: usize = 100_000;
/// How often a row is tried to be written that other nodes write too.
const ATTEMPTS_MAX: usize = 16;

/// What is counted; the order is that of the stored numbers, so new ones come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Requests to the APIs, whatever they were answered.
    Requests,
    /// Those that were refused: answered 4xx.
    Refused,
    /// Those that went wrong on the server: answered 5xx.
    Errors,
    /// Customers that were made.
    CustomersCreated,
    /// Changes of customers that were there.
    CustomersChanged,
    /// Attempts to tell a webhook endpoint that were taken.
    AttemptsDelivered,
    /// Those that were not.
    AttemptsFailed,
}

impl Counted {
    /// How many there are.
    pub const COUNT: usize = 7;
}

/// How often each happened.
pub type Counts = [u64; Counted::COUNT];

/// A minute of a space: number of the space, minutes since the epoch.
type Minute = (i64, i64);

/// What this node counted and did not write yet.
#[derive(Default)]
pub(crate) struct Counters {
    waiting: Mutex<HashMap<Minute, Counts>>,
    /// Whoever reads sees each count once: in its row, or here.
    moving: RwLock<()>,
}

impl Counters {
    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<Minute, Counts>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, minute: Minute, what: Counted, count: u64) {
        let mut waiting = self.waiting();
        if let Some(counts) = waiting.get_mut(&minute) {
            counts[what as usize] += count;
        } else if waiting.len() < WAITING_MAX {
            let mut counts = Counts::default();
            counts[what as usize] = count;
            waiting.insert(minute, counts);
        }
    }

    /// What waits, by space and hour.
    fn hours(&self) -> HashMap<(i64, i64), Vec<(i64, Counts)>> {
        let mut hours: HashMap<_, Vec<_>> = HashMap::new();
        for ((space, minute), counts) in self.waiting().iter() {
            hours.entry((*space, hour_of(*minute))).or_default().push((*minute, *counts));
        }
        hours
    }

    /// What waits of a space.
    fn of_space(&self, space: i64) -> Vec<(i64, Counts)> {
        let waiting = self.waiting();
        let own = waiting.iter().filter(|((of, _), _)| *of == space);
        own.map(|((_, minute), counts)| (*minute, *counts)).collect()
    }

    /// This waits no more; what came in meanwhile does.
    fn written(&self, space: i64, minutes: &[(i64, Counts)]) {
        let mut waiting = self.waiting();
        for (minute, written) in minutes {
            let Some(counts) = waiting.get_mut(&(space, *minute)) else { continue };
            for (count, written) in counts.iter_mut().zip(written) {
                *count -= written;
            }
            if *counts == Counts::default() {
                waiting.remove(&(space, *minute));
            }
        }
    }
}

/// What a batch does to customers: made, and changed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfCustomers {
    space: i64,
    created: u64,
    changed: u64,
}

impl OfCustomers {
    /// Of what is about to be committed; what is only tried out does nothing.
    pub(crate) fn of(batch: &Batch) -> OfCustomers {
        let mut all = OfCustomers { space: batch.tenant, ..OfCustomers::default() };
        if !batch.dry_run {
            let is_customer = |entry: &&NewEntry| entry.kind == CUSTOMER.name;
            for entry in batch.entries.iter().filter(is_customer) {
                match entry.revision {
                    1 => all.created += 1,
                    _ => all.changed += 1,
                }
            }
        }
        all
    }
}

impl App {
    /// Notes that something happened in a space.
    pub fn count(&self, space: i64, what: Counted, now: Timestamp) {
        self.counters.add((space, minute_of(now)), what, 1);
    }

    /// Notes what a committed batch did to customers.
    pub(crate) fn count_customers(&self, of: OfCustomers, now: Timestamp) {
        let all =
            [(Counted::CustomersCreated, of.created), (Counted::CustomersChanged, of.changed)];
        for (what, count) in all.into_iter().filter(|(_, count)| *count > 0) {
            self.counters.add((of.space, minute_of(now)), what, count);
        }
    }

    /// Adds what this node counted to the rows of its spaces.
    ///
    /// # Errors
    /// Whatever the store says; what was not written waits.
    #[async_recursion]
    pub async fn write_statistics(&self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for ((space, hour), minutes) in self.counters.hours() {
            // Whoever reads waits for one row, not for all.
            let _moving = self.counters.moving.write().await;
            match self.add_to_row(space, hour, &minutes).await {
                Ok(()) => self.counters.written(space, &minutes),
                Err(failure) => outcome = Err(failure),
            }
        }
        outcome
    }

    /// Adds to a row of a space, unless the space is gone by now.
    async fn add_to_row(
        &self,
        space: i64,
        hour: i64,
        minutes: &[(i64, Counts)],
    ) -> Result<(), Failure> {
        for _ in 0..ATTEMPTS_MAX {
            let row = self.store.get(&SPACE, DEPLOYMENT, space).await.map_err(failure)?;
            let known = row.as_ref().map(decode::<Space>).transpose()?;
            let Some(known) = known.filter(|space| space.is_open()) else { return Ok(()) };
            let number = Statistic::number(space, hour);
            let row = self.store.get(&STATISTIC, space, number).await.map_err(failure)?;
            let before = row.as_ref().map(decode::<Statistic>).transpose()?;
            let Some(after) =
                Statistic::after(before.as_ref().map(|row| &row.record), space, hour, minutes)
            else {
                // The ring went round meanwhile: so old a minute is kept no more.
                return Ok(());
            };
            let write = match &before {
                None => Write::Insert { kind: &STATISTIC, record: record_of(&after, 1)? },
                Some(Loaded { record, revision }) => Write::Replace {
                    kind: &STATISTIC,
                    after: record_of(&after, revision + 1)?,
                    before_columns: record.columns(),
                    before_terms: Vec::new(),
                },
            };
            // A space that is deleted at the same time keeps nothing.
            let there = Write::Assert {
                kind: &SPACE,
                tenant: DEPLOYMENT,
                number: space,
                revision: known.revision,
            };
            let batch = Batch { tenant: space, writes: vec![write, there], ..Batch::default() };
            match self.store.commit(batch).await {
                Ok(_) => return Ok(()),
                // Another node was faster: with what it wrote, once more.
                Err(StoreError::Conflict { .. } | StoreError::Unique { .. }) => {}
                Err(error) => return Err(failure(error)),
            }
        }
        Err(Failure::Unavailable { retry_after_seconds: 60 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_while_it_is_written_waits() {
        let counters = Counters::default();
        counters.add((1, 60), Counted::Requests, 2);
        let [hour] = counters.hours().into_iter().collect::<Vec<_>>().try_into().unwrap();
        counters.add((1, 60), Counted::Requests, 1);
        counters.written(hour.0.0, &hour.1);
        assert_eq!(counters.of_space(1), [(60, [1, 0, 0, 0, 0, 0, 0])]);
        counters.written(1, &counters.of_space(1));
        assert!(counters.hours().is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let counters = Counters::default();
        for minute in 0..=i64::try_from(WAITING_MAX).unwrap() {
            counters.add((1, minute), Counted::Errors, 1);
        }
        assert_eq!(counters.waiting().len(), WAITING_MAX);
        counters.add((1, 0), Counted::Errors, 1);
        assert_eq!(
            counters.waiting()[&(1, 0)][Counted::Errors as usize],
            2,
            "what waits counts on"
        );
    }
}
