//! The embedded engine: one file, one writer thread with group commit (`writer.rs`), bounded reads on
//! the caller's thread.
//!
//! Invariants: an acknowledged batch has been flushed; nothing read from the file is remembered
//! between transactions, because another process may write it; a thread of the runtime runs a
//! statement only as long as it is short, everything else goes to a blocking thread.

mod connect;
mod gathering;
mod keeper;
#[cfg(test)]
mod plans;
mod purge;
mod read;
mod readers;
mod transfer;
mod write;
mod writer;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

use self::connect::{Access, connect, open_and_migrate};
use self::keeper::KeptSnapshot;
use self::readers::{Bounds, Pool};
use self::writer::{Done, Job, Work, Writer};
use crate::cores::Cores;
use crate::dump::{Feed, LineSender};
use crate::increment::Scope;
use crate::lane::Turns;
use crate::news::News;
use crate::page::{self, INLINE_ROWS_MAX};
use crate::patience::Patience;
use crate::sql::{Dialect, Schema};
use crate::statistics::{Counters, Statistics};
use crate::store::{Committed, EngineInfo, Found, Recorded};
use crate::{Answer, Batch, Entry, Kind, Options, Predicate, Query, Row, StoreError, Synchronous};

/// The SQLite engine.
pub(crate) struct Sqlite {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// What the writer thread and blocking reads hold on to.
struct Shared {
    path: PathBuf,
    options: Options,
    schema: Schema,
    readers: Pool,
    scanners: Pool,
    turns: Turns,
    cores: Cores,
    /// Room for the writes of imports.
    many: Semaphore,
    counters: Counters,
    news: Arc<News>,
}

/// What a failure of SQLite means: trouble with the file may pass, everything else will not.
fn failed(error: rusqlite::Error) -> StoreError {
    // Only a bound of a reader interrupts anything.
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return StoreError::GivenUp;
    }
    let unavailable = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::PermissionDenied
        )
    );
    let text = error.to_string();
    if unavailable { StoreError::Unavailable(text) } else { StoreError::Engine(text) }
}

