//! How long a read goes on: as long as somebody waits for it, and for a while at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a read looks at while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    left: Arc<AtomicBool>,
    until: Instant,
}

/// Held by whoever waits for the read; dropped, nobody does any more.
#[derive(Debug)]
pub(crate) struct Awaited(Arc<AtomicBool>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Patience {
    /// For so long from now on.
    pub(crate) fn new(longest: Duration) -> Patience {
        Patience { left: Arc::default(), until: Instant::now() + longest }
    }

    /// The other end of it.
    pub(crate) fn awaited(&self) -> Awaited {
        Awaited(Arc::clone(&self.left))
    }

    /// Whether the read is to be given up.
    pub(crate) fn is_over(&self) -> bool {
        self.left.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}
