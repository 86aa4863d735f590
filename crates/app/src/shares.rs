//! Shares: what one key, and all keys of one account, may hold at a time of what everybody shares.
//! One that asks for more is refused, or waits for itself, while the others still find some.
//!
//! Counts live as long as anything is held: they are remembered per key and account, not per
//! request, and cost a few atomic additions.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use std::time::Duration;

use async_recursion::async_recursion;
use patron_model::Failure;
use patron_store::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Caller;

/// Percent of what there is that one key may hold at a time.
pub const KEY_PERCENT: usize = 50;
/// Percent of what there is that all keys of one account may hold at a time.
pub const ACCOUNT_PERCENT: usize = 75;
/// Heavy works (making a file, hashing a password) that one key may have done at a time; further
/// ones wait.
pub const KEY_HEAVY_MAX: usize = 1;
/// Heavy works that are done at a time for everybody; further ones wait.
pub const HEAVY_MAX: usize = 3;
/// Streams of events that are open at a time.
pub const STREAMS_MAX: usize = 1_024;
/// Of these, those of one key.
pub const KEY_STREAMS_MAX: usize = 8;
/// Keys and accounts remembered before those that hold nothing are forgotten.
const REMEMBERED_MIN: usize = 1_024;
/// Seconds after which a refused one may try again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// How often somebody who waited outside tries to come back, and the time between.
const RETURNS_MAX: u32 = 50;
const RETURN_AGAIN: Duration = Duration::from_millis(20);

/// So many percent, rounded up: of one, one.
pub fn part(of: usize, percent: usize) -> usize {
    // In this order it cannot overflow.
    of / 100 * percent + (of % 100 * percent).div_ceil(100)
}

/// Something that everybody shares and a request may hold some of.
#[derive(Debug, Clone, Copy)]
enum Thing {
    Places,
    BodyBytes,
    Waits,
    Streams,
}

/// What one key or one account holds.
#[derive(Debug, Default)]
struct Held([AtomicUsize; 4]);

/// A key and its account, as they share.
#[derive(Debug)]
pub struct Holder {
    key: Arc<Held>,
    account: Arc<OfAccount>,
    lane: Arc<Lane>,
    heavy: Arc<Semaphore>,
}

/// What the keys of one account hold together.
#[derive(Debug)]
struct OfAccount {
    held: Held,
    long_reads: Arc<Semaphore>,
}

impl Holder {
    fn new(account: Arc<OfAccount>, long_reads_max: usize) -> Holder {
        let turns = part(long_reads_max, KEY_PERCENT);
        let lane = Arc::new(Lane::new(turns, Arc::clone(&account.long_reads)));
        let heavy = Arc::new(Semaphore::new(KEY_HEAVY_MAX));
        Holder { key: Arc::default(), account, lane, heavy }
    }

    /// Runs work whose long reads are this holder's.
    pub async fn within<F: Future>(&self, work: F) -> F::Output {
        Arc::clone(&self.lane).within(work).await
    }
}

/// How much there is of one thing.
#[derive(Debug)]
struct Budget {
    thing: Thing,
    max: usize,
    key_max: usize,
    account_max: usize,
    taken: AtomicUsize,
}

impl Budget {
    fn new(thing: Thing, max: usize) -> Budget {
        let (key_max, account_max) = (part(max, KEY_PERCENT), part(max, ACCOUNT_PERCENT));
        Budget { thing, max, key_max, account_max, taken: AtomicUsize::new(0) }
    }

    fn of_streams() -> Budget {
        let budget = Budget::new(Thing::Streams, STREAMS_MAX);
        Budget { key_max: KEY_STREAMS_MAX, ..budget }
    }

    fn counters<'a>(&'a self, holder: &'a Holder) -> [(&'a AtomicUsize, usize); 3] {
        let at = self.thing as usize;
        [
            (&holder.key.0[at], self.key_max),
            (&holder.account.held.0[at], self.account_max),
            (&self.taken, self.max),
        ]
    }

    fn take(&self, holder: &Holder, count: usize) -> bool {
        let counters = self.counters(holder);
        for (n, (counter, max)) in counters.iter().enumerate() {
            if counter.fetch_add(count, Relaxed).saturating_add(count) > *max {
                for (counter, _) in &counters[..=n] {
                    counter.fetch_sub(count, Relaxed);
                }
                return false;
            }
        }
        true
    }

    fn give(&self, holder: &Holder, count: usize) {
        for (counter, _) in self.counters(holder) {
            counter.fetch_sub(count, Relaxed);
        }
    }
}

