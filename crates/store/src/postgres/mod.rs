//! The engine for several processes on one database: a bounded pool of connections, prepared
//! statements, READ COMMITTED with compare-and-set writes (`write.rs`).
//!
//! Invariants: no advisory locks, no sequences, no LISTEN: plain tables that compatible servers know;
//! nothing is remembered between transactions; a write is repeated only when it is known that nothing
//! was committed.
//!
//! Every connection, those of cancel requests too, is opened by `tls.rs`.

mod certificates;
mod connect;
mod journal;
mod long;
mod read;
mod readers;
mod search;
mod steps;
mod tls;
mod transfer;
mod url;
mod write;
mod writers;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use deadpool_postgres::{Client, ClientWrapper, Object, Pool};
use tokio::sync::mpsc;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::dump::{Feed, LineSender};
use crate::lane::Turns;
use crate::news::News;
use crate::sql::{self, Schema};
use crate::statistics::{Counters, Statistics};
use crate::store::{Committed, EngineInfo};
use crate::{Answer, Batch, Counts, Entry, Kind, Options, Row, StoreError, purge};

pub(crate) use self::connect::{check, describe, exists};
use self::readers::Readers;
use self::writers::Writers;

/// How often a read is tried on another connection when the first one turns out to be closed.
const READ_ATTEMPTS_MAX: u32 = 3;

/// Values of a statement.
type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The PostgreSQL engine.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    readers: Readers,
    writers: Writers,
    info: EngineInfo,
}

/// What requests and writers work with.
struct Shared {
    pool: Pool,
    tls: tls::Tls,
    options: Options,
    schema: Schema,
    turns: Turns,
    counters: Arc<Counters>,
    news: Arc<News>,
}

/// What a failure of the server or the connection means: trouble that may pass, or not.
fn failed(error: &tokio_postgres::Error) -> StoreError {
    let Some(refusal) = error.as_db_error() else {
        let text = connect::reason(error);
        return match is_connection_lost(error) {
            true => StoreError::Unavailable(format!("PostgreSQL: {text}")),
            false => StoreError::Engine(format!("PostgreSQL: {text}")),
        };
    };
    let code = refusal.code().code();
    let mend = match *refusal.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        true => "; pg_hba.conf there says who may come, sslmode, sslcert and sslkey in the URL how",
        false => "",
    };
    let text = format!("PostgreSQL: {} ({code}){mend}", refusal.message());
    // Connection, resources, operator's doing, broken disk; a read-only standby.
    let passing = ["08", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class));
    if passing || *refusal.code() == SqlState::READ_ONLY_SQL_TRANSACTION {
        StoreError::Unavailable(text)
    } else {
        StoreError::Engine(text)
    }
}

/// Whether the connection is gone, as opposed to a refusal of what was sent over it.
fn is_connection_lost(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    let ended = error.code().is_some_and(|code| {
        [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW]
            .contains(code)
    });
    error.is_closed() || io || ended
}

impl Shared {
    /// A connection, with its cache of prepared statements kept within bounds: searches come in
    /// more shapes than are worth keeping.
    async fn client(&self) -> Result<Client, StoreError> {
        let client = connect::client(&self.pool).await?;
        if client.statement_cache.size() > self.options.statement_cache {
            client.statement_cache.clear();
        }
        Ok(client)
    }

    /// A connection of the operator's own, for statements that take as long as they take.
    async fn unlimited(&self) -> Result<ClientWrapper, StoreError> {
        let client = Object::take(self.client().await?);
        let unlimited = client.batch_execute("SET statement_timeout = 0").await;
        unlimited.map(|()| client).map_err(|error| failed(&error))
    }
}

