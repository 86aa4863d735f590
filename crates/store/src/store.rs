//! The verbs. Each one is an enum dispatch to the engine; what all engines share (checks of the input,
//! the wake-up of watchers) happens here, once.

use std::ops::Range;
use std::sync::Arc;

use tokio::io::AsyncWrite;
use tokio::sync::watch;
use uuid::Uuid;

use crate::increment::{self, Since};
use crate::memory::Memory;
use crate::news::News;
use crate::options::{Location, Options, RelatedOf};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::statistics::Statistics;
use crate::{
    Answer, BackupFile, Batch, CheckReport, Counts, Doc, DumpSummary, Entry, ImpliedBy, Kind, Part,
    Position, Predicate, Query, Record, Replay, Restored, Row, StoreError, check, dump, restore,
    sql,
};

/// What [`Store::commit`] gave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Journal position of the first entry; 0 when the batch had none or was a dry run.
    pub first_seq: i64,
    /// Journal position of the last entry; 0 when the batch had none or was a dry run.
    pub last_seq: i64,
}

/// A page of records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The records, in the order asked for.
    pub rows: Vec<Row>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// Records without their terms, in the order of their numbers, and the terms by number.
pub(crate) type Recorded = (Vec<Record>, Vec<(i64, String)>);

/// What the start-up block and the health page say about the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `memory`, `sqlite` or `postgres`.
    pub name: &'static str,
    /// Version of the engine.
    pub version: String,
    /// Where the records are, without secrets.
    pub location: String,
    /// What an acknowledged commit survives.
    pub durability: &'static str,
}

/// The record store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    info: Arc<EngineInfo>,
    news: Arc<News>,
    kinds: &'static [&'static Kind],
    related_of: RelatedOf,
}

/// The three engines. Same verbs, no trait object, no generics.
pub(crate) enum Engine {
    Memory(Memory),
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// Calls the same verb on whichever engine is behind the store.
macro_rules! on_engine {
    ($store:expr, $engine:ident => $call:expr) => {
        match $store.inner() {
            Engine::Memory($engine) => $call,
            Engine::Sqlite($engine) => $call,
            Engine::Postgres($engine) => $call,
        }
    };
}
pub(crate) use on_engine;

impl Store {
    /// Opens the store and brings its tables to the declared kinds. Safe when several processes
    /// start together.
    ///
    /// # Errors
    /// Also when a restore into it was interrupted.
    pub async fn open(
        location: &Location,
        kinds: &'static [&'static Kind],
        options: Options,
    ) -> Result<Store, StoreError> {
        let store = Store::open_unfinished(location, kinds, options).await?;
        let is_unfinished = on_engine!(store, engine => engine.note(restore::UNFINISHED).await);
        if is_unfinished?.is_some() {
            store.close().await;
            return Err(StoreError::Engine(
                "a restore into it was not finished, so there is nothing in it: run patron \
                 restore again"
                    .to_owned(),
            ));
        }
        Ok(store)
    }

