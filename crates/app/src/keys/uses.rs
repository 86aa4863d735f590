//! When and from where each key was used last. The hot path only notes it in memory, once in a
//! while for each key; a background task writes what is due, without the journal.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use async_recursion::async_recursion;
use patron_model::{Failure, Timestamp};
use patron_store::{Batch, Doc, Kind, Record, Row, StoreError, Write};
use serde::{Deserialize, Serialize};

use crate::{
    App,
    documents::{DEPLOYMENT, KEY},
    failure,
    ids::new_uuid,
    search::{Field, Filter, Query},
};

/// When and from where each key was used last, under the key's number; not in the journal.
pub static KEY_USE: Kind = Kind { name: "key_use", columns: &[], terms: false };

/// Keys remembered at most; one more replaces those that are written.
const KEYS_MAX: usize = 10_000;
/// Seconds between two writes for one key.
const WRITE_EVERY_SECONDS: i64 = 300;
/// Use is told by the minute.
const MINUTE_SECONDS: i64 = 60;

/// The last use of a key, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// Number of the key.
    pub key: i64,
    /// The minute, by its beginning.
    pub minute: Timestamp,
    /// The client's address, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// Last uses that this process has seen.
#[derive(Default)]
pub(crate) struct Uses(Mutex<HashMap<i64, Noted>>);

struct Noted {
    last: KeyUse,
    written_at: Option<Timestamp>,
    is_written: bool,
}

impl Uses {
    fn noted(&self) -> std::sync::MutexGuard<'_, HashMap<i64, Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, last: KeyUse) {
        let mut noted = self.noted();
        if let Some(known) = noted.get_mut(&last.key) {
            known.is_written &= known.last == last;
            known.last = last;
            return;
        }
        if noted.len() >= KEYS_MAX {
            noted.retain(|_, known| !known.is_written);
        }
        if noted.len() < KEYS_MAX {
            noted.insert(last.key, Noted { last, written_at: None, is_written: false });
        }
    }

    fn of(&self, key: i64) -> Option<KeyUse> {
        self.noted().get(&key).map(|known| known.last.clone())
    }

    /// What is to be written now; it counts as written.
    fn take_due(&self, now: Timestamp) -> Vec<KeyUse> {
        let since = now.plus_seconds(-WRITE_EVERY_SECONDS);
        let mut due = Vec::new();
        for known in self.noted().values_mut() {
            if !known.is_written && known.written_at.is_none_or(|at| at <= since) {
                known.is_written = true;
                known.written_at = Some(now);
                due.push(known.last.clone());
            }
        }
        due
    }

    /// What could not be written is due again in its time.
    fn give_back(&self, key: i64) {
        if let Some(known) = self.noted().get_mut(&key) {
            known.is_written = false;
        }
    }
}

impl App {
    /// Notes that a key was used.
    pub(super) fn note_use(&self, key: i64, now: Timestamp, address: Option<IpAddr>) {
        let past = now.micros().rem_euclid(MINUTE_SECONDS * 1_000_000);
        let minute = Timestamp::from_micros(now.micros() - past);
        self.uses.note(KeyUse { key, minute, address: address.map(|a| a.to_canonical()) });
    }

