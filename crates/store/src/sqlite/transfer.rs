//! Everything out of one snapshot, and everything in within one transaction.

use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};
use tokio::sync::mpsc;

use super::{failed, read};
use crate::batch::related_text;
use crate::dump::{CHUNK_LINES, Feed, Line, LineSender};
use crate::sql::{self, Schema};
use crate::{Answer, StoreError};

/// Collects lines into chunks. Refuses when the receiver has given up.
struct Chunks<'s> {
    out: &'s LineSender,
    chunk: Vec<Line>,
}

impl Chunks<'_> {
    fn push(&mut self, line: Line) -> Result<(), StoreError> {
        self.chunk.push(line);
        if self.chunk.len() < CHUNK_LINES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let chunk = std::mem::take(&mut self.chunk);
        self.out
            .blocking_send(Ok(chunk))
            .map_err(|_| StoreError::Engine("the reader of the export is gone".to_owned()))
    }
}

/// Sends everything as of now: one read transaction is one snapshot, and blocks nobody.
pub(super) fn export(
    connection: &Connection,
    schema: &Schema,
    out: &LineSender,
) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN").map_err(failed)?;
    let mut chunks = Chunks { out, chunk: Vec::new() };
    for kind in schema.kinds {
        let sql = schema.kind(kind)?;
        each(connection, &sql.all_records, |row| {
            let columns = (5..5 + kind.columns.len()).map(|at| read::column(row, at));
            let columns: Vec<_> = columns.collect::<rusqlite::Result<_>>().map_err(failed)?;
            let record = read::record(row, 0).map_err(failed)?;
            chunks.push(Line::record(kind, record, &columns))
        })?;
        if kind.terms {
            each(connection, &sql.all_terms, |row| {
                let term = || -> rusqlite::Result<Line> {
                    let (tenant, term, number) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok(Line::Term { kind: kind.name.to_owned(), tenant, number, term })
                };
                chunks.push(term().map_err(failed)?)
            })?;
        }
    }
    each(connection, sql::ALL_HEADS, |row| {
        let head = || Ok(Line::Head { tenant: row.get(0)?, last: row.get(1)? });
        chunks.push(head().map_err(failed)?)
    })?;
    each(connection, &sql::all_entries(), |row| {
        chunks.push(Line::Entry(read::entry(row).map_err(failed)?))
    })?;
    each(connection, sql::ALL_MENTIONS, |row| {
        let mention =
            || Ok(Line::Mention { tenant: row.get(0)?, number: row.get(1)?, seq: row.get(2)? });
        chunks.push(mention().map_err(failed)?)
    })?;
    each(connection, sql::ALL_ANSWERS, |row| {
        let answer = || Ok(Line::answer(row.get(0)?, read::answer_row(row, 1)?));
        chunks.push(answer().map_err(failed)?)
    })?;
    each(connection, sql::ALL_COUNTERS, |row| {
        let counter = || Ok(Line::Counter { name: row.get(0)?, next: row.get(1)? });
        chunks.push(counter().map_err(failed)?)
    })?;
    chunks.flush()
}

fn each(
    connection: &Connection,
    sql: &str,
    mut take: impl FnMut(&rusqlite::Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        take(row)?;
    }
    Ok(())
}

/// Takes everything in; a feed that ends without `Commit` leaves nothing behind.
pub(super) fn import(
    connection: &mut Connection,
    schema: &Schema,
    mut feed: mpsc::Receiver<Feed>,
) -> Result<(), StoreError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    for table in sql::dumped_tables(schema.kinds) {
        let mut any = transaction.prepare(&sql::any_row(&table)).map_err(failed)?;
        if any.exists([]).map_err(failed)? {
            return Err(sql::not_empty());
        }
    }
    while let Some(fed) = feed.blocking_recv() {
        match fed {
            Feed::Lines(lines) => {
                lines.into_iter().try_for_each(|line| load(&transaction, schema, line))?;
            }
            Feed::Commit => return transaction.commit().map_err(failed),
        }
    }
    Ok(())
}

fn load(connection: &Connection, schema: &Schema, line: Line) -> Result<(), StoreError> {
    let statements = &schema.statements;
    let put = |sql: &str, params: &[&dyn ToSql]| {
        let put =
            connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        put.map(|_| ()).map_err(failed)
    };
    match line {
        Line::Record(record) => {
            let sql = schema.kind_named(&record.kind)?;
            let columns = record.values(sql.kind)?;
            let uuid = record.uuid.to_string();
            let fixed: [&dyn ToSql; 5] =
                [&record.tenant, &record.number, &uuid, &record.revision, &record.doc];
            let columns = columns.iter().map(|value| value as &dyn ToSql);
            let mut insert = connection.prepare_cached(&sql.insert).map_err(failed)?;
            insert.execute(params_from_iter(fixed.into_iter().chain(columns))).map_err(failed)?;
            Ok(())
        }
        Line::Term { kind, tenant, number, term } => {
            put(&schema.kind_named(&kind)?.term_put, &[&tenant, &term, &number])
        }
        Line::Head { tenant, last } => put(&statements.head_put, &[&tenant, &last]),
        Line::Entry(e) => {
            let related = related_text(&e.related);
            let params: [&dyn ToSql; 13] = [
                &e.tenant,
                &e.seq,
                &e.kind,
                &e.number,
                &e.subject,
                &e.revision,
                &e.action,
                &e.at,
                &e.actor,
                &e.request,
                &e.changed,
                &e.doc,
                &related,
            ];
            put(&statements.entry_put, &params)?;
            e.mentions()
                .try_for_each(|number| put(&statements.mention_put, &[&e.tenant, &number, &e.seq]))
        }
        Line::Answer(answer) => {
            let (tenant, Answer { key, operation, fingerprint, outcome, at }) = answer.into_parts();
            // The last value is an age every existing answer has; there is none.
            let params: [&dyn ToSql; 7] =
                [&tenant, &key, &operation, &fingerprint, &outcome, &at, &i64::MAX];
            put(&statements.answer_put, &params)
        }
        Line::Counter { name, next } => put(&statements.counter_put, &[&name, &next]),
        // Made from the entries.
        Line::Mention { .. } => Ok(()),
    }
}
