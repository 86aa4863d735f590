//! Everything out of one snapshot, and everything in within one transaction.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Params, ToSql, TransactionBehavior, params_from_iter};
use tokio::sync::mpsc;

use super::read::FIXED;
use super::{failed, gathering, read};
use crate::batch::{is_packed, related_text};
use crate::dump::{CHUNK_LINES, Feed, Line, LineSender, RecordLine};
use crate::increment::{BLANKED_TENANT, News, Ranges, Scope, Since};
use crate::position::mark;
use crate::sql::{self, Schema};
use crate::{Answer, Doc, Kind, StoreError, Value};

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

/// Sends what belongs to a scope, as of now: one read transaction is one snapshot, and blocks
/// nobody. The heads come first.
pub(super) fn export(
    connection: &Connection,
    schema: &Schema,
    scope: &Scope,
    out: &LineSender,
) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN").map_err(failed)?;
    let mut chunks = Chunks { out, chunk: Vec::new() };
    let heads = heads(connection, &mut chunks)?;
    match scope {
        Scope::Everything => everything(connection, schema, &mut chunks)?,
        Scope::Since(since) => news(connection, schema, since, heads, &mut chunks)?,
    }
    each(connection, sql::ALL_COUNTERS, [], |row| {
        let counter = || Ok(Line::Counter { name: row.get(0)?, next: row.get(1)? });
        chunks.push(counter().map_err(failed)?)
    })?;
    chunks.flush()
}

/// The heads, each with the mark of its last entry.
fn heads(
    connection: &Connection,
    chunks: &mut Chunks<'_>,
) -> Result<BTreeMap<i64, i64>, StoreError> {
    let mut marks = HashMap::new();
    each(connection, &sql::last_entries(), [], |row| {
        let entry = read::entry(row).map_err(failed)?;
        marks.insert(entry.tenant, mark(&entry));
        Ok(())
    })?;
    let mut heads = BTreeMap::new();
    each(connection, sql::ALL_HEADS, [], |row| {
        let head = || Ok((row.get(0)?, row.get(1)?));
        let (tenant, last) = head().map_err(failed)?;
        heads.insert(tenant, last);
        let mark = marks.remove(&tenant).unwrap_or_default();
        chunks.push(Line::Head { tenant, last, mark })
    })?;
    Ok(heads)
}

fn records(
    connection: &Connection,
    schema: &Schema,
    kind: &Kind,
    chunks: &mut Chunks<'_>,
) -> Result<(), StoreError> {
    each(connection, &schema.kind(kind)?.all_records, [], |row| {
        let columns = (FIXED..FIXED + kind.columns.len()).map(|at| read::column(row, at));
        let columns: Vec<_> = columns.collect::<rusqlite::Result<_>>().map_err(failed)?;
        let record = read::record(row, 0).map_err(failed)?;
        chunks.push(Line::record(kind, record, &columns)?)
    })
}

fn everything(
    connection: &Connection,
    schema: &Schema,
    chunks: &mut Chunks<'_>,
) -> Result<(), StoreError> {
    for kind in schema.kinds {
        records(connection, schema, kind, chunks)?;
        if kind.terms {
            each(connection, &schema.kind(kind)?.all_terms, [], |row| {
                let term = || -> rusqlite::Result<Line> {
                    let (tenant, term, number) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok(Line::Term { kind: kind.name.to_owned(), tenant, number, term })
                };
                chunks.push(term().map_err(failed)?)
            })?;
        }
    }
    each(connection, &sql::all_entries(), [], |row| {
        chunks.push(Line::Entry(read::entry(row).map_err(failed)?))
    })?;
    each(connection, sql::ALL_MENTIONS, [], |row| {
        let mention =
            || Ok(Line::Mention { tenant: row.get(0)?, number: row.get(1)?, seq: row.get(2)? });
        chunks.push(mention().map_err(failed)?)
    })?;
    each(connection, sql::ALL_ANSWERS, [], |row| {
        let answer = || Ok(Line::answer(row.get(0)?, read::answer_row(row, 1)?));
        chunks.push(answer().map_err(failed)?)
    })
}

