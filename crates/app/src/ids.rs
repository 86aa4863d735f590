//! Identities for new records. Numbers come from a counter of the deployment, reserved in blocks so
//! that several processes on one database never wait for each other.

use std::ops::Range;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use patron_model::{Failure, card};
use uuid::Uuid;

use crate::{App, failure};

/// Numbers reserved at a time.
const BLOCK: i64 = 1_000;
/// The counter's name in the store.
const COUNTER: &str = "number";

/// A UUIDv7 of this moment that passes every door.
pub(crate) fn new_uuid() -> Uuid {
    passing(|| match UNIX_EPOCH.elapsed() {
        Ok(_) => Uuid::now_v7(),
        // The library panics before 1970, where a clock that was never set may stand.
        Err(_) => Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)),
    })
}

/// The first of the UUIDs made that is not taken for a card number: one in some two thousand is,
/// and whoever sent it back, as the id of his space, say, would be refused.
pub fn passing(mut make: impl FnMut() -> Uuid) -> Uuid {
    loop {
        let uuid = make();
        let (mut hyphenated, mut simple) = ([0; 36], [0; 32]);
        let written: [&str; 2] = [
            uuid.hyphenated().encode_lower(&mut hyphenated),
            uuid.simple().encode_lower(&mut simple),
        ];
        let is_alarm = |text: &&str| {
            card::might_contain_number(text.as_bytes()) && card::contains_number(text)
        };
        if !written.iter().any(is_alarm) {
            return uuid;
        }
    }
}

/// Numbers at hand.
#[derive(Default)]
pub(crate) struct IdPool {
    blocks: Mutex<Vec<Range<i64>>>,
}

impl IdPool {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Range<i64>>> {
        // A panic while holding the lock leaves the ranges valid.
        self.blocks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl App {
    /// The next unused number, while there are some at hand.
    pub(crate) fn take_number(&self) -> Option<i64> {
        let mut blocks = self.ids.lock();
        while let Some(block) = blocks.first_mut() {
            if let Some(number) = block.next() {
                return Some(number);
            }
            blocks.remove(0);
        }
        None
    }

    /// Puts a block of numbers at hand, so many at least.
    pub(crate) async fn reserve_numbers(&self, wanted: i64) -> Result<(), Failure> {
        let block = self.store.reserve(COUNTER, BLOCK.max(wanted)).await.map_err(failure)?;
        self.ids.lock().push(block);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_identity_looks_like_a_card_number() {
        // A version 4 and a version 7 that do; the last of each passes.
        for (alarms, passes) in [
            ("41111111-1111-4115-8ddd-dddddddddddd", "41111111-1111-4112-8ddd-dddddddddddd"),
            ("019aaaaa-4111-7111-8111-1113dddddddd", "019aaaaa-4111-7111-8111-1112dddddddd"),
        ] {
            let mut made = [alarms, alarms, passes].map(|text| text.parse().unwrap()).into_iter();
            assert_eq!(passing(|| made.next().unwrap()).to_string(), passes);
        }
        for _ in 0..20_000 {
            assert!(!card::contains_number(&new_uuid().to_string()));
        }
    }
}
