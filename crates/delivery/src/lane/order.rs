//! The order that an endpoint asked for: what hangs on one record is told one after the other, as
//! it happened. A later one waits until the one before arrived or was given up: in the window
//! while that one is under way, as a delivery of its own (`held`) while it is to be tried again.

use std::collections::{BTreeMap, BTreeSet};

use patron_app::{
    Loaded,
    webhooks::{
        Delivery, DeliveryState, deliveries,
        work::{Open, Written},
    },
};
use patron_model::{Timestamp, webhook::Order};

use super::{FLUSH_FAILURES, Lane, SECOND, Slot, What, held};

/// Deliveries whose turn it is that are read at one time.
const READ_AT_ONCE: usize = 16;
/// Subjects of which it is remembered that something was given up, at most.
const GAPS_MAX: usize = 1_000;

/// What is not over at an endpoint.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Whether the endpoint asks for order. Where it does not, what is held is let go.
    is_kept: bool,
    /// What waits in the window or is under way for the first time, by its subject.
    window: BTreeMap<i64, BTreeSet<i64>>,
    /// What has a delivery, by its subject, and whether that is held.
    noted: BTreeMap<i64, BTreeMap<i64, bool>>,
    /// What is held and may be tried once everything up to it was read; with its subject.
    ready: BTreeSet<(i64, i64)>,
    /// Of what was held: what is read, or waits to be sent, or is under way.
    taken: BTreeSet<i64>,
    /// Deliveries may be there that are not known.
    pub(super) is_stale: bool,
    is_asking: bool,
    /// Something was written since that was asked for.
    is_overtaken: bool,
    is_reading: bool,
    /// Subjects of which something was given up, until the next of theirs arrives.
    gaps: BTreeMap<i64, i64>,
}

impl Turns {
    pub(super) fn of(order: Order, gaps: &[(i64, i64)], has_noted: bool) -> Turns {
        let is_kept = order == Order::Customer;
        let gaps = gaps.iter().copied().filter(|_| is_kept).collect();
        Turns { is_kept, gaps, is_stale: is_kept || has_noted, ..Turns::default() }
    }

    /// Whether an earlier one of its subject has a delivery that is not over.
    fn is_behind_noted(&self, subject: i64, seq: i64) -> bool {
        if !self.is_kept {
            return false;
        }
        let first = self.noted.get(&subject).and_then(BTreeMap::first_key_value);
        first.is_some_and(|(first, _)| *first < seq)
    }

    /// Whether an earlier one of its subject is not over.
    fn is_behind(&self, subject: i64, seq: i64) -> bool {
        if !self.is_kept {
            return false;
        }
        let first = self.window.get(&subject).and_then(BTreeSet::first);
        first.is_some_and(|first| *first < seq) || self.is_behind_noted(subject, seq)
    }

    /// Whether one that waits in the window may be sent.
    pub(super) fn may_go(&self, subject: i64, seq: i64) -> bool {
        !self.is_behind(subject, seq)
    }

    /// Whether nothing may be sent before it is known what was noted.
    pub(super) fn is_blind(&self) -> bool {
        self.is_kept && self.is_stale
    }

    pub(super) fn enter(&mut self, subject: i64, seq: i64) {
        self.window.entry(subject).or_default().insert(seq);
    }

    pub(super) fn leave(&mut self, subject: i64, seq: i64) {
        if let Some(all) = self.window.get_mut(&subject) {
            all.remove(&seq);
            if all.is_empty() {
                self.window.remove(&subject);
            }
        }
        self.look_at(subject);
    }

    /// A delivery is there, or is held no more.
    fn note(&mut self, one: Open) {
        if self.is_kept || one.is_held {
            self.noted.entry(one.subject).or_default().insert(one.seq, one.is_held);
            self.look_at(one.subject);
        }
    }

    fn end(&mut self, subject: i64, seq: i64) {
        if let Some(all) = self.noted.get_mut(&subject) {
            all.remove(&seq);
            if all.is_empty() {
                self.noted.remove(&subject);
            }
        }
        self.ready.remove(&(seq, subject));
        self.look_at(subject);
    }

    /// Those of a subject whose turn it is.
    fn look_at(&mut self, subject: i64) {
        let Some(all) = self.noted.get(&subject) else { return };
        let most = if self.is_kept { 1 } else { all.len() };
        for (seq, is_held) in all.iter().take(most) {
            let first = self.window.get(&subject).and_then(BTreeSet::first);
            let is_first = !self.is_kept || first.is_none_or(|first| seq < first);
            if *is_held && is_first && !self.taken.contains(seq) {
                self.ready.insert((*seq, subject));
            }
        }
    }
}

