//! What came of attempts: of the entry, and of the endpoint.

use patron_app::webhooks::{Health, deliveries::fresh, work::Written};
use patron_model::Timestamp;

use super::{
    FLUSH_FAILURES, FLUSH_PROGRESS, Lane, MS, Outcome, SECOND, Slot, Verdict, What, held, is_good,
    results::after,
};
use crate::schedule;

impl Lane {
    /// One that is under way is over, most likely the one that began first.
    pub(super) fn land(&mut self) {
        self.flying -= 1;
        if let Some(mut first) = self.begun.first_entry() {
            *first.get_mut() -= 1;
            if *first.get() == 0 {
                first.remove();
            }
        }
    }

    /// Notes what came of an attempt.
    pub(crate) fn settle(
        &mut self,
        what: What,
        outcome: Outcome,
        (started, now): (i64, i64),
        jitter: f64,
    ) -> Verdict {
        self.land();
        let is_probe = self.is_open();
        let verdict = self.note_health(outcome, (started, now));
        let seq = what.seq();
        let plan = self.endpoint.notifier.schedule;
        match what {
            What::First { entry, nth } => {
                if let Some((_, slot)) = self.window.get_mut(&seq) {
                    if let Slot::Flying(bytes) = *slot {
                        self.bytes -= bytes;
                    }
                    *slot = Slot::Done;
                } else if self.orphans.remove(&seq) {
                    self.done_before.insert(seq);
                }
                let is_failure = !is_good(outcome);
                if is_failure || self.endpoint.notifier.notes_all {
                    let at = Timestamp::from_micros(started);
                    let delivery = fresh(self.endpoint.number, &entry, nth, at);
                    let after = after(&plan, delivery, outcome, is_probe, (started, now), jitter);
                    self.retrying += u64::from(after.due.is_some());
                    self.note_due(after.due);
                    self.results.push(Written::New(after));
                }
                self.turn_over(entry.subject, seq, is_failure);
                self.advance();
                self.flush_by(now + if is_failure { FLUSH_FAILURES } else { FLUSH_PROGRESS });
            }
            What::Again(before) => {
                self.flying_again.remove(&seq);
                let delivery = before.record.clone();
                let after = after(&plan, delivery, outcome, is_probe, (started, now), jitter);
                self.retrying = self.retrying.saturating_sub(u64::from(after.due.is_none()));
                self.note_due(after.due);
                self.turn_again(&before, true, is_good(outcome));
                self.results.push(Written::Changed(Box::new((*before, after))));
                self.flush_by(now + FLUSH_FAILURES);
            }
        }
        if self.is_open() {
            self.rewind();
        }
        self.hold_blocked(now);
        verdict
    }

    /// An attempt could not be made: as if it had not been begun.
    pub(crate) fn not_made(&mut self, what: What, now: i64) {
        self.land();
        self.hold_until = self.hold_until.max(now + SECOND);
        match what {
            What::First { entry, .. } => {
                self.orphans.remove(&entry.seq);
                if let Some((_, slot)) = self.window.get_mut(&entry.seq) {
                    if let Slot::Flying(bytes) = *slot {
                        self.bytes -= bytes;
                    }
                    self.bytes += held(&entry);
                    self.waiting += 1;
                    *slot = Slot::Waiting(entry);
                }
            }
            What::Again(before) => {
                self.flying_again.remove(&before.seq);
                self.turn_again(&before, false, false);
                self.note_due(Some(now + SECOND));
            }
        }
    }

    /// A delivery is tried again then; it is not there before the results are written.
    pub(super) fn note_due(&mut self, due: Option<i64>) {
        if let Some(due) = due {
            self.next_due = Some(self.next_due.map_or(due, |next| next.min(due)));
        }
    }

    pub(super) fn note_health(&mut self, outcome: Outcome, (started, now): (i64, i64)) -> Verdict {
        if outcome == Outcome::Withheld {
            return Verdict::GoOn;
        }
        self.last_ms = (now - started) / MS;
        if is_good(outcome) {
            self.allowance = match self.health.failures >= schedule::BREAKS_AT {
                true => 1,
                false => (self.allowance * 2).min(self.endpoint.parallel),
            };
            self.health = Health { last_success_at: now, ..Health::default() };
            self.hold_until = 0;
            return Verdict::GoOn;
        }
        if self.health.failures == 0 {
            self.health.failing_since = now;
        }
        self.health.failures += 1;
        self.health.last_failure_at = now;
        if self.is_open() {
            self.health.open_until = now + schedule::probe_after(self.health.step);
            self.health.step += 1;
        }
        match outcome {
            Outcome::Answered(410, _) => return Verdict::Ended,
            Outcome::Answered(429 | 503, Some(wait)) => {
                self.hold_until = now + wait.min(schedule::HOLD_MAX);
            }
            Outcome::Answered(..) | Outcome::Fault(_) | Outcome::Withheld => {}
        }
        let is_over = now - self.health.failing_since >= schedule::GIVEN_UP_AFTER;
        if is_over { Verdict::Failing } else { Verdict::GoOn }
    }
}
