//! Reading rows. Every statement comes prepared out of the connection's cache.

use bytes::Bytes;
use rusqlite::types::{Null, ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, OptionalExtension, Params, ToSql, params_from_iter};
use uuid::Uuid;

use super::failed;
use super::readers::Bounds;
use crate::batch::related_from;
use crate::filter::{Residual, Slot, SlotType};
use crate::packing::unpack;
use crate::page::{Page, Statement};
use crate::param::Param;
use crate::sql::KindSql;
use crate::store::{Found, Recorded};
use crate::terms::terms_of;
use crate::{Answer, Doc, Entry, Record, Row, StoreError, Value};

/// Findings of the integrity check at most.
const FINDINGS_MAX: u32 = 100;

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Value::Null => Null.to_sql(),
            Value::Int(int) => int.to_sql(),
            Value::Text(text) => text.to_sql(),
        }
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let list =
            |json: serde_json::Value| Ok(ToSqlOutput::Owned(SqlValue::Text(json.to_string())));
        match self {
            Param::Int(int) => int.to_sql(),
            Param::Text(text) => text.to_sql(),
            Param::Ints(ints) => list(ints.as_slice().into()),
            Param::Texts(texts) => list(texts.as_slice().into()),
        }
    }
}

/// Columns of a record before the declared ones.
pub(super) const FIXED: usize = 6;

/// A record whose columns begin at `from`.
pub(super) fn record(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Row> {
    let uuid = Uuid::try_parse(row.get_ref(from + 2)?.as_str()?).map_err(|error| {
        let text = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(from + 2, text, Box::new(error))
    })?;
    Ok(Row {
        tenant: row.get(from)?,
        number: row.get(from + 1)?,
        uuid,
        revision: row.get(from + 3)?,
        doc: Doc::held(row.get(from + 4)?, packed(row, from + 5)?),
    })
}

fn packed(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<Bytes>> {
    Ok(row.get::<_, Option<Vec<u8>>>(at)?.map(Bytes::from))
}

/// At most one record.
pub(super) fn row(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Option<Row>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_row(params, |row| record(row, 0)).optional().map_err(failed)
}

/// A declared column.
pub(super) fn column(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Value> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        // Only documents are bytes.
        ValueRef::Blob(packed) => Value::Text(unpacked(at, packed)?),
        _ => Value::Text(row.get(at)?),
    })
}

fn unpacked(at: usize, packed: &[u8]) -> rusqlite::Result<String> {
    unpack(packed).map_err(|error| {
        let blob = rusqlite::types::Type::Blob;
        rusqlite::Error::FromSqlConversionFailure(at, blob, Box::new(error))
    })
}

/// Whole records behind a number, and the terms of theirs.
pub(super) fn records_after(
    connection: &Connection,
    sql: &KindSql,
    number: i64,
    limit: u32,
) -> Result<Recorded, StoreError> {
    let mut statement = connection.prepare_cached(&sql.records_after).map_err(failed)?;
    let end = FIXED + sql.kind.columns.len();
    let mut terms = Vec::new();
    let records = statement.query_map((number, limit), |row| {
        let columns = (FIXED..end).map(|at| column(row, at));
        let record = record(row, 0)?.with(columns.collect::<rusqlite::Result<_>>()?);
        if sql.kind.terms {
            let held = row.get_ref(end)?.as_blob_or_null()?.unwrap_or_default();
            terms.extend(terms_of(held).map(|term| (record.number, term.to_owned())));
        }
        Ok(record)
    });
    let records: Vec<Record> = records.and_then(|records| records.collect()).map_err(failed)?;
    Ok((records, terms))
}

fn slots(row: &rusqlite::Row<'_>, from: usize, types: &[SlotType]) -> rusqlite::Result<Vec<Slot>> {
    let slots = types.iter().zip(from..).map(|(slot_type, at)| match slot_type {
        SlotType::Bool => row.get(at).map(Slot::Bool),
        SlotType::Text => row.get(at).map(Slot::Text),
    });
    slots.collect()
}