/// Everything that is shared within one server.
#[derive(Debug)]
pub struct Budgets {
    places: Budget,
    bodies: Budget,
    waits: Budget,
    streams: Budget,
}

impl Budgets {
    /// So many requests in work, bytes of bodies, and long polls that wait.
    pub fn new(places: usize, body_bytes: usize, waits: usize) -> Arc<Budgets> {
        Arc::new(Budgets {
            places: Budget::new(Thing::Places, places),
            bodies: Budget::new(Thing::BodyBytes, body_bytes),
            waits: Budget::new(Thing::Waits, waits),
            streams: Budget::of_streams(),
        })
    }

    fn of(&self, thing: Thing) -> &Budget {
        match thing {
            Thing::Places => &self.places,
            Thing::BodyBytes => &self.bodies,
            Thing::Waits => &self.waits,
            Thing::Streams => &self.streams,
        }
    }
}

/// Some of a thing, given back when this is dropped.
#[derive(Debug)]
struct Taken {
    budgets: Arc<Budgets>,
    holder: Arc<Holder>,
    thing: Thing,
    count: usize,
}

impl Taken {
    fn take(
        budgets: &Arc<Budgets>,
        holder: &Arc<Holder>,
        thing: Thing,
        count: usize,
    ) -> Result<Taken, Failure> {
        if !budgets.of(thing).take(holder, count) {
            return Err(Failure::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        let (budgets, holder) = (Arc::clone(budgets), Arc::clone(holder));
        Ok(Taken { budgets, holder, thing, count })
    }

    fn more(&mut self, count: usize) -> Result<(), Failure> {
        if !self.budgets.of(self.thing).take(&self.holder, count) {
            return Err(Failure::Unavailable { retry_after_seconds: RETRY_AFTER_SECONDS });
        }
        self.count += count;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budgets.of(self.thing).give(&self.holder, self.count);
    }
}

/// The bytes of a body, held as they come.
#[derive(Debug)]
pub struct BodyShare(Taken);

impl BodyShare {
    /// Of a body that has not begun.
    ///
    /// # Errors
    /// None: no byte is held yet.
    pub fn begin(budgets: &Arc<Budgets>, holder: &Arc<Holder>) -> Result<BodyShare, Failure> {
        Taken::take(budgets, holder, Thing::BodyBytes, 0).map(BodyShare)
    }

    /// Holds more of them.
    ///
    /// # Errors
    /// `Unavailable` when the key, its account or everybody holds as much as there is for them.
    pub fn more(&mut self, bytes: usize) -> Result<(), Failure> {
        self.0.more(bytes)
    }
}

/// A request in work: its place, which it gives back while it only waits.
#[derive(Debug)]
pub struct Work {
    budgets: Arc<Budgets>,
    holder: Arc<Holder>,
    place: Mutex<Option<Taken>>,
}

impl Work {
    /// Takes a place.
    ///
    /// # Errors
    /// `Unavailable` when the key, its account or everybody holds as many as there are for them.
    pub fn begin(budgets: &Arc<Budgets>, holder: &Arc<Holder>) -> Result<Work, Failure> {
        let place = Taken::take(budgets, holder, Thing::Places, 1)?;
        let (budgets, holder) = (Arc::clone(budgets), Arc::clone(holder));
        Ok(Work { budgets, holder, place: Mutex::new(Some(place)) })
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<Taken>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the place back and waits outside.
    ///
    /// # Errors
    /// `Unavailable` when as many wait as may.
    pub fn wait(&self) -> Result<Wait<'_>, Failure> {
        let wait = Taken::take(&self.budgets, &self.holder, Thing::Waits, 1)?;
        *self.place() = None;
        Ok(Wait { work: self, _wait: wait })
    }

    /// Takes a place among the streams; the request's own is given back when the request ends.
    ///
    /// # Errors
    /// `Unavailable` when the key, its account or everybody has as many open as may be.
    pub fn stream(&self) -> Result<StreamPlace, Failure> {
        let place = Taken::take(&self.budgets, &self.holder, Thing::Streams, 1)?;
        Ok(StreamPlace { _place: place })
    }

    /// Waits for a turn at heavy work.
    #[async_recursion]
    pub async fn heavy(&self, turns: &Arc<Semaphore>) -> HeavyTurn {
        // Neither is ever closed.
        let own = Arc::clone(&self.holder.heavy).acquire_owned().await.ok();
        let all = Arc::clone(turns).acquire_owned().await.ok();
        HeavyTurn { _own: own, _all: all }
    }
}

/// A request that waits outside.
#[derive(Debug)]
pub struct Wait<'a> {
    work: &'a Work,
    _wait: Taken,
}

impl Wait<'_> {
    /// Takes a place again, as soon as there is one.
    ///
    /// # Errors
    /// `Unavailable` when there is none for a while.
    pub async fn end(self) -> Result<(), Failure> {
        let Work { budgets, holder, .. } = self.work;
        let mut place = Taken::take(budgets, holder, Thing::Places, 1);
        for _ in 0..RETURNS_MAX {
            if place.is_ok() {
                break;
            }
            tokio::time::sleep(RETURN_AGAIN).await;
            place = Taken::take(budgets, holder, Thing::Places, 1);
        }
        *self.work.place() = Some(place?);
        Ok(())
    }
}

