//! What came of the work for an endpoint: what is written, and when.

use patron_app::{
    Loaded,
    webhooks::{
        Attempt, Cursor, Delivery, DeliveryState, deliveries::Trigger, notifier::Schedule,
        work::Results,
    },
};
use patron_model::Timestamp;

use super::{Lane, MS, Outcome, SECOND, Slot, is_good};
use crate::schedule;

/// Results that are written at once.
const RESULTS_MAX: usize = 500;
/// Results that wait to be written, beyond which nothing new is sent.
pub(super) const UNWRITTEN_MAX: usize = 2 * RESULTS_MAX;
/// How long a store that was away is left alone.
const FLUSH_AGAIN: i64 = SECOND;

impl Lane {
    pub(super) fn flush_by(&mut self, at: i64) {
        self.flush_at = Some(self.flush_at.map_or(at, |known| known.min(at)));
    }

    /// What is to be written now.
    pub(crate) fn flush(&mut self, now: i64, is_last: bool) -> Option<Results> {
        if self.flushing.is_some() {
            return None;
        }
        let is_due = self.flush_at.is_some_and(|at| at <= now) || is_last && !self.is_stuck;
        if !is_due && self.results.len() < RESULTS_MAX {
            return None;
        }
        self.flush_at = None;
        self.note_gaps();
        let after = self.cursor_now();
        if self.results.is_empty() && after == self.cursor.record {
            return None;
        }
        let deliveries = std::mem::take(&mut self.results);
        let results = Results { cursor: self.cursor.clone(), after, deliveries };
        self.flushing = Some(results.clone());
        Some(results)
    }

    pub(super) fn cursor_now(&self) -> Cursor {
        let position = self.position();
        let matched = self.window.first_key_value().map_or(self.matched, |(_, (nth, _))| nth - 1);
        let done = self.window.iter().filter(|(_, (_, slot))| matches!(slot, Slot::Done));
        let before = self.done_before.iter().copied();
        let mut done: Vec<i64> = done.map(|(seq, _)| *seq).chain(before).collect();
        done.sort_unstable();
        // Whoever is told nothing more here may be told by another node.
        let is_free = self.is_halted && self.flying == 0;
        let node = if is_free { 0 } else { self.cursor.node };
        let before = &self.cursor.record;
        let (asks, marks) = match self.counts_from {
            None => (before.asks, before.marked(position, matched)),
            Some((from, count)) if position >= from => (self.asks, vec![(from, count)]),
            Some(_) => (0, Vec::new()),
        };
        let (health, gaps) = (self.health, self.gaps());
        Cursor { position, matched, done, node, health, asks, marks, gaps, ..before.clone() }
    }

    /// The store took what was written.
    pub(crate) fn flushed(&mut self) {
        let Some(results) = self.flushing.take() else { return };
        let revision = results.cursor.revision + 1;
        self.end_written(&results.deliveries);
        if results.after.asks == self.asks {
            self.counts_from = None;
        }
        self.cursor = Loaded { record: results.after, revision };
        self.is_stuck = false;
    }

    /// The store is away.
    pub(crate) fn not_flushed(&mut self, now: i64) {
        let Some(results) = self.flushing.take() else { return };
        let later = std::mem::replace(&mut self.results, results.deliveries);
        self.results.extend(later);
        self.is_stuck = true;
        self.flush_at = Some(now + FLUSH_AGAIN);
    }

    /// Whether everything that came of the work is written.
    pub(crate) fn is_written(&self) -> bool {
        self.flushing.is_none()
            && self.results.is_empty()
            && self.cursor_now() == self.cursor.record
    }
}

/// A delivery after an attempt.
pub(super) fn after(
    plan: &Schedule,
    delivery: Delivery,
    outcome: Outcome,
    is_probe: bool,
    (started, now): (i64, i64),
    jitter: f64,
) -> Delivery {
    let (status, error, wait) = match outcome {
        Outcome::Answered(status, wait) => (Some(status), None, wait),
        Outcome::Fault(class) => (None, Some(class.to_owned()), None),
        Outcome::Withheld => {
            let state = DeliveryState::Withheld;
            return Delivery { state, due: None, manual: None, replay: None, ..delivery };
        }
    };
    let trigger = match (delivery.manual, delivery.replay, is_probe) {
        (Some(_), ..) => Trigger::Manual,
        (None, Some(_), _) => Trigger::Replay,
        (None, None, true) => Trigger::Probe,
        (None, None, false) => Trigger::Schedule,
    };
    let ms = (now - started) / MS;
    let at = Timestamp::from_micros(started);
    let manual = delivery.manual;
    let delivery = delivery.attempted(Attempt { n: 0, at, trigger, status, error, ms });
    let (state, due, tries) = match (is_good(outcome), status, manual) {
        (true, _, _) => (DeliveryState::Delivered, None, delivery.tries),
        (false, Some(410), _) => (DeliveryState::Cancelled, None, delivery.tries),
        // Once more was asked for; a schedule that runs goes on.
        (false, _, Some(Some(due))) => (DeliveryState::Retrying, Some(due), delivery.tries),
        (false, _, Some(None)) => (DeliveryState::Failed, None, delivery.tries),
        (false, _, None) => {
            let tries = delivery.tries + 1;
            match schedule::next(plan, tries, jitter) {
                Some(pause) => {
                    let wait = wait.unwrap_or(0).min(schedule::WAIT_MAX);
                    (DeliveryState::Retrying, Some(now + pause.max(wait)), tries)
                }
                None => (DeliveryState::Failed, None, tries),
            }
        }
    };
    Delivery { state, due, tries, manual: None, replay: None, ..delivery }
}
