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
    /// Long reads that run, now.
    pub long_reads: u64,
    /// Long reads given up since the start: nobody waited for them, or their time was over. Counted
    /// when they have really ended.
    pub long_reads_given_up: u64,
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
    long_reads: AtomicU64,
    long_reads_given_up: AtomicU64,
}

/// A long read that runs.
#[derive(Debug)]
pub(crate) struct LongRead<'a>(&'a Counters);

impl Drop for LongRead<'_> {
    fn drop(&mut self) {
        self.0.long_reads.fetch_sub(1, Relaxed);
    }
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

    /// Notes a long read, until what it answers is dropped.
    pub(crate) fn long_read(&self) -> LongRead<'_> {
        self.long_reads.fetch_add(1, Relaxed);
        LongRead(self)
    }

    /// Notes a long read that was given up.
    pub(crate) fn gave_up(&self) {
        self.long_reads_given_up.fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        Statistics {
            batches_committed: self.batches_committed.load(Relaxed),
            batches_refused: self.batches_refused.load(Relaxed),
            entries_committed: self.entries_committed.load(Relaxed),
            groups_committed: self.groups_committed.load(Relaxed),
            group_largest: self.group_largest.load(Relaxed),
            retries: self.retries.load(Relaxed),
            long_reads: self.long_reads.load(Relaxed),
            long_reads_given_up: self.long_reads_given_up.load(Relaxed),
            ..Statistics::default()
        }
    }
}
