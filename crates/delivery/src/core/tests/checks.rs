//! What must be so, whatever happens.

use std::sync::Arc;

use patron_app::{
    journal::Entry,
    webhooks::{DeliveryState, notifier::Subscription},
};

use super::world::World;

impl World {
    /// Nothing earlier of the same record is still to come.
    pub(super) fn is_in_order(&mut self, endpoint: &Subscription, seq: i64) {
        let journal = &self.journals[&endpoint.space];
        let subject = journal[seq as usize - 1].subject;
        // What is over stays so.
        let known = self.in_order.insert((endpoint.number, subject), seq).unwrap_or(0);
        let between =
            journal.iter().take(seq as usize - 1).skip((known - 1).clamp(0, seq) as usize);
        for entry in between.filter(|one| one.subject == subject) {
            let is_asked = endpoint.wants("customer", &entry.action, entry.subject, "[]");
            let place = (endpoint.number, entry.seq);
            let is_over = self.rows.get(&place).is_some_and(|row| row.open().is_none());
            let is_so = !is_asked || self.taken.contains(&place) || is_over;
            assert!(is_so, "seed {}: {seq} came before {place:?}", self.seed);
        }
    }

    /// What the cursor says is done was taken by the receiver, or is noted.
    pub(super) fn nothing_is_passed_over(&self, number: i64) {
        let cursor = &self.cursors[&number];
        let endpoint = &self.endpoints[number as usize - 1];
        let behind = &self.journals[&endpoint.space][..cursor.position as usize];
        let done = cursor.done.iter().map(|seq| &self.journals[&endpoint.space][*seq as usize - 1]);
        for entry in behind.iter().chain(done) {
            let is_asked = endpoint.wants("customer", &entry.action, entry.subject, "[]");
            let place = (number, entry.seq);
            let is_noted = self.taken.contains(&place) || self.rows.contains_key(&place);
            assert!(!is_asked || is_noted, "seed {}: {place:?} is passed over", self.seed);
        }
    }

    /// Everything that was asked for was taken, and nothing else.
    pub(super) fn all_arrived(&self) {
        for endpoint in &self.endpoints {
            let asked: Vec<&Arc<Entry>> = self.journals[&endpoint.space]
                .iter()
                .filter(|entry| endpoint.wants("customer", &entry.action, entry.subject, "[]"))
                .collect();
            for (nth, entry) in (1..).zip(asked) {
                let place = (endpoint.number, entry.seq);
                let why = (self.seed, place, &self.cursors[&endpoint.number].record);
                assert!(self.taken.contains(&place), "{why:?} {:?}", self.rows.get(&place));
                assert_eq!(self.arrived[&place], nth, "{why:?}");
            }
        }
        for (number, seq) in self.arrived.keys() {
            let endpoint = &self.endpoints[*number as usize - 1];
            let entry = &self.journals[&endpoint.space][*seq as usize - 1];
            assert!(endpoint.wants("customer", &entry.action, entry.subject, "[]"));
        }
        for row in self.rows.values() {
            assert!(row.open().is_none(), "seed {}: {row:?}", self.seed);
        }
    }

    /// Of everything that an endpoint was told there is a delivery that says it arrived.
    pub(super) fn all_noted(&self, number: i64) {
        for (_, seq) in self.taken.iter().filter(|(endpoint, _)| *endpoint == number) {
            let state = self.rows.get(&(number, *seq)).map(|row| row.state);
            assert_eq!(state, Some(DeliveryState::Delivered), "seed {}: {seq}", self.seed);
        }
    }
}
