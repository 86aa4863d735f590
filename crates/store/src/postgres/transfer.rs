//! Everything out of one snapshot, and everything in within one transaction.

use deadpool_postgres::Transaction;
use tokio::sync::mpsc;
use tokio_postgres::{IsolationLevel, Row as SqlRow};

use super::ask::{self, Chunks, Parameter, Params};
use super::failure::failed;
use super::write::pipelined;
use super::{Postgres, read};
use crate::batch::related_text;
use crate::dump::{Feed, Line, LineSender};
use crate::sql::{self, Schema};
use crate::{Answer, StoreError};

/// Sends everything as of now: a repeatable read is one snapshot, and blocks nobody.
pub(super) async fn export(engine: &Postgres, out: &LineSender) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let pooled = engine.shared.is_pooled();
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| failed(&error))?;
    for kind in engine.shared.schema.kinds {
        let sql = engine.shared.schema.kind(kind)?;
        each(&transaction, pooled, out, &sql.all_records, |row| {
            Ok(Line::record(kind, read::record(row, 0)?, &read::columns(row, kind)?))
        })
        .await?;
        if kind.terms {
            each(&transaction, pooled, out, &sql.all_terms, |row| {
                let (tenant, term) = (read::value(row, 0)?, read::value(row, 1)?);
                let number = read::value(row, 2)?;
                Ok(Line::Term { kind: kind.name.to_owned(), tenant, number, term })
            })
            .await?;
        }
    }
    each(&transaction, pooled, out, sql::ALL_HEADS, |row| {
        Ok(Line::Head { tenant: read::value(row, 0)?, last: read::value(row, 1)? })
    })
    .await?;
    each(&transaction, pooled, out, &sql::all_entries(), |row| Ok(Line::Entry(read::entry(row)?)))
        .await?;
    each(&transaction, pooled, out, sql::ALL_MENTIONS, |row| {
        let (tenant, number) = (read::value(row, 0)?, read::value(row, 1)?);
        Ok(Line::Mention { tenant, number, seq: read::value(row, 2)? })
    })
    .await?;
    each(&transaction, pooled, out, sql::ALL_ANSWERS, |row| {
        Ok(Line::answer(read::value(row, 0)?, read::answer(row, 1)?))
    })
    .await?;
    each(&transaction, pooled, out, sql::ALL_COUNTERS, |row| {
        Ok(Line::Counter { name: read::value(row, 0)?, next: read::value(row, 1)? })
    })
    .await
}

/// Sends the rows of one statement, chunk by chunk.
async fn each(
    transaction: &Transaction<'_>,
    pooled: bool,
    out: &LineSender,
    sql: &str,
    line: impl Fn(&SqlRow) -> Result<Line, StoreError>,
) -> Result<(), StoreError> {
    let chunks = Chunks::of(transaction, pooled, sql, &[]).await;
    let mut chunks = chunks.map_err(|error| failed(&error))?;
    while let Some(rows) = chunks.next().await.map_err(|error| failed(&error))? {
        let lines = rows.iter().map(&line).collect::<Result<Vec<Line>, StoreError>>()?;
        out.send(Ok(lines))
            .await
            .map_err(|_| StoreError::Engine("the reader of the export is gone".to_owned()))?;
    }
    Ok(())
}

/// Takes everything in; a feed that ends without `Commit` leaves nothing behind.
pub(super) async fn import(
    engine: &Postgres,
    mut feed: mpsc::Receiver<Feed>,
) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let pooled = engine.shared.is_pooled();
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    for table in sql::dumped_tables(engine.shared.schema.kinds) {
        // The lock keeps others from filling the table between this look and the commit.
        let lock = format!(r#"LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE"#);
        transaction.batch_execute(&lock).await.map_err(|error| failed(&error))?;
        let rows = transaction.query_typed(&sql::any_row(&table), &[]).await;
        if !rows.map_err(|error| failed(&error))?.is_empty() {
            return Err(sql::not_empty());
        }
    }
    while let Some(fed) = feed.recv().await {
        match fed {
            Feed::Lines(lines) => {
                let schema = &engine.shared.schema;
                let loads = lines.into_iter().map(|line| load(&transaction, pooled, schema, line));
                for loaded in pipelined(loads.collect()).await {
                    loaded?;
                }
            }
            Feed::Commit => return transaction.commit().await.map_err(|error| failed(&error)),
        }
    }
    Ok(())
}

async fn load(
    transaction: &Transaction<'_>,
    pooled: bool,
    schema: &Schema,
    line: Line,
) -> Result<(), StoreError> {
    let statements = &schema.statements;
    match line {
        Line::Record(record) => {
            let sql = schema.kind_named(&record.kind)?;
            let columns = record.values(sql.kind)?;
            let uuid = record.uuid.to_string();
            let fixed: [&dyn Parameter; 5] =
                [&record.tenant, &record.number, &uuid, &record.revision, &record.doc];
            let columns = columns.iter().map(|value| value as &dyn Parameter);
            let params: Vec<_> = fixed.into_iter().chain(columns).collect();
            put(transaction, pooled, &sql.insert, &params).await
        }
        Line::Term { kind, tenant, number, term } => {
            let sql = &schema.kind_named(&kind)?.term_put;
            put(transaction, pooled, sql, &[&tenant, &term, &number]).await
        }
        Line::Head { tenant, last } => {
            put(transaction, pooled, &statements.head_put, &[&tenant, &last]).await
        }
        Line::Entry(e) => {
            let related = related_text(&e.related);
            let params: [&dyn Parameter; 13] = [
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
            put(transaction, pooled, &statements.entry_put, &params).await?;
            let sql = &statements.mention_put;
            for number in e.mentions() {
                put(transaction, pooled, sql, &[&e.tenant, &number, &e.seq]).await?;
            }
            Ok(())
        }
        Line::Answer(answer) => {
            let (tenant, Answer { key, operation, fingerprint, outcome, at }) = answer.into_parts();
            // The last value is an age every existing answer has; there is none.
            let params: [&dyn Parameter; 7] =
                [&tenant, &key, &operation, &fingerprint, &outcome, &at, &i64::MAX];
            put(transaction, pooled, &statements.answer_put, &params).await
        }
        Line::Counter { name, next } => {
            put(transaction, pooled, &statements.counter_put, &[&name, &next]).await
        }
        // Made from the entries.
        Line::Mention { .. } => Ok(()),
    }
}

async fn put(
    transaction: &Transaction<'_>,
    pooled: bool,
    sql: &str,
    params: Params<'_>,
) -> Result<(), StoreError> {
    let put = ask::execute(transaction, pooled, sql, params).await;
    put.map(|_| ()).map_err(|error| failed(&error))
}