impl Lane {
    // ---- what was noted -------------------------------------------------------------------------

    /// Whether it wants to know what was noted.
    pub(crate) fn wants_open(&self) -> bool {
        self.turns.is_stale && !self.turns.is_asking && !self.is_halted
    }

    pub(crate) fn begin_open(&mut self) {
        (self.turns.is_asking, self.turns.is_overtaken) = (true, false);
    }

    /// Takes what was noted; none: it could not be asked for.
    pub(crate) fn take_open(&mut self, open: Option<Vec<Open>>, now: i64) {
        self.turns.is_asking = false;
        let Some(open) = open else {
            self.turns.is_asking = true;
            self.ask_again_at = Some(now + SECOND);
            return;
        };
        if self.turns.is_overtaken {
            // What was over meanwhile may be among them.
            return;
        }
        (self.turns.is_stale, self.turns.noted) = (false, BTreeMap::new());
        self.turns.ready.clear();
        let written = self.flushing.iter().flat_map(|results| &results.deliveries);
        let pending: Vec<Open> = written.chain(&self.results).filter_map(open_of).collect();
        for one in open.into_iter().chain(pending) {
            self.turns.note(one);
        }
        for row in std::mem::take(&mut self.due) {
            if row.state == DeliveryState::Held || !self.holds_due(&row, now) {
                self.due.push_back(row);
            }
        }
        self.hold_blocked(now);
    }

    /// After a pause, what could not be asked for is.
    pub(crate) fn ask_again(&mut self, now: i64) {
        if self.ask_again_at.is_some_and(|at| at <= now) {
            self.ask_again_at = None;
            (self.turns.is_asking, self.turns.is_reading) = (false, false);
        }
    }

    /// Positions of deliveries whose turn it is, to be read.
    pub(crate) fn wants_held(&mut self) -> Option<Vec<i64>> {
        if self.turns.is_reading || self.turns.is_blind() || self.is_halted || self.is_stuck {
            return None;
        }
        // Of what was not read yet something may come before it.
        let until = if self.turns.is_kept { self.read } else { i64::MAX };
        let (turns, mut some) = (&mut self.turns, Vec::new());
        while let Some((seq, subject)) = turns.ready.pop_first() {
            if seq > until {
                turns.ready.insert((seq, subject));
                break;
            }
            // What was read since may come before it; then it is looked at again when that is over.
            if !turns.is_behind(subject, seq) {
                turns.taken.insert(seq);
                some.push(seq);
            }
            if some.len() == READ_AT_ONCE {
                break;
            }
        }
        self.turns.is_reading = !some.is_empty();
        (!some.is_empty()).then_some(some)
    }

    /// Takes deliveries whose turn it is; none: they could not be read.
    pub(crate) fn take_held(
        &mut self,
        seqs: &[i64],
        rows: Option<Vec<Loaded<Delivery>>>,
        now: i64,
    ) {
        let Some(rows) = rows else {
            self.turns.taken.retain(|seq| !seqs.contains(seq));
            self.turns.is_stale = true;
            self.ask_again_at = Some(now + SECOND);
            return;
        };
        self.turns.is_reading = false;
        if rows.len() < seqs.len() {
            self.turns.is_stale = true;
        }
        for row in rows {
            if row.state == DeliveryState::Held {
                self.due.push_back(Box::new(row));
            } else {
                // Somebody else saw to it.
                self.turns.taken.remove(&row.seq);
                self.turns.is_stale = true;
            }
        }
    }

    // ---- what happens ---------------------------------------------------------------------------

    /// Makes deliveries of what waits behind one that is to be tried again.
    pub(super) fn hold_blocked(&mut self, now: i64) {
        let turns = &self.turns;
        let is_blocked = |(seq, (_, slot)): (&i64, &(i64, Slot))| match slot {
            Slot::Waiting(entry) => turns.is_behind_noted(entry.subject, *seq).then_some(*seq),
            Slot::Flying(_) | Slot::Done => None,
        };
        let blocked: Vec<i64> = self.window.iter().filter_map(is_blocked).collect();
        for seq in blocked {
            self.hold(seq, now);
        }
        self.advance();
    }

    /// One that was just taken into the window may have to wait longer than others should.
    pub(super) fn hold_if_behind(&mut self, subject: i64, seq: i64, now: i64) {
        if self.turns.is_behind_noted(subject, seq) {
            self.hold(seq, now);
        }
    }

