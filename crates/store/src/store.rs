//! The verbs. Each one is an enum dispatch to the engine; what all engines share (checks of the input,
//! the wake-up of watchers) happens here, once.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

use crate::memory::Memory;
use crate::news::News;
use crate::options::{Location, Options, RelatedOf};
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::statistics::Statistics;
use crate::{
    Answer, Batch, Counts, Doc, Entry, Kind, Predicate, Query, Record, Row, StoreError, restore,
    sql,
};

mod whole;

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

/// What a store is asked for, on its way. Boxed, so that the engines are compiled here once and not
/// again in whatever waits for them: the body of an `async fn` is compiled where it is awaited.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

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
    pub fn get<'a>(
        &'a self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
    ) -> Pending<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.get(kind, tenant, number).await) })
    }

    /// A record of whichever tenant.
    pub fn get_anywhere<'a>(
        &'a self,
        kind: &'static Kind,
        number: i64,
    ) -> Pending<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.get_anywhere(kind, number).await) })
    }

    /// A record of one tenant, by UUID.
    pub fn get_by_uuid<'a>(
        &'a self,
        kind: &'static Kind,
        tenant: i64,
        uuid: Uuid,
    ) -> Pending<'a, Result<Option<Row>, StoreError>> {
        Box::pin(
            async move { on_engine!(self, engine => engine.get_by_uuid(kind, tenant, uuid).await) },
        )
    }

    /// A record by the value of a unique text column; for a column that is unique everywhere the
    /// tenant is ignored.
    pub fn get_by<'a>(
        &'a self,
        kind: &'static Kind,
        tenant: i64,
        column: &'static str,
        value: &'a str,
    ) -> Pending<'a, Result<Option<Row>, StoreError>> {
        Box::pin(async move {
            let position = sql::unique_text_column(kind, column)?;
            on_engine!(self, engine => engine.get_by(kind, tenant, position, value).await)
        })
    }

    /// A page of records.
    pub fn find<'a>(
        &'a self,
        kind: &'static Kind,
        query: &'a Query,
    ) -> Pending<'a, Result<Found, StoreError>> {
        Box::pin(async move {
            query.check()?;
            on_engine!(self, engine => engine.find(kind, query).await)
        })
    }

    /// How many records of these tenants meet a condition.
    pub fn count<'a>(
        &'a self,
        kind: &'static Kind,
        tenants: &'a [i64],
        predicate: &'a Predicate,
    ) -> Pending<'a, Result<u64, StoreError>> {
        Box::pin(
            async move { on_engine!(self, engine => engine.count(kind, tenants, predicate).await) },
        )
    }

    /// Records with a term that starts with a prefix, each once, with the least such term, in the
    /// order of (term, number).
    pub fn scan_terms<'a>(
        &'a self,
        kind: &'static Kind,
        tenant: i64,
        prefix: &'a str,
        after: Option<(&'a str, i64)>,
        limit: u32,
    ) -> Pending<'a, Result<Vec<(String, Row)>, StoreError>> {
        Box::pin(async move {
            if !kind.terms {
                return Err(StoreError::Engine(format!("kind {} keeps no terms", kind.name)));
            }
            on_engine!(self, engine => engine.scan_terms(kind, tenant, prefix, after, limit).await)
        })
    }

    /// Whole records of whichever tenant behind a number, in the order of their numbers: with what
    /// is kept beside their documents. Terms may be younger than their record.
    pub fn records_after<'a>(
        &'a self,
        kind: &'static Kind,
        number: i64,
        limit: u32,
    ) -> Pending<'a, Result<Vec<Record>, StoreError>> {
        Box::pin(async move {
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
        })
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
    pub fn commit<'a>(&'a self, batch: Batch) -> Pending<'a, Result<Committed, StoreError>> {
        Box::pin(async move {
            batch.check()?;
            on_engine!(self, engine => engine.commit(batch).await)
        })
    }

    /// Writes many batches, each whole or not at all, with one verdict per batch. For imports: they
    /// share transactions where the engine can, and wait for room in the queue instead of being
    /// refused with `Full`. Batches of one call may be committed in any order.
    pub fn commit_many<'a>(
        &'a self,
        batches: Vec<Batch>,
    ) -> Pending<'a, Vec<Result<Committed, StoreError>>> {
        Box::pin(async move {
            let verdicts: Vec<_> = batches.iter().map(Batch::check).collect();
            let sound = batches.into_iter().zip(&verdicts).filter(|(_, v)| v.is_ok());
            let sound: Vec<Batch> = sound.map(|(batch, _)| batch).collect();
            let mut done = on_engine!(self, engine => engine.commit_many(sound).await).into_iter();
            let lost = || Err(StoreError::Engine("a batch got no verdict".to_owned()));
            verdicts
                .into_iter()
                .map(|v| v.and_then(|()| done.next().unwrap_or_else(lost)))
                .collect()
        })
    }

    /// The feed: entries of one tenant behind a position, in commit order.
    pub fn entries<'a>(
        &'a self,
        tenant: i64,
        after_seq: i64,
        limit: u32,
    ) -> Pending<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            on_engine!(self, engine => engine.entries(tenant, after_seq, limit).await)
        })
    }

    /// One entry by position.
    pub fn entry<'a>(
        &'a self,
        tenant: i64,
        seq: i64,
    ) -> Pending<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let found = self.entries(tenant, seq.saturating_sub(1), 1).await?;
            Ok(found.into_iter().next().filter(|entry| entry.seq == seq))
        })
    }

    /// Entries of one record, of everything that hangs on it, and of what is related to it, newest
    /// first.
    pub fn history<'a>(
        &'a self,
        tenant: i64,
        number: i64,
        before_seq: Option<i64>,
        limit: u32,
    ) -> Pending<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            let before = before_seq.unwrap_or(i64::MAX);
            on_engine!(self, engine => engine.history(tenant, number, before, limit).await)
        })
    }

    /// The entry that made a revision of a record.
    pub fn entry_at_revision<'a>(
        &'a self,
        tenant: i64,
        kind: &'a str,
        number: i64,
        revision: i64,
    ) -> Pending<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            on_engine!(self, e => e.entry_at_revision(tenant, kind, number, revision).await)
        })
    }

    /// The latest entry of a record that is not younger than a time (microseconds since the epoch).
    pub fn entry_at_time<'a>(
        &'a self,
        tenant: i64,
        kind: &'a str,
        number: i64,
        at_us: i64,
    ) -> Pending<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            on_engine!(self, engine => engine.entry_at_time(tenant, kind, number, at_us).await)
        })
    }

    /// Position of the last entry of a tenant; 0 when it has none.
    pub fn head<'a>(&'a self, tenant: i64) -> Pending<'a, Result<i64, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.head(tenant).await) })
    }

    /// Changes after every commit of this process that wrote entries of a tenant, and now and then
    /// after one of another tenant. Other processes are not seen: whoever waits for the feed of a
    /// shared database polls as well.
    pub fn watch(&self, tenant: i64) -> watch::Receiver<u64> {
        self.news.watch(tenant)
    }

    /// The answer kept under an idempotency key, however old.
    pub fn answer<'a>(
        &'a self,
        tenant: i64,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Answer>, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.answer(tenant, key).await) })
    }

    /// Removes answers older than a time (microseconds since the epoch); says how many.
    pub fn forget_answers<'a>(&'a self, before_us: i64) -> Pending<'a, Result<u64, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.forget_answers(before_us).await) })
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
    pub fn reserve<'a>(
        &'a self,
        counter: &'static str,
        n: i64,
    ) -> Pending<'a, Result<Range<i64>, StoreError>> {
        Box::pin(async move {
            if !(1..=sql::RESERVE_MAX).contains(&n) {
                return Err(StoreError::Engine(format!("cannot reserve {n} numbers at once")));
            }
            on_engine!(self, engine => engine.reserve(counter, n).await)
        })
    }

    /// How many rows of each table belong to a tenant.
    pub fn count_tenant<'a>(&'a self, tenant: i64) -> Pending<'a, Result<Counts, StoreError>> {
        Box::pin(async move { on_engine!(self, engine => engine.count_tenant(tenant).await) })
    }

    /// Removes up to `limit` rows of a tenant for good, in one transaction: terms, records,
    /// answers, then the journal from its end, so that what is left agrees with itself at any
    /// moment. Says how many of each table; nothing when nothing is left. SQLite overwrites what it
    /// deletes.
    ///
    /// # Errors
    /// For the deployment itself (tenant 0), which cannot be purged.
    pub fn purge<'a>(&'a self, tenant: i64, limit: u32) -> Pending<'a, Result<Counts, StoreError>> {
        Box::pin(async move {
            if tenant == 0 {
                return Err(StoreError::Engine(
                    "the deployment itself cannot be purged".to_owned(),
                ));
            }
            on_engine!(self, engine => engine.purge(tenant, limit).await)
        })
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