/// Fills a page, reading no further than it needs.
pub(super) fn page(
    connection: &Connection,
    statements: &[Statement],
    mut page: Page,
    bounds: &Bounds,
) -> Result<Found, StoreError> {
    for statement in statements {
        let mut prepared = connection.prepare_cached(&statement.sql).map_err(failed)?;
        let mut rows = prepared.query(params_from_iter(&statement.params)).map_err(failed)?;
        while !page.is_full() {
            let Some(row) = rows.next().map_err(failed)? else { break };
            awaited(statement.residual.as_ref(), bounds)?;
            let slots = slots(row, FIXED, &statement.slots).map_err(failed)?;
            let record = record(row, 0).map_err(failed)?;
            page.push(statement.residual.as_ref(), &slots, record);
        }
    }
    Ok(page.found)
}

/// What is left to us takes time that SQLite does not see.
fn awaited(residual: Option<&Residual>, bounds: &Bounds) -> Result<(), StoreError> {
    match residual.is_some() && bounds.is_over() {
        true => Err(StoreError::GivenUp),
        false => Ok(()),
    }
}

pub(super) fn count(
    connection: &Connection,
    statement: &Statement,
    bounds: &Bounds,
) -> Result<u64, StoreError> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(failed)?;
    let mut rows = prepared.query(params_from_iter(&statement.params)).map_err(failed)?;
    let Some(residual) = &statement.residual else {
        let counted = rows.next().and_then(|row| row.map_or(Ok(0), |row| row.get::<_, i64>(0)));
        return Ok(counted.map_err(failed)?.unsigned_abs());
    };
    let mut met = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        awaited(Some(residual), bounds)?;
        met += u64::from(residual.holds(&slots(row, 0, &statement.slots).map_err(failed)?));
    }
    Ok(met)
}

pub(super) fn terms(
    connection: &Connection,
    statement: &Statement,
) -> Result<Vec<(String, Row)>, StoreError> {
    let mut prepared = connection.prepare_cached(&statement.sql).map_err(failed)?;
    let found = prepared
        .query_map(params_from_iter(&statement.params), |row| Ok((row.get(0)?, record(row, 1)?)))
        .map_err(failed)?;
    found.collect::<rusqlite::Result<_>>().map_err(failed)
}

fn related(text: &str) -> rusqlite::Result<Vec<i64>> {
    related_from(text).map_err(|error| {
        let text = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(12, text, Box::new(error))
    })
}

pub(super) fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        tenant: row.get(0)?,
        seq: row.get(1)?,
        kind: row.get(2)?,
        number: row.get(3)?,
        subject: row.get(4)?,
        revision: row.get(5)?,
        action: row.get(6)?,
        at: row.get(7)?,
        actor: row.get(8)?,
        request: row.get(9)?,
        changed: row.get(10)?,
        doc: match row.get_ref(13)?.as_blob_or_null()? {
            Some(packed) => unpacked(13, packed)?,
            None => row.get(11)?,
        },
        related: related(row.get_ref(12)?.as_str()?)?,
    })
}

pub(super) fn entries(
    connection: &Connection,
    sql: &str,
    params: impl Params,
) -> Result<Vec<Entry>, StoreError> {
    let mut prepared = connection.prepare_cached(sql).map_err(failed)?;
    let found = prepared.query_map(params, entry).map_err(failed)?;
    found.collect::<rusqlite::Result<_>>().map_err(failed)
}

/// Position of the last entry of a tenant; 0 when it has none.
pub(super) fn head(connection: &Connection, sql: &str, tenant: i64) -> Result<i64, StoreError> {
    let mut prepared = connection.prepare_cached(sql).map_err(failed)?;
    let last = prepared.query_row([tenant], |row| row.get(0)).optional().map_err(failed)?;
    Ok(last.unwrap_or(0))
}

/// An answer whose five columns begin at `from`.
pub(super) fn answer_row(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Answer> {
    Ok(Answer {
        key: row.get(from)?,
        operation: row.get(from + 1)?,
        fingerprint: row.get(from + 2)?,
        outcome: row.get(from + 3)?,
        at: row.get(from + 4)?,
    })
}

pub(super) fn answer(
    connection: &Connection,
    sql: &str,
    tenant: i64,
    key: &str,
) -> Result<Option<Answer>, StoreError> {
    let mut prepared = connection.prepare_cached(sql).map_err(failed)?;
    prepared.query_row((tenant, key), |row| answer_row(row, 0)).optional().map_err(failed)
}

/// What SQLite itself finds wrong with the file.
pub(super) fn integrity(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = format!("PRAGMA integrity_check({FINDINGS_MAX})");
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>().map_err(failed)?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}