/// The verdict of work the writer never answered.
fn writer_gone() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Sqlite {
    pub(crate) async fn open(
        path: &Path,
        kinds: &'static [&'static Kind],
        options: Options,
        news: Arc<News>,
    ) -> Result<Sqlite, StoreError> {
        if options.synchronous == Synchronous::Off {
            tracing::warn!(
                "SQLite does not flush commits: a power failure loses acknowledged data"
            );
        }
        let path = path.to_owned();
        blocking(move || {
            let schema = Schema::new(Dialect::Sqlite, kinds);
            let connection = open_and_migrate(&path, &schema, &options)?;
            let readers = Pool::open(&path, options.sqlite_readers, &options)?;
            let scanners = Pool::open(&path, options.sqlite_scanners, &options)?;
            let turns = Turns::new(options.sqlite_scanners);
            let cores = Cores::new();
            let (jobs, queue) = mpsc::channel(options.write_queue_max.max(1));
            let counters = Counters::default();
            let many = Semaphore::new(options.many());
            let shared = Shared {
                path,
                options,
                schema,
                readers,
                scanners,
                turns,
                cores,
                many,
                counters,
                news,
            };
            let shared = Arc::new(shared);
            let keeper = connect(&shared.path, Access::Read, &shared.options)?;
            let keeper = KeptSnapshot::start(keeper)?;
            Writer::start(connection, Arc::clone(&shared), keeper, queue)?;
            Ok(Sqlite { shared, jobs })
        })
        .await
    }

    pub(crate) fn info(&self) -> EngineInfo {
        EngineInfo {
            name: "sqlite",
            version: rusqlite::version().to_owned(),
            location: format!("sqlite:{}", self.shared.path.display()),
            durability: match self.shared.options.synchronous {
                Synchronous::Full => "an acknowledged write survives a power failure (WAL, FULL)",
                Synchronous::Off => "an acknowledged write may be lost in a power failure (OFF)",
            },
        }
    }

    /// A bounded read, here and now.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &Schema) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.shared.readers.take().connection, &self.shared.schema)
    }

    /// A read here and now, given up when it takes too long for a thread of the runtime, and not
    /// begun when the owner has long reads under way already.
    fn briefly<T>(
        &self,
        read: impl FnOnce(&Connection, &Bounds) -> Result<T, StoreError>,
    ) -> Option<Result<T, StoreError>> {
        if Turns::is_owner_waiting() {
            return None;
        }
        self.shared.readers.take().briefly(read)
    }

    /// A read that may take long, on a blocking thread, when it is its turn. It ends when nobody
    /// waits for it any more, and after `query_ms_max` in any case.
    async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &Schema, &Bounds) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shared.turns.take().await;
        let patience = Patience::new(Duration::from_millis(self.shared.options.query_ms_max));
        let _awaited = patience.awaited();
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let _running = shared.counters.long_read();
            let outcome = {
                let reader = shared.scanners.take();
                let core = shared.cores.take();
                reader.patiently(patience, core, |c, bounds| read(c, &shared.schema, bounds))
            };
            drop(turn);
            if matches!(outcome, Err(StoreError::GivenUp)) {
                shared.counters.gave_up();
            }
            outcome
        })
        .await
    }

    /// Hands work to the writer, or refuses when too much is waiting, and waits for the outcome.
    async fn work(&self, work: Work) -> Result<Done, StoreError> {
        let (reply, outcome) = oneshot::channel();
        self.jobs.try_send(Job { work, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Full,
            mpsc::error::TrySendError::Closed(_) => writer_gone(),
        })?;
        outcome.await.map_err(|_| writer_gone())?
    }

    pub(crate) async fn get(
        &self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        self.read(|c, schema| read::row(c, &schema.kind(kind)?.get, (number, tenant)))
    }

    pub(crate) async fn get_anywhere(
        &self,
        kind: &'static Kind,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        self.read(|c, schema| read::row(c, &schema.kind(kind)?.get_anywhere, (number,)))
    }

    pub(crate) async fn records_after(
        &self,
        kind: &'static Kind,
        number: i64,
        limit: u32,
    ) -> Result<Recorded, StoreError> {
        self.scan(move |connection, schema, _| {
            read::records_after(connection, schema.kind(kind)?, number, limit)
        })
        .await
    }

    pub(crate) async fn get_by_uuid(
        &self,
        kind: &'static Kind,
        tenant: i64,
        uuid: Uuid,
    ) -> Result<Option<Row>, StoreError> {
        let mut buffer = Uuid::encode_buffer();
        let uuid = &*uuid.hyphenated().encode_lower(&mut buffer);
        self.read(|c, schema| read::row(c, &schema.kind(kind)?.get_by_uuid, (uuid, tenant)))
    }

    pub(crate) async fn get_by(
        &self,
        kind: &'static Kind,
        tenant: i64,
        position: usize,
        value: &str,
    ) -> Result<Option<Row>, StoreError> {
        let everywhere = kind.columns[position].index == crate::Index::UniqueEverywhere;
        self.read(|c, schema| match &schema.kind(kind)?.get_by[position] {
            None => Ok(None),
            Some(sql) if everywhere => read::row(c, sql, (value,)),
            Some(sql) => read::row(c, sql, (value, tenant)),
        })
    }

    pub(crate) async fn find(
        &self,
        kind: &'static Kind,
        query: &Query,
    ) -> Result<Found, StoreError> {
        let (statements, page) = page::find(&self.shared.schema, kind, query)?;
        if page::is_small(query)
            && let Some(found) =
                self.briefly(|c, bounds| read::page(c, &statements, page.clone(), bounds))
        {
            return found;
        }
        self.scan(move |c, _, bounds| read::page(c, &statements, page, bounds)).await
    }

    pub(crate) async fn count(
        &self,
        kind: &'static Kind,
        tenants: &[i64],
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        let statement = page::count(&self.shared.schema, kind, tenants, predicate)?;
        self.scan(move |c, _, bounds| read::count(c, &statement, bounds)).await
    }

    pub(crate) async fn scan_terms(
        &self,
        kind: &'static Kind,
        tenant: i64,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, Row)>, StoreError> {
        let statement = page::scan_terms(&self.shared.schema, kind, tenant, prefix, after, limit)?;
        if limit <= INLINE_ROWS_MAX
            && let Some(found) = self.briefly(|c, _| read::terms(c, &statement))
        {
            return found;
        }
        self.scan(move |c, _, _| read::terms(c, &statement)).await
    }

    pub(crate) async fn commit(&self, mut batch: Batch) -> Result<Committed, StoreError> {
        self.pack(&mut batch);
        self.work(Work::Batch(batch)).await.map(Done::committed)
    }

    /// Packs documents before the writer gets them: it has the only thread that writes.
    fn pack(&self, batch: &mut Batch) {
        if self.packs() {
            batch.pack(true);
        }
    }

    /// Whether documents are packed.
    pub(crate) fn packs(&self) -> bool {
        self.shared.options.pack_documents
    }

    pub(crate) async fn commit_many(
        &self,
        batches: Vec<Batch>,
    ) -> Vec<Result<Committed, StoreError>> {
        let handed = batches.into_iter().map(|mut batch| async {
            // Held until the verdict is there: many batches never fill the queue for others.
            let _room = self.shared.many.acquire().await;
            self.pack(&mut batch);
            let (reply, outcome) = oneshot::channel();
            // A closed queue drops the reply, which the outcome then tells.
            let _ = self.jobs.send(Job { work: Work::Batch(batch), reply }).await;
            outcome.await.unwrap_or_else(|_| Err(writer_gone())).map(Done::committed)
        });
        join_all(handed).await
    }

    /// Entries by one of the journal's statements; `params` ends with the limit.
    async fn read_entries<P: rusqlite::Params + Send + 'static>(
        &self,
        limit: u32,
        sql: impl FnOnce(&Schema) -> &str + Send + 'static,
        params: P,
    ) -> Result<Vec<Entry>, StoreError> {
        if limit <= INLINE_ROWS_MAX {
            return self.read(|c, schema| read::entries(c, sql(schema), params));
        }
        self.scan(move |c, schema, _| read::entries(c, sql(schema), params)).await
    }

    pub(crate) async fn entries(
        &self,
        tenant: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let params = (tenant, after_seq, limit);
        self.read_entries(limit, |schema| &schema.statements.entries, params).await
    }

    pub(crate) async fn history(
        &self,
        tenant: i64,
        number: i64,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let params = (tenant, number, before_seq, limit);
        self.read_entries(limit, |schema| &schema.statements.history, params).await
    }

    pub(crate) async fn entry_at_revision(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        revision: i64,
    ) -> Result<Option<Entry>, StoreError> {
        let params = (tenant, number, kind.to_owned(), revision);
        // A record's history has no bound.
        let found = self
            .scan(move |c, schema, _| {
                read::entries(c, &schema.statements.entry_at_revision, params)
            })
            .await?;
        Ok(found.into_iter().next())
    }

    pub(crate) async fn entry_at_time(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        at_us: i64,
    ) -> Result<Option<Entry>, StoreError> {
        let params = (tenant, number, kind.to_owned(), at_us);
        let found = self
            .scan(move |c, schema, _| read::entries(c, &schema.statements.entry_at_time, params))
            .await?;
        Ok(found.into_iter().next())
    }

    pub(crate) async fn head(&self, tenant: i64) -> Result<i64, StoreError> {
        self.read(|c, schema| read::head(c, &schema.statements.head, tenant))
    }

    pub(crate) async fn answer(
        &self,
        tenant: i64,
        key: &str,
    ) -> Result<Option<Answer>, StoreError> {
        self.read(|c, schema| read::answer(c, &schema.statements.answer, tenant, key))
    }

    pub(crate) async fn forget_answers(&self, before_us: i64) -> Result<u64, StoreError> {
        self.work(Work::ForgetAnswers { before_us }).await.map(Done::number)
    }

    pub(crate) async fn reserve(
        &self,
        counter: &'static str,
        n: i64,
    ) -> Result<Range<i64>, StoreError> {
        self.work(Work::Reserve { counter, n }).await.map(Done::block)
    }

    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        self.work(Work::Ready).await.map(|_| ())
    }

    pub(crate) async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || read::integrity(&shared.scanners.take().connection)).await
    }

    /// Long reads that may run at a time.
    pub(crate) fn long_reads_max(&self) -> usize {
        self.shared.turns.max()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut wal = self.shared.path.clone().into_os_string();
        wal.push("-wal");
        Statistics {
            queue_depth: (self.jobs.max_capacity() - self.jobs.capacity()) as u64,
            wal_bytes: std::fs::metadata(wal).map_or(0, |metadata| metadata.len()),
            ..self.shared.counters.snapshot()
        }
    }

    pub(crate) async fn close(&self) {
        let (reply, outcome) = oneshot::channel();
        if self.jobs.send(Job { work: Work::Close, reply }).await.is_ok() {
            // An error means that the writer has ended already.
            let _ = outcome.await;
        }
    }

    /// What is noted in `meta` under a name.
    pub(crate) async fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.read(|connection, schema| {
            let mut note = connection.prepare_cached(&schema.statements.note).map_err(failed)?;
            note.query_row([name], |row| row.get(0)).optional().map_err(failed)
        })
    }

    pub(crate) async fn export(&self, scope: &Scope, out: LineSender) {
        let (shared, scope) = (Arc::clone(&self.shared), scope.clone());
        let late = out.clone();
        let outcome = blocking(move || {
            let connection = connect(&shared.path, Access::Read, &shared.options)?;
            transfer::export(&connection, &shared.schema, &scope, &out)
        })
        .await;
        if let Err(error) = outcome {
            // The receiver is gone only when it has given up.
            let _ = late.send(Err(error)).await;
        }
    }

    pub(crate) async fn import(&self, feed: mpsc::Receiver<Feed>) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            let mut connection = connect(&shared.path, Access::Write, &shared.options)?;
            let packs = shared.options.pack_documents;
            transfer::import(&mut connection, &shared.schema, packs, feed)
        })
        .await
    }
}

/// Runs on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Engine("a reading thread failed".to_owned())),
    }
}
