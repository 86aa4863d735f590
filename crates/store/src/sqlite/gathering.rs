//! From layout 4 to 5: every record holds its terms, which were found by an index over their
//! numbers before. That index took as much of the file as the terms themselves.
//!
//! The records follow the layout's number in steps of one transaction each, whose last position is
//! kept with them, so a start that was interrupted is gone on with. The store is not open before
//! the last step, which drops the index. A restore, which gets terms one by one, does the same
//! within its own transaction.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::failed;
use crate::sql::{KindSql, Schema};
use crate::terms::held;
use crate::{Kind, StoreError, ddl};

/// Records of one step.
const STEP_RECORDS: i64 = 1000;

/// Where the walk over a kind is: the name of its row in `meta`, which is there as long as there is
/// work.
pub(super) fn walk(kind: &Kind) -> String {
    format!("gathering {}", kind.name)
}

/// Does what is left to do, step by step.
pub(super) fn go_on(connection: &mut Connection, schema: &Schema) -> Result<(), StoreError> {
    for kind in schema.kinds.iter().filter(|kind| kind.terms) {
        while step(connection, schema.kind(kind)?)? {}
    }
    Ok(())
}

/// One step; whether there may be another.
fn step(connection: &mut Connection, sql: &KindSql) -> Result<bool, StoreError> {
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let walk = walk(sql.kind);
    let at: Option<String> = transaction
        .query_row(r#"SELECT "value" FROM "meta" WHERE "name" = ?1"#, [&walk], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    let Some(at) = at else { return Ok(false) };
    let at = at.parse().map_err(|_| StoreError::Engine(format!("no number of a record: {at}")))?;
    let next = gather(&transaction, sql, at)?;
    match next {
        Some(next) => transaction.execute(
            r#"UPDATE "meta" SET "value" = ?2 WHERE "name" = ?1"#,
            (&walk, next.to_string()),
        ),
        None => {
            drop_index(&transaction, sql.kind)?;
            transaction.execute(r#"DELETE FROM "meta" WHERE "name" = ?1"#, [&walk])
        }
    }
    .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(next.is_some())
}

/// All at once, where terms came without their records.
pub(super) fn whole(connection: &Connection, schema: &Schema) -> Result<(), StoreError> {
    for kind in schema.kinds.iter().filter(|kind| kind.terms) {
        connection.execute_batch(&ddl::term_index(kind).1).map_err(failed)?;
        let mut next = Some(i64::MIN);
        while let Some(at) = next {
            next = gather(connection, schema.kind(kind)?, at)?;
        }
        drop_index(connection, kind)?;
    }
    Ok(())
}

fn drop_index(connection: &Connection, kind: &Kind) -> Result<(), StoreError> {
    let (index, _) = ddl::term_index(kind);
    connection.execute_batch(&format!(r#"DROP INDEX IF EXISTS "{index}""#)).map_err(failed)
}

/// Lets the next records behind a number hold their terms; the last of them, unless there are no
/// more.
fn gather(connection: &Connection, sql: &KindSql, at: i64) -> Result<Option<i64>, StoreError> {
    let name = sql.kind.name;
    let mut next = connection
        .prepare_cached(&format!(
            r#"SELECT "number" FROM "{name}" WHERE "number" > ?1 ORDER BY "number" LIMIT ?2"#
        ))
        .map_err(failed)?;
    let numbers = next.query_map((at, STEP_RECORDS), |row| row.get(0));
    let numbers: Vec<i64> = numbers.and_then(|numbers| numbers.collect()).map_err(failed)?;
    let mut terms = connection
        .prepare_cached(&format!(
            r#"SELECT "term" FROM "{name}_term" WHERE "number" = ?1 ORDER BY "term""#
        ))
        .map_err(failed)?;
    let mut hold = connection.prepare_cached(&sql.terms_hold).map_err(failed)?;
    for number in &numbers {
        let found = terms.query_map([number], |row| row.get(0));
        let found: Vec<String> = found.and_then(|found| found.collect()).map_err(failed)?;
        hold.execute((number, held(&found))).map_err(failed)?;
    }
    let is_last = (numbers.len() as i64) < STEP_RECORDS;
    Ok(numbers.last().copied().filter(|_| !is_last))
}
