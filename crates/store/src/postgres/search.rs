//! Searches: pages, counts and term scans, each a long read.

use super::long::LongRead;
use super::{Params, Postgres, READ_ATTEMPTS_MAX, SqlRow, failed, is_connection_lost, read};
use crate::page;
use crate::store::Found;
use crate::{Kind, Predicate, Query, Row, StoreError};

impl Postgres {
    /// Runs one statement that may look at much.
    pub(super) async fn query_long(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Vec<SqlRow>, StoreError> {
        let mut attempt = 1;
        loop {
            let read = LongRead::begin(&self.shared).await?;
            let rows = read.read(async |client| {
                let rows = async {
                    let statement = client.prepare_cached(sql).await?;
                    client.query(&statement, params).await
                };
                Ok(rows.await)
            });
            match rows.await? {
                Err(error) if is_connection_lost(&error) && attempt < READ_ATTEMPTS_MAX => {
                    attempt += 1;
                }
                rows => return rows.map_err(|error| failed(&error)),
            }
        }
    }

    pub(crate) async fn find(
        &self,
        kind: &'static Kind,
        query: &Query,
    ) -> Result<Found, StoreError> {
        let (statements, mut page) = page::find(&self.shared.schema, kind, query)?;
        for statement in &statements {
            if statement.residual.is_some() {
                let read = LongRead::begin(&self.shared).await?;
                read.read(async |client| {
                    read::stream(client, statement, |row| {
                        read::push(&mut page, statement, row)?;
                        Ok(page.is_full())
                    })
                    .await
                })
                .await?;
            } else {
                for row in
                    &self.query_long(&statement.sql, &read::params(&statement.params)).await?
                {
                    read::push(&mut page, statement, row)?;
                }
            }
            if page.is_full() {
                break;
            }
        }
        Ok(page.found)
    }

    pub(crate) async fn count(
        &self,
        kind: &'static Kind,
        tenants: &[i64],
        predicate: &Predicate,
    ) -> Result<u64, StoreError> {
        let statement = page::count(&self.shared.schema, kind, tenants, predicate)?;
        let Some(residual) = &statement.residual else {
            let rows = self.query_long(&statement.sql, &read::params(&statement.params)).await?;
            let count: i64 = rows.first().map_or(Ok(0), |row| read::value(row, 0))?;
            return Ok(count.unsigned_abs());
        };
        let mut met = 0;
        let read = LongRead::begin(&self.shared).await?;
        read.read(async |client| {
            read::stream(client, &statement, |row| {
                met += u64::from(residual.holds(&read::slots(row, 0, &statement.slots)?));
                Ok(false)
            })
            .await
        })
        .await?;
        Ok(met)
    }

    pub(crate) async fn scan_terms(
        &self,
        kind: &'static Kind,
        tenant: i64,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, Row)>, StoreError> {
        if prefix.contains('\0') {
            return Ok(Vec::new());
        }
        let statement = page::scan_terms(&self.shared.schema, kind, tenant, prefix, after, limit)?;
        let rows = self.query_long(&statement.sql, &read::params(&statement.params)).await?;
        rows.iter().map(|row| Ok((read::value(row, 0)?, read::record(row, 1)?))).collect()
    }
}
