//! One endpoint as the node that works for it sees it: how far it was read, what is under way, what
//! came of it, and how it fares. Pure: it is told the time and what happened.

mod order;
mod outcomes;
mod results;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use patron_app::{
    Loaded,
    journal::Entry,
    webhooks::{
        Cursor, Delivery, Health, asks_of,
        notifier::Subscription,
        telling,
        work::{Results, Written},
    },
};

use self::order::Turns;
use crate::schedule;

/// Entries taken from the journal that wait for their turn, at most.
pub(crate) const WAITING_MAX: usize = 64;
/// Entries behind the first that is not done, at most.
pub(crate) const WINDOW_MAX: usize = 256;
/// Deliveries to be tried again beyond which nothing new is sent.
pub(crate) const RETRYING_MAX: u64 = 1_000;
/// Attempts at one time of an endpoint that never answered well.
const NEW_PARALLEL: i64 = 2;
/// Entries passed over that are worth writing the cursor for.
const SKIPPED_MAX: i64 = 10_000;
/// Microseconds of a millisecond.
pub(crate) const MS: i64 = 1_000;
/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000 * MS;
/// How long results of failures wait for others to be written with.
const FLUSH_FAILURES: i64 = 20 * MS;
/// How long a cursor that moved waits.
const FLUSH_PROGRESS: i64 = SECOND;
/// How long one waits that only passed over entries nobody asked for.
const FLUSH_SKIPPED: i64 = 60 * SECOND;
/// An answer slower than this makes an endpoint a slow one.
const SLOW_MS: i64 = 1_000;

/// What became of an entry in the window.
#[derive(Debug)]
enum Slot {
    /// It waits.
    Waiting(Arc<Entry>),
    /// It is under way.
    Flying(usize),
    /// It was delivered, or noted to be tried again.
    Done,
}

/// An attempt to be made.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The first one of an entry.
    First {
        /// The entry.
        entry: Arc<Entry>,
        /// It is the endpoint's nth.
        nth: i64,
    },
    /// Another one.
    Again(Box<Loaded<Delivery>>),
}

impl What {
    pub(crate) fn seq(&self) -> i64 {
        match self {
            What::First { entry, .. } => entry.seq,
            What::Again(delivery) => delivery.seq,
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer, and how long it asks to wait in microseconds.
    Answered(u16, Option<i64>),
    /// None, and why.
    Fault(&'static str),
    /// There is nothing to be told any more.
    Withheld,
}

/// What is to be done about the endpoint itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    GoOn,
    /// It said that it is gone.
    Ended,
    /// Nothing was delivered for too long.
    Failing,
}

/// An endpoint.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) endpoint: Arc<Subscription>,
    /// Tells this life of the lane from others: what is under way of another one counts no more.
    pub(crate) epoch: u64,
    cursor: Loaded<Cursor>,
    health: Health,
    /// Everything up to here was read.
    read: i64,
    /// How many of that were asked for.
    matched: i64,
    /// Entries that were asked for, from the first that is not done: their nth, and what became of
    /// them.
    window: BTreeMap<i64, (i64, Slot)>,
    /// What was done already behind what was read: by whoever worked here before, or before it was
    /// let go of what waits.
    done_before: BTreeSet<i64>,
    /// What is under way behind what was read.
    orphans: BTreeSet<i64>,
    waiting: usize,
    /// Bytes of entries held.
    pub(crate) bytes: usize,
    /// Attempts under way; those that are no first ones.
    pub(crate) flying: i64,
    flying_again: BTreeSet<i64>,
    /// When those under way began, and how many did.
    begun: BTreeMap<i64, usize>,
    /// Deliveries that are due.
    due: VecDeque<Box<Loaded<Delivery>>>,
    next_due: Option<i64>,
    retrying: u64,
    allowance: i64,
    last_ms: i64,
    hold_until: i64,
    results: Vec<Written>,
    /// When what is to be written is written.
    flush_at: Option<i64>,
    /// Results under way to the store.
    flushing: Option<Results>,
    /// The store did not take the last ones: nothing is sent until it does.
    is_stuck: bool,
    /// Position behind which it waits for entries.
    reading: Option<i64>,
    pub(crate) is_asking_due: bool,
    /// There are entries behind what was read.
    pub(crate) is_behind: bool,
    /// It is told nothing more, but for what is to be written.
    pub(crate) is_halted: bool,
    /// What is not over, and whose turn it is.
    turns: Turns,
    /// When what could not be asked for is.
    ask_again_at: Option<i64>,
    /// What it asks for, and, where that is new, from which position and count on that is counted.
    asks: i64,
    counts_from: Option<(i64, i64)>,
}

impl Lane {
    pub(crate) fn new(
        endpoint: Arc<Subscription>,
        cursor: Loaded<Cursor>,
        (retrying, next_due): (u64, Option<i64>),
        epoch: u64,
    ) -> Lane {
        let health = cursor.health;
        let is_proven = health.last_success_at > 0 && health.failures == 0;
        let allowance = if is_proven { endpoint.parallel } else { NEW_PARALLEL };
        let asks = asks_of(&endpoint);
        let is_counted = asks == cursor.asks && !cursor.marks.is_empty();
        let counts_from = (!is_counted).then_some((cursor.position, cursor.matched));
        let turns = Turns::of(endpoint.order, &cursor.gaps, retrying > 0);
        Lane {
            epoch,
            health,
            read: cursor.position,
            matched: cursor.matched,
            window: BTreeMap::new(),
            done_before: cursor.done.iter().copied().collect(),
            orphans: BTreeSet::new(),
            waiting: 0,
            bytes: 0,
            flying: 0,
            flying_again: BTreeSet::new(),
            begun: BTreeMap::new(),
            due: VecDeque::new(),
            next_due,
            retrying,
            allowance: allowance.min(endpoint.parallel),
            last_ms: 0,
            hold_until: 0,
            results: Vec::new(),
            flush_at: None,
            flushing: None,
            is_stuck: false,
            reading: None,
            is_asking_due: false,
            is_behind: true,
            is_halted: false,
            turns,
            ask_again_at: None,
            asks,
            counts_from,
            endpoint,
            cursor,
        }
    }

