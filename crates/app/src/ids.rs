//! Identities for new records. Numbers come from a counter of the deployment, reserved in blocks so
//! that several processes on one database never wait for each other.

use std::ops::Range;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use patron_model::Failure;
use uuid::Uuid;

use crate::{App, failure};

/// Numbers reserved at a time.
const BLOCK: i64 = 1_000;
/// The counter's name in the store.
const COUNTER: &str = "number";

/// A UUIDv7 of this moment.
pub(crate) fn new_uuid() -> Uuid {
    match UNIX_EPOCH.elapsed() {
        Ok(_) => Uuid::now_v7(),
        // The library panics before 1970, where a clock that was never set may stand.
        Err(_) => Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 0, 0)),
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
