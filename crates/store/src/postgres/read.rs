//! Reading rows, and sending values of our own types.

use deadpool_postgres::Client;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::ask::{self, Chunks};
use super::failure::failed;
use crate::batch::related_from;
use crate::filter::{Slot, SlotType};
use crate::packing::unpack;
use crate::page::{Page, Statement};
use crate::{Answer, Entry, Kind, Row, Shape, StoreError, Value};

pub(super) fn value<'r, T: FromSql<'r>>(row: &'r SqlRow, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|error| failed(&error))
}

/// A record whose five columns begin at `from`.
pub(super) fn record(row: &SqlRow, from: usize) -> Result<Row, StoreError> {
    let uuid = Uuid::try_parse(value(row, from + 2)?)
        .map_err(|error| StoreError::Engine(format!("a stored UUID cannot be read: {error}")))?;
    Ok(Row {
        tenant: value(row, from)?,
        number: value(row, from + 1)?,
        uuid,
        revision: value(row, from + 3)?,
        doc: value::<String>(row, from + 4)?.into(),
    })
}

/// The declared columns behind the first five.
pub(super) fn columns(row: &SqlRow, kind: &Kind) -> Result<Vec<Value>, StoreError> {
    let columns = kind.columns.iter().zip(5..).map(|(column, at)| match column.shape {
        Shape::Int => value::<Option<i64>>(row, at).map(Value::from),
        Shape::Text => value::<Option<String>>(row, at).map(Value::from),
    });
    columns.collect()
}

pub(super) fn slots(
    row: &SqlRow,
    from: usize,
    types: &[SlotType],
) -> Result<Vec<Slot>, StoreError> {
    let slots = types.iter().zip(from..).map(|(slot_type, at)| match slot_type {
        SlotType::Bool => value(row, at).map(Slot::Bool),
        SlotType::Text => value(row, at).map(Slot::Text),
    });
    slots.collect()
}

pub(super) fn push(page: &mut Page, statement: &Statement, row: &SqlRow) -> Result<(), StoreError> {
    page.push(statement.residual.as_ref(), &slots(row, 5, &statement.slots)?, record(row, 0)?);
    Ok(())
}

/// Fetches a result of any length in chunks, until `take` says that it has enough.
pub(super) async fn stream(
    client: &mut Client,
    pooled: bool,
    statement: &Statement,
    mut take: impl FnMut(&SqlRow) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    let params = ask::params(&statement.params);
    let mut chunks = Chunks::of(&transaction, pooled, &statement.sql, &params)
        .await
        .map_err(|error| failed(&error))?;
    while let Some(rows) = chunks.next().await.map_err(|error| failed(&error))? {
        for row in &rows {
            if take(row)? {
                return Ok(());
            }
        }
    }
    transaction.commit().await.map_err(|error| failed(&error))
}

pub(super) fn entry(row: &SqlRow) -> Result<Entry, StoreError> {
    Ok(Entry {
        tenant: value(row, 0)?,
        seq: value(row, 1)?,
        kind: value(row, 2)?,
        number: value(row, 3)?,
        subject: value(row, 4)?,
        revision: value(row, 5)?,
        action: value(row, 6)?,
        at: value(row, 7)?,
        actor: value(row, 8)?,
        request: value(row, 9)?,
        changed: value(row, 10)?,
        doc: match value::<Option<&[u8]>>(row, 13)? {
            Some(packed) => unpack(packed)?,
            None => value(row, 11)?,
        },
        related: related_from(value(row, 12)?)?,
    })
}

/// An answer whose five columns begin at `from`.
pub(super) fn answer(row: &SqlRow, from: usize) -> Result<Answer, StoreError> {
    Ok(Answer {
        key: value(row, from)?,
        operation: value(row, from + 1)?,
        fingerprint: value(row, from + 2)?,
        outcome: value(row, from + 3)?,
        at: value(row, from + 4)?,
    })
}
