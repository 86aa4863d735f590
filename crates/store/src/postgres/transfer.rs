//! Everything out of one snapshot, and everything in within one transaction.

use std::collections::{BTreeMap, HashMap};

use deadpool_postgres::Transaction;
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{IsolationLevel, Row as SqlRow};

use super::ask::{self, Chunks, Parameter, Params};
use super::failure::failed;
use super::shared::Shared;
use super::write::pipelined;
use super::{Postgres, read};
use crate::batch::related_text;
use crate::dump::{Feed, Line, LineSender};
use crate::increment::{BLANKED_TENANT, News, Ranges, Scope, Since};
use crate::packing::unpack;
use crate::position::mark;
use crate::sql::{self, Schema};
use crate::{Answer, Doc, Kind, StoreError, Value};

/// Sends what belongs to a scope, as of now: a repeatable read is one snapshot, and blocks nobody.
/// The heads come first.
pub(super) async fn export(
    engine: &Postgres,
    scope: &Scope,
    out: &LineSender,
) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await
        .map_err(|error| failed(&error))?;
    let export = Export {
        transaction: &transaction,
        pooled: engine.shared.is_pooled(),
        schema: &engine.shared.schema,
        out,
    };
    let heads = export.heads().await?;
    match scope {
        Scope::Everything => export.everything().await?,
        Scope::Since(since) => export.news(since, heads).await?,
    }
    export
        .each(sql::ALL_COUNTERS, &[], |row| {
            Ok(Some(Line::Counter { name: read::value(row, 0)?, next: read::value(row, 1)? }))
        })
        .await
}

/// An export under way.
struct Export<'e> {
    transaction: &'e Transaction<'e>,
    pooled: bool,
    schema: &'e Schema,
    out: &'e LineSender,
}

impl Export<'_> {
    /// The heads, each with the mark of its last entry.
    async fn heads(&self) -> Result<BTreeMap<i64, i64>, StoreError> {
        let mut marks = HashMap::new();
        let last_entries = sql::last_entries();
        let mark_of = |row: &SqlRow| {
            let entry = read::entry(row)?;
            marks.insert(entry.tenant, mark(&entry));
            Ok(None)
        };
        self.each(&last_entries, &[], mark_of).await?;
        let mut heads = BTreeMap::new();
        let head = |row: &SqlRow| {
            let (tenant, last) = (read::value(row, 0)?, read::value(row, 1)?);
            heads.insert(tenant, last);
            let mark = marks.remove(&tenant).unwrap_or_default();
            Ok(Some(Line::Head { tenant, last, mark }))
        };
        self.each(sql::ALL_HEADS, &[], head).await?;
        Ok(heads)
    }

    async fn records(&self, kind: &Kind) -> Result<(), StoreError> {
        self.each(&self.schema.kind(kind)?.all_records, &[], |row| {
            Line::record(kind, read::record(row, 0)?, &read::columns(row, kind)?).map(Some)
        })
        .await
    }

    async fn everything(&self) -> Result<(), StoreError> {
        for kind in self.schema.kinds {
            self.records(kind).await?;
            if kind.terms {
                self.each(&self.schema.kind(kind)?.all_terms, &[], |row| {
                    let (tenant, term) = (read::value(row, 0)?, read::value(row, 1)?);
                    let number = read::value(row, 2)?;
                    Ok(Some(Line::Term { kind: kind.name.to_owned(), tenant, number, term }))
                })
                .await?;
            }
        }
        self.each(&sql::all_entries(), &[], |row| Ok(Some(Line::Entry(read::entry(row)?)))).await?;
        self.each(sql::ALL_MENTIONS, &[], |row| {
            let (tenant, number) = (read::value(row, 0)?, read::value(row, 1)?);
            Ok(Some(Line::Mention { tenant, number, seq: read::value(row, 2)? }))
        })
        .await?;
        self.each(sql::ALL_ANSWERS, &[], |row| {
            Ok(Some(Line::answer(read::value(row, 0)?, read::answer(row, 1)?)))
        })
        .await
    }

    /// What changed since a backup; see `increment.rs`.
    async fn news(&self, since: &Since, heads: BTreeMap<i64, i64>) -> Result<(), StoreError> {
        let Schema { statements, dialect, .. } = self.schema;
        let mut news = News::of(heads);
        for (tenant, last) in since.position.lasts() {
            let mut held = None;
            self.each(&statements.entries, &[&tenant, &(last - 1), &1], |row| {
                held = Some(read::entry(row)?);
                Ok(None)
            })
            .await?;
            if let Some(line) = news.judge(since, tenant, held.as_ref())? {
                self.send(vec![line]).await?;
            }
        }
        for kind in since.whole {
            self.records(kind).await?;
        }
        let mut ranges = Ranges::default();
        let until = since.position.last(BLANKED_TENANT);
        self.each(&sql::blanked(*dialect), &[&BLANKED_TENANT, &until], |row| {
            Ok(ranges.push(read::value(row, 0)?))
        })
        .await?;
        self.send(ranges.end().into_iter().collect()).await?;
        for (tenant, after) in news.begin() {
            self.each(&statements.entries, &[&tenant, &after, &i64::MAX], |row| {
                Ok(Some(Line::Entry(read::entry(row)?)))
            })
            .await?;
        }
        self.each(sql::OLDEST_ANSWER, &[], |row| {
            let oldest: Option<i64> = read::value(row, 0)?;
            Ok(Some(Line::Forgotten { before: oldest.unwrap_or(i64::MAX) }))
        })
        .await?;
        self.each(&sql::answers_from(*dialect), &[&since.answers_from()], |row| {
            let tenant = read::value(row, 0)?;
            let answer = Line::answer(tenant, read::answer(row, 1)?);
            Ok(Some(answer).filter(|_| !news.is_gone(tenant)))
        })
        .await
    }

    /// Sends the rows of one statement, chunk by chunk.
    async fn each(
        &self,
        sql: &str,
        params: Params<'_>,
        mut line: impl FnMut(&SqlRow) -> Result<Option<Line>, StoreError>,
    ) -> Result<(), StoreError> {
        let chunks = Chunks::of(self.transaction, self.pooled, sql, params).await;
        let mut chunks = chunks.map_err(|error| failed(&error))?;
        while let Some(rows) = chunks.next().await.map_err(|error| failed(&error))? {
            let lines = rows.iter().filter_map(|row| line(row).transpose());
            self.send(lines.collect::<Result<Vec<Line>, StoreError>>()?).await?;
        }
        Ok(())
    }

    async fn send(&self, lines: Vec<Line>) -> Result<(), StoreError> {
        let sent = self.out.send(Ok(lines)).await;
        sent.map_err(|_| StoreError::Engine("the reader of the export is gone".to_owned()))
    }
}

