//! What all parts of the engine work with, and how a statement gets to the server.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use deadpool_postgres::{Client, Object, Pool};
use tokio::time::timeout;
use tokio_postgres::{Config, Row as SqlRow};

use super::ask::{self, Params};
use super::failure::{backoff, is_connection_lost, is_read_only, is_undone};
use super::readers::Readers;
use super::write::ATTEMPTS_MAX;
use super::{connect, tls};
use crate::lane::Turns;
use crate::news::News;
use crate::sql::Schema;
use crate::statistics::Counters;
use crate::{Options, StoreError};

/// How often a read is tried on another connection when the first one turns out to be closed.
pub(super) const READ_ATTEMPTS_MAX: u32 = 3;

/// What requests and writers work with.
pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) readers: Readers,
    pub(super) config: Config,
    pub(super) tls: tls::Tls,
    pub(super) options: Options,
    pub(super) schema: Schema,
    pub(super) turns: Turns,
    pub(super) counters: Arc<Counters>,
    pub(super) news: Arc<News>,
}

/// A connection that is at work. Dropped before it is released, for example because nobody waits
/// any more, it is closed instead of being given to someone else.
pub(super) struct Guard {
    client: Option<Client>,
}

impl Guard {
    pub(super) fn new(client: Client) -> Guard {
        Guard { client: Some(client) }
    }

    pub(super) fn client(&self) -> &Client {
        self.client
            .as_ref()
            .expect("only `release` takes the connection, and it consumes the guard")
    }

    /// The work has ended: the connection goes back to the pool.
    pub(super) fn release(mut self) {
        self.client = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

impl Shared {
    /// A connection, with its cache of prepared statements kept within bounds: searches come in
    /// more shapes than are worth keeping.
    pub(super) async fn client(&self) -> Result<Client, StoreError> {
        let client = connect::client(&self.pool).await?;
        if client.statement_cache.size() > self.options.statement_cache {
            client.statement_cache.clear();
        }
        Ok(client)
    }

    /// A connection of the operator's own, for statements that take as long as they take.
    pub(super) async fn unlimited(&self) -> Result<tokio_postgres::Client, StoreError> {
        connect::unlimited(&self.config, &self.tls).await
    }

    pub(super) fn is_pooled(&self) -> bool {
        self.tls.is_pooled()
    }

    /// None of the connections leads to a server that takes writes.
    pub(super) fn forget_connections(&self) {
        self.readers.close();
        self.pool.retain(|_, _| false);
    }

    /// Whether a statement that changes nothing when repeated is worth another attempt.
    pub(super) async fn is_worth_repeating(
        &self,
        error: &tokio_postgres::Error,
        attempt: &mut u32,
    ) -> bool {
        if is_read_only(error) {
            self.forget_connections();
        }
        let undone = is_undone(error);
        let worth = undone || is_connection_lost(error) || is_read_only(error);
        let most = if undone { ATTEMPTS_MAX } else { READ_ATTEMPTS_MAX };
        if !worth || *attempt >= most {
            return false;
        }
        if undone {
            self.counters.retries.fetch_add(1, Relaxed);
            tokio::time::sleep(backoff(*attempt)).await;
        }
        *attempt += 1;
        true
    }

    /// Runs one statement over a connection of its own.
    pub(super) async fn ask(
        &self,
        client: Client,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Result<Vec<SqlRow>, tokio_postgres::Error>, StoreError> {
        if !self.is_pooled() {
            return Ok(ask::rows(&client, false, sql, params).await);
        }
        // A pooler knows no limit of ours, and what is sent behind an answer that nobody waited
        // for would be mixed up with it: such a connection is closed.
        let guard = Guard::new(client);
        let longest = Duration::from_millis(connect::limits_ms(&self.options)[0]);
        let rows = timeout(longest, ask::rows(guard.client(), true, sql, params)).await;
        let rows = rows.map_err(|_| StoreError::GivenUp)?;
        guard.release();
        Ok(rows)
    }
}
