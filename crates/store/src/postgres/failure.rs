//! What a failure means, and how often work is done again that the server undid.

use std::time::Duration;

use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::connect;
use super::write::ATTEMPTS_MAX;
use crate::StoreError;

/// What a failure of the server or the connection means: trouble that may pass, or not.
pub(super) fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(refusal) = error.as_db_error() else {
        let text = connect::reason(error);
        return match is_connection_lost(error) {
            true => StoreError::Unavailable(format!("PostgreSQL: {text}")),
            false => StoreError::Engine(format!("PostgreSQL: {text}")),
        };
    };
    let code = refusal.code().code();
    let mend = match refusal.code() {
        code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "; pg_hba.conf there says who may come, sslmode, sslcert and sslkey in the URL how"
        }
        code if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "; the URL's user must own its tables and may make them: \
             GRANT CREATE ON SCHEMA public TO it"
        }
        code if *code == SqlState::INVALID_SQL_STATEMENT_NAME
            || *code == SqlState::DUPLICATE_PSTATEMENT =>
        {
            "; behind a pooler that gives each transaction another session say pgbouncer=true in \
             the URL"
        }
        _ => "",
    };
    let text = format!("PostgreSQL: {} ({code}){mend}", refusal.message());
    // Connection, resources, operator's doing, broken disk, what others hold; a read-only standby,
    // and transactions that the server ended for taking too long.
    let passing = ["08", "40", "53", "55", "57", "58", "25006", "25P03", "25P04"];
    if passing.iter().any(|class| code.starts_with(class)) {
        StoreError::Unavailable(text)
    } else {
        StoreError::Engine(text)
    }
}

/// Whether the connection is gone, as opposed to a refusal of what was sent over it.
pub(super) fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    let ended = error.code().is_some_and(|code| {
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
            .contains(code)
    });
    error.is_closed() || io || ended
}

/// Whether the server undid what it was asked, so that asking again may go well.
pub(super) fn is_undone(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
    })
}

/// Whether the server takes no writes any more: it is a standby now, and another the primary.
pub(super) fn is_read_only(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
}

/// Why work failed.
pub(super) enum Trouble {
    /// The server undid it.
    Again(StoreError),
    Final(StoreError),
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Trouble {
        match is_undone(&error) {
            true => Trouble::Again(failed(&error)),
            false => Trouble::Final(failed(&error)),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::Final(error)
    }
}

/// Counts the attempts at work that the server may undo.
#[derive(Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Waits for the next attempt.
    ///
    /// # Errors
    /// When there is to be none.
    pub(super) async fn next(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        self.0 += 1;
        match trouble {
            Trouble::Again(_) if self.0 < ATTEMPTS_MAX => {}
            Trouble::Again(error) | Trouble::Final(error) => return Err(error),
        }
        tokio::time::sleep(backoff(self.0)).await;
        Ok(())
    }
}

/// How long to wait before attempt `n + 1`, with jitter so that two that met do not meet again.
pub(super) fn backoff(attempt: u32) -> Duration {
    let most = BACKOFF_US << attempt.min(BACKOFF_DOUBLINGS_MAX);
    let jitter = Uuid::new_v4().as_u128() % u128::from(most);
    Duration::from_micros(most / 2 + u64::try_from(jitter).unwrap_or(0))
}

/// First pause before a repetition (microseconds), and how often it doubles.
const BACKOFF_US: u64 = 1_000;
const BACKOFF_DOUBLINGS_MAX: u32 = 7;
