//! Whose turn it is: everything about an endpoint but sending is done at once, sending in turn, so
//! that no space and no endpoint takes what others wait for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Action, Core};
use crate::lane::{Lane, MS};

/// How often slow endpoints are looked for.
const SLOW_SEEN: i64 = 50 * MS;

impl Core {
    /// Does something to a lane and keeps count of what is held.
    pub(super) fn with<R>(&mut self, number: i64, act: impl FnOnce(&mut Lane) -> R) -> Option<R> {
        let lane = self.lanes.get_mut(&number)?;
        let before = lane.bytes;
        let result = act(lane);
        self.held_bytes = self.held_bytes - before + lane.bytes;
        Some(result)
    }

    /// A lane may have something to do.
    pub(super) fn look_at(&mut self, number: i64) {
        self.touched.insert(number);
    }

    /// Lanes whose time has come are looked at.
    pub(super) fn wake(&mut self, now: i64) {
        while let Some((at, number)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, number));
            self.timer_of.remove(&number);
            self.look_at(number);
        }
    }

    pub(super) fn set_timer(&mut self, number: i64, at: Option<i64>) {
        if let Some(known) = self.timer_of.remove(&number) {
            self.timers.remove(&(known, number));
        }
        if let Some(at) = at {
            self.timers.insert((at, number));
            self.timer_of.insert(number, at);
        }
    }

    /// Looks at every lane that something happened to.
    pub(super) fn tend_all(&mut self, now: i64) {
        while let Some(number) = self.touched.pop_first() {
            self.tend(number, now);
        }
    }

    /// Everything about a lane but sending: that waits for its turn.
    pub(super) fn tend(&mut self, number: i64, now: i64) {
        let may_hold_more = self.held_bytes < self.bounds.held_bytes;
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        let (space, epoch) = (lane.endpoint.space, lane.epoch);
        if lane.is_halted && lane.is_written() && lane.flying == 0 {
            return self.forget(number);
        }
        if let Some(results) = lane.flush(now, lane.is_halted) {
            let results = Box::new(results);
            self.actions.push(Action::Flush { lane: number, epoch, results });
        }
        lane.ask_again(now);
        if lane.wants_open() {
            lane.begin_open();
            self.actions.push(Action::Open { lane: number, epoch, space });
        }
        if let Some(seqs) = lane.wants_held() {
            self.actions.push(Action::Held { lane: number, epoch, space, seqs });
        }
        if lane.wants_due(now) {
            lane.is_asking_due = true;
            let limit = lane.due_limit();
            self.actions.push(Action::Due { lane: number, epoch, space, limit });
        }
        if let Some(after) = lane.wants_entries(now, may_hold_more) {
            lane.begin_reading(after);
            if !self.reading.contains(&(space, after)) && self.waits_to_read.insert((space, after))
            {
                self.to_read.push_back((space, after));
            }
        }
        let (timer, wants) = (lane.wakes_at(now), lane.wants_to_send(now));
        self.set_timer(number, timer);
        if wants && self.queued.insert(number) {
            self.queue(space, number);
        }
    }

    /// Puts a lane in the queue of its space.
    pub(super) fn queue(&mut self, space: i64, number: i64) {
        let ready = self.ready.entry(space).or_default();
        if ready.is_empty() {
            self.turns.push_back(space);
        }
        ready.push_back(number);
    }

    /// Gives turns, one attempt each: to a space, there to an endpoint.
    pub(super) fn dispatch(&mut self, now: i64) {
        let mut passed = 0;
        while !self.is_paused
            && self.in_flight < self.bounds.in_flight
            && passed <= self.turns.len()
        {
            let Some(space) = self.turns.pop_front() else { return };
            let of_space = self.by_space.get(&space).copied().unwrap_or(0);
            if of_space >= self.bounds.in_flight / 2 && !self.turns.is_empty() {
                // It has its half, and others wait.
                self.turns.push_back(space);
                passed += 1;
                continue;
            }
            let Some(number) = self.ready.get_mut(&space).and_then(VecDeque::pop_front) else {
                self.ready.remove(&space);
                continue;
            };
            match self.ready.get(&space).is_some_and(|ready| !ready.is_empty()) {
                true => self.turns.push_back(space),
                false => drop(self.ready.remove(&space)),
            }
            if self.is_parked(number, now) {
                continue;
            }
            self.queued.remove(&number);
            self.send(number, now);
            passed = 0;
        }
    }

    /// Whether a lane is a slow one and has to wait for a place among them.
    pub(super) fn is_parked(&mut self, number: i64, now: i64) -> bool {
        let is_slow = self.lanes.get(&number).is_some_and(|lane| lane.is_slow(now));
        let is_parked = is_slow && self.slow_places(now) >= self.bounds.slow;
        if is_parked {
            self.parked.push_back(number);
        }
        is_parked
    }

    /// Places that slow endpoints have, those that were taken while nobody knew it included.
    pub(super) fn slow_places(&mut self, now: i64) -> usize {
        if now - self.slow_seen.0 > SLOW_SEEN {
            let slow = self.lanes.values().filter(|lane| lane.is_slow(now));
            let places = slow.map(|lane| usize::try_from(lane.flying).unwrap_or(0)).sum();
            self.slow_seen = (now, places);
        }
        self.slow_count.max(self.slow_seen.1)
    }

    pub(super) fn send(&mut self, number: i64, now: i64) {
        let Some(lane) = self.lanes.get_mut(&number) else { return };
        let (space, epoch, is_slow) = (lane.endpoint.space, lane.epoch, lane.is_slow(now));
        if let Some(what) = lane.next(now) {
            let endpoint = Arc::clone(&lane.endpoint);
            let gap = lane.gap_before(&what);
            self.in_flight += 1;
            *self.by_space.entry(space).or_default() += 1;
            if is_slow {
                self.slow_count += 1;
                *self.slow_in_flight.entry((number, epoch)).or_default() += 1;
            }
            self.actions.push(Action::Attempt { endpoint, epoch, what, gap });
        }
        self.tend(number, now);
    }

    /// One attempt is over: its places are free.
    pub(super) fn leave(&mut self, space: i64, of: (i64, u64)) {
        self.in_flight -= 1;
        if let Some(count) = self.by_space.get_mut(&space) {
            *count -= 1;
            if *count == 0 {
                self.by_space.remove(&space);
            }
        }
        self.slow_seen.1 = self.slow_seen.1.saturating_sub(1);
        if let Some(count) = self.slow_in_flight.get_mut(&of) {
            *count -= 1;
            self.slow_count -= 1;
            if *count == 0 {
                self.slow_in_flight.remove(&of);
            }
        }
        // Those that never failed come first: who hangs must not keep a new endpoint waiting.
        let is_fresh = |number: &i64| self.lanes.get(number).is_none_or(Lane::is_fresh);
        let next = self.parked.iter().position(is_fresh).unwrap_or(0);
        if let Some(number) = self.parked.remove(next) {
            self.queued.remove(&number);
            self.look_at(number);
        }
    }

    pub(super) fn read_on(&mut self) {
        while self.reading.len() < self.bounds.reads {
            let Some((space, after)) = self.to_read.pop_front() else { return };
            self.waits_to_read.remove(&(space, after));
            self.reading.insert((space, after));
            self.actions.push(Action::Read { space, after });
        }
    }
}