/// Takes everything in; a feed that ends without `Commit` leaves nothing behind.
pub(super) async fn import(
    engine: &Postgres,
    mut feed: mpsc::Receiver<Feed>,
) -> Result<(), StoreError> {
    let mut client = engine.shared.client().await?;
    let pooled = engine.shared.is_pooled();
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    // One statement may put the records of a whole increment in place.
    let limit = transaction.batch_execute("SET LOCAL statement_timeout = 0").await;
    limit.map_err(|error| failed(&error))?;
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
                let shared = &engine.shared;
                let loads = lines.into_iter().map(|line| load(&transaction, pooled, shared, line));
                for loaded in pipelined(loads.collect()).await {
                    loaded?;
                }
            }
            Feed::Ask(sql, params, reply) => {
                let rows = rows(&transaction, pooled, &sql, &params).await?;
                // Whoever asked is gone only when it has given up.
                let _ = reply.send(rows);
            }
            Feed::Commit => return transaction.commit().await.map_err(|error| failed(&error)),
        }
    }
    Ok(())
}

/// The rows of a statement, which may have none.
async fn rows(
    transaction: &Transaction<'_>,
    pooled: bool,
    sql: &str,
    params: &[Value],
) -> Result<Vec<Vec<Value>>, StoreError> {
    let params: Vec<&dyn Parameter> = params.iter().map(|value| value as _).collect();
    let rows = ask::rows_within(transaction, pooled, sql, &params).await;
    let rows = rows.map_err(|error| failed(&error))?;
    let value = |row: &SqlRow, at: usize| match *row.columns()[at].type_() {
        Type::INT8 => read::value::<Option<i64>>(row, at).map(Value::from),
        // Only documents are bytes.
        Type::BYTEA => {
            let packed = read::value::<Option<&[u8]>>(row, at)?;
            packed.map(unpack).transpose().map(Value::from)
        }
        _ => read::value::<Option<String>>(row, at).map(Value::from),
    };
    let row = |row: &SqlRow| (0..row.len()).map(|at| value(row, at)).collect();
    rows.iter().map(row).collect()
}

async fn load(
    transaction: &Transaction<'_>,
    pooled: bool,
    shared: &Shared,
    line: Line,
) -> Result<(), StoreError> {
    let (schema, packs) = (&shared.schema, shared.options.pack_documents);
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
        Line::Head { tenant, last, .. } => {
            put(transaction, pooled, &statements.head_put, &[&tenant, &last]).await
        }
        Line::Entry(mut e) => {
            let related = related_text(&e.related);
            let doc = Doc::for_rest(std::mem::take(&mut e.doc), packs);
            let (doc, packed) = doc.parts();
            let params: [&dyn Parameter; 14] = [
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
        Line::Gone { .. } | Line::Blank { .. } | Line::Forgotten { .. } => {
            Err(sql::not_loaded(&line))
        }
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
