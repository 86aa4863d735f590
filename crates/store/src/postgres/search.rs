//! Searches: pages, counts and term scans, each a long read.

use super::ask::{self, Params};
use super::failure::failed;
use super::long::LongRead;
use super::shared::READ_ATTEMPTS_MAX;
use super::{Postgres, SqlRow, read};
use crate::page::{self, Page, Statement};
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
            let pooled = self.shared.is_pooled();
            let rows =
                read.read(async |client| Ok(ask::rows(client, pooled, sql, params).await)).await?;
            match rows {
                Ok(rows) => return Ok(rows),
                Err(error) if self.shared.is_worth_repeating(&error, &mut attempt).await => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Streams rows into what is made anew for each attempt: what a server undid, or lost, is
    /// read again.
    async fn stream_into<T>(
        &self,
        statement: &Statement,
        made: impl Fn() -> T,
        take: impl Fn(&mut T, &SqlRow) -> Result<bool, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = self.shared.is_pooled();
        let mut attempt = 1;
        loop {
            let mut taken = made();
            let read = LongRead::begin(&self.shared).await?;
            let streamed = read.read(async |client| {
                read::stream(client, pooled, statement, |row| take(&mut taken, row)).await
            });
            match streamed.await {
                Ok(()) => return Ok(taken),
                Err(StoreError::Unavailable(_)) if attempt < READ_ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error),
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
                let pushed = |page: &mut Page, row: &SqlRow| {
                    read::push(page, statement, row)?;
                    Ok(page.is_full())
                };
                page = self.stream_into(statement, || page.clone(), pushed).await?;
            } else {
                for row in &self.query_long(&statement.sql, &ask::params(&statement.params)).await?
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
            let rows = self.query_long(&statement.sql, &ask::params(&statement.params)).await?;
            let count: i64 = rows.first().map_or(Ok(0), |row| read::value(row, 0))?;
            return Ok(count.unsigned_abs());
        };
        let counted = |met: &mut u64, row: &SqlRow| {
            *met += u64::from(residual.holds(&read::slots(row, 0, &statement.slots)?));
            Ok(false)
        };
        self.stream_into(&statement, || 0, counted).await
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
        let rows = self.query_long(&statement.sql, &ask::params(&statement.params)).await?;
        rows.iter().map(|row| Ok((read::value(row, 0)?, read::record(row, 1)?))).collect()
    }
}
