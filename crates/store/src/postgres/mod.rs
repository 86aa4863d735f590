//! The engine for several processes on one database: a bounded pool of connections, prepared
//! statements, READ COMMITTED with compare-and-set writes (`write.rs`).
//!
//! Invariants: no advisory locks, no sequences, no LISTEN: plain tables that compatible servers know;
//! nothing is remembered between transactions; a write is repeated only when it is known that nothing
//! was committed.
//!
//! Every connection, those of cancel requests too, is opened by `tls.rs`, to the host that `hosts.rs`
//! chooses. `ask.rs` sends statements, to a server or through a pooler.

mod ask;
mod certificates;
mod connect;
mod failure;
mod hosts;
mod journal;
mod long;
mod read;
mod readers;
mod search;
mod shared;
mod steps;
mod tls;
mod transfer;
mod url;
mod write;
mod writers;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::dump::{Feed, LineSender};
use crate::increment::Scope;
use crate::lane::Turns;
use crate::news::News;
use crate::sql::{self, Schema};
use crate::statistics::Statistics;
use crate::store::{Committed, EngineInfo, Recorded};
use crate::{Answer, Batch, Counts, Entry, Kind, Options, Record, Row, StoreError, purge};

use self::ask::Params;
pub(crate) use self::connect::{check, describe, exists};
use self::failure::{Attempts, Trouble, failed};
use self::readers::Readers;
use self::shared::Shared;
use self::writers::Writers;

/// The PostgreSQL engine.
pub(crate) struct Postgres {
    shared: Arc<Shared>,
    writers: Writers,
    info: EngineInfo,
}