impl Postgres {
    pub(crate) async fn open(
        url: &str,
        kinds: &'static [&'static Kind],
        options: Options,
        news: Arc<News>,
    ) -> Result<Postgres, StoreError> {
        let (pool, tls) = connect::pool(url, &options)?;
        let client = connect::client(&pool).await?;
        let server = connect::inspect(&client).await?;
        let schema = Schema::new(server.dialect, kinds);
        drop(client);
        connect::migrate(&pool, &schema, options.related_of).await?;
        let info = EngineInfo {
            name: "postgres",
            version: server.version,
            location: describe(url),
            durability: server.durability,
        };
        let counters = Arc::default();
        let readers = Readers::new(options.postgres_pool_max);
        // What writers and single reads hold is not for long reads.
        let held = readers.connections() + writers::connections(&options);
        let turns = Turns::new(options.postgres_pool_max.saturating_sub(held));
        let shared = Arc::new(Shared { pool, tls, options, schema, turns, counters, news });
        let writers = Writers::start(&shared);
        Ok(Postgres { shared, readers, writers, info })
    }

    pub(crate) fn info(&self) -> EngineInfo {
        self.info.clone()
    }

    /// Runs one statement that may be repeated without harm.
    async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<SqlRow>, StoreError> {
        let mut attempt = 1;
        loop {
            let client = self.shared.client().await?;
            let rows = async {
                let statement = client.prepare_cached(sql).await?;
                client.query(&statement, params).await
            };
            match rows.await {
                Err(error) if is_connection_lost(&error) && attempt < READ_ATTEMPTS_MAX => {
                    attempt += 1;
                }
                rows => return rows.map_err(|error| failed(&error)),
            }
        }
    }

    /// Reads a single row over a connection that others share.
    async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Option<SqlRow>, StoreError> {
        let mut attempt = 1;
        loop {
            let client = self.readers.client(&self.shared).await?;
            let row = async {
                let statement = client.prepare_cached(sql).await?;
                client.query_opt(&statement, params).await
            };
            match row.await {
                Err(error) if is_connection_lost(&error) && attempt < READ_ATTEMPTS_MAX => {
                    attempt += 1;
                }
                row => return row.map_err(|error| failed(&error)),
            }
        }
    }

    async fn query_row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, StoreError> {
        self.query_one(sql, params).await?.map(|row| read::record(&row, 0)).transpose()
    }

    pub(crate) async fn get(
        &self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        self.query_row(&self.shared.schema.kind(kind)?.get, &[&number, &tenant]).await
    }

    pub(crate) async fn get_anywhere(
        &self,
        kind: &'static Kind,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        self.query_row(&self.shared.schema.kind(kind)?.get_anywhere, &[&number]).await
    }

    pub(crate) async fn get_by_uuid(
        &self,
        kind: &'static Kind,
        tenant: i64,
        uuid: Uuid,
    ) -> Result<Option<Row>, StoreError> {
        self.query_row(&self.shared.schema.kind(kind)?.get_by_uuid, &[&uuid.to_string(), &tenant])
            .await
    }

    pub(crate) async fn get_by(
        &self,
        kind: &'static Kind,
        tenant: i64,
        position: usize,
        value: &str,
    ) -> Result<Option<Row>, StoreError> {
        match &self.shared.schema.kind(kind)?.get_by[position] {
            // No stored text has a NUL, and none can be sent.
            _ if value.contains('\0') => Ok(None),
            None => Ok(None),
            Some(sql) if kind.columns[position].index == crate::Index::UniqueEverywhere => {
                self.query_row(sql, &[&value]).await
            }
            Some(sql) => self.query_row(sql, &[&value, &tenant]).await,
        }
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.writers.write(batch).await
    }

    pub(crate) async fn commit_many(
        &self,
        batches: Vec<Batch>,
    ) -> Vec<Result<Committed, StoreError>> {
        self.writers.write_many(batches).await
    }

    async fn query_entries(&self, sql: &str, params: Params<'_>) -> Result<Vec<Entry>, StoreError> {
        self.query_long(sql, params).await?.iter().map(read::entry).collect()
    }

    pub(crate) async fn entries(
        &self,
        tenant: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let params: Params<'_> = &[&tenant, &after_seq, &i64::from(limit)];
        self.query_entries(&self.shared.schema.statements.entries, params).await
    }

    pub(crate) async fn history(
        &self,
        tenant: i64,
        number: i64,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let params: Params<'_> = &[&tenant, &number, &before_seq, &i64::from(limit)];
        self.query_entries(&self.shared.schema.statements.history, params).await
    }

    pub(crate) async fn entry_at_revision(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        revision: i64,
    ) -> Result<Option<Entry>, StoreError> {
        let params: Params<'_> = &[&tenant, &number, &kind, &revision];
        let found =
            self.query_entries(&self.shared.schema.statements.entry_at_revision, params).await?;
        Ok(found.into_iter().next())
    }

    pub(crate) async fn entry_at_time(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        at_us: i64,
    ) -> Result<Option<Entry>, StoreError> {
        let params: Params<'_> = &[&tenant, &number, &kind, &at_us];
        let found =
            self.query_entries(&self.shared.schema.statements.entry_at_time, params).await?;
        Ok(found.into_iter().next())
    }

    pub(crate) async fn head(&self, tenant: i64) -> Result<i64, StoreError> {
        let row = self.query_one(&self.shared.schema.statements.head, &[&tenant]).await?;
        row.map_or(Ok(0), |row| read::value(&row, 0))
    }

    pub(crate) async fn answer(
        &self,
        tenant: i64,
        key: &str,
    ) -> Result<Option<Answer>, StoreError> {
        let row = self.query_one(&self.shared.schema.statements.answer, &[&tenant, &key]).await?;
        row.map(|row| read::answer(&row, 0)).transpose()
    }

    pub(crate) async fn forget_answers(&self, before_us: i64) -> Result<u64, StoreError> {
        let client = self.shared.client().await?;
        let forgotten = async {
            let statement =
                client.prepare_cached(&self.shared.schema.statements.forget_answers).await?;
            client.execute(&statement, &[&before_us]).await
        };
        forgotten.await.map_err(|error| failed(&error))
    }

    /// Repeated after a lost connection, a block may be lost; that is what a counter allows.
    pub(crate) async fn reserve(
        &self,
        counter: &'static str,
        n: i64,
    ) -> Result<Range<i64>, StoreError> {
        let rows = self.query(&self.shared.schema.statements.reserve, &[&counter, &n]).await?;
        let next = rows.first().map_or(Ok(i64::MAX), |row| read::value(row, 0))?;
        sql::block(next, n, counter)
    }

    pub(crate) async fn count_tenant(&self, tenant: i64) -> Result<Counts, StoreError> {
        let mut counts = Counts::new();
        let client = self.shared.unlimited().await?;
        for (table, sql) in purge::counts(&self.shared.schema) {
            let rows = client.query(&sql, &[&tenant]).await.map_err(|error| failed(&error))?;
            let count: i64 = rows.first().map_or(Ok(0), |row| read::value(row, 0))?;
            counts.insert(table, count.unsigned_abs());
        }
        Ok(counts)
    }

    pub(crate) async fn purge(&self, tenant: i64, limit: u32) -> Result<Counts, StoreError> {
        let mut client = self.shared.client().await?;
        let removed = async {
            let transaction = client.transaction().await?;
            let mut counts = Counts::new();
            let mut left = u64::from(limit);
            for (table, sql) in purge::steps(&self.shared.schema) {
                if left == 0 {
                    break;
                }
                let removed = transaction.execute(&sql, &[&tenant, &purge::limit(left)]).await?;
                left -= removed.min(left);
                if removed > 0 {
                    *counts.entry(table).or_default() += removed;
                }
            }
            for sql in purge::heads(&self.shared.schema) {
                transaction.execute(&sql, &[&tenant]).await?;
            }
            transaction.commit().await?;
            Ok(counts)
        };
        removed.await.map_err(|error: tokio_postgres::Error| failed(&error))
    }

    /// Lets the server reuse the space of deleted rows, table by table.
    pub(crate) async fn compact(&self) -> Result<(), StoreError> {
        let client = self.shared.unlimited().await?;
        for table in sql::dumped_tables(self.shared.schema.kinds) {
            let vacuum = client.batch_execute(&format!(r#"VACUUM "{table}""#)).await;
            vacuum.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros());
        self.query(&self.shared.schema.statements.ready, &[&now.to_string()]).await?;
        Ok(())
    }

    /// The server checks its pages itself; there is nothing to ask it that plain tables allow.
    pub(crate) async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Long reads that may run at a time.
    pub(crate) fn long_reads_max(&self) -> usize {
        self.shared.turns.max()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            queue_depth: self.writers.waiting(),
            connections: self.shared.pool.status().size as u64,
            ..self.shared.counters.snapshot()
        }
    }

    pub(crate) async fn close(&self) {
        self.writers.close().await;
        self.readers.close();
        self.shared.pool.close();
    }

    pub(crate) async fn export(&self, out: LineSender) {
        if let Err(error) = transfer::export(self, &out).await {
            // The receiver is gone only when it has given up.
            let _ = out.send(Err(error)).await;
        }
    }

    pub(crate) async fn import(&self, feed: mpsc::Receiver<Feed>) -> Result<(), StoreError> {
        transfer::import(self, feed).await
    }
}

/// How long to wait before attempt `n + 1`, with jitter so that two that met do not meet again.
fn backoff(attempt: u32) -> Duration {
    let most = BACKOFF_US << attempt.min(BACKOFF_DOUBLINGS_MAX);
    let jitter = Uuid::new_v4().as_u128() % u128::from(most);
    Duration::from_micros(most / 2 + u64::try_from(jitter).unwrap_or(0))
}

/// First pause before a repetition (microseconds), and how often it doubles.
const BACKOFF_US: u64 = 1_000;
const BACKOFF_DOUBLINGS_MAX: u32 = 7;
