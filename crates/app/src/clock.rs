//! The time, which tests may set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::{SystemTime, UNIX_EPOCH};

use patron_model::Timestamp;

/// Where the time comes from.
#[derive(Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands where it was set (microseconds since the epoch).
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at a moment until it is moved.
    pub fn fixed(at: Timestamp) -> Clock {
        Clock::Fixed(Arc::new(AtomicI64::new(at.micros())))
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Clock::Fixed(at) => Timestamp::from_micros(at.load(Ordering::Relaxed)),
        }
    }

    /// Moves a fixed clock.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Clock::Fixed(at) = self {
            at.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        }
    }
}
