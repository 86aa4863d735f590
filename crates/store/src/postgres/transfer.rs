//! Everything out of one snapshot, and everything in within one transaction.

use deadpool_postgres::Transaction;
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;
use tokio_postgres::{IsolationLevel, Row as SqlRow};

use super::write::pipelined;
use super::{Postgres, failed, read};
use crate::batch::related_text;
use crate::dump::{Feed, Line, LineSender};
use crate::sql::{self, Schema};
use crate::{Answer, StoreError};

/// Sends everything as of now: a repeatable read is one snapshot, and blocks nobody.
pub(super) async fn export(engine: &Postgres, out: &LineSender) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| failed(&error))?;
    for kind in engine.shared.schema.kinds {
        let sql = engine.shared.schema.kind(kind)?;
        each(&transaction, out, &sql.all_records, |row| {
            Ok(Line::record(kind, read::record(row, 0)?, &read::columns(row, kind)?))
        })
        .await?;
        if kind.terms {
            each(&transaction, out, &sql.all_terms, |row| {
                let (tenant, term) = (read::value(row, 0)?, read::value(row, 1)?);
                let number = read::value(row, 2)?;
                Ok(Line::Term { kind: kind.name.to_owned(), tenant, number, term })
            })
            .await?;
        }
    }
    each(&transaction, out, sql::ALL_HEADS, |row| {
        Ok(Line::Head { tenant: read::value(row, 0)?, last: read::value(row, 1)? })
    })
    .await?;
    each(&transaction, out, &sql::all_entries(), |row| Ok(Line::Entry(read::entry(row)?))).await?;
    each(&transaction, out, sql::ALL_MENTIONS, |row| {
        let (tenant, number) = (read::value(row, 0)?, read::value(row, 1)?);
        Ok(Line::Mention { tenant, number, seq: read::value(row, 2)? })
    })
    .await?;
    each(&transaction, out, sql::ALL_ANSWERS, |row| {
        Ok(Line::answer(read::value(row, 0)?, read::answer(row, 1)?))
    })
    .await?;
    each(&transaction, out, sql::ALL_COUNTERS, |row| {
        Ok(Line::Counter { name: read::value(row, 0)?, next: read::value(row, 1)? })
    })
    .await
}

/// Sends the rows of one statement, chunk by chunk.
async fn each(
    transaction: &Transaction<'_>,
    out: &LineSender,
    sql: &str,
    line: impl Fn(&SqlRow) -> Result<Line, StoreError>,
) -> Result<(), StoreError> {
    let portal = transaction.bind(sql, &[]).await.map_err(|error| failed(&error))?;
    loop {
        let rows = transaction.query_portal(&portal, read::CHUNK_ROWS).await;
        let rows = rows.map_err(|error| failed(&error))?;
        let lines = rows.iter().map(&line).collect::<Result<Vec<Line>, StoreError>>()?;
        out.send(Ok(lines))
            .await
            .map_err(|_| StoreError::Engine("the reader of the export is gone".to_owned()))?;
        if rows.len() < read::CHUNK_ROWS as usize {
            return Ok(());
        }
    }
}

/// Takes everything in; a feed that ends without `Commit` leaves nothing behind.
pub(super) async fn import(
    engine: &Postgres,
    mut feed: mpsc::Receiver<Feed>,
) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    for table in sql::dumped_tables(engine.shared.schema.kinds) {
        // The lock keeps others from filling the table between this look and the commit.
        let lock = format!(r#"LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE"#);
        transaction.batch_execute(&lock).await.map_err(|error| failed(&error))?;
        let rows = transaction.query(&sql::any_row(&table), &[]).await;
        if !rows.map_err(|error| failed(&error))?.is_empty() {
            return Err(sql::not_empty());
        }
    }
    while let Some(fed) = feed.recv().await {
        match fed {
            Feed::Lines(lines) => {
                let loads =
                    lines.into_iter().map(|line| load(&transaction, &engine.shared.schema, line));
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
    schema: &Schema,
    line: Line,
) -> Result<(), StoreError> {
    let statements = &schema.statements;
    match line {
        Line::Record(record) => {
            let sql = schema.kind_named(&record.kind)?;
            let columns = record.values(sql.kind)?;
            let uuid = record.uuid.to_string();
            let fixed: [&(dyn ToSql + Sync); 5] =
                [&record.tenant, &record.number, &uuid, &record.revision, &record.doc];
            let columns = columns.iter().map(|value| value as &(dyn ToSql + Sync));
            let params: Vec<_> = fixed.into_iter().chain(columns).collect();
            put(transaction, &sql.insert, &params).await
        }
        Line::Term { kind, tenant, number, term } => {
            let sql = &schema.kind_named(&kind)?.term_put;
            put(transaction, sql, &[&tenant, &term, &number]).await
        }
        Line::Head { tenant, last } => {
            put(transaction, &statements.head_put, &[&tenant, &last]).await
        }
        Line::Entry(e) => {
            let related = related_text(&e.related);
            let params: [&(dyn ToSql + Sync); 13] = [
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
            put(transaction, &statements.entry_put, &params).await?;
            for number in e.mentions() {
                put(transaction, &statements.mention_put, &[&e.tenant, &number, &e.seq]).await?;
            }
            Ok(())
        }
        Line::Answer(answer) => {
            let (tenant, Answer { key, operation, fingerprint, outcome, at }) = answer.into_parts();
            // The last value is an age every existing answer has; there is none.
            let params: [&(dyn ToSql + Sync); 7] =
                [&tenant, &key, &operation, &fingerprint, &outcome, &at, &i64::MAX];
            put(transaction, &statements.answer_put, &params).await
        }
        Line::Counter { name, next } => {
            put(transaction, &statements.counter_put, &[&name, &next]).await
        }
        // Made from the entries.
        Line::Mention { .. } => Ok(()),
    }
}

async fn put(
    transaction: &Transaction<'_>,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<(), StoreError> {
    let put = async {
        let statement = transaction.prepare_cached(sql).await?;
        transaction.execute(&statement, params).await
    };
    put.await.map(|_| ()).map_err(|error| failed(&error))
}
