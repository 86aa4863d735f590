//! Records out of the journal, within the transaction of a restore.
//!
//! What is to be made is a list in a table of its own, which is gone again when the transaction
//! ends: kind and number of each record, and the newest of its entries.

use std::collections::BTreeMap;

use crate::batch::related_from;
use crate::dump::{CHUNK_LINES, Line};
use crate::increment::BLANKED_TENANT;
use crate::restore::{Asking, RecordOf};
use crate::{EMPTY, Entry, Kind, Row, StoreError, Value, sql};

/// Statements, written with SQLite's `?n`.
pub(crate) mod statement {
    /// Whether a record came to a revision: in the journal of a tenant, or of the deployment.
    pub(crate) const NAMED_ENTRY: &str = r#"SELECT 1 FROM "journal" AS j
        WHERE j."kind" = ?2 AND j."number" = ?3 AND j."revision" = ?4 AND (
            (j."subject" = ?3 AND j."tenant" IN (0, ?1))
            OR (j."tenant" = ?1 AND j."seq" IN
                (SELECT m."seq" FROM "mention" AS m WHERE m."tenant" = ?1 AND m."number" = ?3))
        ) LIMIT 1"#;
    pub(super) const BEGIN: &str = r#"CREATE TABLE "rebuilding" ("kind" TEXT NOT NULL,
        "number" BIGINT NOT NULL, "tenant" BIGINT NOT NULL, "seq" BIGINT NOT NULL,
        PRIMARY KEY ("kind", "number"))"#;
    pub(super) const END: &str = r#"DROP TABLE "rebuilding""#;
    /// Records with entries behind a position.
    pub(super) const CHANGED: &str = r#"INSERT INTO "rebuilding" ("kind", "number", "tenant", "seq")
        SELECT "kind", "number", "tenant", MAX("seq") FROM "journal"
        WHERE "tenant" = ?1 AND "seq" > ?2 GROUP BY "kind", "number", "tenant"
        ON CONFLICT ("kind", "number") DO UPDATE
        SET "tenant" = excluded."tenant", "seq" = excluded."seq""#;
    /// The next ones, each with its entry.
    pub(super) const NEXT: &str = r#"SELECT j."tenant", j."seq", r."kind", r."number", j."subject",
        j."revision", j."action", j."at", j."actor", j."request", j."changed", j."doc", j."related",
        j."packed"
        FROM "rebuilding" AS r JOIN "journal" AS j
        ON j."tenant" = r."tenant" AND j."seq" = r."seq"
        WHERE (r."kind", r."number") > (?1, CAST(?2 AS BIGINT))
        ORDER BY r."kind", r."number" LIMIT 256"#;
}

/// Tables whose rows belong to tenants.
pub(crate) fn tables_of_tenants(kinds: &[&Kind]) -> Vec<String> {
    sql::dumped_tables(kinds).into_iter().filter(|table| table != "counter").collect()
}

