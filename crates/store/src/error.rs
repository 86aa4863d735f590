//! Why the store refuses.

/// Why a verb of the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A record no longer has the revision the batch was built on, or is gone.
    #[error("{kind} {number} was changed by another writer")]
    Conflict {
        /// Kind of the record.
        kind: &'static str,
        /// Its number.
        number: i64,
    },
    /// A unique column already has this value in another record.
    #[error("{kind}.{column} is already taken")]
    Unique {
        /// Kind of the record.
        kind: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The idempotency key already has an answer.
    #[error("the idempotency key already has an answer")]
    Answered,
    /// Too many writes are waiting; try again later.
    #[error("the write queue is full")]
    Full,
    /// A read took longer than it may, or nobody waited for it any more.
    #[error("the read took too long and was given up")]
    GivenUp,
    /// The engine cannot be reached or gave up after bounded retries.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The engine refused in a way that retrying does not cure.
    #[error("the store failed: {0}")]
    Engine(String),
}