impl Postgres {
    pub(crate) async fn open(
        url: &str,
        kinds: &'static [&'static Kind],
        options: Options,
        news: Arc<News>,
    ) -> Result<Postgres, StoreError> {
        let (pool, config, tls) = connect::pool(url, &options)?;
        let client = connect::client(&pool).await?;
        let server = connect::inspect(&client).await?;
        let schema = Schema::new(server.dialect, kinds);
        drop(client);
        connect::migrate(&pool, &tls, &schema, options.related_of).await?;
        let info = EngineInfo {
            name: "postgres",
            version: server.version,
            location: describe(url),
            durability: server.durability,
        };
        let counters = Arc::default();
        // A pooler mixes up what is sent before the answer to the statement before it.
        let shared_of = if tls.is_pooled() { 0 } else { options.postgres_pool_max };
        let readers = Readers::new(shared_of);
        // What writers and single reads hold is not for long reads.
        let held = readers.connections() + writers::connections(&options);
        let turns = Turns::new(options.postgres_pool_max.saturating_sub(held));
        let shared = Shared { pool, readers, config, tls, options, schema, turns, counters, news };
        let shared = Arc::new(shared);
        let writers = Writers::start(&shared);
        Ok(Postgres { shared, writers, info })
    }

    pub(crate) fn info(&self) -> EngineInfo {
        self.info.clone()
    }

    /// Runs one statement that may be repeated without harm.
    async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<SqlRow>, StoreError> {
        let mut attempt = 1;
        loop {
            let client = self.shared.client().await?;
            match self.shared.ask(client, sql, params).await? {
                Ok(rows) => return Ok(rows),
                Err(error) if self.shared.is_worth_repeating(&error, &mut attempt).await => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Reads a single row, to a server over a connection that others share.
    async fn query_one(&self, sql: &str, params: Params<'_>) -> Result<Option<SqlRow>, StoreError> {
        if self.shared.is_pooled() {
            return Ok(self.query(sql, params).await?.into_iter().next());
        }
        let mut attempt = 1;
        loop {
            let client = self.shared.readers.client(&self.shared).await?;
            let row = async {
                let statement = client.prepare_cached(sql).await?;
                client.query_opt(&statement, &ask::plain(params)).await
            };
            match row.await {
                Ok(row) => return Ok(row),
                Err(error) if self.shared.is_worth_repeating(&error, &mut attempt).await => {}
                Err(error) => return Err(failed(&error)),
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

    pub(crate) async fn records_after(
        &self,
        kind: &'static Kind,
        number: i64,
        limit: u32,
    ) -> Result<Recorded, StoreError> {
        let sql = self.shared.schema.kind(kind)?;
        let rows = self.query(&sql.records_after, &[&number, &i64::from(limit)]).await?;
        let record = |row| Ok(read::record(row, 0)?.with(read::columns(row, kind)?));
        let records: Vec<Record> = rows.iter().map(record).collect::<Result<_, StoreError>>()?;
        let Some(last) = records.last().filter(|_| kind.terms) else {
            return Ok((records, Vec::new()));
        };
        let rows = self.query(&sql.terms_between, &[&number, &last.number]).await?;
        let term = |row| Ok((read::value(row, 0)?, read::value(row, 1)?));
        let terms = rows.iter().map(term).collect::<Result<_, StoreError>>()?;
        Ok((records, terms))
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

    /// Packs what the server never looks into.
    fn pack(&self, batch: &mut Batch) {
        if self.shared.options.pack_documents {
            batch.pack(false);
        }
    }

    pub(crate) async fn commit(&self, mut batch: Batch) -> Result<Committed, StoreError> {
        self.pack(&mut batch);
        self.writers.write(batch).await
    }

    pub(crate) async fn commit_many(
        &self,
        mut batches: Vec<Batch>,
    ) -> Vec<Result<Committed, StoreError>> {
        batches.iter_mut().for_each(|batch| self.pack(batch));
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

    pub(crate) async fn heads(&self, tenants: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let tenants = tenants.to_vec();
        let rows = self.query(sql::HEADS, &[&tenants]).await?;
        rows.iter().map(|row| Ok((read::value(row, 0)?, read::value(row, 1)?))).collect()
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
        self.again(|| self.forget_answers_once(before_us)).await
    }

    async fn forget_answers_once(&self, before_us: i64) -> Result<u64, Trouble> {
        let sql = &self.shared.schema.statements.forget_answers;
        let mut client = self.shared.client().await?;
        let transaction = client.transaction().await?;
        let pooled = self.shared.is_pooled();
        let forgotten = ask::execute(&transaction, pooled, sql, &[&before_us]).await?;
        transaction.commit().await?;
        Ok(forgotten)
    }

    /// Does what the server may undo, again as often as that is worth it.
    async fn again<T, F>(&self, once: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut attempts = Attempts::default();
        loop {
            match once().await {
                Ok(done) => return Ok(done),
                Err(trouble) => attempts.next(trouble).await?,
            }
            self.shared.counters.retries.fetch_add(1, Relaxed);
        }
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
        self.again(|| self.count_tenant_once(tenant)).await
    }

    async fn count_tenant_once(&self, tenant: i64) -> Result<Counts, Trouble> {
        let mut counts = Counts::new();
        let client = self.shared.unlimited().await?;
        for (table, sql) in purge::counts(&self.shared.schema) {
            let row = client.query_typed_one(&sql, &[(&tenant, Type::INT8)]).await?;
            let count: i64 = row.try_get(0)?;
            counts.insert(table, count.unsigned_abs());
        }
        Ok(counts)
    }

    pub(crate) async fn purge(&self, tenant: i64, limit: u32) -> Result<Counts, StoreError> {
        self.again(|| self.purge_once(tenant, limit)).await
    }

    async fn purge_once(&self, tenant: i64, limit: u32) -> Result<Counts, Trouble> {
        let mut client = self.shared.client().await?;
        let transaction = client.transaction().await?;
        let pooled = self.shared.is_pooled();
        let mut counts = Counts::new();
        let mut left = u64::from(limit);
        for (table, sql) in purge::steps(&self.shared.schema) {
            if left == 0 {
                break;
            }
            let most = purge::limit(left);
            let removed = ask::execute(&transaction, pooled, &sql, &[&tenant, &most]).await?;
            left -= removed.min(left);
            if removed > 0 {
                *counts.entry(table).or_default() += removed;
            }
        }
        for sql in purge::heads(&self.shared.schema) {
            ask::execute(&transaction, pooled, &sql, &[&tenant]).await?;
        }
        transaction.commit().await?;
        Ok(counts)
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
        self.shared.readers.close();
        self.shared.pool.close();
    }

    /// What is noted in `meta` under a name.
    pub(crate) async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = self.query_one(&self.shared.schema.statements.note, &[&name]).await?;
        row.map(|row| read::value(&row, 0)).transpose()
    }

    pub(crate) async fn export(&self, scope: &Scope, out: LineSender) {
        if let Err(error) = transfer::export(self, scope, &out).await {
            // The receiver is gone only when it has given up.
            let _ = out.send(Err(error)).await;
        }
    }

    pub(crate) async fn import(&self, feed: mpsc::Receiver<Feed>) -> Result<(), StoreError> {
        transfer::import(self, feed).await
    }
}