/// Makes every record that changed behind a position of its journal, and takes those away of which
/// the journal knows nothing any more.
pub(crate) async fn records(
    asking: &mut Asking,
    kinds: &'static [&'static Kind],
    news: &[(i64, i64)],
    has_blanks: bool,
    record_of: RecordOf,
) -> Result<(), StoreError> {
    asking.ask(statement::BEGIN, Vec::new()).await?;
    for (tenant, floor) in news {
        asking.ask(statement::CHANGED, vec![(*tenant).into(), (*floor).into()]).await?;
    }
    for kind in kinds.iter().filter(|_| has_blanks) {
        asking.ask(&blanked(kind), vec![BLANKED_TENANT.into(), kind.name.into()]).await?;
    }
    for kind in kinds {
        let name = kind.name;
        let listed = r#"WHERE "number" IN (SELECT "number" FROM "rebuilding" WHERE "kind" = ?1)"#;
        // All of them first: two records may have exchanged a unique value.
        if kind.terms {
            asking
                .ask(&format!(r#"DELETE FROM "{name}_term" {listed}"#), vec![name.into()])
                .await?;
        }
        asking.ask(&format!(r#"DELETE FROM "{name}" {listed}"#), vec![name.into()]).await?;
    }
    let mut after = (String::new(), i64::MIN);
    loop {
        let params = vec![after.0.as_str().into(), after.1.into()];
        let rows = asking.ask(statement::NEXT, params).await?;
        let entries = rows.into_iter().map(entry).collect::<Result<Vec<Entry>, StoreError>>()?;
        let Some(last) = entries.last() else { break };
        after = (last.kind.clone(), last.number);
        let mut lines = Vec::new();
        // An empty document: the record went, and the journal forgot what it looked like.
        for entry in entries.iter().filter(|entry| entry.doc != EMPTY) {
            lines.extend(made(kinds, entry, record_of)?);
        }
        asking.lines(lines).await?;
    }
    asking.ask(statement::END, Vec::new()).await?;
    Ok(())
}

/// Records of a kind, as they are now, some of whose entries were blanked, each with its newest.
fn blanked(kind: &Kind) -> String {
    let name = kind.name;
    format!(
        r#"INSERT INTO "rebuilding" ("kind", "number", "tenant", "seq")
        SELECT "kind", "number", "tenant", MAX("seq") FROM "journal"
        WHERE "tenant" = ?1 AND "kind" = ?2 AND "number" IN (SELECT "number" FROM "{name}")
        AND "number" IN (SELECT "number" FROM "journal"
            WHERE "tenant" = ?1 AND "kind" = ?2 AND "doc" = '{{}}')
        GROUP BY "kind", "number", "tenant" ON CONFLICT ("kind", "number") DO NOTHING"#
    )
}

/// A record and its terms, from its newest entry.
fn made(
    kinds: &'static [&'static Kind],
    entry: &Entry,
    record_of: RecordOf,
) -> Result<Vec<Line>, StoreError> {
    let kind = sql::kind_named(kinds, &entry.kind)?;
    let record = record_of(kind, entry).ok_or_else(|| {
        let Entry { tenant, seq, kind, number, .. } = entry;
        StoreError::Engine(format!(
            "nothing is kept: {kind} {number} cannot be made from entry {seq} of space {tenant}"
        ))
    })?;
    let row = Row {
        tenant: record.tenant,
        number: record.number,
        uuid: record.uuid,
        revision: record.revision,
        doc: record.doc,
    };
    let mut lines: Vec<Line> =
        record.terms.iter().map(|term| Line::term(kind, &row, term)).collect();
    lines.insert(0, Line::record(kind, row, &record.columns)?);
    Ok(lines)
}

/// Puts the heads where the journals end.
pub(crate) async fn heads(
    asking: &mut Asking,
    lasts: &BTreeMap<i64, i64>,
) -> Result<(), StoreError> {
    asking.ask(r#"DELETE FROM "head""#, Vec::new()).await?;
    let head = |(tenant, last): (&i64, &i64)| Line::Head {
        tenant: *tenant,
        last: *last,
        mark: String::new(),
    };
    let heads: Vec<Line> = lasts.iter().map(head).collect();
    for chunk in heads.chunks(CHUNK_LINES) {
        asking.lines(chunk.to_vec()).await?;
    }
    Ok(())
}

/// An entry from the columns of [`sql::ENTRY`].
fn entry(row: Vec<Value>) -> Result<Entry, StoreError> {
    let mut values = row.into_iter();
    let wrong = || StoreError::Engine("an entry of the journal cannot be read".to_owned());
    let int = |value: Option<Value>| match value {
        Some(Value::Int(int)) => Ok(int),
        Some(Value::Text(_) | Value::Null) | None => Err(wrong()),
    };
    let text = |value: Option<Value>| match value {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Int(_) | Value::Null) | None => Err(wrong()),
    };
    let mut entry = Entry {
        tenant: int(values.next())?,
        seq: int(values.next())?,
        kind: text(values.next())?,
        number: int(values.next())?,
        subject: int(values.next())?,
        revision: int(values.next())?,
        action: text(values.next())?,
        at: int(values.next())?,
        actor: text(values.next())?,
        request: text(values.next())?,
        changed: text(values.next())?,
        doc: text(values.next())?,
        related: related_from(&text(values.next())?)?,
    };
    // Unpacked where it was read.
    if let Some(Value::Text(doc)) = values.next() {
        entry.doc = doc;
    }
    Ok(entry)
}
