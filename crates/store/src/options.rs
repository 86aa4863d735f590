//! Where the records are and how the engine is set up. Every limit is named here, with its unit.

use std::fmt;
use std::path::PathBuf;

use crate::{Entry, StoreError};

/// Where the records are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// In this process, gone with it. For tests and trials.
    Memory,
    /// In this SQLite file (and its `-wal` and `-shm` neighbours).
    Sqlite(PathBuf),
    /// In the PostgreSQL database behind this URL.
    Postgres(String),
}

impl Location {
    /// Whether it can be understood, without going there.
    ///
    /// # Errors
    /// When it is a PostgreSQL URL that is none, or says of TLS what makes no sense.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Location::Memory | Location::Sqlite(_) => Ok(()),
            Location::Postgres(url) => crate::postgres::check(url),
        }
    }
}

/// Never shows a password: locations end up in logs and on the health page.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Memory => f.write_str("memory"),
            Location::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Location::Postgres(url) => f.write_str(&crate::postgres::describe(url)),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How SQLite makes a commit durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// A commit is acknowledged after it has been flushed to the disk.
    Full,
    /// No flush: a power failure loses acknowledged commits. Only for benchmarks; logged as a warning.
    Off,
}

/// Says what a journal entry is related to that was written before entries said so.
pub type RelatedOf = fn(&Entry) -> Vec<i64>;

/// Limits and settings of the engines. The defaults suit a small server.
#[derive(Debug, Clone)]
pub struct Options {
    /// Flushing of SQLite commits.
    pub synchronous: Synchronous,
    /// Writes that may wait for the writer (batches); more are refused with `Full`.
    pub write_queue_max: usize,
    /// Writes of imports that may wait for the writer at a time (batches): they wait for room, so
    /// they must leave some to others.
    pub many_max: usize,
    /// Longest time of one read that looks at many records (milliseconds); then it is given up.
    pub query_ms_max: u64,
    /// Whether documents are packed when they are written; see `doc.rs`. Those that are packed are
    /// read in either case.
    pub pack_documents: bool,
    /// Batches in one transaction at most; more than 64 buys nothing.
    pub group_max: usize,
    /// SQLite connections for bounded reads, called without a change of thread.
    pub sqlite_readers: usize,
    /// Time of a SQLite read on the thread that asks (milliseconds), what the system gave to others
    /// not counted: one that takes twice as long begins anew on a blocking thread.
    pub sqlite_inline_ms: u64,
    /// SQLite connections for long reads, called on blocking threads.
    pub sqlite_scanners: usize,
    /// Page cache of each SQLite connection (KiB).
    pub sqlite_cache_kib: u32,
    /// Part of the SQLite file that is mapped into memory (bytes).
    pub sqlite_mmap_bytes: u64,
    /// How long SQLite waits for another process that writes (milliseconds).
    pub sqlite_busy_ms: u64,
    /// Prepared statements kept per connection.
    pub statement_cache: usize,
    /// PostgreSQL connections at most.
    pub postgres_pool_max: usize,
    /// Transactions that write to PostgreSQL at a time, at most half of the connections.
    pub postgres_writers: usize,
    /// How long a request waits for a PostgreSQL connection, and a connection for the server
    /// (milliseconds).
    pub postgres_wait_ms: u64,
    /// What entries of data and dumps of before are related to: asked once for each, when they are
    /// brought to the present layout.
    pub related_of: RelatedOf,
}

impl Options {
    /// Room for the writes of imports: at most half of the queue.
    pub(crate) fn many(&self) -> usize {
        self.many_max.min(self.write_queue_max / 2).max(1)
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            synchronous: Synchronous::Full,
            write_queue_max: 4096,
            many_max: 256,
            query_ms_max: 10_000,
            pack_documents: true,
            group_max: 128,
            sqlite_readers: 8,
            sqlite_inline_ms: 1,
            sqlite_scanners: 4,
            sqlite_cache_kib: 8 * 1024,
            sqlite_mmap_bytes: 64 << 30,
            sqlite_busy_ms: 5_000,
            statement_cache: 256,
            postgres_pool_max: 16,
            postgres_writers: 2,
            postgres_wait_ms: 5_000,
            related_of: |_| Vec::new(),
        }
    }
}