    // ---- reading --------------------------------------------------------------------------------

    /// Position behind which it wants to read, if it wants to.
    pub(crate) fn wants_entries(&self, now: i64, may_hold_more: bool) -> Option<i64> {
        let has_room = self.window.len() < WINDOW_MAX
            && self.waiting <= if may_hold_more { WAITING_MAX / 2 } else { 0 };
        let may_send = !self.is_halted && !self.is_stuck && self.retrying < RETRYING_MAX;
        let is_tried = !self.is_open() || self.health.open_until <= now;
        let wants = self.is_behind && self.reading.is_none() && has_room && may_send && is_tried;
        wants.then_some(self.read)
    }

    /// It waits for entries behind a position.
    pub(crate) fn begin_reading(&mut self, after: i64) {
        self.reading = Some(after);
    }

    /// Whether it waited for those behind a position; it does no more.
    pub(crate) fn end_reading(&mut self, after: i64) -> bool {
        self.reading.take_if(|waits| *waits == after).is_some()
    }

    /// Takes entries that were read behind a position; `is_end`: there were no more.
    pub(crate) fn take(&mut self, after: i64, entries: &[Arc<Entry>], is_end: bool, now: i64) {
        if after != self.read || self.is_halted {
            return;
        }
        let most = if self.is_open() { 1 } else { WAITING_MAX };
        for entry in entries {
            let is_full = self.window.len() >= WINDOW_MAX || self.retrying >= RETRYING_MAX;
            if self.waiting >= most || is_full {
                return;
            }
            self.read = entry.seq;
            let is_done = self.done_before.remove(&entry.seq);
            let is_under_way = self.orphans.remove(&entry.seq);
            let is_wanted = telling::is_wanted(&self.endpoint, entry);
            if !is_wanted && !is_under_way {
                continue;
            }
            // What is under way and no more asked for has no number among what is.
            let nth = self.matched + 1;
            self.matched += i64::from(is_wanted);
            let slot = if is_under_way {
                Slot::Flying(0)
            } else if is_done {
                Slot::Done
            } else {
                self.waiting += 1;
                self.bytes += held(entry);
                self.turns.enter(entry.subject, entry.seq);
                Slot::Waiting(Arc::clone(entry))
            };
            self.window.insert(entry.seq, (nth, slot));
            self.hold_if_behind(entry.subject, entry.seq, now);
        }
        self.is_behind = !is_end;
        self.advance();
        if self.position() - self.cursor.position >= SKIPPED_MAX {
            self.flush_by(now);
        } else if self.position() > self.cursor.position {
            self.flush_by(now + FLUSH_SKIPPED);
        }
    }