/// A place among the streams, until it is dropped.
#[derive(Debug)]
pub struct StreamPlace {
    _place: Taken,
}

/// A turn at heavy work, until it is dropped.
#[derive(Debug)]
pub struct HeavyTurn {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

/// All holders of one server: each as long as somebody knows it.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    keys: Known<i64, Holder>,
    accounts: Known<i64, OfAccount>,
}

impl Holders {
    /// The holder of a key.
    pub(crate) fn of(&self, key: i64, account: i64, long_reads_max: usize) -> Arc<Holder> {
        self.keys.get(key, || {
            let account = self.accounts.get(account, || OfAccount {
                held: Held::default(),
                long_reads: Arc::new(Semaphore::new(part(long_reads_max, ACCOUNT_PERCENT).max(1))),
            });
            Holder::new(account, long_reads_max)
        })
    }

    /// A holder for all who have no key: they share as if they were one.
    pub(crate) fn of_strangers(long_reads_max: usize) -> Arc<Holder> {
        Holders::default().of(0, 0, long_reads_max)
    }
}

/// What somebody still knows, by number.
#[derive(Debug)]
struct Known<K, T>(Mutex<HashMap<K, Weak<T>>>);

impl<K, T> Default for Known<K, T> {
    fn default() -> Self {
        Known(Mutex::default())
    }
}

impl<K: Hash + Eq, T> Known<K, T> {
    fn get(&self, key: K, new: impl FnOnce() -> T) -> Arc<T> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = known.get(&key).and_then(Weak::upgrade) {
            return there;
        }
        if known.len() >= REMEMBERED_MIN && known.len() == known.capacity() {
            known.retain(|_, there| there.strong_count() > 0);
        }
        let fresh = Arc::new(new());
        known.insert(key, Arc::downgrade(&fresh));
        fresh
    }
}

impl Caller {
    /// The holder of what this caller's requests hold.
    pub fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn places(budgets: &Arc<Budgets>, holder: &Arc<Holder>, wanted: usize) -> Vec<Work> {
        (0..wanted).filter_map(|_| Work::begin(budgets, holder).ok()).collect()
    }

    #[test]
    fn parts_are_rounded_up() {
        assert_eq!([0, 1, 2, 3, 4, 1_024].map(|of| part(of, 50)), [0, 1, 1, 2, 2, 512]);
        assert_eq!([1, 2, 3, 4].map(|of| part(of, 75)), [1, 2, 3, 3]);
        assert_eq!(part(usize::MAX, 50), usize::MAX / 2 + 1);
    }

