//! Statements and their values. To a server they are sent prepared, once for each connection;
//! behind a pooler, where the next transaction may have another session, each goes with the types
//! of its values and leaves nothing behind.

use std::error::Error as StdError;

use bytes::BytesMut;
use deadpool_postgres::{Client, Transaction};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Error, Portal, Row as SqlRow};

use crate::Value;
use crate::param::Param;

/// Rows fetched at once where a result has no bound.
const CHUNK_ROWS: i32 = 256;

/// A value that knows its type without asking the server.
pub(super) trait Parameter: ToSql + Sync {
    fn sql_type(&self) -> Type;
}

/// Values of a statement.
pub(super) type Params<'a> = &'a [&'a dyn Parameter];

macro_rules! parameters {
    ($($own:ty => $name:ident),* $(,)?) => {
        $(impl Parameter for $own {
            fn sql_type(&self) -> Type {
                Type::$name
            }
        })*
    };
}

parameters! {
    i64 => INT8,
    String => TEXT,
    &str => TEXT,
    Vec<i64> => INT8_ARRAY,
    Vec<String> => TEXT_ARRAY,
    Vec<&str> => TEXT_ARRAY,
    Option<&[u8]> => BYTEA,
    Vec<Option<&[u8]>> => BYTEA_ARRAY,
}

impl<T: Parameter> Parameter for &T {
    fn sql_type(&self) -> Type {
        (*self).sql_type()
    }
}

impl Parameter for Value {
    fn sql_type(&self) -> Type {
        match self {
            // The server takes the column's.
            Value::Null => Type::UNKNOWN,
            Value::Int(_) => Type::INT8,
            Value::Text(_) => Type::TEXT,
        }
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(int) => int.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::UNKNOWN].contains(ty)
    }

    to_sql_checked!();
}

/// The values of a search.
pub(super) fn params(params: &[Param]) -> Vec<&dyn Parameter> {
    fn param(param: &Param) -> &dyn Parameter {
        match param {
            Param::Int(int) => int,
            Param::Text(text) => text,
            Param::Ints(ints) => ints,
            Param::Texts(texts) => texts,
        }
    }
    params.iter().map(param).collect()
}

/// For a prepared statement, which has the types.
pub(super) fn plain<'a>(params: Params<'a>) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| *param as &(dyn ToSql + Sync)).collect()
}

/// For a statement that is sent with the types.
pub(super) fn typed<'a>(params: Params<'a>) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    params.iter().map(|param| (*param as &(dyn ToSql + Sync), param.sql_type())).collect()
}

/// The types of values.
fn types(params: Params<'_>) -> Vec<Type> {
    params.iter().map(|param| param.sql_type()).collect()
}

/// Runs a statement; its rows.
pub(super) async fn rows(
    client: &Client,
    pooled: bool,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<SqlRow>, Error> {
    if pooled {
        return client.query_typed(sql, &typed(params)).await;
    }
    let statement = client.prepare_cached(sql).await?;
    client.query(&statement, &plain(params)).await
}

/// Runs a statement within a transaction; its rows.
pub(super) async fn rows_within(
    transaction: &Transaction<'_>,
    pooled: bool,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<SqlRow>, Error> {
    if pooled {
        return transaction.query_typed(sql, &typed(params)).await;
    }
    let statement = transaction.prepare_typed_cached(sql, &types(params)).await?;
    transaction.query(&statement, &plain(params)).await
}

/// Runs a statement within a transaction; how many rows it changed.
pub(super) async fn execute(
    transaction: &Transaction<'_>,
    pooled: bool,
    sql: &str,
    params: Params<'_>,
) -> Result<u64, Error> {
    if pooled {
        return transaction.execute_typed(sql, &typed(params)).await;
    }
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &plain(params)).await
}

/// A result of any length, fetched in chunks.
pub(super) struct Chunks<'t> {
    transaction: &'t Transaction<'t>,
    /// `None`: a cursor of the transaction, which no statement has to outlive.
    portal: Option<Portal>,
    is_over: bool,
}

impl<'t> Chunks<'t> {
    /// Begins; one at a time in a transaction.
    pub(super) async fn of(
        transaction: &'t Transaction<'t>,
        pooled: bool,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Chunks<'t>, Error> {
        let portal = if pooled {
            let declare = format!(r#"DECLARE "chunks" NO SCROLL CURSOR FOR {sql}"#);
            transaction.execute_typed(&declare, &typed(params)).await?;
            None
        } else {
            let prepared = transaction.prepare_cached(sql).await?;
            Some(transaction.bind(&prepared, &plain(params)).await?)
        };
        Ok(Chunks { transaction, portal, is_over: false })
    }

    /// The next rows; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<SqlRow>>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let rows = match &self.portal {
            Some(portal) => self.transaction.query_portal(portal, CHUNK_ROWS).await?,
            None => {
                let fetch = format!(r#"FETCH {CHUNK_ROWS} FROM "chunks""#);
                self.transaction.query_typed(&fetch, &[]).await?
            }
        };
        self.is_over = rows.len() < CHUNK_ROWS as usize;
        if self.is_over && self.portal.is_none() {
            self.transaction.batch_execute(r#"CLOSE "chunks""#).await?;
        }
        Ok(Some(rows))
    }
}
