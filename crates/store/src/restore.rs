//! A dump, and increments behind it, into an empty store, in one transaction.
//!
//! The dump is loaded as it is. Of the increments the entries are loaded, up to the moment that is
//! wanted; then every record they name is made from the newest of them, and what they carry beside
//! the journal is put in place. The transaction is committed only when every line of every file was
//! read and counts, hashes and positions agreed. Memory is bounded, however long the journal is.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use crate::backup_file::{Lines, NO_HEADER, first_line};
use crate::dump::{AnswerLine, CHUNK_LINES, CHUNKS_MAX, Feed, Frame, Line, Tally};
use crate::position::Position;
use crate::rebuild::{self, statement};
use crate::sql::Dialect;
use crate::store::{Engine, on_engine};
use crate::{BackupFile, DumpSummary, Entry, Kind, Record, Store, StoreError, Value, sql};

/// The version whose answers lie under fingerprints that could be tried out: they are left out.
const FORMAT_OF_OPEN_ANSWERS: u32 = 1;
/// The first version whose entries say what they are related to.
const FORMAT_OF_RELATED_ENTRIES: u32 = 3;
/// What is noted in a store as long as a restore into it is not finished.
pub(crate) const UNFINISHED: &str = "restoring";

/// The moment that a restore goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Until {
    /// Nothing later than this is restored (microseconds since the epoch).
    pub at: i64,
    /// A tenant whose journal ends with this very entry, whatever its time: tenant and position.
    pub entry: Option<(i64, i64)>,
}

/// Makes a record from an entry of the journal; none when its document cannot be read.
pub type RecordOf = fn(&Kind, &Entry) -> Option<Record>;
/// The records an outcome under an idempotency key names: kind, number and revision.
pub type OutcomeOf = fn(&str) -> Vec<(String, i64, i64)>;

/// How a journal is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    /// How far; to the end without.
    pub until: Option<Until>,
    /// What entries mean.
    pub record_of: RecordOf,
    /// What outcomes mean.
    pub outcome_of: OutcomeOf,
    /// Plain kinds whose records are not brought back.
    pub left_out: &'static [&'static str],
}

impl Replay {
    fn leaves_out(&self, kind: &str) -> bool {
        self.left_out.contains(&kind)
    }
}

/// What was restored of one file.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the file is called.
    pub name: String,
    /// What was in it.
    pub summary: DumpSummary,
    /// The counters it holds.
    pub counters: BTreeMap<String, i64>,
}

pub(crate) async fn restore(
    store: &Store,
    files: Vec<BackupFile>,
    replay: &Replay,
) -> Result<Vec<Restored>, StoreError> {
    in_one_transaction(store, async |feed| {
        let mut restoring = Restoring::new(store, feed, replay);
        let mut restored = Vec::new();
        for (at, file) in files.into_iter().enumerate() {
            let mut one = match at {
                0 => restoring.full(file).await?,
                _ => restoring.increment(file).await?,
            };
            one.summary.rows.retain(|kind, _| !replay.leaves_out(kind));
            restored.push(one);
        }
        restoring.finish().await?;
        Ok(restored)
    })
    .await
}

/// Notes that a restore begins, in an empty store. It cannot be opened until one is finished.
pub(crate) async fn begin(store: &Store) -> Result<(), StoreError> {
    if let Engine::Memory(_) = store.inner() {
        return Ok(());
    }
    in_one_transaction(store, async |feed| {
        let mut asking = Asking { feed, dialect: store.dialect() };
        let note = r#"INSERT INTO "meta" ("name", "value") VALUES (?1, 'x')
            ON CONFLICT ("name") DO NOTHING"#;
        asking.ask(note, vec![UNFINISHED.into()]).await?;
        asking.commit().await
    })
    .await
}

