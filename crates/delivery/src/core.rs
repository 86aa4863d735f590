//! What a node decides: which endpoint's turn it is, what is read, written and waited for. Pure: it
//! is told what happened and answers what is to be done, so that a test can run whole deployments
//! with every fault in a fraction of a second, the same way each time.

mod turns;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use patron_app::{
    Loaded,
    journal::Entry,
    webhooks::{
        Cursor, Delivery,
        notifier::Subscription,
        work::{Flushed, Open, Results},
    },
};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use crate::lane::{Lane, Outcome, Verdict, What};

/// Bounds of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Attempts at one time.
    pub(crate) in_flight: usize,
    /// Of these, those of slow endpoints.
    pub(crate) slow: usize,
    /// Bytes of entries held.
    pub(crate) held_bytes: usize,
    /// Reads of the journal at one time.
    pub(crate) reads: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { in_flight: 512, slow: 128, held_bytes: 64 << 20, reads: 8 }
    }
}

/// Entries read at a time.
pub(crate) const CHUNK: u32 = 100;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Read the journal of a space behind a position.
    Read { space: i64, after: i64 },
    /// Ask for what is due at an endpoint.
    Due { lane: i64, epoch: u64, space: i64, limit: u32 },
    /// Ask for what of an endpoint is not over.
    Open { lane: i64, epoch: u64, space: i64 },
    /// Ask for deliveries whose turn it is.
    Held { lane: i64, epoch: u64, space: i64, seqs: Vec<i64> },
    /// Make an attempt. `gap`: what was given up of its subject just before.
    Attempt { endpoint: Arc<Subscription>, epoch: u64, what: What, gap: Option<i64> },
    /// Write results.
    Flush { lane: i64, epoch: u64, results: Box<Results> },
    /// Pause or end an endpoint.
    Stop { lane: i64, space: i64, verdict: Verdict },
    /// Look at an endpoint anew: it was lost to somebody, or changed under us.
    Reload { lane: i64 },
}

/// How many deliveries are to be tried again, and when the next is.
pub(crate) type Retrying = (u64, Option<i64>);

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// An endpoint is this node's from now on.
    Taken { endpoint: Arc<Subscription>, cursor: Box<Loaded<Cursor>>, retrying: Retrying },
    /// An endpoint says anew what it wants, or wants something at once.
    Changed { endpoint: Arc<Subscription>, next_due: Option<i64> },
    /// An endpoint is told nothing more, or is not this node's any more; what came of the work for
    /// it is still written.
    Dropped { lane: i64 },
    /// There may be new entries in a space.
    News { space: i64 },
    /// The journal was read; none: the store is away.
    Entries { space: i64, after: i64, entries: Option<Vec<Arc<Entry>>> },
    /// What is due.
    Due { lane: i64, epoch: u64, rows: Option<Vec<Loaded<Delivery>>>, limit: u32 },
    /// What is not over.
    Open { lane: i64, epoch: u64, open: Option<Vec<Open>> },
    /// Deliveries whose turn it is.
    Held { lane: i64, epoch: u64, seqs: Vec<i64>, rows: Option<Vec<Loaded<Delivery>>> },
    /// What came of an attempt; none: it could not be made, the store is away.
    Attempted {
        space: i64,
        lane: i64,
        epoch: u64,
        what: What,
        started: i64,
        outcome: Option<Outcome>,
    },
    /// What became of results.
    Flushed { lane: i64, epoch: u64, result: Flushed },
    /// Time went on.
    Tick,
}

/// A node.
pub(crate) struct Core {
    bounds: Bounds,
    lanes: BTreeMap<i64, Lane>,
    epochs: u64,
    of_space: HashMap<i64, BTreeSet<i64>>,
    /// Spaces whose turn it is, in that order, and their endpoints.
    turns: VecDeque<i64>,
    ready: HashMap<i64, VecDeque<i64>>,
    queued: HashSet<i64>,
    /// Lanes that something happened to.
    touched: BTreeSet<i64>,
    /// Slow endpoints that wait for one of their places.
    parked: VecDeque<i64>,
    timers: BTreeSet<(i64, i64)>,
    timer_of: HashMap<i64, i64>,
    in_flight: usize,
    slow_in_flight: HashMap<(i64, u64), usize>,
    slow_count: usize,
    /// When slow endpoints were last looked for, and how many places they had.
    slow_seen: (i64, usize),
    by_space: HashMap<i64, usize>,
    /// Reads under way, and those that wait for a place.
    reading: HashSet<(i64, i64)>,
    /// Of these, those begun before the latest news of their space: there may be more behind them.
    outdated: HashSet<(i64, i64)>,
    to_read: VecDeque<(i64, i64)>,
    waits_to_read: HashSet<(i64, i64)>,
    held_bytes: usize,
    is_paused: bool,
    chance: SmallRng,
    actions: Vec<Action>,
}