    /// Writes the last uses that are due: at most one write in five minutes for each key.
    ///
    /// # Errors
    /// Whatever the store says; what was not written is tried again later.
    #[async_recursion]
    pub async fn write_key_uses(&self) -> Result<(), Failure> {
        let mut outcome = Ok(());
        for last in self.uses.take_due(self.clock.now()) {
            let key = last.key;
            if let Err(error) = self.write_key_use(last).await {
                self.uses.give_back(key);
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Removes what is known of the use of a key that is about to go: with it an address.
    ///
    /// # Errors
    /// Whatever the store says.
    pub(crate) async fn forget_key_use(&self, key: i64) -> Result<(), Failure> {
        self.uses.noted().remove(&key);
        let row = self.store.get(&KEY_USE, DEPLOYMENT, key).await.map_err(failure)?;
        let Some(Row { tenant, number, revision, .. }) = row else { return Ok(()) };
        let write = Write::Remove { kind: &KEY_USE, tenant, number, revision };
        let batch = Batch { tenant: DEPLOYMENT, writes: vec![write], ..Batch::default() };
        self.store.commit(batch).await.map(|_| ()).map_err(failure)
    }

    async fn write_key_use(&self, last: KeyUse) -> Result<(), Failure> {
        if self.store.get(&KEY, DEPLOYMENT, last.key).await.map_err(failure)?.is_none() {
            // It went with its space meanwhile.
            return Ok(());
        }
        let row = self.store.get(&KEY_USE, DEPLOYMENT, last.key).await.map_err(failure)?;
        let known = row.as_ref().and_then(|row| read(&row.doc));
        if known.is_some_and(|known| known.minute >= last.minute) {
            return Ok(());
        }
        let record = Record {
            tenant: DEPLOYMENT,
            number: last.key,
            uuid: row.as_ref().map_or_else(new_uuid, |row| row.uuid),
            revision: row.as_ref().map_or(1, |row| row.revision + 1),
            columns: Vec::new(),
            doc: serde_json::to_string(&last).map_err(Failure::internal)?.into(),
            terms: Vec::new(),
        };
        let write = match row {
            None => Write::Insert { kind: &KEY_USE, record },
            Some(_) => Write::Replace {
                kind: &KEY_USE,
                after: record,
                before_columns: Vec::new(),
                before_terms: Vec::new(),
            },
        };
        let batch = Batch { tenant: DEPLOYMENT, writes: vec![write], ..Batch::default() };
        match self.store.commit(batch).await {
            // Another node was faster: its minute is as good as this one.
            Ok(_) | Err(StoreError::Conflict { .. } | StoreError::Unique { .. }) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    /// The last uses of keys, by their numbers.
    ///
    /// # Errors
    /// Whatever the store says.
    #[async_recursion]
    pub async fn key_uses(&self, keys: &[i64]) -> Result<HashMap<i64, KeyUse>, Failure> {
        let numbers = keys.iter().map(|number| (*number).into()).collect();
        let predicate = Filter::OneOf(Field::Number, numbers);
        let limit = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        let query = Query { predicate, limit, ..Query::of(DEPLOYMENT) };
        let found = match keys {
            [] => Vec::new(),
            _ => self.store.find(&KEY_USE, &query).await.map_err(failure)?.rows,
        };
        let mut uses: HashMap<i64, KeyUse> =
            found.iter().filter_map(|row| Some((row.number, read(&row.doc)?))).collect();
        for key in keys {
            let seen_here = self.uses.of(*key);
            let is_later = |here: &KeyUse| uses.get(key).is_none_or(|u| u.minute <= here.minute);
            if let Some(here) = seen_here.filter(is_later) {
                uses.insert(*key, here);
            }
        }
        Ok(uses)
    }
}

fn read(doc: &Doc) -> Option<KeyUse> {
    serde_json::from_str(&doc.json().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(key: i64, minute: i64) -> KeyUse {
        KeyUse { key, minute: Timestamp::from_micros(minute * 60_000_000), address: None }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn one_write_in_five_minutes_for_a_key() {
        let uses = Uses::default();
        uses.note(used(1, 0));
        assert_eq!(uses.take_due(at(10)), [used(1, 0)], "the first use at once");
        uses.note(used(1, 0));
        assert!(uses.take_due(at(1_000)).is_empty(), "nothing new");
        uses.note(used(1, 1));
        assert!(uses.take_due(at(10 + 299)).is_empty(), "too early");
        assert_eq!(uses.take_due(at(10 + 300)), [used(1, 1)]);
        uses.give_back(1);
        assert!(uses.take_due(at(10 + 301)).is_empty(), "a failure is no reason to hurry");
        assert_eq!(uses.take_due(at(10 + 600)), [used(1, 1)]);
        assert_eq!(uses.of(1), Some(used(1, 1)));
    }

    #[test]
    fn memory_is_bounded() {
        let uses = Uses::default();
        for key in 0..=i64::try_from(KEYS_MAX).unwrap() {
            uses.note(used(key, 0));
        }
        assert_eq!(uses.noted().len(), KEYS_MAX, "what is not written keeps its place");
        assert_eq!(uses.take_due(at(0)).len(), KEYS_MAX);
        uses.note(used(-1, 0));
        assert_eq!(uses.noted().len(), 1, "what is written makes room");
    }
}
