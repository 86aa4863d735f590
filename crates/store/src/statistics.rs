//! What the store counts about itself: atomics in, one snapshot out.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A snapshot of the store's own counters, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Writes waiting for the writer, now.
    pub queue_depth: u64,
    /// Batches committed since the start.
    pub batches_committed: u64,
    /// Batches refused since the start, for any reason.
    pub batches_refused: u64,
    /// Journal entries committed since the start.
    pub entries_committed: u64,
    /// Transactions that committed at least one batch.
    pub groups_committed: u64,
    /// Largest number of batches in one transaction since the start.
    pub group_largest: u64,
    /// Transactions repeated after a serialisation failure or a deadlock (PostgreSQL).
    pub retries: u64,
    /// Size of the write-ahead log (bytes; SQLite only).
    pub wal_bytes: u64,
    /// Connections open in the pool (PostgreSQL only).
    pub connections: u64,
}

/// The counters behind [`Statistics`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) batches_committed: AtomicU64,
    pub(crate) batches_refused: AtomicU64,
    pub(crate) entries_committed: AtomicU64,
    pub(crate) groups_committed: AtomicU64,
    pub(crate) group_largest: AtomicU64,
    pub(crate) retries: AtomicU64,
}

impl Counters {
    /// Notes one committed transaction of `batches` batches with `entries` journal entries.
    pub(crate) fn committed(&self, batches: u64, entries: u64) {
        self.batches_committed.fetch_add(batches, Relaxed);
        self.entries_committed.fetch_add(entries, Relaxed);
        self.groups_committed.fetch_add(1, Relaxed);
        self.group_largest.fetch_max(batches, Relaxed);
    }

    /// Notes refused batches.
    pub(crate) fn refused(&self, batches: u64) {
        self.batches_refused.fetch_add(batches, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        Statistics {
            batches_committed: self.batches_committed.load(Relaxed),
            batches_refused: self.batches_refused.load(Relaxed),
            entries_committed: self.entries_committed.load(Relaxed),
            groups_committed: self.groups_committed.load(Relaxed),
            group_largest: self.group_largest.load(Relaxed),
            retries: self.retries.load(Relaxed),
            ..Statistics::default()
        }
    }
}
