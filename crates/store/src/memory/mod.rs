//! The memory engine: the meaning of every verb, written as plainly as possible. The contract suite
//! holds the databases against it. Nothing here is durable, and searches read every record.

mod purge;
mod records;
mod transfer;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::evaluate::Subject;
use crate::news::News;
use crate::sql::{self, unique_scope};
use crate::statistics::{Counters, Statistics};
use crate::store::{Committed, EngineInfo, Found};
use crate::{
    Answer, Batch, EMPTY, Entry, Kind, Predicate, Query, Record, Row, StoreError, Value, Write,
};

/// A record with what the row does not show.
#[derive(Debug, Clone)]
struct Stored {
    row: Row,
    columns: Vec<Value>,
    terms: Vec<String>,
}

impl From<Record> for Stored {
    fn from(record: Record) -> Stored {
        let Record { tenant, number, uuid, revision, columns, doc, terms } = record;
        Stored { row: Row { tenant, number, uuid, revision, doc }, columns, terms }
    }
}

/// All records of one kind, and who holds which unique value.
#[derive(Debug, Clone, Default)]
struct Table {
    records: BTreeMap<i64, Stored>,
    uuids: HashMap<Uuid, i64>,
    /// By column position, scope (see [`unique_scope`]) and value.
    unique: HashMap<(usize, i64, Value), i64>,
}

impl Table {
    fn unique_keys(kind: &Kind, stored: &Stored) -> Vec<(usize, i64, Value)> {
        let columns = kind.columns.iter().zip(&stored.columns).enumerate();
        columns
            .filter(|(_, (_, value))| **value != Value::Null)
            .filter_map(|(at, (column, value))| {
                unique_scope(column.index, stored.row.tenant).map(|s| (at, s, value.clone()))
            })
            .collect()
    }

    /// Puts a state in place of another and returns that.
    fn put(&mut self, kind: &Kind, number: i64, state: Option<Stored>) -> Option<Stored> {
        let before = self.records.remove(&number);
        if let Some(before) = &before {
            self.uuids.remove(&before.row.uuid);
            for key in Table::unique_keys(kind, before) {
                self.unique.remove(&key);
            }
        }
        if let Some(state) = state {
            self.uuids.insert(state.row.uuid, number);
            for key in Table::unique_keys(kind, &state) {
                self.unique.insert(key, number);
            }
            self.records.insert(number, state);
        }
        before
    }

    /// Refuses a state whose unique values another record holds.
    fn check_unique(&self, kind: &'static Kind, stored: &Stored) -> Result<(), StoreError> {
        let other = |holder: Option<&i64>| holder.is_some_and(|n| *n != stored.row.number);
        if other(self.uuids.get(&stored.row.uuid)) {
            return Err(StoreError::Unique { kind: kind.name, column: "uuid" });
        }
        for key in Table::unique_keys(kind, stored) {
            if other(self.unique.get(&key)) {
                let column = kind.columns[key.0].name;
                return Err(StoreError::Unique { kind: kind.name, column });
            }
        }
        Ok(())
    }

    fn at_revision(
        &self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
        revision: i64,
    ) -> Result<&Stored, StoreError> {
        let found = self.records.get(&number);
        found
            .filter(|stored| stored.row.tenant == tenant && stored.row.revision == revision)
            .ok_or(StoreError::Conflict { kind: kind.name, number })
    }
}

#[derive(Debug, Clone, Default)]
struct State {
    tables: HashMap<&'static str, Table>,
    journal: BTreeMap<i64, Vec<Entry>>,
    answers: BTreeMap<(i64, String), Answer>,
    counters: BTreeMap<String, i64>,
}