    #[test]
    fn a_key_holds_half_an_account_three_quarters_and_others_get_in() {
        let (budgets, holders) = (Budgets::new(8, 100, 4), Holders::default());
        let [first, second, other] = [(1, 1), (2, 1), (3, 2)].map(|(k, a)| holders.of(k, a, 4));
        let held = places(&budgets, &first, 8);
        assert_eq!(held.len(), 4);
        let second_held = places(&budgets, &second, 8);
        assert_eq!(second_held.len(), 2, "three quarters together");
        assert_eq!(places(&budgets, &other, 8).len(), 2);
        assert_eq!(places(&budgets, &other, 8).len(), 2, "given back");
        drop((held, second_held));
        assert_eq!(places(&budgets, &other, 8).len(), 4);
        let again = holders.of(3, 2, 4);
        assert!(Arc::ptr_eq(&other, &again), "a key read anew is the same holder");
    }

    #[test]
    fn bodies_are_held_as_they_come() {
        let (budgets, holders) = (Budgets::new(8, 100, 4), Holders::default());
        let [one, other] = [1, 2].map(|n| holders.of(n, n, 4));
        let mut first = BodyShare::begin(&budgets, &one).expect("nothing is held");
        assert!(first.more(50).is_ok() && first.more(1).is_err());
        let mut second = BodyShare::begin(&budgets, &one).expect("nothing is held");
        assert!(second.more(1).is_err(), "the key's share is used up");
        let mut third = BodyShare::begin(&budgets, &other).expect("nothing is held");
        assert!(third.more(50).is_ok());
        drop(first);
        assert!(second.more(50).is_ok());
    }

    #[tokio::test]
    async fn who_waits_needs_no_place() {
        let (budgets, holders) = (Budgets::new(2, 100, 2), Holders::default());
        let one = holders.of(1, 1, 4);
        let work = Work::begin(&budgets, &one).expect("a place");
        assert!(Work::begin(&budgets, &one).is_err());
        let wait = work.wait().expect("room to wait");
        let next = Work::begin(&budgets, &one).expect("the place is free");
        assert!(next.wait().is_err(), "one may wait");
        let (back, ()) = tokio::join!(wait.end(), async { drop(next) });
        assert!(back.is_ok(), "as soon as there is one");
        assert!(Work::begin(&budgets, &one).is_err());
    }

    #[test]
    fn a_key_has_few_streams_open_and_an_account_three_quarters() {
        let (budgets, holders) = (Budgets::new(8, 100, 2), Holders::default());
        let open = |key: i64, account: i64| {
            let work = Work::begin(&budgets, &holders.of(key, account, 4)).expect("a place");
            work.stream()
        };
        let held: Vec<_> = (0..KEY_STREAMS_MAX).map(|_| open(1, 1).expect("a stream")).collect();
        assert!(open(1, 1).is_err() && open(2, 1).is_ok());
        drop(held);
        let keys = 1..=i64::try_from(STREAMS_MAX).expect("small");
        let held: Vec<_> = keys.filter_map(|key| open(key, 1).ok()).collect();
        assert_eq!(held.len(), STREAMS_MAX * 3 / 4);
        assert!(open(5_000, 2).is_ok(), "others find some");
    }

    #[tokio::test]
    async fn heavy_work_is_done_in_turn() {
        let (budgets, holders) = (Budgets::new(8, 100, 2), Holders::default());
        let all = Arc::new(Semaphore::new(HEAVY_MAX));
        let works =
            [1, 1, 2, 3, 4].map(|n| Work::begin(&budgets, &holders.of(n, n, 4)).expect("a place"));
        let turn = |n: usize| works[n].heavy(&all).now_or_never();
        let first = turn(0);
        assert!(first.is_some() && turn(1).is_none(), "one for each key");
        let held = [turn(2), turn(3)];
        assert!(held.iter().all(Option::is_some) && turn(4).is_none(), "and few in all");
        drop(first);
        assert!(turn(1).is_some());
    }

    #[test]
    fn what_nobody_knows_is_forgotten() {
        let holders = Holders::default();
        let kept = holders.of(0, 0, 4);
        for number in 1..100_000 {
            holders.of(number, number, 4);
        }
        let known = holders.keys.0.lock().expect("not poisoned").len();
        assert!(known < 4 * REMEMBERED_MIN, "{known}");
        assert!(Arc::ptr_eq(&kept, &holders.of(0, 0, 4)));
    }
}
