//! One open read transaction that spares all other readers their file locks.
//!
//! SQLite takes a lock in the file for the first reader of a snapshot in a process and only counts
//! the others; with many short reads there always is a first one, which costs two system calls
//! under a mutex that all readers share. While nothing is written, the keeper is that first reader. It lets
//! go before every write, because an open snapshot keeps the write-ahead log from being reset, and
//! stays away while another process writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::failed;
use crate::StoreError;

/// Pause between two looks at whether anything was written (milliseconds).
const LOOK_MS: u64 = 100;

/// The keeper's connection and what it knows.
pub(super) struct Keeper {
    connection: Connection,
    /// Whether this process wrote since the last look.
    was_written: bool,
    /// SQLite's count of changes by others than this connection, at the last look.
    changes: i64,
}

/// The keeper as the writer has it, with the thread that lets it look.
pub(super) struct KeptSnapshot {
    keeper: Arc<Mutex<Keeper>>,
    is_closed: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl KeptSnapshot {
    /// Starts the keeper's thread.
    pub(super) fn start(connection: Connection) -> Result<KeptSnapshot, StoreError> {
        let keeper = Keeper { connection, was_written: true, changes: 0 };
        let keeper = Arc::new(Mutex::new(keeper));
        let is_closed = Arc::new(AtomicBool::new(false));
        let looks = {
            let (keeper, is_closed) = (Arc::clone(&keeper), Arc::clone(&is_closed));
            move || {
                while !is_closed.load(Ordering::Acquire) {
                    lock(&keeper).look();
                    std::thread::park_timeout(Duration::from_millis(LOOK_MS));
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-keeper".to_owned()).spawn(looks);
        let thread = thread
            .map_err(|error| StoreError::Unavailable(format!("no keeper thread: {error}")))?;
        Ok(KeptSnapshot { keeper, is_closed, thread })
    }

    /// Before this process writes.
    pub(super) fn let_go(&self) {
        let mut keeper = lock(&self.keeper);
        keeper.was_written = true;
        keeper.release();
    }

    /// Before the store is closed: the keeper's connection is gone afterwards.
    pub(super) fn close(self) {
        self.is_closed.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // A keeper that panicked is gone as well.
        let _ = self.thread.join();
    }
}

fn lock(keeper: &Mutex<Keeper>) -> MutexGuard<'_, Keeper> {
    keeper.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keeper {
    /// Holds the newest snapshot when nobody has written lately.
    fn look(&mut self) {
        self.release();
        let changes = self.changes_of_others();
        let is_quiet = !self.was_written && changes.as_ref().is_ok_and(|n| *n == self.changes);
        self.changes = changes.unwrap_or(-1);
        self.was_written = false;
        if is_quiet && self.hold().is_err() {
            self.release();
        }
    }

    fn changes_of_others(&self) -> rusqlite::Result<i64> {
        self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    fn hold(&self) -> Result<(), StoreError> {
        let connection = &self.connection;
        connection.prepare_cached("BEGIN").and_then(|mut s| s.execute([])).map_err(failed)?;
        // The snapshot is taken by the first read.
        let read = connection.prepare_cached(r#"SELECT 1 FROM "meta" LIMIT 1"#);
        read.and_then(|mut s| s.exists([])).map(|_| ()).map_err(failed)
    }

    fn release(&mut self) {
        if !self.connection.is_autocommit() {
            // Ends a read; there is nothing that could be lost.
            let end = self.connection.prepare_cached("ROLLBACK");
            let _ = end.and_then(|mut statement| statement.execute([]));
        }
    }
}