/// States to go back to, latest last.
type Undo = Vec<(&'static Kind, i64, Option<Stored>)>;

impl State {
    fn table(&self, kind: &Kind) -> Result<&Table, StoreError> {
        self.tables.get(kind.name).ok_or_else(|| sql::unknown_kind(kind.name))
    }

    fn put(
        &mut self,
        undo: &mut Undo,
        kind: &'static Kind,
        number: i64,
        state: Option<Stored>,
    ) -> Result<(), StoreError> {
        let table = self.tables.get_mut(kind.name).ok_or_else(|| sql::unknown_kind(kind.name))?;
        let before = table.put(kind, number, state);
        undo.push((kind, number, before));
        Ok(())
    }

    fn write(&mut self, undo: &mut Undo, write: Write) -> Result<(), StoreError> {
        match write {
            Write::Insert { kind, record } => {
                let stored = Stored::from(record);
                let table = self.table(kind)?;
                if table.records.contains_key(&stored.row.number) {
                    return Err(StoreError::Unique { kind: kind.name, column: "number" });
                }
                table.check_unique(kind, &stored)?;
                self.put(undo, kind, stored.row.number, Some(stored))
            }
            Write::Replace { kind, after, .. } => self.replace(undo, kind, after, 1),
            Write::Derive { kind, record } => self.replace(undo, kind, record, 0),
            Write::Remove { kind, tenant, number, revision } => {
                self.table(kind)?.at_revision(kind, tenant, number, revision)?;
                self.put(undo, kind, number, None)
            }
            // Done once nothing can be refused any more.
            Write::Blank { .. } => Ok(()),
            Write::Assert { kind, tenant, number, revision } => {
                self.table(kind)?.at_revision(kind, tenant, number, revision).map(|_| ())
            }
        }
    }

    fn check_answer(&self, batch: &Batch) -> Result<(), StoreError> {
        let Some(answer) = &batch.answer else { return Ok(()) };
        match self.answers.get(&(batch.tenant, answer.key.clone())) {
            Some(held) if held.at >= batch.answer_since => Err(StoreError::Answered),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, mut batch: Batch) -> Result<Committed, StoreError> {
        self.check_answer(&batch)?;
        let mut undo = Undo::new();
        let writes = std::mem::take(&mut batch.writes);
        let blanks: Vec<(&str, i64, i64)> = writes.iter().filter_map(blanked).collect();
        let outcome = writes.into_iter().try_for_each(|write| self.write(&mut undo, write));
        if outcome.is_err() || batch.dry_run {
            for (kind, number, state) in undo.into_iter().rev() {
                if let Some(table) = self.tables.get_mut(kind.name) {
                    table.put(kind, number, state);
                }
            }
            return outcome.map(|()| Committed::default());
        }
        for (kind, tenant, number) in blanks {
            let entries = self.journal.get_mut(&tenant).into_iter().flatten();
            for entry in entries.filter(|e| e.kind == kind && e.number == number) {
                EMPTY.clone_into(&mut entry.doc);
            }
        }
        if let Some(answer) = batch.answer {
            self.answers.insert((batch.tenant, answer.key.clone()), answer);
        }
        if batch.entries.is_empty() {
            return Ok(Committed::default());
        }
        let journal = self.journal.entry(batch.tenant).or_default();
        let last_before = journal.len() as i64;
        let entries = batch.entries.into_iter().zip(last_before + 1..);
        let entries = entries.map(|(entry, seq)| entry.at_position(batch.tenant, seq));
        journal.extend(entries.collect::<Result<Vec<Entry>, StoreError>>()?);
        Ok(Committed { first_seq: last_before + 1, last_seq: journal.len() as i64 })
    }
}

fn blanked(write: &Write) -> Option<(&'static str, i64, i64)> {
    match write {
        Write::Blank { kind, tenant, number } => Some((kind.name, *tenant, *number)),
        Write::Insert { .. }
        | Write::Replace { .. }
        | Write::Derive { .. }
        | Write::Remove { .. }
        | Write::Assert { .. } => None,
    }
}

/// The memory engine.
pub(crate) struct Memory {
    kinds: &'static [&'static Kind],
    state: Mutex<State>,
    counters: Counters,
    news: Arc<News>,
}

impl Memory {
    pub(crate) fn new(kinds: &'static [&'static Kind], news: Arc<News>) -> Memory {
        let tables = kinds.iter().map(|kind| (kind.name, Table::default())).collect();
        let state = Mutex::new(State { tables, ..State::default() });
        Memory { kinds, state, counters: Counters::default(), news }
    }

    pub(crate) fn info(&self) -> EngineInfo {
        EngineInfo {
            name: "memory",
            version: env!("CARGO_PKG_VERSION").to_owned(),
            location: "memory".to_owned(),
            durability: "none: everything is gone when the process ends",
        }
    }

    /// A panic elsewhere cannot leave a half-written state: refused batches are undone by value.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn get(
        &self,
        kind: &'static Kind,
        tenant: i64,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.get_anywhere(kind, number).await?.filter(|row| row.tenant == tenant))
    }

    pub(crate) async fn get_anywhere(
        &self,
        kind: &'static Kind,
        number: i64,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.state().table(kind)?.records.get(&number).map(|stored| stored.row.clone()))
    }

    pub(crate) async fn get_by_uuid(
        &self,
        kind: &'static Kind,
        tenant: i64,
        uuid: Uuid,
    ) -> Result<Option<Row>, StoreError> {
        let state = self.state();
        let table = state.table(kind)?;
        let stored = table.uuids.get(&uuid).and_then(|number| table.records.get(number));
        Ok(stored.map(|stored| stored.row.clone()).filter(|row| row.tenant == tenant))
    }

    pub(crate) async fn get_by(
        &self,
        kind: &'static Kind,
        tenant: i64,
        position: usize,
        value: &str,
    ) -> Result<Option<Row>, StoreError> {
        let state = self.state();
        let table = state.table(kind)?;
        let scope = unique_scope(kind.columns[position].index, tenant);
        let key = scope.map(|scope| (position, scope, Value::from(value)));
        let number = key.and_then(|key| table.unique.get(&key));
        Ok(number.and_then(|number| table.records.get(number)).map(|stored| stored.row.clone()))
    }

    pub(crate) async fn find(
        &self,
        kind: &'static Kind,
        query: &Query,
    ) -> Result<Found, StoreError> {
        let state = self.state();
        let mut places = Vec::new();
        let after = query.after.as_ref().map(|after| query.order.place_after(after, kind));
        for stored in state.table(kind)?.records.values() {
            let subject = stored.subject(kind);
            if !query.tenants.contains(&stored.row.tenant) || !query.predicate.matches(&subject) {
                continue;
            }
            let place = query.order.place(&subject);
            if after.as_ref().is_none_or(|after| query.order.compare(&place, after).is_gt()) {
                places.push((place, stored));
            }
        }
        places.sort_by(|a, b| query.order.compare(&a.0, &b.0));
        let skip = usize::try_from(query.offset).unwrap_or(usize::MAX);
        let limit = query.limit as usize;
        let more = places.len().saturating_sub(skip) > limit;
        let page = places.into_iter().skip(skip).take(limit);
        Ok(Found { rows: page.map(|(_, stored)| stored.row.clone()).collect(), more })
    }

    pub(crate) async fn count(
        &self,
        kind: &'static Kind,
        tenants: &[i64],
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        let state = self.state();
        let records = state.table(kind)?.records.values();
        let met = records.filter(|stored| {
            tenants.contains(&stored.row.tenant) && predicate.matches(&stored.subject(kind))
        });
        Ok(met.count() as u64)
    }

    pub(crate) async fn scan_terms(
        &self,
        kind: &'static Kind,
        tenant: i64,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, Row)>, StoreError> {
        let state = self.state();
        let mut found = Vec::new();
        for stored in state.table(kind)?.records.values().filter(|s| s.row.tenant == tenant) {
            let least = stored.terms.iter().filter(|term| term.starts_with(prefix)).min();
            if let Some(term) = least
                && after.is_none_or(|after| (term.as_str(), stored.row.number) > after)
            {
                found.push((term.clone(), stored.row.clone()));
            }
        }
        found.sort_by(|a, b| (&a.0, a.1.number).cmp(&(&b.0, b.1.number)));
        found.truncate(limit as usize);
        Ok(found)
    }

    pub(crate) async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let (tenant, dry_run, entries) = (batch.tenant, batch.dry_run, batch.entries.len() as u64);
        let outcome = self.state().commit(batch);
        match &outcome {
            Err(_) => self.counters.refused(1),
            Ok(_) if dry_run => {}
            Ok(_) => {
                self.counters.committed(1, entries);
                if entries > 0 {
                    self.news.tell(tenant);
                }
            }
        }
        outcome
    }

    pub(crate) async fn commit_many(
        &self,
        batches: Vec<Batch>,
    ) -> Vec<Result<Committed, StoreError>> {
        let mut verdicts = Vec::with_capacity(batches.len());
        for batch in batches {
            verdicts.push(self.commit(batch).await);
        }
        verdicts
    }

    /// Entries of one tenant, oldest first.
    fn journal<T>(&self, tenant: i64, read: impl FnOnce(&[Entry]) -> T) -> T {
        read(self.state().journal.get(&tenant).map_or(&[][..], Vec::as_slice))
    }

    pub(crate) async fn entries(
        &self,
        tenant: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        Ok(self.journal(tenant, |entries| {
            let later = entries.iter().filter(|entry| entry.seq > after_seq);
            later.take(limit as usize).cloned().collect()
        }))
    }

    pub(crate) async fn history(
        &self,
        tenant: i64,
        number: i64,
        before_seq: i64,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let names =
            |e: &Entry| e.subject == number || e.number == number || e.related.contains(&number);
        Ok(self.journal(tenant, |entries| {
            let earlier = entries.iter().rev().filter(|e| names(e) && e.seq < before_seq);
            earlier.take(limit as usize).cloned().collect()
        }))
    }

    /// The latest entry of a record that meets a condition.
    fn latest(
        &self,
        tenant: i64,
        record: (&str, i64),
        meets: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        self.journal(tenant, |entries| {
            let of_record = |e: &&Entry| (e.kind.as_str(), e.number) == record;
            entries.iter().rev().filter(of_record).find(|entry| meets(entry)).cloned()
        })
    }

    pub(crate) async fn entry_at_revision(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        revision: i64,
    ) -> Result<Option<Entry>, StoreError> {
        Ok(self.latest(tenant, (kind, number), |entry| entry.revision == revision))
    }

    pub(crate) async fn entry_at_time(
        &self,
        tenant: i64,
        kind: &str,
        number: i64,
        at_us: i64,
    ) -> Result<Option<Entry>, StoreError> {
        Ok(self.latest(tenant, (kind, number), |entry| entry.at <= at_us))
    }

    pub(crate) async fn head(&self, tenant: i64) -> Result<i64, StoreError> {
        Ok(self.journal(tenant, |entries| entries.len() as i64))
    }

    pub(crate) async fn answer(
        &self,
        tenant: i64,
        key: &str,
    ) -> Result<Option<Answer>, StoreError> {
        Ok(self.state().answers.get(&(tenant, key.to_owned())).cloned())
    }

    pub(crate) async fn forget_answers(&self, before_us: i64) -> Result<u64, StoreError> {
        let answers = &mut self.state().answers;
        let held = answers.len();
        answers.retain(|_, answer| answer.at >= before_us);
        Ok((held - answers.len()) as u64)
    }

    pub(crate) async fn reserve(
        &self,
        counter: &'static str,
        n: i64,
    ) -> Result<Range<i64>, StoreError> {
        let mut state = self.state();
        let next = state.counters.entry(counter.to_owned()).or_insert(1);
        let block = sql::block(*next + n, n, counter)?;
        *next = block.end;
        Ok(block)
    }

    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }

    pub(crate) async fn integrity(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    pub(crate) fn long_reads_max(&self) -> usize {
        1 // It has none: they take no turns.
    }

    pub(crate) fn statistics(&self) -> Statistics {
        self.counters.snapshot()
    }

    pub(crate) async fn close(&self) {}
}

impl Stored {
    fn subject<'a>(&'a self, kind: &'a Kind) -> Subject<'a> {
        Subject { kind, row: &self.row, columns: &self.columns, terms: &self.terms }
    }
}