impl Core {
    pub(crate) fn new(bounds: Bounds, seed: u64) -> Core {
        Core {
            bounds,
            lanes: BTreeMap::new(),
            epochs: 0,
            of_space: HashMap::new(),
            turns: VecDeque::new(),
            ready: HashMap::new(),
            queued: HashSet::new(),
            touched: BTreeSet::new(),
            parked: VecDeque::new(),
            timers: BTreeSet::new(),
            timer_of: HashMap::new(),
            in_flight: 0,
            slow_in_flight: HashMap::new(),
            slow_count: 0,
            slow_seen: (0, 0),
            by_space: HashMap::new(),
            reading: HashSet::new(),
            outdated: HashSet::new(),
            to_read: VecDeque::new(),
            waits_to_read: HashSet::new(),
            held_bytes: 0,
            is_paused: false,
            chance: SmallRng::seed_from_u64(seed),
            actions: Vec::new(),
        }
    }

    /// Tells what happened; answers what is to be done.
    pub(crate) fn handle(&mut self, now: i64, event: Event) -> Vec<Action> {
        match event {
            Event::Taken { endpoint, cursor, retrying } => self.taken(endpoint, *cursor, retrying),
            Event::Changed { endpoint, next_due } => self.changed(endpoint, next_due),
            Event::Dropped { lane } => self.dropped(lane),
            Event::News { space } => self.news(space),
            Event::Entries { space, after, entries } => self.entries(space, after, entries, now),
            Event::Due { lane, epoch, rows, limit } => self.due(lane, epoch, rows, limit, now),
            Event::Open { lane, epoch, open } => {
                self.in_life(lane, epoch, |lane| lane.take_open(open, now));
            }
            Event::Held { lane, epoch, seqs, rows } => {
                self.in_life(lane, epoch, |lane| lane.take_held(&seqs, rows, now));
            }
            Event::Attempted { space, lane, epoch, what, started, outcome } => {
                self.leave(space, (lane, epoch));
                self.attempted((lane, epoch), what, (started, now), outcome);
            }
            Event::Flushed { lane, epoch, result } => self.flushed(lane, epoch, result, now),
            Event::Tick => {}
        }
        self.wake(now);
        self.tend_all(now);
        self.dispatch(now);
        self.read_on();
        std::mem::take(&mut self.actions)
    }

    /// When it is to be told of the time, if nothing happens before.
    pub(crate) fn wakes_at(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Sends nothing while this node may be taken for dead; goes on when it is not.
    pub(crate) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Space and revision of the endpoints it works for, by their numbers.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = (i64, &Lane)> {
        self.lanes.iter().map(|(number, lane)| (*number, lane))
    }

    /// Whether it works for an endpoint.
    pub(crate) fn has(&self, lane: i64) -> bool {
        self.lanes.contains_key(&lane)
    }

    /// Spaces with endpoints it works for.
    pub(crate) fn spaces(&self) -> Vec<i64> {
        self.of_space.keys().copied().collect()
    }

    /// How many they are.
    pub(crate) fn space_count(&self) -> usize {
        self.of_space.len()
    }

    /// Attempts under way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn taken(
        &mut self,
        endpoint: Arc<Subscription>,
        cursor: Loaded<Cursor>,
        r: (u64, Option<i64>),
    ) {
        let (number, space) = (endpoint.number, endpoint.space);
        self.forget(number);
        self.epochs += 1;
        let lane = Lane::new(endpoint, cursor, r, self.epochs);
        self.lanes.insert(number, lane);
        self.of_space.entry(space).or_default().insert(number);
        self.look_at(number);
    }

