//! Applying one batch inside the writer's transaction.
//!
//! A refusal is the batch's own affair and leaves no trace of it; a failure of the engine ends the
//! whole transaction. The two are kept apart by type.

use std::collections::HashMap;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, ToSql, params_from_iter};
use uuid::Uuid;

use super::read;
use crate::batch::related_text;
use crate::sql::{KindSql, Schema, changed_columns, every_column};
use crate::store::Committed;
use crate::terms::{held, terms_of};
use crate::{Answer, Batch, Counts, Kind, Record, StoreError, Write, purge};

/// Why a step did not happen.
pub(super) enum Failure {
    /// The batch is refused; its neighbours are not touched.
    Refused(StoreError),
    /// The transaction cannot go on.
    Broken(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Broken(super::failed(error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::Refused(error)
    }
}

/// Journal positions given out in this transaction, by tenant. Read once per tenant, written back
/// once by [`Transaction::finish`]; never kept longer, another process may move them.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    schema: &'c Schema,
    heads: HashMap<i64, i64>,
    pub(super) entries: u64,
}

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection, schema: &'c Schema) -> Transaction<'c> {
        Transaction { connection, schema, heads: HashMap::new(), entries: 0 }
    }

    pub(super) fn execute(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// The one number a statement answers.
    pub(super) fn number(&self, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<i64> {
        self.connection.prepare_cached(sql)?.query_row(params, |row| row.get(0))
    }

    /// Writes a batch or leaves no trace of it.
    pub(super) fn batch(&mut self, batch: &Batch) -> Result<Committed, Failure> {
        // A single step that is refused has changed nothing: no need for a way back.
        let steps = batch.writes.len() + usize::from(batch.answer.is_some());
        let guarded = batch.dry_run || steps > 1;
        if guarded {
            self.execute("SAVEPOINT batch", [])?;
        }
        let outcome = self.records(batch);
        if guarded {
            if batch.dry_run || matches!(outcome, Err(Failure::Refused(_))) {
                self.execute("ROLLBACK TO batch", [])?;
            }
            if !matches!(outcome, Err(Failure::Broken(_))) {
                self.execute("RELEASE batch", [])?;
            }
        }
        outcome?;
        if batch.dry_run { Ok(Committed::default()) } else { self.journal(batch) }
    }

    fn records(&self, batch: &Batch) -> Result<(), Failure> {
        if let Some(answer) = &batch.answer {
            self.answer(batch.tenant, answer, batch.answer_since)?;
        }
        batch.writes.iter().try_for_each(|write| self.write(write))
    }

    fn answer(&self, tenant: i64, answer: &Answer, since: i64) -> Result<(), Failure> {
        let Answer { key, operation, fingerprint, outcome, at } = answer;
        let params = (tenant, key, operation, fingerprint, outcome, at, since);
        match self.execute(&self.schema.statements.answer_put, params)? {
            0 => Err(Failure::Refused(StoreError::Answered)),
            _ => Ok(()),
        }
    }

    fn write(&self, write: &Write) -> Result<(), Failure> {
        match write {
            Write::Insert { kind, record } => {
                let sql = self.schema.kind(kind)?;
                self.insert(sql, record)?;
                self.put_terms(sql, record, |_| true)
            }
            Write::Replace { kind, after, before_columns, before_terms } => {
                let sql = self.schema.kind(kind)?;
                let changed = changed_columns(before_columns, &after.columns);
                let held = match *before_terms == after.terms {
                    true => None,
                    false => Some(self.terms_held(sql, after.number)?),
                };
                self.update(sql, after, after.revision - 1, changed, held.is_some())?;
                let Some(held) = held else { return Ok(()) };
                self.remove_terms(sql, after, &held)?;
                self.put_terms(sql, after, |term| !held.contains(term))
            }
            Write::Derive { kind, record } => {
                let sql = self.schema.kind(kind)?;
                let held = self.terms_held(sql, record.number)?;
                self.update(sql, record, record.revision, every_column(kind), kind.terms)?;
                self.remove_terms(sql, record, &held)?;
                self.put_terms(sql, record, |_| true)
            }
            Write::Remove { kind, tenant, number, revision } => {
                let sql = self.schema.kind(kind)?;
                let held = self.terms_held(sql, *number)?;
                let removed = self.execute(&sql.remove, (number, tenant, revision))?;
                expect_one(removed, kind, *number)?;
                for term in held {
                    self.execute(&sql.term_remove, (tenant, term, number))?;
                }
                Ok(())
            }
            Write::Blank { kind, tenant, number } => self.overwriting(|transaction| {
                let sql = &transaction.schema.statements.blank;
                transaction.execute(sql, (tenant, number, kind.name))?;
                Ok(())
            }),
            Write::Assert { kind, tenant, number, revision } => {
                let sql = &self.schema.kind(kind)?.assert;
                let mut statement = self.connection.prepare_cached(sql)?;
                let there = statement.exists((number, tenant, revision))?;
                expect_one(usize::from(there), kind, *number)
            }
        }
    }

    fn insert(&self, sql: &KindSql, record: &Record) -> Result<(), Failure> {
        let mut buffer = Uuid::encode_buffer();
        let uuid = &*record.uuid.hyphenated().encode_lower(&mut buffer);
        let (doc, packed) = record.doc.parts();
        let fixed: [&dyn ToSql; 6] =
            [&record.tenant, &record.number, &uuid, &record.revision, &doc, &packed];
        let columns = record.columns.iter().map(|value| value as &dyn ToSql);
        let terms = sql.kind.terms.then(|| held(&record.terms));
        let terms = terms.as_ref().map(|terms| terms as &dyn ToSql);
        let params = params_from_iter(fixed.into_iter().chain(columns).chain(terms));
        self.execute(&sql.insert, params).map_err(|error| violation(sql.kind, error))?;
        Ok(())
    }

    /// Writes a record over the one at a revision: document, revision, some of the columns, and the
    /// terms where that is asked for.
    fn update(
        &self,
        sql: &KindSql,
        after: &Record,
        expected: i64,
        changed: u64,
        with_terms: bool,
    ) -> Result<(), Failure> {
        let (doc, packed) = after.doc.parts();
        let fixed: [&dyn ToSql; 6] =
            [&after.number, &after.tenant, &expected, &after.revision, &doc, &packed];
        let columns = after.columns.iter().enumerate();
        let columns = columns.filter(|(at, _)| changed & (1 << at) != 0);
        let columns = columns.map(|(_, value)| value as &dyn ToSql);
        let terms = with_terms.then(|| held(&after.terms));
        let terms = terms.as_ref().map(|terms| terms as &dyn ToSql);
        let params = params_from_iter(fixed.into_iter().chain(columns).chain(terms));
        let replaced = self
            .execute(&sql.replace(changed, with_terms), params)
            .map_err(|error| violation(sql.kind, error))?;
        expect_one(replaced, sql.kind, after.number)
    }

    /// The terms that a record holds: what there is of it in the table of terms.
    fn terms_held(&self, sql: &KindSql, number: i64) -> rusqlite::Result<Vec<String>> {
        if !sql.kind.terms {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(&sql.terms_held)?;
        let held: Option<Option<Vec<u8>>> =
            statement.query_row([number], |row| row.get(0)).optional()?;
        let held = held.flatten().unwrap_or_default();
        Ok(terms_of(&held).map(str::to_owned).collect())
    }

    /// Removes the terms that a record held and has no more.
    fn remove_terms(&self, sql: &KindSql, after: &Record, held: &[String]) -> rusqlite::Result<()> {
        for term in held.iter().filter(|term| after.terms.binary_search(term).is_err()) {
            self.execute(&sql.term_remove, (after.tenant, term, after.number))?;
        }
        Ok(())
    }

    fn put_terms(
        &self,
        sql: &KindSql,
        record: &Record,
        is_new: impl Fn(&String) -> bool,
    ) -> Result<(), Failure> {
        for term in record.terms.iter().filter(|term| is_new(term)) {
            self.execute(&sql.term_put, (record.tenant, term, record.number))?;
        }
        Ok(())
    }

    fn journal(&mut self, batch: &Batch) -> Result<Committed, Failure> {
        if batch.entries.is_empty() {
            return Ok(Committed::default());
        }
        let tenant = batch.tenant;
        let statements = &self.schema.statements;
        let held = match self.heads.get(&tenant) {
            Some(last) => *last,
            None => {
                read::head(self.connection, &statements.head, tenant).map_err(Failure::Broken)?
            }
        };
        let mut insert = self.connection.prepare_cached(&statements.entry_put)?;
        let mut last = held;
        for entry in &batch.entries {
            last += 1;
            let (doc, packed) = entry.doc.parts();
            insert.execute(rusqlite::params![
                tenant,
                last,
                entry.kind,
                entry.number,
                entry.subject,
                entry.revision,
                entry.action,
                entry.at,
                entry.actor,
                entry.request,
                entry.changed,
                doc,
                related_text(&entry.related),
                packed,
            ])?;
            for number in entry.mentions() {
                self.execute(&statements.mention_put, (tenant, number, last))?;
            }
        }
        self.heads.insert(tenant, last);
        self.entries += batch.entries.len() as u64;
        Ok(Committed { first_seq: held + 1, last_seq: last })
    }

    /// Does something whose deleted content is overwritten with zeros, page by page.
    fn overwriting<T>(&self, work: impl FnOnce(&Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let switch = |on: bool| self.connection.pragma_update(None, "secure_delete", on);
        switch(true)?;
        let done = work(self);
        switch(false)?;
        done
    }

    /// Removes up to `limit` rows of a tenant; see [`crate::Store::purge`].
    pub(super) fn purge(&mut self, tenant: i64, limit: u32) -> Result<Counts, Failure> {
        // What this transaction has given out so far is to be seen by the statements.
        if let Some(last) = self.heads.remove(&tenant) {
            self.execute(&self.schema.statements.head_put, (tenant, last))?;
        }
        self.overwriting(|transaction| {
            let mut counts = Counts::new();
            let mut left = u64::from(limit);
            for (table, sql) in purge::steps(transaction.schema) {
                if left == 0 {
                    break;
                }
                let removed = transaction.execute(&sql, (tenant, purge::limit(left)))? as u64;
                left -= removed.min(left);
                if removed > 0 {
                    *counts.entry(table).or_default() += removed;
                }
            }
            for sql in purge::heads(transaction.schema) {
                transaction.execute(&sql, [tenant])?;
            }
            Ok(counts)
        })
    }

    /// Writes the positions back. To be called before the commit; says how many entries there are.
    pub(super) fn finish(self) -> rusqlite::Result<u64> {
        for (tenant, last) in &self.heads {
            self.execute(&self.schema.statements.head_put, (tenant, last))?;
        }
        Ok(self.entries)
    }
}

fn expect_one(changed: usize, kind: &Kind, number: i64) -> Result<(), Failure> {
    match changed {
        1 => Ok(()),
        _ => Err(Failure::Refused(StoreError::Conflict { kind: kind.name, number })),
    }
}

/// A violation of uniqueness refuses the batch and names the column; SQLite tells it only in the
/// message: `UNIQUE constraint failed: customer.tenant, customer.email`.
fn violation(kind: &'static Kind, error: rusqlite::Error) -> Failure {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &error else { return error.into() };
    if code.code != ErrorCode::ConstraintViolation {
        return error.into();
    }
    let named = message.rsplit('.').next().unwrap_or_default();
    let declared = kind.columns.iter().map(|column| column.name);
    match declared.chain(["number", "uuid"]).find(|column| *column == named) {
        Some(column) => Failure::Refused(StoreError::Unique { kind: kind.name, column }),
        None => Failure::Refused(StoreError::Engine(message.clone())),
    }
}
