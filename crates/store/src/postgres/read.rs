//! Reading rows, and sending values of our own types.

use std::error::Error;

use bytes::BytesMut;
use deadpool_postgres::Client;
use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::failed;
use crate::batch::related_from;
use crate::filter::{Param, Slot, SlotType};
use crate::page::{Page, Statement};
use crate::{Answer, Entry, Kind, Row, Shape, StoreError, Value};

/// Rows fetched at once where a result has no bound.
pub(super) const CHUNK_ROWS: i32 = 256;

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(int) => int.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::INT8 || *ty == Type::TEXT
    }

    to_sql_checked!();
}

/// The values as the driver wants them.
pub(super) fn params(params: &[Param]) -> Vec<&(dyn ToSql + Sync)> {
    fn param(param: &Param) -> &(dyn ToSql + Sync) {
        match param {
            Param::Int(int) => int,
            Param::Text(text) => text,
            Param::Ints(ints) => ints,
            Param::Texts(texts) => texts,
        }
    }
    params.iter().map(param).collect()
}

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
        doc: value(row, from + 4)?,
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
    statement: &Statement,
    mut take: impl FnMut(&SqlRow) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let transaction = client.transaction().await.map_err(|error| failed(&error))?;
    let portal = async {
        let prepared = transaction.prepare_cached(&statement.sql).await?;
        transaction.bind(&prepared, &params(&statement.params)).await
    };
    let portal = portal.await.map_err(|error| failed(&error))?;
    loop {
        let rows = transaction.query_portal(&portal, CHUNK_ROWS).await;
        let rows = rows.map_err(|error| failed(&error))?;
        for row in &rows {
            if take(row)? {
                return Ok(());
            }
        }
        if rows.len() < CHUNK_ROWS as usize {
            return transaction.commit().await.map_err(|error| failed(&error));
        }
    }
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
        doc: value(row, 11)?,
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