    /// The same for what a restore is going on in.
    async fn open_unfinished(
        location: &Location,
        kinds: &'static [&'static Kind],
        options: Options,
    ) -> Result<Store, StoreError> {
        sql::check_kinds(kinds)?;
        let news = Arc::new(News::new());
        let related_of = options.related_of;
        let engine = match location {
            Location::Memory => Engine::Memory(Memory::new(kinds, news.clone())),
            Location::Sqlite(path) => {
                Engine::Sqlite(Sqlite::open(path, kinds, options, news.clone()).await?)
            }
            Location::Postgres(url) => {
                Engine::Postgres(Postgres::open(url, kinds, options, news.clone()).await?)
            }
        };
        let info = match &engine {
            Engine::Memory(memory) => memory.info(),
            Engine::Sqlite(sqlite) => sqlite.info(),
            Engine::Postgres(postgres) => postgres.info(),
        };
        Ok(Store { engine: Arc::new(engine), info: Arc::new(info), news, kinds, related_of })
    }

    /// What is behind this store.
    pub fn engine(&self) -> &EngineInfo {
        &self.info
    }

    /// The kinds this store was opened with.
    pub fn kinds(&self) -> &'static [&'static Kind] {
        self.kinds
    }

    /// What an entry is related to that was written before entries said so.
    pub(crate) fn related_of(&self) -> RelatedOf {
        self.related_of
    }

    /// A record of one tenant.
    pub async fn get(
        &self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        on_engine!(self, engine => engine.get(kind, tenant, number).await)
    }

    /// A record of whichever tenant.
    pub async fn get_anywhere(
        &self,
        kind: &'static Kind,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        on_engine!(self, engine => engine.get_anywhere(kind, number).await)
    }

    /// A record of one tenant, by UUID.
    pub async fn get_by_uuid(
        &self,
        kind: &'static Kind,
        tenant: i64,
        uuid: Uuid,
    ) -> Result<Option<Row>, StoreError> {
        on_engine!(self, engine => engine.get_by_uuid(kind, tenant, uuid).await)
    }

    /// A record by the value of a unique text column; for a column that is unique everywhere the
    /// tenant is ignored.
    pub async fn get_by(
        &self,
        kind: &'static Kind,
        tenant: i64,
        column: &'static str,
        value: &str,
    ) -> Result<Option<Row>, StoreError> {
        let position = sql::unique_text_column(kind, column)?;
        on_engine!(self, engine => engine.get_by(kind, tenant, position, value).await)
    }

    /// A page of records.
    pub async fn find(&self, kind: &'static Kind, query: &Query) -> Result<Found, StoreError> {
        query.check()?;
        on_engine!(self, engine => engine.find(kind, query).await)
    }

    /// How many records of these tenants meet a condition.
    pub async fn count(
        &self,
        kind: &'static Kind,
        tenants: &[i64],
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        on_engine!(self, engine => engine.count(kind, tenants, predicate).await)
    }

    /// Records with a term that starts with a prefix, each once, with the least such term, in the
    /// order of (term, number).
    pub async fn scan_terms(
        &self,
        kind: &'static Kind,
        tenant: i64,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, Row)>, StoreError> {
        if !kind.terms {
            return Err(StoreError::Engine(format!("kind {} keeps no terms", kind.name)));
        }
        on_engine!(self, engine => engine.scan_terms(kind, tenant, prefix, after, limit).await)
    }

    /// Whole records of whichever tenant behind a number, in the order of their numbers: with what
    /// is kept beside their documents. Terms may be younger than their record.
    pub async fn records_after(
        &self,
        kind: &'static Kind,
        number: i64,
        limit: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (mut records, terms) =
            on_engine!(self, engine => engine.records_after(kind, number, limit).await)?;
        for (number, term) in terms {
            let of = records.binary_search_by_key(&number, |record| record.number);
            if let Some(record) = of.ok().and_then(|at| records.get_mut(at)) {
                record.terms.push(term);
            }
        }
        for record in &mut records {
            record.terms.sort_unstable();
        }
        Ok(records)
    }

    /// Whether a document of a record would be held otherwise if it were written now: it is packed,
    /// and shall not be, or the other way round.
    pub fn holds_otherwise(&self, doc: &Doc) -> bool {
        match self.inner() {
            Engine::Memory(_) | Engine::Postgres(_) => false,
            Engine::Sqlite(sqlite) => doc.is_otherwise(sqlite.packs()),
        }
    }

    /// Writes a batch, whole or not at all; answers after it is durable.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        batch.check()?;
        on_engine!(self, engine => engine.commit(batch).await)
    }

    /// Writes many batches, each whole or not at all, with one verdict per batch. For imports: they
    /// share transactions where the engine can, and wait for room in the queue instead of being
    /// refused with `Full`. Batches of one call may be committed in any order.
    pub async fn commit_many(&self, batches: Vec<Batch>) -> Vec<Result<Committed, StoreError>> {
        let verdicts: Vec<_> = batches.iter().map(Batch::check).collect();
        let sound = batches.into_iter().zip(&verdicts).filter(|(_, v)| v.is_ok());
        let sound: Vec<Batch> = sound.map(|(batch, _)| batch).collect();
        let mut done = on_engine!(self, engine => engine.commit_many(sound).await).into_iter();
        let lost = || Err(StoreError::Engine("a batch got no verdict".to_owned()));
        verdicts.into_iter().map(|v| v.and_then(|()| done.next().unwrap_or_else(lost))).collect()
    }

    /// The feed: entries of one tenant behind a position, in commit order.
    pub async fn entries(
        &self,
        tenant: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        on_engine!(self, engine => engine.entries(tenant, after_seq, limit).await)
    }

    /// One entry by position.
    pub async fn entry(&self, tenant: i64, seq: i64) -> Result<Option<Entry>, StoreError> {
        let found = self.entries(tenant, seq.saturating_sub(1), 1).await?;
        Ok(found.into_iter().next().filter(|entry| entry.seq == seq))
    }

    /// Entries of one record, of everything that hangs on it, and of what is related to it, newest
    /// first.
    pub async fn history(
        &self,
        tenant: i64,
        number: i64,
        before_seq: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let before = before_seq.unwrap_or(i64::MAX);
        on_engine!(self, engine => engine.history(tenant, number, before, limit).await)
    }

    /// The entry that made a revision of a record.
    pub async fn entry_at_revision(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        revision: i64,
    ) -> Result<Option<Entry>, StoreError> {
        on_engine!(self, engine => engine.entry_at_revision(tenant, kind, number, revision).await)
    }

    /// The latest entry of a record that is not younger than a time (microseconds since the epoch).
    pub async fn entry_at_time(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        at_us: i64,
    ) -> Result<Option<Entry>, StoreError> {
        on_engine!(self, engine => engine.entry_at_time(tenant, kind, number, at_us).await)
    }

    /// Position of the last entry of a tenant; 0 when it has none.
    pub async fn head(&self, tenant: i64) -> Result<i64, StoreError> {
        on_engine!(self, engine => engine.head(tenant).await)
    }

    /// Changes after every commit of this process that wrote entries of a tenant, and now and then
    /// after one of another tenant. Other processes are not seen: whoever waits for the feed of a
    /// shared database polls as well.
    pub fn watch(&self, tenant: i64) -> watch::Receiver<u64> {
        self.news.watch(tenant)
    }

    /// The answer kept under an idempotency key, however old.
    pub async fn answer(&self, tenant: i64, key: &str) -> Result<Option<Answer>, StoreError> {
        on_engine!(self, engine => engine.answer(tenant, key).await)
    }

    /// Removes answers older than a time (microseconds since the epoch); says how many.
    pub async fn forget_answers(&self, before_us: i64) -> Result<u64, StoreError> {
        on_engine!(self, engine => engine.forget_answers(before_us).await)
    }

    /// Whether there is a deployment at a place, without making one.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached.
    pub async fn exists(location: &Location, options: &Options) -> Result<bool, StoreError> {
        match location {
            Location::Memory => Ok(false),
            Location::Sqlite(path) => Ok(path.exists()),
            Location::Postgres(url) => crate::postgres::exists(url, options).await,
        }
    }

    /// Takes a block of `n` numbers out of a counter that starts at 1. Never gives one out twice,
    /// also not after a crash; unused numbers are lost.
    pub async fn reserve(&self, counter: &'static str, n: i64) -> Result<Range<i64>, StoreError> {
        if !(1..=sql::RESERVE_MAX).contains(&n) {
            return Err(StoreError::Engine(format!("cannot reserve {n} numbers at once")));
        }
        on_engine!(self, engine => engine.reserve(counter, n).await)
    }

    /// How many rows of each table belong to a tenant.
    pub async fn count_tenant(&self, tenant: i64) -> Result<Counts, StoreError> {
        on_engine!(self, engine => engine.count_tenant(tenant).await)
    }

    /// Removes up to `limit` rows of a tenant for good, in one transaction: terms, records,
    /// answers, then the journal from its end, so that what is left agrees with itself at any
    /// moment. Says how many of each table; nothing when nothing is left. SQLite overwrites what it
    /// deletes.
    ///
    /// # Errors
    /// For the deployment itself (tenant 0), which cannot be purged.
    pub async fn purge(&self, tenant: i64, limit: u32) -> Result<Counts, StoreError> {
        if tenant == 0 {
            return Err(StoreError::Engine("the deployment itself cannot be purged".to_owned()));
        }
        on_engine!(self, engine => engine.purge(tenant, limit).await)
    }

    /// Lets go of what deleted and replaced rows leave behind. SQLite: the file is written anew and
    /// its log emptied, which needs as much free disk again and keeps writers waiting. PostgreSQL:
    /// `VACUUM`. Other work may go on.
    pub async fn compact(&self) -> Result<(), StoreError> {
        on_engine!(self, engine => engine.compact().await)
    }

    /// Proves by a tiny durable write that the store accepts writes.
    pub async fn ready(&self) -> Result<(), StoreError> {
        on_engine!(self, engine => engine.ready().await)
    }

    /// Reads everything in one snapshot and compares what must agree. `implied` gives what a row's
    /// document implies, `None` where it is not to be compared.
    /// Holds a few dozen bytes per record in memory.
    pub async fn check(&self, implied: &ImpliedBy<'_>) -> Result<CheckReport, StoreError> {
        check::check(self, implied).await
    }

    /// Problems the engine itself knows of.
    pub(crate) async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        on_engine!(self, engine => engine.integrity().await)
    }

    /// Writes everything, as of one moment, as lines of JSON; see `dump.rs`. Runs beside other work.
    pub async fn dump(
        &self,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(DumpSummary, Position), StoreError> {
        dump::dump(self, out).await
    }

    /// The same for a part of the records. Reads all of them.
    pub async fn dump_part(
        &self,
        part: &Part,
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<DumpSummary, StoreError> {
        dump::dump_part(self, part, out).await
    }

    /// Writes what changed since a dump or another increment; see `increment.rs`. Of the kinds
    /// without a journal, which are to be named, all records. Runs beside other work.
    ///
    /// # Errors
    /// Also when this is not the data, or no longer the data, that stood at that position.
    pub async fn dump_since(
        &self,
        position: Position,
        whole: &'static [&'static Kind],
        out: &mut (dyn AsyncWrite + Unpin + Send),
    ) -> Result<(DumpSummary, Position), StoreError> {
        increment::write(self, Since { position, whole }, out).await
    }

    /// Reads a dump of any engine, and increments behind it, into an empty store. Nothing is kept
    /// unless all of them were read to the end and counts, hashes and positions agree; until then
    /// the store cannot be opened, also not after a crash, but a restore can be begun again.
    pub async fn restore(
        location: &Location,
        kinds: &'static [&'static Kind],
        options: Options,
        files: Vec<BackupFile>,
        replay: &Replay,
    ) -> Result<Vec<Restored>, StoreError> {
        let store = Store::open_unfinished(location, kinds, options).await?;
        let outcome = async {
            restore::begin(&store).await?;
            restore::restore(&store, files, replay).await
        };
        let outcome = outcome.await;
        store.close().await;
        outcome
    }

    /// Like [`Store::restore`], into this store, which must be empty.
    pub async fn restore_here(
        &self,
        files: Vec<BackupFile>,
        replay: &Replay,
    ) -> Result<Vec<Restored>, StoreError> {
        restore::restore(self, files, replay).await
    }

    /// The words of the engine.
    pub(crate) fn dialect(&self) -> sql::Dialect {
        match self.inner() {
            Engine::Memory(_) | Engine::Sqlite(_) => sql::Dialect::Sqlite,
            Engine::Postgres(_) => sql::Dialect::Postgres { fold: false },
        }
    }

    /// Reads that may take long and run at a time, at most; see [`crate::Lane`].
    pub fn long_reads_max(&self) -> usize {
        on_engine!(self, engine => engine.long_reads_max())
    }

    /// The store's own counters. Cheap.
    pub fn statistics(&self) -> Statistics {
        on_engine!(self, engine => engine.statistics())
    }

    /// Waits for the writes under way, then lets go of the engine. Writes handed in later through
    /// other clones are refused.
    pub async fn close(self) {
        on_engine!(self, engine => engine.close().await);
    }

    pub(crate) fn inner(&self) -> &Engine {
        &self.engine
    }
}