    fn changed(&mut self, endpoint: Arc<Subscription>, next_due: Option<i64>) {
        let number = endpoint.number;
        if self.lanes.get(&number).is_none_or(|lane| lane.is_halted) {
            // It was given up meanwhile, and is wanted again.
            self.forget(number);
            return self.actions.push(Action::Reload { lane: number });
        }
        self.with(number, |lane| lane.replace(endpoint, next_due));
        self.look_at(number);
    }

    /// What is left of a halted lane is written, and then it is forgotten.
    fn dropped(&mut self, number: i64) {
        self.with(number, |lane| lane.is_halted = true);
        self.look_at(number);
    }

    fn forget(&mut self, number: i64) {
        let Some(lane) = self.lanes.remove(&number) else { return };
        self.held_bytes -= lane.bytes;
        let space = lane.endpoint.space;
        if let Some(lanes) = self.of_space.get_mut(&space) {
            lanes.remove(&number);
            if lanes.is_empty() {
                self.of_space.remove(&space);
            }
        }
        self.set_timer(number, None);
    }

    fn news(&mut self, space: i64) {
        self.outdated.extend(self.reading.iter().filter(|(known, _)| *known == space));
        let lanes: Vec<i64> = self.of_space.get(&space).into_iter().flatten().copied().collect();
        for number in lanes {
            self.with(number, |lane| lane.is_behind = true);
            self.look_at(number);
        }
    }

    fn entries(&mut self, space: i64, after: i64, entries: Option<Vec<Arc<Entry>>>, now: i64) {
        self.reading.remove(&(space, after));
        let is_outdated = self.outdated.remove(&(space, after));
        let lanes: Vec<i64> = self.of_space.get(&space).into_iter().flatten().copied().collect();
        for number in lanes {
            let took = self.with(number, |lane| {
                let was_asked = lane.end_reading(after);
                if let Some(entries) = entries.as_ref().filter(|_| was_asked) {
                    let is_end = entries.len() < CHUNK as usize && !is_outdated;
                    lane.take(after, entries, is_end, now);
                }
                was_asked
            });
            if took != Some(true) {
                continue;
            }
            if entries.is_none() {
                // The store is away: once more in a second.
                self.set_timer(number, Some(now + crate::lane::SECOND));
            } else {
                self.look_at(number);
            }
        }
    }

    fn due(
        &mut self,
        number: i64,
        epoch: u64,
        rows: Option<Vec<Loaded<Delivery>>>,
        limit: u32,
        now: i64,
    ) {
        self.in_life(number, epoch, |lane| match rows {
            Some(rows) => {
                let is_end = rows.len() < limit as usize;
                lane.take_due(rows, is_end, now);
            }
            None => lane.no_due(now),
        });
    }

    /// Tells a lane what it asked for in this life of its.
    fn in_life(&mut self, number: i64, epoch: u64, tell: impl FnOnce(&mut Lane)) {
        self.with(number, |lane| {
            if lane.epoch == epoch {
                tell(lane);
            }
        });
        self.look_at(number);
    }

    fn attempted(
        &mut self,
        (number, epoch): (i64, u64),
        what: What,
        (started, now): (i64, i64),
        outcome: Option<Outcome>,
    ) {
        let jitter: f64 = self.chance.random();
        let settled = self.with(number, |lane| {
            if lane.epoch != epoch {
                return None;
            }
            let verdict = match outcome {
                Some(outcome) => lane.settle(what, outcome, (started, now), jitter),
                None => {
                    lane.not_made(what, now);
                    Verdict::GoOn
                }
            };
            if verdict != Verdict::GoOn {
                lane.is_halted = true;
            }
            Some((lane.endpoint.space, verdict))
        });
        if let Some(Some((space, verdict))) = settled {
            if verdict != Verdict::GoOn {
                self.actions.push(Action::Stop { lane: number, space, verdict });
            }
            self.look_at(number);
        }
    }

    fn flushed(&mut self, number: i64, epoch: u64, result: Flushed, now: i64) {
        let Some(lane) = self.lanes.get_mut(&number).filter(|lane| lane.epoch == epoch) else {
            return;
        };
        match result {
            Flushed::Done => lane.flushed(),
            Flushed::Later => lane.not_flushed(now),
            Flushed::Lost => {
                self.forget(number);
                self.actions.push(Action::Reload { lane: number });
                return;
            }
        }
        self.look_at(number);
    }
}

#[cfg(test)]
#[path = "core/tests.rs"]
mod tests;