    /// Lets go of what waits, to be read again later.
    fn rewind(&mut self) {
        let first = self.window.iter().find(|(_, (_, slot))| matches!(slot, Slot::Waiting(_)));
        let Some((seq, nth)) = first.map(|(seq, (nth, _))| (*seq, *nth)) else { return };
        for (seq, (_, slot)) in self.window.split_off(&seq) {
            match slot {
                Slot::Waiting(entry) => {
                    self.waiting -= 1;
                    self.bytes -= held(&entry);
                    self.turns.leave(entry.subject, seq);
                }
                Slot::Flying(bytes) => {
                    self.bytes -= bytes;
                    self.orphans.insert(seq);
                }
                Slot::Done => {
                    self.done_before.insert(seq);
                }
            }
        }
        (self.read, self.matched, self.is_behind) = (seq - 1, nth - 1, true);
        self.reading = None;
    }

    fn advance(&mut self) {
        while let Some(first) = self.window.first_entry() {
            if !matches!(first.get().1, Slot::Done) {
                break;
            }
            first.remove();
        }
    }

    /// Everything up to here is done.
    fn position(&self) -> i64 {
        self.window.first_key_value().map_or(self.read, |(seq, _)| seq - 1)
    }

    // ---- sending --------------------------------------------------------------------------------

    fn is_open(&self) -> bool {
        self.health.failures >= schedule::BREAKS_AT
    }

    /// Whether it may hold others up: it never answered well, fails, or is slow.
    pub(crate) fn is_slow(&self, now: i64) -> bool {
        let is_waiting = |began: &i64| now - began > SLOW_MS * MS;
        self.health.last_success_at == 0
            || self.is_open()
            || self.last_ms > SLOW_MS
            || self.begun.first_key_value().is_some_and(|(began, _)| is_waiting(began))
    }

    /// Whether no attempt has failed of late.
    pub(crate) fn is_fresh(&self) -> bool {
        self.health.failures == 0
    }

    /// Whether deliveries that are due are to be asked for.
    pub(crate) fn wants_due(&self, now: i64) -> bool {
        let is_due = self.next_due.is_some_and(|due| due <= now);
        is_due && !self.is_asking_due && self.due.is_empty() && self.may_send(now)
    }

    /// How many deliveries to ask for: those under way are among the answer.
    pub(crate) fn due_limit(&self) -> u32 {
        let more = u32::try_from(self.flying_again.len()).unwrap_or(0);
        16_u32.saturating_add(more)
    }

    /// Takes deliveries that are due; `is_end`: there are no more of them.
    pub(crate) fn take_due(&mut self, rows: Vec<Loaded<Delivery>>, is_end: bool, now: i64) {
        self.is_asking_due = false;
        let under_way = |row: &Loaded<Delivery>| self.flying_again.contains(&row.seq);
        let changed = |row: &Loaded<Delivery>| {
            let of_row = |one: &Written| matches!(one, Written::Changed(c) if c.0.seq == row.seq);
            self.results.iter().any(of_row)
                || self.flushing.as_ref().is_some_and(|f| f.deliveries.iter().any(of_row))
        };
        let (due, later): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.due.is_some_and(|due| due <= now));
        let is_known = |row: &Loaded<Delivery>| self.due.iter().any(|one| one.seq == row.seq);
        let fresh = due.into_iter().filter(|r| !under_way(r) && !changed(r) && !is_known(r));
        let fresh: Vec<_> = fresh.collect();
        for row in fresh {
            if !self.holds_due(&row, now) {
                self.due.push_back(Box::new(row));
            }
        }
        let next = later.first().and_then(|row| row.due);
        self.next_due = match (is_end, next) {
            (true, None) => None,
            (_, Some(next)) => Some(next),
            // Those there was no room for, or that are under way just now.
            (false, None) => Some(now + 100 * MS),
        };
        // What is still to be written is not among them.
        let pending = self.flushing.iter().flat_map(|results| &results.deliveries);
        let pending = pending.chain(&self.results).filter_map(|one| match one {
            Written::New(delivery) => delivery.due,
            Written::Changed(change) => change.1.due,
        });
        let pending = pending.min();
        self.note_due(pending);
    }

