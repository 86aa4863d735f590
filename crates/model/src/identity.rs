//! Identity of a record: a number unique in the deployment and a UUIDv7.

use uuid::Uuid;

/// Numbers handed out stay below this, so that JavaScript clients keep them exact.
pub const NUMBER_MAX: i64 = (1 << 53) - 1;

/// Number and UUID of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Unique in the whole deployment, below 2^53, increasing.
    pub number: i64,
    /// UUIDv7.
    pub uuid: Uuid,
}

/// A source of new identities.
pub trait Ids {
    /// The next unused identity.
    fn next(&self) -> Identity;
}