/// What changed since a backup; see `increment.rs`.
fn news(
    connection: &Connection,
    schema: &Schema,
    since: &Since,
    heads: BTreeMap<i64, i64>,
    chunks: &mut Chunks<'_>,
) -> Result<(), StoreError> {
    let Schema { statements, dialect, .. } = schema;
    let mut news = News::of(heads);
    for (tenant, last) in since.position.lasts() {
        let held = read::entries(connection, &statements.entries, (tenant, last - 1, 1))?;
        news.judge(since, tenant, held.first())?.map_or(Ok(()), |line| chunks.push(line))?;
    }
    for kind in since.whole {
        records(connection, schema, kind, chunks)?;
    }
    let mut ranges = Ranges::default();
    let until = since.position.last(BLANKED_TENANT);
    each(connection, &sql::blanked(*dialect), [BLANKED_TENANT, until], |row| {
        ranges.push(row.get(0).map_err(failed)?).map_or(Ok(()), |line| chunks.push(line))
    })?;
    ranges.end().map_or(Ok(()), |line| chunks.push(line))?;
    for (tenant, after) in news.begin() {
        each(connection, &statements.entries, [tenant, after, i64::MAX], |row| {
            chunks.push(Line::Entry(read::entry(row).map_err(failed)?))
        })?;
    }
    each(connection, sql::OLDEST_ANSWER, [], |row| {
        let oldest: Option<i64> = row.get(0).map_err(failed)?;
        chunks.push(Line::Forgotten { before: oldest.unwrap_or(i64::MAX) })
    })?;
    each(connection, &sql::answers_from(*dialect), [since.answers_from()], |row| {
        let tenant = row.get(0).map_err(failed)?;
        let answer = read::answer_row(row, 1).map_err(failed)?;
        if news.is_gone(tenant) { Ok(()) } else { chunks.push(Line::answer(tenant, answer)) }
    })
}

fn each(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut take: impl FnMut(&rusqlite::Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        take(row)?;
    }
    Ok(())
}

/// Takes everything in; a feed that ends without `Commit` leaves nothing behind.
pub(super) fn import(
    connection: &mut Connection,
    schema: &Schema,
    packs: bool,
    mut feed: mpsc::Receiver<Feed>,
) -> Result<(), StoreError> {
    // What an increment takes away again leaves nothing in the file.
    connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
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
                lines.into_iter().try_for_each(|line| load(&transaction, schema, packs, line))?;
            }
            Feed::Ask(sql, params, reply) => {
                // Whoever asked is gone only when it has given up.
                let _ = reply.send(ask(&transaction, &sql, &params).map_err(failed)?);
            }
            Feed::Commit => {
                gathering::whole(&transaction, schema)?;
                return transaction.commit().map_err(failed);
            }
        }
    }
    Ok(())
}

/// The rows of a statement, which may have none.
fn ask(connection: &Connection, sql: &str, params: &[Value]) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(params), |row| {
        (0..columns).map(|at| read::column(row, at)).collect()
    })?;
    rows.collect()
}

fn load(
    connection: &Connection,
    schema: &Schema,
    packs: bool,
    line: Line,
) -> Result<(), StoreError> {
    let statements = &schema.statements;
    let put = |sql: &str, params: &[&dyn ToSql]| {
        let put =
            connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        put.map(|_| ()).map_err(failed)
    };
    match line {
        Line::Record(record) => load_record(connection, schema, packs, record),
        Line::Term { kind, tenant, number, term } => {
            put(&schema.kind_named(&kind)?.term_put, &[&tenant, &term, &number])
        }
        Line::Head { tenant, last, .. } => put(&statements.head_put, &[&tenant, &last]),
        Line::Entry(mut e) => {
            let related = related_text(&e.related);
            let doc = Doc::for_rest(std::mem::take(&mut e.doc), packs);
            let (doc, packed) = doc.parts();
            let params: [&dyn ToSql; 14] = [
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
                &doc,
                &related,
                &packed,
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
        Line::Gone { .. } | Line::Blank { .. } | Line::Forgotten { .. } => {
            Err(sql::not_loaded(&line))
        }
    }
}

fn load_record(
    connection: &Connection,
    schema: &Schema,
    packs: bool,
    record: RecordLine,
) -> Result<(), StoreError> {
    let sql = schema.kind_named(&record.kind)?;
    let columns = record.values(sql.kind)?;
    let uuid = record.uuid.to_string();
    let doc = Doc::for_rest(record.doc, packs && is_packed(record.tenant));
    let (doc, packed) = doc.parts();
    let fixed: [&dyn ToSql; 6] =
        [&record.tenant, &record.number, &uuid, &record.revision, &doc, &packed];
    let columns = columns.iter().map(|value| value as &dyn ToSql);
    // Its terms follow; see `gathering.rs`.
    let terms = sql.kind.terms.then_some(&None::<Vec<u8>> as &dyn ToSql);
    let mut insert = connection.prepare_cached(&sql.insert).map_err(failed)?;
    let params = params_from_iter(fixed.into_iter().chain(columns).chain(terms));
    insert.execute(params).map_err(failed)?;
    Ok(())
}