    /// What is due could not be asked for.
    pub(crate) fn no_due(&mut self, now: i64) {
        self.is_asking_due = false;
        self.next_due = Some(now + SECOND);
    }

    fn may_send(&self, now: i64) -> bool {
        let is_tried = !self.is_open() || (self.health.open_until <= now && self.flying == 0);
        !self.is_halted
            && !self.is_stuck
            && !self.turns.is_blind()
            && is_tried
            && self.hold_until <= now
            && self.flying < self.allowance
            && self.results.len() < results::UNWRITTEN_MAX
    }

    /// Whether it has something to send now.
    pub(crate) fn wants_to_send(&self, now: i64) -> bool {
        let may_begin = || self.waiting > 0 && self.retrying < RETRYING_MAX && self.has_turn();
        self.may_send(now) && (self.has_due() || may_begin())
    }

    /// Whether it is the turn of one that waits.
    fn has_turn(&self) -> bool {
        self.window.values().any(|(_, slot)| self.is_next(slot))
    }

    fn is_next(&self, slot: &Slot) -> bool {
        match slot {
            Slot::Waiting(entry) => self.turns.may_go(entry.subject, entry.seq),
            Slot::Flying(_) | Slot::Done => false,
        }
    }

    /// Whether a delivery is due and may take a place: half of them at most, while others wait.
    fn has_due(&self) -> bool {
        let most = if self.waiting == 0 { self.allowance } else { (self.allowance + 1) / 2 };
        let again = i64::try_from(self.flying_again.len()).unwrap_or(i64::MAX);
        !self.due.is_empty() && again < most
    }

    /// Takes what is to be sent next.
    pub(crate) fn next(&mut self, now: i64) -> Option<What> {
        if !self.wants_to_send(now) {
            return None;
        }
        self.flying += 1;
        *self.begun.entry(now).or_default() += 1;
        if self.has_due() {
            let delivery = self.due.pop_front()?;
            self.flying_again.insert(delivery.seq);
            return Some(What::Again(delivery));
        }
        let next = self.window.iter().find(|(_, (_, slot))| self.is_next(slot));
        let seq = next.map(|(seq, _)| *seq)?;
        let (nth, slot) = self.window.get_mut(&seq)?;
        let Slot::Waiting(entry) = &*slot else { return None };
        let entry = Arc::clone(entry);
        *slot = Slot::Flying(held(&entry));
        self.waiting -= 1;
        Some(What::First { entry, nth: *nth })
    }

    /// The endpoint said anew what it wants, or something is due that was not.
    pub(crate) fn replace(&mut self, endpoint: Arc<Subscription>, next_due: Option<i64>) {
        self.note_due(next_due);
        self.reorder(endpoint.order);
        if endpoint.endpoint == self.endpoint.endpoint {
            return;
        }
        self.allowance = self.allowance.min(endpoint.parallel);
        self.endpoint = endpoint;
        self.rewind();
        let asks = asks_of(&self.endpoint);
        if asks != self.asks {
            (self.asks, self.counts_from) = (asks, Some((self.read, self.matched)));
        }
    }

    /// When it is to be looked at again, if nothing happens before.
    pub(crate) fn wakes_at(&self, now: i64) -> Option<i64> {
        let pause = [self.hold_until, if self.is_open() { self.health.open_until } else { 0 }];
        let pause = pause.into_iter().filter(|at| *at > now).max();
        let due = self.next_due.filter(|_| !self.is_asking_due && self.due.is_empty());
        let due = due.map(|due| pause.map_or(due, |pause| due.max(pause)));
        let flush = self.flush_at.filter(|_| self.flushing.is_none());
        [pause, due, flush, self.ask_again_at].into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Entries taken and not done.
    pub(crate) fn held(&self) -> usize {
        self.waiting
    }

    /// Deliveries to be tried again.
    pub(crate) fn retrying(&self) -> u64 {
        self.retrying
    }

    /// Whether it fails and is only tried now and then.
    pub(crate) fn is_failing(&self) -> bool {
        self.is_open()
    }
}

/// Bytes that an entry takes.
fn held(entry: &Entry) -> usize {
    entry.doc.len() + 256
}

pub(crate) fn is_good(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Answered(200..=299, _))
}