    fn hold(&mut self, seq: i64, now: i64) {
        let Some((nth, slot)) = self.window.get_mut(&seq) else { return };
        let Slot::Waiting(entry) = std::mem::replace(slot, Slot::Done) else { return };
        let nth = *nth;
        self.waiting -= 1;
        self.bytes -= held(&entry);
        let at = Timestamp::from_micros(now);
        let fresh = deliveries::fresh(self.endpoint.number, &entry, nth, at);
        let delivery = Delivery { state: DeliveryState::Held, ..fresh };
        self.turns.leave(entry.subject, seq);
        self.turns.note(Open { subject: entry.subject, seq, is_held: true });
        self.retrying += 1;
        self.results.push(Written::New(delivery));
        self.flush_by(now + FLUSH_FAILURES);
    }

    /// Whether one that is due has to wait for its turn: then it is held.
    pub(super) fn holds_due(&mut self, row: &Loaded<Delivery>, now: i64) -> bool {
        let is_behind = row.manual.is_none() && self.turns.is_behind(row.subject, row.seq);
        if is_behind {
            let (state, due) = (DeliveryState::Held, None);
            let after = Delivery { state, due, ..row.record.clone() };
            self.results.push(Written::Changed(Box::new((row.clone(), after))));
            self.turns.note(Open { subject: row.subject, seq: row.seq, is_held: true });
            self.flush_by(now + FLUSH_FAILURES);
        }
        is_behind
    }

    /// The first attempt of an entry is over; `noted`: it has a delivery.
    pub(super) fn turn_over(&mut self, subject: i64, seq: i64, is_noted: bool) {
        if is_noted && self.turns.is_kept {
            // One that somebody made meanwhile stays what it is.
            self.turns.noted.entry(subject).or_default().entry(seq).or_insert(false);
        } else {
            self.turns.gaps.remove(&subject);
        }
        self.turns.leave(subject, seq);
    }

    /// Another attempt of a delivery is over, or could not be made.
    pub(super) fn turn_again(&mut self, before: &Delivery, is_made: bool, is_good: bool) {
        let (subject, seq) = (before.subject, before.seq);
        let was_held = self.turns.taken.remove(&seq);
        if was_held && is_made {
            self.turns.note(Open { subject, seq, is_held: false });
        }
        if is_good {
            self.turns.gaps.remove(&subject);
        }
        self.turns.look_at(subject);
    }

    /// Notes what was given up while others of its subject wait, before that is written.
    pub(super) fn note_gaps(&mut self) {
        let turns = &mut self.turns;
        for one in self.results.iter().filter(|_| turns.is_kept) {
            let (was_asked, after) = match one {
                Written::New(after) => (false, after),
                Written::Changed(change) => (change.0.manual.is_some(), &change.1),
            };
            let of_subject = turns.noted.get(&after.subject).map_or(0, BTreeMap::len);
            let has_others = of_subject > 1 || turns.window.contains_key(&after.subject);
            let is_given_up = after.state == DeliveryState::Failed && !was_asked && has_others;
            if is_given_up && turns.gaps.len() < GAPS_MAX {
                turns.gaps.insert(after.subject, after.seq);
            }
        }
    }

    /// What was over is written: those behind it may go.
    pub(super) fn end_written(&mut self, deliveries: &[Written]) {
        self.turns.is_overtaken = true;
        for one in deliveries {
            let after = match one {
                Written::New(after) => after,
                Written::Changed(change) => &change.1,
            };
            if after.open().is_none() {
                self.turns.end(after.subject, after.seq);
            }
        }
    }

    /// What was given up of the subject of an attempt, just before it.
    pub(crate) fn gap_before(&self, what: &What) -> Option<i64> {
        let subject = match what {
            What::First { entry, .. } => entry.subject,
            What::Again(delivery) if delivery.manual.is_none() => delivery.subject,
            What::Again(_) => return None,
        };
        self.turns.gaps.get(&subject).copied().filter(|seq| *seq < what.seq())
    }

    /// The endpoint says anew in which order it is told.
    pub(super) fn reorder(&mut self, order: Order) {
        let is_kept = order == Order::Customer;
        let is_other = is_kept != self.turns.is_kept;
        self.turns.is_kept = is_kept;
        self.turns.is_stale |= is_kept || is_other;
    }

    pub(super) fn gaps(&self) -> Vec<(i64, i64)> {
        self.turns.gaps.iter().map(|(subject, seq)| (*subject, *seq)).collect()
    }
}

fn open_of(one: &Written) -> Option<Open> {
    match one {
        Written::New(after) => after.open(),
        Written::Changed(change) => change.1.open(),
    }
}
