//! Removing a tenant for good, and what earlier changes left in the file.

use std::sync::Arc;

use super::connect::{Access, connect};
use super::writer::{Done, Work};
use super::{Sqlite, blocking, failed};
use crate::{Counts, StoreError, purge};

/// How often the log is tried to be emptied; each waits for readers as long as a write does.
const COMPACT_ATTEMPTS_MAX: u32 = 3;

impl Sqlite {
    pub(crate) async fn count_tenant(&self, tenant: i64) -> Result<Counts, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let reader = shared.scanners.take();
            let mut counts = Counts::new();
            for (table, sql) in purge::counts(&shared.schema) {
                let count = reader.connection.query_row(&sql, [tenant], |row| row.get(0));
                let count: i64 = count.map_err(failed)?;
                counts.insert(table, count.unsigned_abs());
            }
            Ok(counts)
        })
        .await
    }

    pub(crate) async fn purge(&self, tenant: i64, limit: u32) -> Result<Counts, StoreError> {
        self.work(Work::Purge { tenant, limit }).await.map(Done::counts)
    }

    /// Writes the file anew and empties the log: nothing that was deleted is left in either.
    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let connection = connect(&shared.path, Access::Write, &shared.options)?;
            connection.execute_batch("VACUUM").map_err(failed)?;
            // The first one may find the keeper's snapshot in its way, which the change ends.
            for _ in 0..COMPACT_ATTEMPTS_MAX {
                let busy: i64 = connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                    .map_err(failed)?;
                if busy == 0 {
                    return Ok(());
                }
            }
            Err(StoreError::Unavailable(
                "readers keep the write-ahead log from being emptied: try again".to_owned(),
            ))
        })
        .await
    }
}