/// Runs an import beside what feeds it.
async fn in_one_transaction<T>(
    store: &Store,
    feeding: impl AsyncFnOnce(mpsc::Sender<Feed>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let import = async { on_engine!(store, engine => engine.import(receiver).await) };
    let (imported, fed) = tokio::join!(import, feeding(sender));
    // An engine that refuses closes the feed, so its word explains the failure beside it.
    imported?;
    fed
}

/// Statements and lines for the engine's transaction.
pub(crate) struct Asking {
    feed: mpsc::Sender<Feed>,
    pub(crate) dialect: Dialect,
}

impl Asking {
    /// The rows of a statement, written with SQLite's `?n`.
    pub(crate) async fn ask(
        &mut self,
        template: &str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let (reply, rows) = oneshot::channel();
        self.send(Feed::Ask(self.dialect.text(template), params, reply)).await?;
        rows.await.map_err(|_| refused())
    }

    pub(crate) async fn lines(&mut self, lines: Vec<Line>) -> Result<(), StoreError> {
        self.send(Feed::Lines(lines)).await
    }

    /// Everything was told: without this word nothing of it is kept.
    async fn commit(&mut self) -> Result<(), StoreError> {
        self.send(Feed::Commit).await
    }

    async fn send(&mut self, fed: Feed) -> Result<(), StoreError> {
        self.feed.send(fed).await.map_err(|_| refused())
    }
}

fn refused() -> StoreError {
    StoreError::Engine("the restore was refused".to_owned())
}

/// A restore under way.
struct Restoring<'r> {
    store: &'r Store,
    replay: &'r Replay,
    asking: Asking,
    /// Lines that were not handed over yet.
    chunk: Vec<Line>,
    /// The file before and where it stands.
    before: Option<(String, Option<Position>)>,
    /// Where the journals stood in the full backup, and where they stand by now.
    floors: BTreeMap<i64, i64>,
    lasts: BTreeMap<i64, i64>,
    /// The last position read, kept or not.
    read: BTreeMap<i64, i64>,
    /// Journals that ended at the moment that is wanted, with the earliest time that was left out.
    ended: BTreeMap<i64, i64>,
    has_blanks: bool,
    has_increments: bool,
}

impl<'r> Restoring<'r> {
    fn new(store: &'r Store, feed: mpsc::Sender<Feed>, replay: &'r Replay) -> Restoring<'r> {
        Restoring {
            store,
            replay,
            asking: Asking { feed, dialect: store.dialect() },
            chunk: Vec::with_capacity(CHUNK_LINES),
            before: None,
            floors: BTreeMap::new(),
            lasts: BTreeMap::new(),
            read: BTreeMap::new(),
            ended: BTreeMap::new(),
            has_blanks: false,
            has_increments: false,
        }
    }

    /// The first file.
    async fn full(&mut self, mut file: BackupFile) -> Result<Restored, StoreError> {
        let mut tally = Tally::default();
        let (format, position) = match first_line(&mut file, &mut tally).await? {
            Frame::Header { format, position, .. } => (format, position),
            Frame::Increment { .. } => {
                return Err(file.bad(
                    "it is an increment: name the full backup first, then its increments in the \
                     order they were taken",
                ));
            }
            Frame::End(_) => return Err(file.bad(NO_HEADER)),
        };
        self.check_from(&file, position.as_ref())?;
        let mut counters = BTreeMap::new();
        let mut lines = Lines::of(file, tally);
        while let Some(mut line) = lines.next().await? {
            match &mut line {
                Line::Answer(_) if format == FORMAT_OF_OPEN_ANSWERS => continue,
                Line::Entry(entry) if format < FORMAT_OF_RELATED_ENTRIES => {
                    entry.related = (self.store.related_of())(entry);
                }
                Line::Head { tenant, last, .. } => {
                    self.lasts.insert(*tenant, *last);
                }
                Line::Counter { name, next } => {
                    counters.insert(name.clone(), *next);
                }
                Line::Record(_)
                | Line::Term { .. }
                | Line::Entry(_)
                | Line::Answer(_)
                | Line::Mention { .. }
                | Line::Gone { .. }
                | Line::Blank { .. }
                | Line::Forgotten { .. } => {}
            }
            self.push(line).await?;
        }
        self.flush().await?;
        let (name, mut summary) = lines.end()?;
        if format == FORMAT_OF_OPEN_ANSWERS {
            summary.rows.remove("answer");
        }
        (self.floors, self.read) = (self.lasts.clone(), self.lasts.clone());
        self.before = Some((name.clone(), position));
        Ok(Restored { name, summary, counters })
    }

    /// Whether the moment that is wanted lies behind the full backup.
    fn check_from(&self, file: &BackupFile, position: Option<&Position>) -> Result<(), StoreError> {
        let Some(until) = self.replay.until.filter(|until| until.entry.is_none()) else {
            return Ok(());
        };
        match position {
            Some(position) if position.taken_at <= until.at => Ok(()),
            Some(_) => Err(file.bad(
                "it was taken after the moment that --until names: begin with an earlier full \
                 backup",
            )),
            None => Err(file.bad(
                "it does not say when it was taken, so it cannot be restored with --until: an \
                 earlier version wrote it",
            )),
        }
    }

    async fn increment(&mut self, mut file: BackupFile) -> Result<Restored, StoreError> {
        let mut tally = Tally::default();
        let Frame::Increment { position, since, whole, .. } =
            first_line(&mut file, &mut tally).await?
        else {
            return Err(file.bad("it is a full backup: only the first file may be one"));
        };
        self.check_chain(&file, &since)?;
        self.has_increments = true;
        for kind in &whole {
            let kind = sql::kind_named(self.store.kinds(), kind)?;
            self.ask(&format!(r#"DELETE FROM "{}""#, kind.name), Vec::new()).await?;
        }
        self.ask(r#"DELETE FROM "counter""#, Vec::new()).await?;
        let mut counters = BTreeMap::new();
        let mut lines = Lines::of(file, tally);
        while let Some(line) = lines.next().await? {
            match line {
                Line::Entry(entry) => {
                    let read = self.read.entry(entry.tenant).or_default();
                    if entry.seq != *read + 1 {
                        let (tenant, seq, read) = (entry.tenant, entry.seq, *read);
                        let gap = format!("in the journal of space {tenant} {seq} follows {read}");
                        return Err(lines.file.bad(gap));
                    }
                    *read = entry.seq;
                    if !self.ends_before(&entry) {
                        self.lasts.insert(entry.tenant, entry.seq);
                        self.push(Line::Entry(entry)).await?;
                    }
                }
                Line::Answer(answer) => {
                    if self.is_kept(&answer).await? {
                        self.push(Line::Answer(answer)).await?;
                    }
                }
                Line::Counter { name, next } => {
                    counters.insert(name.clone(), next);
                    self.push(Line::Counter { name, next }).await?;
                }
                Line::Record(record) if whole.contains(&record.kind) => {
                    self.push(Line::Record(record)).await?;
                }
                Line::Gone { tenant } => self.gone(tenant).await?,
                Line::Blank { tenant, from, to } => {
                    self.has_blanks = true;
                    let blank = r#"UPDATE "journal" SET "doc" = '{}', "packed" = NULL
                        WHERE "tenant" = ?1 AND "seq" BETWEEN ?2 AND ?3"#;
                    self.ask(blank, vec![tenant.into(), from.into(), to.into()]).await?;
                }
                Line::Forgotten { before } => {
                    let forget = r#"DELETE FROM "answer" WHERE "at" < ?1"#;
                    self.ask(forget, vec![before.into()]).await?;
                }
                Line::Record(_) | Line::Term { .. } | Line::Head { .. } | Line::Mention { .. } => {
                    return Err(lines.file.bad("it holds what no increment does"));
                }
            }
        }
        self.flush().await?;
        for (tenant, last) in position.lasts() {
            if self.read.get(&tenant).copied().unwrap_or(0) != last {
                let short = format!("the journal of space {tenant} does not reach {last}");
                return Err(lines.file.bad(short));
            }
        }
        let (name, summary) = lines.end()?;
        self.before = Some((name.clone(), Some(position)));
        Ok(Restored { name, summary, counters })
    }

    /// Whether a file goes on from the one before it.
    fn check_chain(&self, file: &BackupFile, since: &str) -> Result<(), StoreError> {
        let Some((before, position)) = &self.before else { return Err(refused()) };
        let stands = position.as_ref().map(Position::digest).transpose()?;
        if stands.as_deref() == Some(since) {
            return Ok(());
        }
        Err(file.bad(format!(
            "it does not go on from {before}: it was taken since another backup. Name the full \
             backup, then its increments in the order they were taken, and leave none out"
        )))
    }

    /// Whether an entry lies behind the moment that is wanted, and with it all that follow in its
    /// journal.
    fn ends_before(&mut self, entry: &Entry) -> bool {
        let Some(until) = self.replay.until else { return false };
        let is_later = match until.entry {
            Some((tenant, seq)) if tenant == entry.tenant => entry.seq > seq,
            Some(_) | None => entry.at > until.at,
        };
        if let Some(earliest) = self.ended.get_mut(&entry.tenant) {
            *earliest = entry.at.min(*earliest);
            return true;
        }
        if is_later {
            self.ended.insert(entry.tenant, entry.at);
        }
        is_later
    }

    /// Whether an outcome is one of what is restored: not later, and all that it names is there.
    async fn is_kept(&mut self, answer: &AnswerLine) -> Result<bool, StoreError> {
        let Some(until) = self.replay.until else { return Ok(true) };
        let ends_with_entry = until.entry.is_some_and(|(tenant, _)| tenant == answer.tenant);
        if answer.at > until.at && !ends_with_entry {
            return Ok(false);
        }
        if self.ended.get(&answer.tenant).is_none_or(|earliest| answer.at < *earliest) {
            return Ok(true);
        }
        self.flush().await?;
        for (kind, number, revision) in (self.replay.outcome_of)(&answer.outcome) {
            let named = statement::NAMED_ENTRY;
            let params = vec![answer.tenant.into(), kind.into(), number.into(), revision.into()];
            if self.ask(named, params).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everything of a tenant goes, also what was there at the moment that is wanted.
    async fn gone(&mut self, tenant: i64) -> Result<(), StoreError> {
        for table in rebuild::tables_of_tenants(self.store.kinds()) {
            let sql = format!(r#"DELETE FROM "{table}" WHERE "tenant" = ?1"#);
            self.ask(&sql, vec![tenant.into()]).await?;
        }
        for journals in [&mut self.floors, &mut self.lasts, &mut self.read, &mut self.ended] {
            journals.remove(&tenant);
        }
        Ok(())
    }

    /// Makes the records and heads, and commits.
    async fn finish(&mut self) -> Result<(), StoreError> {
        let last =
            self.before.as_ref().and_then(|(name, position)| Some((name, position.as_ref()?)));
        if let (Some(until), Some((name, position))) = (self.replay.until, last)
            && until.entry.is_none()
            && until.at > position.begun_at
        {
            return Err(StoreError::Engine(format!(
                "nothing is kept: {name}, the last file, was taken before the moment that --until \
                 names. Name the increments that were taken since too, or leave --until out"
            )));
        }
        if self.has_increments {
            let news = self.lasts.iter().filter_map(|(tenant, last)| {
                let floor = self.floors.get(tenant).copied().unwrap_or(0);
                (*last > floor).then_some((*tenant, floor))
            });
            let news: Vec<(i64, i64)> = news.collect();
            let (kinds, asking) = (self.store.kinds(), &mut self.asking);
            rebuild::records(asking, kinds, &news, self.has_blanks, self.replay.record_of).await?;
            rebuild::heads(asking, &self.lasts).await?;
        }
        if !matches!(self.store.inner(), Engine::Memory(_)) {
            let finished = r#"DELETE FROM "meta" WHERE "name" = ?1"#;
            self.ask(finished, vec![UNFINISHED.into()]).await?;
        }
        self.asking.commit().await
    }

    async fn ask(
        &mut self,
        template: &str,
        params: Vec<Value>,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        self.flush().await?;
        self.asking.ask(template, params).await
    }

    async fn push(&mut self, line: Line) -> Result<(), StoreError> {
        if matches!(&line, Line::Record(record) if self.replay.leaves_out(&record.kind)) {
            return Ok(());
        }
        self.chunk.push(line);
        if self.chunk.len() < CHUNK_LINES { Ok(()) } else { self.flush().await }
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.asking.lines(std::mem::take(&mut self.chunk)).await
    }
}
